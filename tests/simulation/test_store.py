"""The real replica and core run in the simulator, above the real consensus and storage."""

from dataclasses import replace

import pytest

from kvraft.consensus.port import Failure
from kvraft_chaos.simulation.ledger import Command
from kvraft_chaos.simulation.process import Settings
from kvraft_chaos.simulation.world import World

PLAIN = Settings(replica=True)
SNAPSHOTS = replace(
    PLAIN, snapshot_every=10, flow=replace(PLAIN.flow, log_tail_bytes=0, append_bytes=5_000)
)


@pytest.fixture
def world():
    with World(settings=PLAIN) as world:
        world.boot("A")
        yield world


def test_a_follower_forwards_and_everyone_reads_it(world):
    outcome = world.write("B", "7")
    world.until(lambda: outcome.done)
    assert outcome.acknowledged
    reads = [world.read(name) for name in world.names]
    world.until(lambda: all(read.done for read in reads))
    assert [read.value for read in reads] == ["7", "7", "7"]
    assert world.violations == []


def test_compare_and_set_swaps_once(world):
    first = world.propose("A", Command("cas", 1, "seat", None, "1"))
    second = world.propose("C", Command("cas", 2, "seat", None, "2"))
    world.until(lambda: first.done and second.done)
    assert sorted(call.result for each in (first, second) for call in each.calls) == [False, True]


def test_a_minority_acknowledges_nothing(world):
    world.cut_off("A")
    world.run(1.2)
    refused, read = world.write("A"), world.read("A")
    world.until(lambda: refused.done and read.done, 3)
    assert refused.failure is Failure.NO_QUORUM
    assert read.failure is Failure.NO_QUORUM
    world.until(lambda: world.leader() in ("B", "C"))
    accepted = world.write(world.leader())
    world.until(lambda: accepted.done)
    assert accepted.acknowledged
    world.heal()
    world.until(world.converged, 20)
    assert world.violations == []


def test_a_write_in_flight_when_leadership_goes_is_unknown(world):
    world.network.cut("B", "A", noticed=False)
    world.network.cut("C", "A", noticed=False)
    outcome = world.write("A")
    world.until(lambda: outcome.done, 5)
    assert outcome.failure is Failure.LEADERSHIP_LOST


def test_state_survives_snapshots_and_a_restart_of_all():
    with World(settings=SNAPSHOTS) as world:
        world.boot("A")
        outcomes = []
        for _ in range(60):
            outcomes.append(world.write("A", key=f"k{len(outcomes) % 7}"))
            world.run(0.02)
        world.crash("C")
        for _ in range(60):
            outcomes.append(world.write("A", key="k"))
            world.run(0.02)
        world.restart("C")
        world.until(world.converged, 20)
        assert world["C"].ledger.applied_from > 0
        world.crash(*world.names, power=True)
        world.restart(*world.names)
        world.until(world.converged, 20)
        assert all(outcome.acknowledged for outcome in outcomes)
        read = world.read("B")
        world.until(lambda: read.done)
        assert read.value == "120"
        assert world.violations == []
