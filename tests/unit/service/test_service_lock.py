"""Locks over the wire: streams that follow a place, and what claims to hold one is worth."""

import asyncio
from collections.abc import Awaitable, Callable

import grpc.aio
import pytest
from grpc import StatusCode
from service_node import ScriptedNode
from service_wire import Failed, Wire, failing, failure_of

from kvraft.core.commands import Acquire, Confirm, LeaseGrant, LockMode, Release
from kvraft.core.errors import Outcome, Reason
from kvraft.replica.outcomes import Denied
from kvraft.v1 import kv_pb2, lock_pb2

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

RELEASED = lock_pb2.ACQUISITION_END_RELEASED


class Stream:
    """One open Acquire."""

    def __init__(self, wire: Wire, key: bytes = b"a", names=(b"l",), **fields) -> None:
        if not {"lease_id", "ttl_ms"} & fields.keys():
            fields["ttl_ms"] = 60_000
        request = lock_pb2.AcquireRequest(key=key, names=names, **fields)
        self.call = wire.lock.Acquire(request)

    async def next(self) -> lock_pb2.AcquireResponse:
        response = await self.call.read()
        assert response is not grpc.aio.EOF, "the stream has ended"
        return response

    async def ends(self) -> None:
        assert await self.call.read() is grpc.aio.EOF

    async def failed(self) -> Failed:
        try:
            while await self.call.read() is not grpc.aio.EOF:
                pass
        except grpc.aio.AioRpcError as error:
            return failure_of(error)
        raise AssertionError("it ended without an error")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


def hold(wire: Wire, name: bytes = b"l", key: bytes = b"holder") -> None:
    """Let somebody elsewhere hold the lock."""
    wire.node.apply(Acquire(key, (name,), ttl_ms=60_000))
    wire.node.apply(Confirm(key))


def poll(node: ScriptedNode, seconds: float) -> None:
    """Let a node's clock jump."""
    now = node.now() + seconds
    node.clock = lambda: now
    node.tick()


async def test_granted_at_once_with_a_lease_of_its_own(wire: Wire) -> None:
    stream = Stream(wire, names=[b"b", b"a"], owner=b"me")
    response = await stream.next()
    assert (response.header.revision, response.header.node) == (2, "n1")
    granted = response.granted
    assert [(each.lock, each.token) for each in granted.fences] == [(b"a", 1), (b"b", 2)]
    assert granted.place == 1
    assert wire.node.machine.describe_lease(granted.lease_id) is not None
    await stream.ends()
    assert len(wire.node.locks) == 0


async def test_queued_and_handed_over(wire: Wire) -> None:
    hold(wire)
    first = Stream(wire, b"1")
    queued = (await first.next()).queued
    second = Stream(wire, b"2")
    assert (queued.position, list(queued.holders), queued.place) == (0, [1], 2)
    assert wire.node.machine.describe_lease(queued.lease_id) is not None
    assert (await second.next()).queued.position == 1
    await wire.lock.Release(lock_pb2.ReleaseRequest(key=b"holder"))
    response = await first.next()
    assert [each.token for each in response.granted.fences] == [2]
    assert response.header.revision == wire.node.machine.revision
    await first.ends()


async def test_how_a_wait_ends(wire: Wire) -> None:
    hold(wire)
    tried = Stream(wire, b"try", wait_ms=0)
    assert (await tried.next()).ended == lock_pb2.ACQUISITION_END_TIMED_OUT
    await tried.ends()
    stream = Stream(wire)
    await stream.next()
    await wire.lock.Release(lock_pb2.ReleaseRequest(key=b"a"))
    assert (await stream.next()).ended == RELEASED
    await stream.ends()


async def test_asked_again_it_is_the_same_place(wire: Wire) -> None:
    hold(wire)
    first, again = Stream(wire), Stream(wire)
    place = (await first.next()).queued.place
    assert (await again.next()).queued.place == place
    await wire.lock.Release(lock_pb2.ReleaseRequest(key=b"holder"))
    assert (await first.next()).granted == (await again.next()).granted
    late = Stream(wire)
    assert (await late.next()).granted.place == place


async def test_a_cancelled_stream_leaves_no_ghost(wire: Wire) -> None:
    hold(wire)
    stream = Stream(wire)
    await stream.next()
    stream.call.cancel()
    await until(lambda: not len(wire.node.locks))
    poll(wire.node, 1.1)
    await until(lambda: wire.node.machine.place_count == 1)
    released = [command for command, _ in wire.node.submitted if isinstance(command, Release)]
    assert released == [Release(key=b"a", end_lease=True, unless_confirmed=True)]


