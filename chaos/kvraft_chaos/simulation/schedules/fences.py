"""Schedules about fences and guards: who has lost a lock writes no more, whatever it believes."""

from kvraft.core.commands import Fence, GuardPrefix, LockMode, Mutation, Put, Release, Request, Txn
from kvraft.core.errors import Reason
from kvraft.core.results import Refused
from kvraft_chaos.simulation.schedule import Findings, findings, schedule
from kvraft_chaos.simulation.schedules.clients import REPLICA, answered
from kvraft_chaos.simulation.schedules.locks import lease, take
from kvraft_chaos.simulation.world import World

KEY = b"job/1"
GUARD = GuardPrefix(b"job/", b"lock")


def refusal(world: World, mutation: Mutation, *fences: Fence) -> Reason | None:
    """Write under fences; why not, or None where it was done."""
    result = answered(world, "B", Request(mutation, fences=fences) if fences else mutation)
    return result.reason if isinstance(result, Refused) else None


@schedule("I4, stale", settings=REPLICA)
def who_lost_a_lock_writes_no_more(world: World) -> Findings:
    """The lock has gone on to the next; the first still has its token."""
    world.boot("A")
    lease_id = lease(world)
    old = take(world, b"first", b"lock", lease_id=lease_id).fences
    answered(world, "A", Release(b"first"))
    new = take(world, b"second", b"lock", lease_id=lease_id).fences
    return findings(
        stale_write_done=refusal(world, Put(KEY, b"1"), *old) is not Reason.STALE_FENCE,
        holder_refused=refusal(world, Put(KEY, b"2"), *new),
    )


@schedule("I4, which lock", settings=REPLICA)
def a_token_is_of_one_lock(world: World) -> Findings:
    world.boot("A")
    lease_id = lease(world)
    (held,) = take(world, b"mine", b"lock", lease_id=lease_id).fences
    take(world, b"theirs", b"other", lease_id=lease_id)
    claimed = Fence(b"other", held.token)
    refused = refusal(world, Put(KEY, b"1"), claimed) is Reason.STALE_FENCE
    return findings(any_lock_will_do=not refused)


@schedule("I4, shared", settings=REPLICA)
def a_shared_holder_passes_no_guard(world: World) -> Findings:
    world.boot("A")
    answered(world, "A", GUARD)
    held = take(world, b"reader", b"lock", mode=LockMode.SHARED, lease_id=lease(world))
    refused = refusal(world, Put(KEY, b"1"), *held.fences) is Reason.FENCE_REQUIRED
    return findings(reader_writes=not refused)


@schedule("I4, transactions", settings=REPLICA)
def a_guard_holds_inside_a_transaction(world: World) -> Findings:
    world.boot("A")
    answered(world, "A", GUARD)
    alone = refusal(world, Put(KEY, b"1")) is Reason.FENCE_REQUIRED
    inside = refusal(world, Txn(None, (Put(b"k", b"2"), Put(KEY, b"3")))) is Reason.FENCE_REQUIRED
    return findings(unguarded=not alone, unguarded_inside=not inside)
