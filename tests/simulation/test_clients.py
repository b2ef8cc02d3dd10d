"""Clients with the real policy over a network that loses, holds and breaks."""

from dataclasses import replace

import pytest

from kvraft.core.commands import LeaseGrant, Put
from kvraft.core.results import LeaseResult, PutResult
from kvraft.replica.forwarder import Forwarder
from kvraft_chaos.simulation.campaign import draw_settings
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.client_network import DELAY, Lost
from kvraft_chaos.simulation.client_process import (
    Answered,
    ClientProcess,
    Failed,
    hash_state,
    mutate,
    view,
)
from kvraft_chaos.simulation.clients import Clients
from kvraft_chaos.simulation.effects import bare
from kvraft_chaos.simulation.process import Settings
from kvraft_chaos.simulation.tasks import Promise, Task
from kvraft_chaos.simulation.world import World
from kvraft_client.policy.failure import Effect, Outcome

PUT = Put(b"k", b"1")


@pytest.fixture
def world():
    with World(settings=Settings(replica=True)) as world:
        world.boot("A")
        world.front.add_client("c")
        yield world


@pytest.fixture
def client(world):
    return ClientProcess("c", world.scheduler, world.front, Chance(0, "client"))


def call(world, client, effect, serve, seconds=3.0, limit=10.0):
    came = []

    async def work():
        came.append(await client.call(effect, serve, seconds))

    client.begin(work())
    world.until(lambda: came, limit)
    return came[0]


def read(key=b"k"):
    return view(lambda machine: machine.get(key))


def raw(world, name, serve, limit=3.0):
    """One request without any policy."""
    promise = world.front.ask("c", name, serve, limit)
    world.until(lambda: promise.done, limit + 1)
    return promise._value


def test_a_call_finds_the_leader_and_is_answered(world, client):
    came = call(world, client, Effect.MUTATION, mutate(PUT))
    assert isinstance(came, Answered)
    assert isinstance(came.reply.value.result, PutResult)
    assert came.reply.node == "A"
    seen = call(world, client, Effect.READ, read())
    assert seen.reply.value.value == b"1"


def test_every_node_answers_a_linearizable_read_and_forwards_a_write(world):
    for value, name in zip((b"1", b"2", b"3"), world.names, strict=True):
        assert isinstance(raw(world, name, mutate(Put(b"k", value))).value.result, PutResult)
        assert raw(world, name, read()).value.value == value


def test_all_hashes_of_a_marker_come_back_and_are_equal(world, client):
    world.run(0.5)
    found = call(world, client, Effect.READ, hash_state).reply.value
    assert {each.node for each in found} == set(world.names)
    assert len({each.digest for each in found}) == 1


def test_a_dead_leader_is_stepped_around(world, client):
    call(world, client, Effect.MUTATION, mutate(PUT))
    world.crash("A")
    world.run(0.1)
    came = call(world, client, Effect.MUTATION, mutate(Put(b"k", b"2")), 5.0)
    assert isinstance(came, Answered)
    assert came.reply.node != "A"


def test_an_open_call_on_a_process_that_dies_is_unknown(world, client):
    call(world, client, Effect.MUTATION, mutate(PUT))
    world.cut_off("A")
    came = []

    async def work():
        came.append(await client.call(Effect.MUTATION, mutate(Put(b"k", b"2")), 5.0))

    client.begin(work())
    world.run(0.05)
    world.crash("A")
    world.until(lambda: came, 1.0)
    assert isinstance(came[0], Failed)
    assert came[0].outcome is Outcome.UNKNOWN


def test_a_machine_without_power_is_silent_until_the_limit(world):
    world.crash("A", power=True)
    begun = world.now
    assert raw(world, "A", read(), 0.7) == Lost("DEADLINE_EXCEEDED")
    assert world.now - begun >= 0.7


def test_a_dead_process_refuses_at_once(world):
    world.crash("A")
    begun = world.now
    assert raw(world, "A", read()) == Lost("UNAVAILABLE")
    assert world.now - begun < 0.1


def test_a_lost_answer_is_unknown_and_the_write_stands(world, client):
    call(world, client, Effect.MUTATION, mutate(PUT))
    world.front.links["c", "A"].loss = 1.0
    came = call(world, client, Effect.MUTATION, mutate(Put(b"k", b"2")))
    assert isinstance(came, Failed)
    assert came.outcome is Outcome.UNKNOWN
    world.run(0.1)  # followers are told soon
    assert world["B"].ledger.machine.get(b"k").value == b"2"


def test_what_a_cut_held_arrives_when_it_heals_though_the_client_gave_up(world):
    world.front.links["c", "A"].cut = True
    assert raw(world, "A", mutate(PUT), 0.5) == Lost("DEADLINE_EXCEEDED")
    assert world["A"].ledger.machine.get(b"k") is None
    world.front.heal()
    world.run(0.5)
    assert world["A"].ledger.machine.get(b"k").value == b"1"


