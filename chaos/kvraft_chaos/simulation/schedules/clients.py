"""Schedules about what clients are told by the real replica: leases, time, revisions, hashes."""

from dataclasses import replace
from functools import partial

from kvraft.core.commands import Command, CompareAndSet, Delete, Expect, LeaseGrant, LeaseKeepAlive
from kvraft.core.commands import Put as PutCommand
from kvraft.core.errors import Outcome
from kvraft.core.machine import StateMachine
from kvraft.core.results import CasResult, LeaseResult, PutResult, Result
from kvraft.replica.outcomes import Answer, Denied
from kvraft.replica.port import StateHash
from kvraft.replica.replica import Replica
from kvraft_chaos.simulation.process import Settings
from kvraft_chaos.simulation.schedule import Findings, findings, leader, schedule
from kvraft_chaos.simulation.world import World

REPLICA = Settings(replica=True)
SNAPSHOTS = replace(REPLICA, flow=replace(REPLICA.flow, log_tail_bytes=0))
DEADLINE = 5.0
TTL_MS = 1_000
STEP = 0.01
LATE = 0.5
"""Seconds behind the TTL by which a lease must be gone, with one leader all the time: a period of
the ticker (a quarter of the TTL), one commit, and what a tick takes."""


class Request:
    """One command on its way, and what came back."""

    def __init__(self, world: World, name: str, command: Command) -> None:
        self.sent_at = world.now
        self.told: list[Answer | Denied] = []
        node = replica(world, name)
        world[name].post(lambda: node.submit(command, node.now() + DEADLINE, self.told.append))

    @property
    def result(self) -> Result | None:
        """The state machine's answer, if there is one."""
        told = self.told[0] if self.told else None
        return told.result if isinstance(told, Answer) else None


def replica(world: World, name: str) -> Replica:
    """The real replica of a node that runs."""
    found = world[name].ledger
    assert isinstance(found, Replica)
    return found


def machine(world: World, name: str) -> StateMachine:
    """The replicated state of a node that runs."""
    return replica(world, name).machine


def answered(world: World, name: str, command: Command) -> Result:
    """Ask, and wait for the state machine's answer."""
    request = Request(world, name, command)
    world.until(lambda: request.told)
    assert request.result is not None, request.told
    return request.result


def restarted(world: World) -> str:
    """Snapshot every node, kill them all, start them again; return who leads then."""
    for name in world.names:
        world[name].post(world[name].ledger.snapshot)
    world.run(1.0)
    world.crash(*world.names)
    world.restart(*world.names)
    world.until(lambda: world.leader() and world.leads(leader(world)))
    return leader(world)


def put(key: str, value: int, lease_id: int | None = None) -> PutCommand:
    """A write as the checks know it: values are numbers."""
    return PutCommand(key.encode(), str(value).encode(), lease_id)


@schedule("I1", settings=REPLICA)
def a_lease_ends_in_time_and_takes_its_keys(world: World) -> Findings:
    """The nodes' clocks have nothing to do with each other; the log's time alone counts."""
    for name, zero in zip(world.names, (0.0, 50.0, 1000.0), strict=True):
        world[name].clock.offset = zero
    world.boot("A")
    granted_at = world.now
    lease = answered(world, "B", LeaseGrant(TTL_MS))
    assert isinstance(lease, LeaseResult)
    answered(world, "C", put("held", 1, lease.lease_id))
    equal = set(digests(world))
    while machine(world, "A").describe_lease(lease.lease_id) and world.now < granted_at + 10.0:
        world.run(STEP)
    took = world.now - granted_at
    world.until(lambda: len({machine(world, name).index for name in world.names}) == 1)
    left = [name for name in world.names if machine(world, name).get(b"held")]
    return findings(
        states_differ=len(equal) != 1,
        ended_early=took < TTL_MS / 1000,
        ended_late=took > TTL_MS / 1000 + LATE,
        keys_outlive_their_lease=left,
    )


