"""Every kind of fault happens, ends by itself, and leaves a cluster that keeps its promises."""

import pytest

from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.client_network import DELAY
from kvraft_chaos.simulation.clients import Clients
from kvraft_chaos.simulation.disk import UNLIMITED_BYTES
from kvraft_chaos.simulation.faults import CLIENTS, WEIGHTS, Fault, draw_plan
from kvraft_chaos.simulation.nemesis import Nemesis
from kvraft_chaos.simulation.process import Settings
from kvraft_chaos.simulation.rot import flip, guarded_spots
from kvraft_chaos.simulation.world import World

SETTINGS = Settings(replica=True, snapshot_every=30, segment_bytes=4_000)


@pytest.fixture
def world():
    with World(settings=SETTINGS) as world:
        yield world


@pytest.fixture
def nemesis(world):
    """A loaded cluster and its nemesis."""
    nemesis = Nemesis(world)
    world.boot("A")
    clients = Clients(world, 5, 60.0)
    clients.start()
    world.run(2.0)
    return nemesis


def fault(kind, *nodes, seconds=1.0, amount=0.0):
    return [Fault(0.0, kind, nodes or ("B", "A"), seconds, amount)]


def healed(world, nemesis):
    nemesis.heal_everything()
    world.run(6.0)
    world.until(lambda: all(node.process for node in world.nodes.values()), 10.0)
    world.until(lambda: all(node.process.is_member() for node in world.nodes.values()), 10.0)
    return world.violations == []


def test_faults_of_all_kinds_end_healed(world, nemesis):
    for kind in sorted(WEIGHTS):
        nodes = ("c1", "A") if kind.startswith("client_") else ("B", "A")
        amount = {"narrow_link": 50_000.0, "clock_rate": 1.01}.get(kind, 0.3)
        nemesis.schedule(fault(kind, *nodes, amount=amount))
        world.run(0.7)
    assert healed(world, nemesis)
    assert world["B"].disk.capacity_bytes == UNLIMITED_BYTES
    assert all(
        (link.cut, link.loss, link.delay) == (False, 0.0, DELAY)
        for link in world.front.links.values()
    )


def test_a_full_disk_stops_the_node_and_it_comes_back(world, nemesis):
    nemesis.schedule(fault("disk_full", "B", "A", seconds=4.0))
    world.until(lambda: world["B"].process is None, 4.0)
    assert "disk full" in world["B"].refusal
    world.run(5.0)
    assert world["B"].process is not None
    assert healed(world, nemesis)


def test_a_leader_without_room_refuses_writes_for_the_lack_of_space(world, nemesis):
    nemesis.schedule(fault("disk_full", "A", "B", seconds=3.0, amount=50_000.0))
    world.run(0.2)
    assert world["A"].ledger.admission.free_disk_bytes <= 50_000
    outcome = world.write("A", "999999999")
    world.until(lambda: outcome.done)
    assert not outcome.acknowledged
    assert 999999999 not in world["A"].applied


@pytest.mark.parametrize("seed", range(3))
def test_a_flipped_bit_is_noticed_wherever_it_must_be(world, nemesis, seed):
    node = world["C"]
    disk_id = node.process.directory.identity.disk_id
    node.crash()
    assert len(guarded_spots(node.disk, disk_id)) > 1
    assert flip(node.disk, disk_id, Chance(seed, "rot")) is not None
    node.wiped = True
    assert not node.start()
    assert "damaged" in node.refusal


def test_rot_that_goes_unnoticed_is_convicted(world, nemesis, monkeypatch):
    monkeypatch.setattr("kvraft_chaos.simulation.nemesis.flip", lambda *_: "nothing was flipped")
    nemesis.schedule(fault("bit_flip", "C", "A"))
    world.run(0.5)
    assert world.violations == ["damage-accepted"]


def test_a_damaged_node_rejoins_with_an_empty_disk(world, nemesis):
    disk_id = world["C"].process.directory.identity.disk_id
    nemesis.schedule(fault("bit_flip", "C", "A"))
    world.run(0.1)
    assert nemesis.flips == 1
    assert "damaged" in world["C"].refusal
    assert healed(world, nemesis)
    assert world["C"].process.directory.identity.disk_id != disk_id


def test_a_node_that_lags_behind_snapshots_gets_one(world, nemesis):
    taken = world.shared.counters.get("snapshots", 0)
    nemesis.schedule(fault("snapshot_in_lag", "C", "A", seconds=3.0))
    world.run(3.5)
    assert world.shared.counters["snapshots"] >= taken + 4
    assert healed(world, nemesis)


def test_a_client_may_be_cut_off_from_all_nodes(world, nemesis):
    nemesis.schedule(fault("client_cut", "c1", "A", seconds=4.5))
    world.run(0.1)
    cut = {key for key, link in world.front.links.items() if link.cut}
    assert cut == {("c1", name) for name in world.names}
    world.run(5.0)
    assert not any(link.cut for link in world.front.links.values())


def test_plans_know_every_kind_and_whom_it_hits():
    plan = draw_plan(1, ("A", "B", "C"), 2_000.0)
    assert {each.kind for each in plan} == set(WEIGHTS)
    for each in plan:
        if each.kind.startswith("client_"):
            assert each.nodes[0] in CLIENTS
            assert each.nodes[1] in ("A", "B", "C")
        else:
            assert set(each.nodes) <= {"A", "B", "C"}