async def test_a_stream_cancelled_before_its_answer_leaves_no_ghost(wire: Wire) -> None:
    wire.node.hold = True
    stream = Stream(wire)
    await wire.node.until_held(1)
    stream.call.cancel()
    (waiter,) = wire.node.locks._waiters
    await until(lambda: waiter.is_closed)
    wire.node.hold = False
    wire.node.release()
    assert wire.node.machine.place_count == 1
    poll(wire.node, 1.1)
    await until(lambda: wire.node.machine.place_count == 0)


async def test_a_grant_that_was_sent_is_kept(wire: Wire) -> None:
    stream = Stream(wire)
    await stream.next()
    await stream.ends()
    poll(wire.node, 5)
    assert wire.node.machine.holds(b"l", 1)


@pytest.mark.parametrize(
    ("denied", "code", "outcome"),
    [
        (
            Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, "nobody"),
            StatusCode.UNAVAILABLE,
            "NOT_APPLIED",
        ),
        (
            Denied(Reason.UNKNOWN_RESULT, Outcome.UNKNOWN, "lost"),
            StatusCode.UNAVAILABLE,
            "UNKNOWN",
        ),
    ],
)
async def test_what_the_node_says_of_a_lost_request(wire: Wire, denied, code, outcome) -> None:
    wire.node.script = [denied]
    failed = await Stream(wire).failed()
    assert (failed.code, failed.info.reason) == (code, denied.reason.value)
    assert failed.metadata["outcome"] == outcome


async def test_without_a_leader_the_stream_ends_unknown(wire: Wire) -> None:
    hold(wire)
    stream = Stream(wire)
    await stream.next()
    wire.node.leader = None
    poll(wire.node, 3.1)
    failed = await stream.failed()
    assert (failed.code, failed.info.reason) == (StatusCode.UNAVAILABLE, "NO_QUORUM")
    assert failed.metadata["outcome"] == "UNKNOWN"
    assert wire.node.machine.place_count == 2


