"""An acquisition followed over the network: told once it is granted, given up when cut off."""

import pytest

from kvraft.core.commands import Acquire, LeaseGrant, Release
from kvraft.core.results import Ending, Refused, Standing
from kvraft.replica.outcomes import Denied
from kvraft_chaos.simulation.client_network import Lost
from kvraft_chaos.simulation.client_process import Reply, mutate
from kvraft_chaos.simulation.lock_stream import SILENCE_S, acquiring, following, hanging_up
from kvraft_chaos.simulation.process import Settings
from kvraft_chaos.simulation.world import World

LEASE = 7
FIRST, SECOND = (Acquire(key, (b"lock",), lease_id=LEASE) for key in (b"first", b"second"))


@pytest.fixture
def world():
    with World(settings=Settings(replica=True)) as world:
        world.boot("A")
        world.front.add_client("c")
        told(world, "A", mutate(LeaseGrant(60_000, LEASE)))
        told(world, "A", mutate(FIRST))
        yield world


def told(world, name, serve, limit=1.0):
    promise = world.front.ask("c", name, serve, limit)
    world.until(lambda: promise.done, limit + 1.0)
    said = promise._value
    return said.value if isinstance(said, Reply) else said


def standing(world, key=b"second"):
    return world["A"].ledger.machine.acquisition(key)


def test_who_waits_is_told_when_the_lock_is_free(world):
    assert told(world, "B", acquiring(SECOND)).standing is Standing.QUEUED
    promise = world.front.ask("c", "B", following(SECOND), 2.0)
    told(world, "A", mutate(Release(b"first")))
    world.until(lambda: promise.done, 1.0)
    assert promise._value.value.standing is Standing.GRANTED
    assert isinstance(told(world, "B", following(SECOND)), Denied), "the stream is over"
    world.run(3.0)
    assert standing(world).standing is Standing.GRANTED


def test_no_news_is_said_too(world):
    told(world, "B", acquiring(SECOND))
    assert told(world, "B", following(SECOND), 0.5) in (None, Lost("DEADLINE_EXCEEDED"))


def test_what_the_store_refuses_ends_the_stream(world):
    nobody = Acquire(b"other", (b"lock",), lease_id=99)
    assert isinstance(told(world, "B", acquiring(nobody)), Refused)
    assert isinstance(told(world, "B", following(nobody)), Denied)


@pytest.mark.parametrize("hangs_up", [True, False])
def test_the_place_of_who_is_gone_is_released(world, hangs_up):
    told(world, "B", acquiring(SECOND))
    if hangs_up:
        assert told(world, "B", hanging_up(SECOND)) is None
    else:
        world.run(SILENCE_S)
    world.run(3.0)
    assert standing(world).ending is Ending.RELEASED


def test_another_stream_of_the_same_acquisition_takes_over(world):
    told(world, "B", acquiring(SECOND))
    assert told(world, "B", acquiring(SECOND)).standing is Standing.QUEUED
    told(world, "A", mutate(Release(b"first")))
    assert told(world, "B", following(SECOND)).standing is Standing.GRANTED