@schedule("I1", settings=REPLICA)
def a_keepalive_counts_once_it_is_committed(world: World) -> Findings:
    world.boot("A")
    lease = answered(world, "A", LeaseGrant(TTL_MS))
    assert isinstance(lease, LeaseResult)
    world.cut_off("A")
    alone = Request(world, "A", LeaseKeepAlive(lease.lease_id))
    world.run(4.0)
    world.heal()
    world.until(lambda: alone.told)
    return findings(acknowledged_alone=isinstance(alone.result, LeaseResult))


@schedule("I1", settings=REPLICA)
def cluster_time_never_runs_backwards(world: World) -> Findings:
    world.boot("A")
    answered(world, "A", LeaseGrant(60_000))
    world.run(3.0)
    answered(world, "A", put("k", 1))
    world.until(lambda: machine(world, "B").cluster_time_ms == machine(world, "A").cluster_time_ms)
    before = machine(world, "B").cluster_time_ms
    world.crash("A")
    world.until(lambda: world.leader() in ("B", "C") and world.leads(leader(world)))
    answered(world, leader(world), put("k", 2))
    after = machine(world, leader(world)).cluster_time_ms
    return findings(stands_still=before < 2_000, ran_backwards=after < before)


@schedule("I13", settings=SNAPSHOTS)
def a_revision_is_given_once(world: World) -> Findings:
    """The newest key is deleted; a snapshot, and a restart of all, must not forget how far."""
    world.boot("A")
    first = answered(world, "A", put("k", 1))
    assert isinstance(first, PutResult)
    answered(world, "A", Delete(b"k"))
    second = answered(world, restarted(world), put("k", 2))
    assert isinstance(second, PutResult)
    given = first.entry.mod_revision, second.entry.mod_revision
    return findings(given_twice=given[1] <= given[0] + 1)


@schedule("I15", settings=REPLICA)
def a_state_hash_sees_every_difference(world: World) -> Findings:
    world.boot("A")
    lease = answered(world, "A", LeaseGrant(60_000))
    assert isinstance(lease, LeaseResult)
    equal = digests(world)
    odd = machine(world, "C")._leases  # noqa: SLF001 - rot, by hand
    odd.renew(lease.lease_id, odd.live(lease.lease_id)[1] + 1)
    return findings(
        differ_for_no_reason=len(set(equal)) != 1 or len(equal) != len(world.names),
        blind=len(set(digests(world))) == 1,
    )


def digests(world: World) -> list[str]:
    """The state hashes of all nodes at one index."""
    told: list[list[StateHash] | Denied] = []
    node = replica(world, "A")
    world["A"].post(lambda: node.state_hash(node.now() + DEADLINE, told.append))
    world.until(lambda: told)
    found = told[0]
    assert not isinstance(found, Denied), found
    return [each.digest for each in found]


@schedule("SEMANTICS, compare-and-set", settings=REPLICA)
def two_compare_and_sets_have_one_winner(world: World) -> Findings:
    world.boot("A")
    wishes = [CompareAndSet(b"seat", str(i).encode(), Expect(absent=True)) for i in (1, 2)]
    asked = [Request(world, name, wish) for name, wish in zip("BC", wishes, strict=True)]
    world.until(lambda: all(each.told for each in asked))
    results = [each.result for each in asked]
    won = [each for each in results if isinstance(each, CasResult) and each.succeeded]
    return findings(both_won=len(won) == 2, nobody_won=not won)


@schedule("17 (m), forwarded", settings=REPLICA)
def what_was_forwarded_and_lost_is_unknown(world: World) -> Findings:
    """The leader has it and commits it; only its answer to the follower is lost."""
    world.boot("A")
    world.network.links["A", "B"].delay = (0.2, 0.2)
    asked = Request(world, "B", put("k", 7))
    world.until(lambda: machine(world, "A").get(b"k"))
    world.reset("A", "B")
    world.until(lambda: asked.told)
    world.network.links["A", "B"].delay = (0.001, 0.001)
    world.until(partial(machine(world, "B").get, b"k"))
    told = asked.told[0]
    refused = isinstance(told, Denied) and told.outcome is Outcome.NOT_APPLIED
    return findings(refused_but_applied=refused, answered=isinstance(told, Answer))
