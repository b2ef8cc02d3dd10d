"""A node that cannot be right stops, at once and for good, and says why (gap rows 10, 18, 25)."""

import pytest

from kvraft_chaos.simulation.faults import Fault
from kvraft_chaos.simulation.logview import DATA
from kvraft_chaos.simulation.nemesis import Nemesis
from kvraft_chaos.simulation.world import World


@pytest.fixture
def world():
    with World() as world:
        world.boot("A")
        yield world


def snapshot_file(node):
    directory = f"{DATA}/snapshots"
    (name,) = [each for each in node.disk.listdir(directory) if each.endswith(".snapshot")]
    return f"{directory}/{name}"


@pytest.mark.parametrize("flip", [False, True])
def test_r_a_damaged_snapshot_is_refused_with_its_name(world, flip):
    for _ in range(30):
        world.write("A")
    world.run(0.5)
    world["B"].post(world["B"].ledger.snapshot)
    world.run(0.5)
    world.crash("B")
    path = snapshot_file(world["B"])
    if flip:
        world["B"].disk.flip_bit(path, world["B"].disk.size(path) // 2, 3)
    assert world["B"].start() is not flip
    if flip:
        assert path in world["B"].refusal
        assert "damaged" in world["B"].refusal
    outcome = world.write("A")
    world.run(0.3)
    assert outcome.acknowledged


def test_i_an_exception_in_apply_stops_the_nodes_and_repeats_nothing(world):
    before = [node.ledger.state.history[:] for node in world.nodes.values()]
    applied = []
    for node in world.nodes.values():
        apply = node.ledger.apply

        def counted(index, payload, node=node, apply=apply):
            applied.append((node.name, index))
            return apply(index, payload)

        node.ledger.apply = counted
    world["A"].post(lambda: world["A"].engine().propose(b"not a command", lambda _: None))
    world.run(2.0)
    stopped = [node for node in world.nodes.values() if node.process is None]
    assert len(stopped) >= 2  # the last one never hears that it is committed
    assert all("JSON" in node.refusal for node in stopped)
    assert len(applied) == len(set(applied))
    assert before == [[], [], []]


def test_j_an_exception_in_a_callback_applies_nothing_twice(world):
    applied = []
    apply = world["A"].ledger.apply
    world["A"].ledger.apply = lambda index, payload: (applied.append(index), apply(index, payload))

    def done(_):
        raise RuntimeError("client gone")

    payload = b'["write",1,"k",null,"v",[]]'
    world["A"].post(lambda: world["A"].engine().propose(payload, done))
    world.run(0.3)
    assert world["A"].process is None
    assert "client gone" in world["A"].refusal
    assert len(applied) == 1
    world.run(2.0)
    world.restart("A")
    world.until(lambda: all(node.applied == [1] for node in world.nodes.values()))


def test_a_failed_fsync_stops_the_node_and_loses_nothing(world):
    nemesis = Nemesis(world)
    nemesis.schedule([Fault(0.0, "failed_fsync", ("B", "C"), 1.0)])
    world.run(0.001)
    outcomes = [world.write("A") for _ in range(3)]
    world.run(0.5)
    assert world["B"].process is None
    assert "Input/output error" in world["B"].refusal
    assert all(outcome.acknowledged for outcome in outcomes)
    nemesis.heal_everything()
    world.until(world.converged, 20)
    assert world.violations == []


def test_a_stopped_node_is_a_violation_unless_its_disk_failed(world):
    world["B"].run(lambda: world["B"].process.fatal("for no reason"))
    assert world.violations == ["node-stopped"]