def test_a_reset_breaks_open_calls_and_is_probed_again(world, client):
    call(world, client, Effect.MUTATION, mutate(PUT))
    assert world.front.connected("c", "A")
    world.front.reset("c", "A")
    assert not world.front.connected("c", "A")
    assert isinstance(call(world, client, Effect.MUTATION, mutate(Put(b"k", b"2"))), Answered)


def test_a_connection_to_an_older_process_breaks_on_use(world):
    raw(world, "B", read())
    world.crash("B", power=True)
    world.restart("B")
    assert raw(world, "B", read()) == Lost("UNAVAILABLE")


def test_a_killed_client_runs_no_further(world, client):
    steps = []

    async def work():
        await client.sleep(0.1)
        steps.append("awake")

    client.begin(work())
    client.kill()
    world.run(0.5)
    assert steps == []


def test_a_second_answer_is_reported(world):
    def twice(node, deadline, done):
        del node, deadline
        done(1)
        done(2)

    raw(world, "A", twice)
    assert world.violations == ["answered-twice"]


@pytest.mark.parametrize("guilty", [True, False])
def test_a_call_that_is_never_answered_is_reported(world, monkeypatch, guilty):
    if guilty:
        monkeypatch.setattr(Forwarder, "expire", lambda *_: None)
    world.cut("A", "B")
    assert isinstance(raw(world, "B", mutate(PUT), 0.4), Lost) or not guilty
    world.run(3.0)
    assert (world.violations == ["never-answered"]) is guilty


def test_a_promise_takes_one_value():
    promise = Promise()
    promise.keep(1)
    promise.keep(2)
    seen = []

    async def work():
        seen.append(await promise)

    assert Task(work()).over
    assert seen == [1]


# -- a whole population


@pytest.fixture
def population():
    settings = replace(draw_settings(1, Settings().switches), replica=True)
    with World(3, 1, settings) as world:
        world.boot("A")
        clients = Clients(world, 1, 6.0)
        clients.start()
        yield world, clients


def test_clients_do_everything_that_the_store_offers(population):
    world, clients = population
    world.run(8.0)
    kinds = {type(bare(command)).__name__ for command in clients.account.answered}
    assert kinds >= {
        "Put",
        "Delete",
        "DeleteRange",
        "CompareAndSet",
        "Update",
        "Txn",
        "SetInvariant",
        "SessionOpen",
        "LeaseGrant",
        "LeaseKeepAlive",
        "LeaseRevoke",
        "Acquire",
        "Confirm",
        "Release",
        "GuardPrefix",
    }
    assert clients.identities.replays > 0
    assert clients.past.conditions > 10
    assert sum(mark.told.events for mark in clients._bookmarks.values()) > 50
    assert clients.done > 20 * 6
    assert clients.watch.expired > 2
    assert clients.locks.grants > 20
    assert clients.locks.waits > 5
    assert clients.locks.fences.counter > 2
    assert {"RELEASED", "TIMED_OUT"} <= {ending.name for ending, _ in clients.locks.ended.values()}
    assert world.shared.chronicle.hashes > 10
    clients.judge()
    assert world.violations == []
    assert clients.account.undecided == 0


def test_two_processes_of_a_client_draw_no_key_twice(population):
    """Not even in the same microsecond, each for the first time (seed 9180)."""
    _, clients = population
    process = clients._running["c1"].process
    drawn = []
    for sending in (clients._running["c1"]._sending, clients._locking["c1"][1]):
        before = set(sending.notebook.open)
        sending._keys = 0
        process.begin(sending.under_key(PUT, None, 1.0))
        drawn += set(sending.notebook.open) - before
    assert len(set(drawn)) == 2


def test_a_client_that_crashed_comes_back_and_leaves_unknown_behind(population):
    world, clients = population
    world.run(1.0)
    for name in world.names:
        world.front.links["c1", name].cut = True
    world.run(0.4)
    world.front.crash_client("c1", 0.5)
    world.front.heal()
    assert "c1" not in clients._running
    assert "c1" not in clients._locking
    assert sum(clients.account.unknown.values()) > 0
    world.front.crash_client("c1", 0.5)
    assert clients.crashes == 1
    world.run(1.0)
    assert "c1" in clients._running
    assert "c1" in clients._locking
    world.run(6.0)
    clients.judge()
    assert world.violations == []


def test_a_slow_link_delays_and_heals(world):
    link = world.front.links["c", "A"]
    link.delay = (0.3, 0.3)
    begun = world.now
    granted = raw(world, "A", mutate(LeaseGrant(2000)))
    assert isinstance(granted.value.result, LeaseResult)
    assert world.now - begun >= 0.6
    world.front.heal()
    assert link.delay == DELAY