async def test_a_node_that_stops_says_where_to_go_and_keeps_the_place(wire: Wire) -> None:
    hold(wire)
    stream = Stream(wire)
    await stream.next()
    wire.node.leader = "n2"
    stopping = asyncio.create_task(wire.server.stop(1))
    failed = await stream.failed()
    await stopping
    assert (failed.code, failed.info.reason) == (StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    assert failed.metadata["outcome"] == "UNKNOWN"
    assert failed.metadata["leader_endpoint"] == "127.0.0.1:4389"
    assert wire.node.machine.place_count == 2


REFUSALS: dict[str, tuple[dict, StatusCode, str]] = {
    "already held": ({"owner": b"me"}, StatusCode.FAILED_PRECONDITION, "ALREADY_HELD"),
    "another mode": (
        {"mode": lock_pb2.LOCK_MODE_COUNTED, "capacity": 2},
        StatusCode.FAILED_PRECONDITION,
        "LOCK_MODE",
    ),
    "no lease": ({"lease_id": 77}, StatusCode.NOT_FOUND, "LEASE_NOT_FOUND"),
    "ttl": ({"ttl_ms": 5}, StatusCode.INVALID_ARGUMENT, "TTL_OUT_OF_RANGE"),
    "key": ({"key": b"mine"}, StatusCode.INVALID_ARGUMENT, "KEY_REUSED"),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_a_refusal_is_the_end(wire: Wire, case) -> None:
    fields, code, reason = REFUSALS[case]
    wire.node.apply(Acquire(b"mine", (b"l",), ttl_ms=60_000, owner=b"me"))
    failed = await Stream(wire, **fields).failed()
    assert (failed.code, failed.info.reason) == (code, reason)
    assert failed.metadata["outcome"] == "NOT_APPLIED"
    assert len(wire.node.locks) == 0


async def test_a_deadlock_is_refused_with_the_cycle(wire: Wire) -> None:
    for owner, name in ((b"ann", b"l"), (b"bob", b"m")):
        await Stream(wire, b"%s has" % owner, [name], owner=owner).next()
    await Stream(wire, b"ann wants", [b"m"], owner=b"ann").next()
    failed = await Stream(wire, b"bob wants", [b"l"], owner=b"bob").failed()
    assert (failed.code, failed.info.reason) == (StatusCode.ABORTED, "DEADLOCK")
    assert "bob" in failed.message
    assert "ann" in failed.message


MALFORMED: dict[str, tuple[dict, str, str]] = {
    "no key": ({"key": b""}, "INVALID", "key: 1 to 64 bytes, got 0"),
    "long key": ({"key": b"k" * 65}, "INVALID", "key: 1 to 64 bytes, got 65"),
    "no name": ({"names": []}, "INVALID", "names: 1 to 64, got 0"),
    "many names": (
        {"names": [b"%d" % each for each in range(65)]},
        "INVALID",
        "names: 1 to 64, got 65",
    ),
    "empty name": ({"names": [b"a", b""]}, "INVALID", "names: 1 to 512 bytes, got 0"),
    "long name": ({"names": [b"n" * 513]}, "TOO_LARGE", "names: at most 512 bytes, got 513"),
    "twice": ({"names": [b"b", b"a", b"b"]}, "INVALID", "names: each once, got b'b' twice"),
    "mode": ({"mode": 9}, "INVALID", "mode: one of EXCLUSIVE, SHARED, COUNTED, got 9"),
    "several shared": (
        {"names": [b"a", b"b"], "mode": lock_pb2.LOCK_MODE_SHARED},
        "INVALID",
        "names: one where the mode is SHARED, got 2",
    ),
    "no capacity": (
        {"mode": lock_pb2.LOCK_MODE_COUNTED},
        "INVALID",
        "capacity: 1 to 1000, got 0",
    ),
    "capacity": ({"capacity": 2}, "INVALID", "capacity: only where the mode is COUNTED, got 2"),
    "carrier": ({"ttl_ms": None}, "INVALID", "carrier: one of lease_id, ttl_ms must be set"),
    "lease": ({"lease_id": 0}, "INVALID", "lease_id: 1 to"),
    "owner": ({"owner": b"o" * 65}, "TOO_LARGE", "owner: at most 64 bytes, got 65"),
    "wait": ({"wait_ms": -1}, "INVALID", "wait_ms: 0 or more, got -1"),
    "hold": ({"max_hold_ms": 0}, "INVALID", "max_hold_ms: 1 or more, got 0"),
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_a_malformed_acquire_is_refused(wire: Wire, case) -> None:
    fields, reason, text = MALFORMED[case]
    failed = await Stream(wire, **fields).failed()
    assert (failed.code, failed.info.reason) == (StatusCode.INVALID_ARGUMENT, reason)
    assert text in failed.message
    assert (wire.node.submitted, len(wire.node.locks)) == ([], 0)


async def test_an_unreadable_acquire_is_refused(wire: Wire) -> None:
    call = wire.channel.unary_stream("/kvraft.v1.LockService/Acquire")(b"\x0a\xff")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert failure_of(caught.value).info.reason == "INVALID"


async def test_what_is_asked_for_reaches_the_state(wire: Wire) -> None:
    wire.node.apply(LeaseGrant(9_000, 5))
    stream = Stream(
        wire,
        b"key",
        [b"n"],
        mode=lock_pb2.LOCK_MODE_COUNTED,
        capacity=3,
        lease_id=5,
        owner=b"me",
        wait_ms=70,
        max_hold_ms=80,
    )
    await stream.next()
    ((command, deadline),) = wire.node.submitted
    assert command == Acquire(b"key", (b"n",), LockMode.COUNTED, 3, 5, None, b"me", 70, 80)
    assert 4 < deadline - wire.node.now() <= 5


# -- claims and the rest


async def test_confirm_says_whether_it_is_held(wire: Wire) -> None:
    def confirm(key: bytes) -> Awaitable[lock_pb2.ConfirmResponse]:
        return wire.lock.Confirm(lock_pb2.ConfirmRequest(key=key))

    await Stream(wire).next()
    waiting = Stream(wire, b"b")
    await waiting.next()
    assert (await confirm(b"a")).held
    assert not (await confirm(b"b")).held
    await wire.lock.Release(lock_pb2.ReleaseRequest(key=b"b"))
    assert not (await confirm(b"b")).held
    failed = await failing(confirm(b"never"))
    assert (failed.code, failed.info.reason) == (StatusCode.NOT_FOUND, "LOCK_NOT_FOUND")
    for key in (b"", b"k" * 65):
        assert (await failing(confirm(key))).info.reason == "INVALID"


async def test_release_by_key_or_by_fence_once(wire: Wire) -> None:
    granted = (await Stream(wire).next()).granted
    by_fence = lock_pb2.ReleaseRequest(fence=granted.fences[0], end_lease=True)
    assert (await wire.lock.Release(by_fence)).released
    assert not (await wire.lock.Release(by_fence)).released
    assert not (await wire.lock.Release(lock_pb2.ReleaseRequest(key=b"a"))).released
    assert wire.node.machine.lease_count == 0


MALFORMED_RELEASES: dict[str, tuple[dict, str]] = {
    "nothing": ({}, "acquisition: one of key, fence must be set"),
    "key": ({"key": b""}, "key: 1 to 64 bytes, got 0"),
    "lock": ({"fence": kv_pb2.Fence(token=1)}, "fence.lock: 1 to 512 bytes, got 0"),
    "token": ({"fence": kv_pb2.Fence(lock=b"l")}, "fence.token: 1 or more, got 0"),
}


@pytest.mark.parametrize("case", MALFORMED_RELEASES)
async def test_a_malformed_release_is_refused(wire: Wire, case) -> None:
    fields, text = MALFORMED_RELEASES[case]
    failed = await failing(wire.lock.Release(lock_pb2.ReleaseRequest(**fields)))
    assert failed.info.reason == "INVALID"
    assert text in failed.message


async def test_check_fence_is_linearizable(wire: Wire) -> None:
    (fence,) = (await Stream(wire).next()).granted.fences

    async def held(lock: bytes, token: int) -> bool:
        request = lock_pb2.CheckFenceRequest(fence=kv_pb2.Fence(lock=lock, token=token))
        return (await wire.lock.CheckFence(request)).held

    assert await held(b"l", fence.token)
    assert not await held(b"l", fence.token + 1)
    assert not await held(b"m", fence.token)
    wire.node.hold = True
    asked = asyncio.create_task(held(b"l", fence.token))
    await wire.node.until_held(1)
    wire.node.apply(Release(key=b"a"))
    wire.node.release()
    assert not await asked
    assert len(wire.node.barriers) == 4


async def test_describe_shows_who_holds_and_who_waits(wire: Wire) -> None:
    wire.node.time_ms = 1_000
    for key, owner in ((b"1", b"me"), (b"2", b"you")):
        wire.node.apply(Acquire(key, (b"l",), ttl_ms=60_000, owner=owner))
    wire.node.time_ms = 1_700
    wire.node.apply(LeaseGrant(9_000))
    request = lock_pb2.LockServiceDescribeRequest(name=b"l")
    lock = (await wire.lock.Describe(request)).lock
    (holder,), (waiter,) = lock.holders, lock.waiters
    assert (holder.owner, holder.token, holder.age_ms, holder.place) == (b"me", 1, 700, 1)
    assert (waiter.owner, waiter.token, waiter.age_ms, waiter.place) == (b"you", 0, 700, 2)
    assert holder.mode == lock_pb2.LOCK_MODE_EXCLUSIVE
    assert holder.lease_id != waiter.lease_id != 0
    assert (lock.name, lock.capacity, lock.holder_count, lock.waiter_count) == (b"l", 1, 1, 1)
    nobodys = await wire.lock.Describe(lock_pb2.LockServiceDescribeRequest(name=b"idle"))
    assert not nobodys.HasField("lock")
    assert len(wire.node.barriers) == 2
    failed = await failing(wire.lock.Describe(lock_pb2.LockServiceDescribeRequest()))
    assert "name: 1 to 512 bytes, got 0" in failed.message


async def test_list_shows_locks_a_page_at_a_time(wire: Wire) -> None:
    for number in range(5):
        hold(wire, b"a%d" % number, b"%d" % number)
    hold(wire, b"b", b"other")

    async def page(**fields) -> tuple[list[bytes], bool]:
        found = await wire.lock.List(lock_pb2.LockServiceListRequest(**fields))
        return [each.name for each in found.locks], found.more

    assert await page() == ([b"a0", b"a1", b"a2", b"a3", b"a4", b"b"], False)
    assert await page(prefix=b"a", limit=3) == ([b"a0", b"a1", b"a2"], True)
    assert await page(prefix=b"a", after=b"a2") == ([b"a3", b"a4"], False)
    assert len(wire.node.barriers) == 3
    failed = await failing(wire.lock.List(lock_pb2.LockServiceListRequest(limit=-1)))
    assert "limit: 0" in failed.message
