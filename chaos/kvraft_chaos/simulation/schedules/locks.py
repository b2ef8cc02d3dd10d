"""Schedules about locks: who may hold, in which order, for how long, and who waits for whom."""

from dataclasses import replace
from typing import Any

from kvraft.core.commands import Acquire, LeaseGrant, LockMode, Release
from kvraft.core.errors import Reason
from kvraft.core.limits import ApplyLimits
from kvraft.core.places import LockChange
from kvraft.core.results import AcquireResult, Ending, LeaseResult, Refused, Result, Standing
from kvraft_chaos.simulation.schedule import Findings, findings, schedule
from kvraft_chaos.simulation.schedules.clients import (
    REPLICA,
    SNAPSHOTS,
    TTL_MS,
    Request,
    answered,
    digests,
    machine,
    restarted,
)
from kvraft_chaos.simulation.store import Bounds
from kvraft_chaos.simulation.world import World

ATTACH_MS = 1_500
ATTENDED = replace(REPLICA, bounds=Bounds(ApplyLimits(attach_ms=ATTACH_MS)))
"""Signs of life are owed soon."""
SHARED = LockMode.SHARED


def lease(world: World, ttl_ms: int = 60_000) -> int:
    """Grant a lease that outlives the script, if nothing else is said."""
    granted = answered(world, "A", LeaseGrant(ttl_ms))
    assert isinstance(granted, LeaseResult)
    return granted.lease_id


def asked(world: World, key: bytes, *names: bytes, node: str = "A", **more: Any) -> Result:
    """Ask for locks; the key says who does."""
    return answered(world, node, Acquire(key, names, **more))


def take(world: World, key: bytes, *names: bytes, **more: Any) -> AcquireResult:
    """... which is not refused."""
    result = asked(world, key, *names, **more)
    assert isinstance(result, AcquireResult), result
    return result


def stands(world: World, key: bytes) -> AcquireResult:
    """How an acquisition stands on the leader."""
    found = machine(world, "A").acquisition(key)
    assert found is not None, key
    return found


def tokens(result: AcquireResult) -> tuple[int, ...]:
    """Of a granted acquisition."""
    return tuple(each.token for each in result.fences)


def is_held(world: World, key: bytes) -> bool:
    """Whether an acquisition is granted now."""
    return stands(world, key).standing is Standing.GRANTED


def changes(world: World) -> list[LockChange]:
    """Everything that ever happened to places, in order."""
    chapters = world.shared.chronicle.at
    return [change for index in sorted(chapters) for change in chapters[index].lock_changes]


@schedule("B7, restart", settings=SNAPSHOTS)
def tokens_grow_through_a_restart(world: World) -> Findings:
    """Nobody holds anything when the state is saved."""
    world.boot("A")
    first = take(world, b"first", b"lock", lease_id=lease(world))
    answered(world, "A", Release(b"first"))
    name = restarted(world)
    second = answered(world, name, Acquire(b"second", (b"lock",), lease_id=first.lease_id))
    assert isinstance(second, AcquireResult)
    return findings(given_again=tokens(second) <= tokens(first))


@schedule("B7, readers", settings=REPLICA)
def every_grant_has_a_token_of_its_own(world: World) -> Findings:
    """A writer's release lets two readers in at one revision."""
    world.boot("A")
    lease_id = lease(world)
    take(world, b"writer", b"lock", lease_id=lease_id)
    for key in (b"one", b"two"):
        take(world, key, b"lock", mode=SHARED, lease_id=lease_id)
    answered(world, "A", Release(b"writer"))
    granted = [each for each in changes(world) if each.kind is Standing.GRANTED][1:]
    return findings(
        not_both=len(granted) != 2, one_token_twice=len({each.tokens for each in granted}) != 2
    )


@schedule("I2, marked", settings=REPLICA)
def what_ends_in_an_entry_is_not_granted_to(world: World) -> Findings:
    """The leases of the holder and of the first who waits fall due together."""
    world.boot("A")
    both = [Request(world, "A", LeaseGrant(TTL_MS)) for _ in range(2)]
    world.until(lambda: all(each.told for each in both))
    granted = [each.result for each in both]
    one, other = [each.lease_id for each in granted if isinstance(each, LeaseResult)]
    take(world, b"holder", b"lock", lease_id=one)
    take(world, b"waiter", b"lock", lease_id=other)
    take(world, b"last", b"lock", lease_id=lease(world))
    world.run(TTL_MS / 1000 + 1.0)
    had = {each.key for each in changes(world) if each.kind is Standing.GRANTED}
    return findings(granted_to_the_ended=b"waiter" in had, not_handed_over=b"last" not in had)


@schedule("I2, one revision", settings=REPLICA)
def an_expired_holder_makes_room_at_once(world: World) -> Findings:
    world.boot("A")
    take(world, b"holder", b"lock", lease_id=lease(world, TTL_MS))
    take(world, b"waiter", b"lock", lease_id=lease(world))
    world.run(TTL_MS / 1000 + 1.0)
    at = {(each.key, each.kind): each.revision for each in changes(world)}
    ended = at.get((b"holder", Standing.ENDED), 0)
    handed_over = at.get((b"waiter", Standing.GRANTED), 0)
    return findings(never_ended=not ended, not_handed_over=ended != handed_over)


