"""Places in queues that are followed on a pipeline: told as on a stream of their own."""

import asyncio

import pytest
from service_node import ScriptedNode
from service_pipe import Call, Pipe, put
from service_wire import Wire

from kvraft.core.commands import Release
from kvraft.core.errors import Outcome, Reason
from kvraft.replica.outcomes import Denied
from kvraft.service.limits import ServiceLimits
from kvraft.v1 import error_pb2, kv_pb2, lock_pb2

pytestmark = pytest.mark.asyncio


@pytest.fixture
def pipe(wire: Wire) -> Pipe:
    return Pipe(wire)


def acquire(call_id: int, **fields: object) -> Call:
    """Ask for the lock `l`, by a key that is the id."""
    key = b"%d" % call_id
    request = lock_pb2.AcquireRequest(key=key, names=[b"l"], ttl_ms=60_000, **fields)  # type: ignore[arg-type]
    return Call(id=call_id, timeout_ms=5_000, acquire=request)


def release(call_id: int, key: bytes) -> Call:
    return Call(id=call_id, timeout_ms=5_000, release=lock_pb2.ReleaseRequest(key=key))


def standing(reply: kv_pb2.PipelineReply) -> tuple[str | None, bool]:
    return reply.acquire.WhichOneof("standing"), reply.more


def reason(reply: kv_pb2.PipelineReply) -> str:
    (packed,) = reply.error.details
    return error_pb2.ErrorInfo.FromString(packed.value).reason


async def until_left(node: ScriptedNode, places: int) -> None:
    """Return when so many are followed on the node."""
    async with asyncio.timeout(10.0):
        while len(node.locks) != places:
            await asyncio.sleep(0.005)


async def test_a_place_is_followed_until_it_is_granted(pipe: Pipe, node: ScriptedNode) -> None:
    await pipe.send(acquire(1), acquire(2))
    replies = await pipe.receive(2)
    assert [standing(replies[each]) for each in (1, 2)] == [("granted", False), ("queued", True)]
    assert len(node.locks) == 1
    await pipe.send(release(3, b"1"))
    replies = await pipe.receive(2)
    assert pipe.batches[-1] == 2, "the grant left with the answer to the release"
    assert replies[3].release.released
    assert standing(replies[2]) == ("granted", False)
    assert replies[2].acquire.granted.fences[0].token == 2
    assert len(node.locks) == 0
    await pipe.send(put(2))  # the id is free again
    assert (await pipe.receive(1))[2].HasField("put")


async def test_a_place_that_ends_is_told_so(pipe: Pipe, node: ScriptedNode) -> None:
    await pipe.send(acquire(1), acquire(2), acquire(3, wait_ms=0))
    replies = await pipe.receive(3)
    assert standing(replies[3]) == ("ended", False)
    await pipe.send(release(4, b"2"))
    assert standing((await pipe.receive(2))[2]) == ("ended", False)
    assert len(node.locks) == 0


async def test_who_waits_takes_no_room_of_the_window(wire: Wire, limits: ServiceLimits) -> None:
    pipe = Pipe(wire)
    count = limits.pipeline_calls + 5
    for number in range(count):
        await pipe.send(acquire(number + 1))
        await pipe.receive(1)
    await pipe.send(put(9_999))
    assert (await pipe.receive(1))[9_999].HasField("put")


async def test_the_id_of_who_waits_is_taken(pipe: Pipe) -> None:
    await pipe.send(acquire(1), acquire(2))
    await pipe.receive(2)
    await pipe.send(put(2))
    assert (await pipe.end()).info.reason == "INVALID"


async def test_whose_stream_breaks_leaves_the_queue(wire: Wire, node: ScriptedNode) -> None:
    pipe, other = Pipe(wire), Pipe(wire)
    await other.send(acquire(1))
    await other.receive(1)
    await pipe.send(acquire(2))
    await pipe.receive(1)
    now = node.now()
    node.clock = lambda: now
    pipe.call.cancel()
    await until_left(node, 0)
    now += 5.0  # the grace of a reconnect is over
    node.tick()
    commands = [command for command, _ in node.submitted]
    assert commands[-1] == Release(key=b"2", end_lease=True, unless_confirmed=True)


async def test_a_client_that_sends_no_more_is_still_told(pipe: Pipe, wire: Wire) -> None:
    other = Pipe(wire)
    await other.send(acquire(1))
    await other.receive(1)
    await pipe.send(acquire(2))
    await pipe.receive(1)
    await pipe.call.done_writing()
    await other.send(release(3, b"1"))
    assert standing((await pipe.receive(1))[2]) == ("granted", False)


async def test_a_node_that_cannot_go_on_says_so_of_each(pipe: Pipe, node: ScriptedNode) -> None:
    await pipe.send(acquire(1), acquire(2))
    await pipe.receive(2)
    node.locks.replaced()
    reply = (await pipe.receive(1))[2]
    assert (reason(reply), reply.more) == ("UNKNOWN_RESULT", False)
    await pipe.send(put(2))
    assert (await pipe.receive(1))[2].HasField("put")


async def test_a_place_that_is_refused(pipe: Pipe, node: ScriptedNode) -> None:
    node.script = [Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, "nobody")]
    await pipe.send(acquire(1))
    assert reason((await pipe.receive(1))[1]) == "NO_QUORUM"
    node.locks.stop("going", "n2")
    await pipe.send(acquire(2))
    assert reason((await pipe.receive(1))[2]) == "SHUTTING_DOWN"
    assert len(node.locks) == 0