@schedule("B8, confirmation", settings=ATTENDED)
def a_grant_that_nobody_confirms_is_taken_back(world: World) -> Findings:
    """Its lease lives on: somebody else keeps that."""
    world.boot("A")
    lease_id = lease(world)
    take(world, b"silent", b"lock", lease_id=lease_id)
    take(world, b"waiter", b"lock", lease_id=lease_id, wait_ms=60_000)
    for _ in range(4):
        world.run(ATTACH_MS / 3000)
        take(world, b"waiter", b"lock", lease_id=lease_id, wait_ms=60_000)
    world.run(0.5)
    silent = stands(world, b"silent")
    return findings(
        kept=silent.standing is not Standing.ENDED,
        wrong_reason=silent.ending is not Ending.UNATTENDED,
        not_handed_over=not is_held(world, b"waiter"),
    )


@schedule("B8, wait", settings=REPLICA)
def a_wait_ends_in_time(world: World) -> Findings:
    world.boot("A")
    lease_id = lease(world)
    take(world, b"holder", b"lock", lease_id=lease_id)
    take(world, b"waiter", b"lock", lease_id=lease_id, wait_ms=300)
    world.run(1.5)
    answered(world, "A", Release(b"holder"))
    waiter = stands(world, b"waiter")
    return findings(
        granted_too_late=waiter.standing is Standing.GRANTED,
        wrong_reason=waiter.ending is not Ending.TIMED_OUT,
    )


@schedule("B8, cancel", settings=REPLICA)
def a_cancel_that_overtakes_its_acquire_wins(world: World) -> Findings:
    """The release comes through another node, and first."""
    world.boot("A")
    lease_id = lease(world)
    answered(world, "B", Release(b"key"))
    late = take(world, b"key", b"lock", node="C", lease_id=lease_id)
    return findings(ghost=late.standing is not Standing.ENDED)


@schedule("I6, ended places", settings=REPLICA)
def a_late_copy_of_an_acquire_begins_nothing(world: World) -> Findings:
    world.boot("A")
    lease_id = lease(world)
    take(world, b"key", b"lock", lease_id=lease_id)
    answered(world, "A", Release(b"key"))
    late = take(world, b"key", b"lock", node="B", lease_id=lease_id)
    return findings(ghost=late.standing is not Standing.ENDED)


@schedule("SEMANTICS, first come first served", settings=REPLICA)
def no_reader_passes_a_waiting_writer(world: World) -> Findings:
    world.boot("A")
    lease_id = lease(world)
    take(world, b"reader", b"lock", mode=SHARED, lease_id=lease_id)
    take(world, b"writer", b"lock", lease_id=lease_id)
    later = take(world, b"later", b"lock", mode=SHARED, lease_id=lease_id)
    answered(world, "A", Release(b"reader"))
    return findings(
        overtaken=later.standing is not Standing.QUEUED, starved=not is_held(world, b"writer")
    )


@schedule("B6, cycle", settings=REPLICA)
def a_cycle_of_waits_is_refused(world: World) -> Findings:
    """Each on leases of its own; the one who closes the circle is told of it."""
    world.boot("A")
    leases = [lease(world) for _ in range(2)]
    for owner, name, lease_id in zip((b"x", b"y"), (b"a", b"b"), leases, strict=True):
        take(world, owner + b" has", name, owner=owner, lease_id=lease_id)
    first = take(world, b"x wants", b"b", owner=b"x", lease_id=leases[0])
    second = asked(world, b"y wants", b"a", owner=b"y", lease_id=leases[1])
    refused = isinstance(second, Refused) and second.reason is Reason.DEADLOCK
    return findings(refused_the_first=first.standing is not Standing.QUEUED, both_wait=not refused)


@schedule("B6, one lease", settings=REPLICA)
def two_tasks_on_one_lease_are_two_owners(world: World) -> Findings:
    """The lease is the process's; who waits is another of its tasks."""
    world.boot("A")
    lease_id = lease(world)
    take(world, b"one has", b"a", owner=b"one", lease_id=lease_id)
    take(world, b"two has", b"b", owner=b"two", lease_id=lease_id)
    waits = asked(world, b"two wants", b"a", owner=b"two", lease_id=lease_id)
    return findings(false_deadlock=isinstance(waits, Refused))


@schedule("I15, places", settings=REPLICA)
def a_state_hash_sees_who_holds(world: World) -> Findings:
    world.boot("A")
    take(world, b"holder", b"lock", lease_id=lease(world))
    equal = digests(world)
    odd = machine(world, "C")._places  # noqa: SLF001 - rot, by hand
    place_id = odd.id_of(b"holder")
    assert place_id is not None
    odd.replace(place_id, odd.live(place_id)._replace(owner=b"somebody"))
    return findings(differ_for_no_reason=len(set(equal)) != 1, blind=len(set(digests(world))) == 1)


@schedule("SEMANTICS, all or nothing", settings=REPLICA)
def several_locks_are_had_together_or_not_at_all(world: World) -> Findings:
    """The first of the two is free; somebody has the second."""
    world.boot("A")
    lease_id = lease(world)
    for name in (b"a", b"b"):
        take(world, b"has " + name, name, lease_id=lease_id)
    take(world, b"both", b"a", b"b", lease_id=lease_id)
    answered(world, "A", Release(b"has a"))
    early = is_held(world, b"both")
    if not early:
        answered(world, "A", Release(b"has b"))
    return findings(granted_in_part=early, never_granted=not is_held(world, b"both"))
