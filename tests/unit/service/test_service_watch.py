"""Watches over the wire: ordered, unique, whole revisions, and an end that says where to resume."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import grpc.aio
import pytest
import pytest_asyncio
from grpc import StatusCode
from service_node import ScriptedNode
from service_wire import Failed, Wire, failure_of

from kvraft.core.commands import LeaseGrant
from kvraft.core.errors import Outcome, Reason
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.outcomes import Denied
from kvraft.replica.watch_hub import WatchHub
from kvraft.service.server import build_server
from kvraft.v1 import kv_pb2, lease_pb2, watch_pb2

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

PUT, DELETE = watch_pb2.EVENT_TYPE_PUT, watch_pb2.EVENT_TYPE_DELETE


class Watching:
    """One open watch and what it has sent."""

    def __init__(self, wire: Wire, **fields) -> None:
        self.call = wire.watch.Watch(watch_pb2.WatchRequest(**fields))
        self.responses: list[watch_pb2.WatchResponse] = []

    @classmethod
    async def begin(cls, wire: Wire, **fields) -> "Watching":
        """Open one, and wait until it says from when."""
        watching = cls(wire, **fields)
        await watching.more()
        return watching

    async def more(self) -> watch_pb2.WatchResponse:
        response = await self.call.read()
        assert response is not grpc.aio.EOF, "the stream ended without an error"
        self.responses.append(response)
        return response

    async def until(self, count: int) -> list[watch_pb2.Event]:
        """Read until so many events have come."""
        while len(self.events()) < count:
            await self.more()
        return self.events()

    def events(self) -> list[watch_pb2.Event]:
        return [event for response in self.responses for event in response.events]

    async def failed(self) -> Failed:
        try:
            while True:
                await self.more()
        except grpc.aio.AioRpcError as error:
            return failure_of(error)


async def put(wire: Wire, key: bytes, value: bytes = b"v", **fields) -> kv_pb2.PutResponse:
    return await wire.kv.Put(kv_pb2.PutRequest(key=key, value=value, **fields))


def shown(events: list[watch_pb2.Event]) -> list[tuple[int, bytes, int]]:
    return [(each.type, each.entry.key, each.entry.mod_revision) for each in events]


async def test_events_in_order_with_what_they_did(wire: Wire) -> None:
    await put(wire, b"a/1", b"old")
    watching = await Watching.begin(wire, prefix=b"a/", previous=True)
    first = watching.responses[0]
    assert (first.header.cluster_id, first.header.node, first.revision) == (0x1234, "n1", 2)
    written = await put(wire, b"a/1", b"new")
    await put(wire, b"b")
    await wire.kv.Delete(kv_pb2.DeleteRequest(prefix=b""))
    events = await watching.until(2)
    assert shown(events) == [(PUT, b"a/1", 3), (DELETE, b"a/1", 5)]
    assert events[0].entry == written.entry
    assert events[0].previous.value == b"old"
    assert events[1].previous == written.entry
    assert events[1].entry == kv_pb2.Entry(key=b"a/1", mod_revision=5)
    assert [each.cause for each in events] == [watch_pb2.CAUSE_REQUEST] * 2
    assert watching.responses[-1].revision == 5
    assert not watching.responses[-1].HasField("header")


async def test_without_previous_there_is_none(wire: Wire) -> None:
    await put(wire, b"k")
    watching = await Watching.begin(wire, key=b"k")
    both = await Watching.begin(wire, key=b"k", previous=True)
    await put(wire, b"k", b"w")
    (plain,), (whole,) = await watching.until(1), await both.until(1)
    assert not plain.HasField("previous")
    assert whole.previous.value == b"v"


async def test_the_causes_of_a_delete(wire: Wire) -> None:
    node = wire.node
    watching = await Watching.begin(wire, prefix=b"", no_puts=True)
    for lease_id in (1, 2):
        node.apply(LeaseGrant(1_000 if lease_id == 1 else 9_000, lease_id))
        await put(wire, b"k%d" % lease_id, lease_id=lease_id)
    node.time_ms = 2_000
    await wire.lease.Revoke(lease_pb2.RevokeRequest(lease_id=2))
    events = await watching.until(2)
    assert [(each.entry.key, each.cause) for each in events] == [
        (b"k1", watch_pb2.CAUSE_EXPIRED),
        (b"k2", watch_pb2.CAUSE_REVOKED),
    ]


@pytest.mark.parametrize("start", [1, 2, 4])
async def test_a_start_in_the_past_and_on(wire: Wire, start) -> None:
    for number in range(2, 7):
        await put(wire, b"%d" % number)
    watching = await Watching.begin(wire, prefix=b"", start_revision=start)
    await put(wire, b"7")
    wanted = [b"%d" % number for number in range(max(start, 2), 8)]
    assert [each.entry.key for each in await watching.until(len(wanted))] == wanted


async def test_a_start_unset_takes_a_barrier_and_begins_behind_it(wire: Wire) -> None:
    await put(wire, b"a")
    await Watching.begin(wire, key=b"k", start_revision=2)
    assert wire.node.barriers == []
    wire.node.hold = True
    watching = Watching(wire, prefix=b"")
    await wire.node.until_held(1)
    wire.node.hold = False
    await put(wire, b"b")  # while the barrier is under way
    wire.node.release()
    assert (await watching.more()).revision == 3
    await put(wire, b"c")
    assert shown(await watching.until(1)) == [(PUT, b"c", 4)]


async def test_a_watch_that_no_quorum_confirms_is_refused(wire: Wire) -> None:
    wire.node.script = [Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, "alone")]
    failed = await Watching(wire, prefix=b"").failed()
    assert (failed.code, failed.info.reason) == (StatusCode.UNAVAILABLE, "NO_QUORUM")
    assert len(wire.node.watches) == 0


async def test_a_start_in_the_future_waits(wire: Wire) -> None:
    watching = await Watching.begin(wire, prefix=b"", start_revision=4)
    assert watching.responses[0].revision == 3
    for key in (b"2", b"3", b"4"):
        await put(wire, key)
    assert shown(await watching.until(1)) == [(PUT, b"4", 4)]


async def test_a_compacted_start_is_refused_with_the_oldest(wire: Wire) -> None:
    for _ in range(5):
        await put(wire, b"k")
    wire.node.machine._history.compacted_revision = 4
    failed = await Watching(wire, key=b"k", start_revision=4).failed()
    assert (failed.code, failed.info.reason) == (StatusCode.OUT_OF_RANGE, "COMPACTED")
    assert failed.metadata == {
        "outcome": "NOT_APPLIED",
        "oldest_revision": "5",
        "resume_revision": "4",
    }
    assert "asked for 4" in failed.message


async def test_marks_of_progress_carry_a_header(wire: Wire) -> None:
    watching = await Watching.begin(wire, key=b"k", progress_ms=100)
    await put(wire, b"other")
    ticking = asyncio.create_task(tick(wire.node))
    mark = await watching.more()
    ticking.cancel()
    assert (mark.revision, mark.header.revision, len(mark.events)) == (2, 2, 0)


async def tick(node: ScriptedNode) -> None:
    while True:  # as a node's driver does
        node.tick()
        await asyncio.sleep(0.01)


async def test_without_a_leader_a_watch_ends_with_where_to_resume(wire: Wire) -> None:
    watching = await Watching.begin(wire, key=b"k")
    await put(wire, b"other")
    now = wire.node.now()
    wire.node.leader = None
    wire.node.clock = lambda: now + 3.1
    wire.node.tick()
    failed = await watching.failed()
    assert (failed.code, failed.info.reason) == (StatusCode.UNAVAILABLE, "NO_QUORUM")
    assert failed.metadata["resume_revision"] == "3"
    assert failed.metadata["outcome"] == "NOT_APPLIED"


async def test_a_node_that_stops_says_where_to_go_and_from_when(wire: Wire) -> None:
    watching = await Watching.begin(wire, key=b"k")
    await put(wire, b"k")
    await watching.until(1)
    wire.node.leader = "n2"
    stopping = asyncio.create_task(wire.server.stop(5))
    failed = await watching.failed()
    await stopping
    assert (failed.code, failed.info.reason) == (StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    assert failed.metadata["resume_revision"] == "3"
    assert failed.metadata["leader_endpoint"] == "127.0.0.1:4389"


async def test_a_watch_that_its_client_gave_up_is_forgotten(wire: Wire) -> None:
    watching = await Watching.begin(wire, key=b"k")
    assert len(wire.node.watches) == 1
    watching.call.cancel()
    while len(wire.node.watches):
        await asyncio.sleep(0.01)
    await put(wire, b"k")


async def test_a_watch_given_up_during_its_barrier_is_forgotten(wire: Wire) -> None:
    wire.node.hold = True
    watching = Watching(wire, key=b"k")
    await wire.node.until_held(1)
    watching.call.cancel()
    await asyncio.sleep(0.05)
    wire.node.release()
    wire.node.hold = False
    await put(wire, b"k")
    assert len(wire.node.watches) == 0


MALFORMED = {
    "nothing": ({}, "target: one of key, prefix, range must be set, got none"),
    "key": ({"key": b""}, "key: 1 to 2048 bytes, got 0"),
    "range": (
        {"range": kv_pb2.KeyRange(start=b"b", end=b"a")},
        "range: start must not lie behind end",
    ),
    "start": ({"key": b"k", "start_revision": 0}, "start_revision: 1 or more, got 0"),
    "progress": ({"key": b"k", "progress_ms": 99}, "progress_ms: 100 to 3600000, got 99"),
    "filters": ({"key": b"k", "no_puts": True, "no_deletes": True}, "no_puts and no_deletes"),
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_a_malformed_watch_is_refused(wire: Wire, case) -> None:
    fields, text = MALFORMED[case]
    failed = await Watching(wire, **fields).failed()
    assert (failed.code, failed.info.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID")
    assert text in failed.message
    assert len(wire.node.watches) == 0


async def test_an_unreadable_watch_is_refused(wire: Wire) -> None:
    call = wire.channel.unary_stream("/kvraft.v1.WatchService/Watch")(b"\x0a\xff")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert failure_of(caught.value).info.reason == "INVALID"


@pytest_asyncio.fixture
async def small(node: ScriptedNode) -> AsyncIterator[Wire]:
    """A node with small buffers."""
    limits = replace(ReplicaLimits(), watch_buffer_revisions=16, watches=3)
    node.watches = WatchHub(node, limits, lambda: node.machine)
    server = build_server(node, "127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(server.address) as channel:
        yield Wire(node, server, channel)
    await server.stop(0)


async def test_watches_of_a_node_are_bounded(small: Wire) -> None:
    for _ in range(3):
        await Watching.begin(small, key=b"k")
    failed = await Watching(small, key=b"k").failed()
    assert (failed.code, failed.info.reason) == (StatusCode.RESOURCE_EXHAUSTED, "OVERLOAD")
    assert "3 watches" in failed.message


async def test_a_stalled_watch_slows_nobody_and_misses_nothing(small: Wire) -> None:
    """It does not read while 24 MiB are written: more than gRPC and the node's buffer hold."""
    stalled = await Watching.begin(small, prefix=b"k")
    reading = await Watching.begin(small, prefix=b"k")
    for number in range(96):
        await put(small, b"k%d" % number, b"x" * (256 << 10))
        await asyncio.wait_for(reading.until(number + 1), 5)
    assert small.node.watches.fell_behind
    events = await stalled.until(96)
    assert [each.entry.key for each in events] == [b"k%d" % number for number in range(96)]
    assert shown(events) == shown(reading.events())


async def test_a_stalled_watch_that_history_passes_gets_its_resume_revision(small: Wire) -> None:
    stalled = await Watching.begin(small, prefix=b"k")
    for number in range(64):
        await put(small, b"k%d" % number, b"x" * (256 << 10))
    small.node.machine._history.compacted_revision = 60
    failed = await stalled.failed()
    assert (failed.code, failed.info.reason) == (StatusCode.OUT_OF_RANGE, "COMPACTED")
    seen = [each.entry.mod_revision for each in stalled.events()]
    assert seen == list(range(2, 2 + len(seen)))
    assert failed.metadata["resume_revision"] == str(seen[-1] + 1)
    assert failed.metadata["oldest_revision"] == "61"


async def test_a_revision_larger_than_a_message_arrives_in_parts(wire: Wire) -> None:
    for number in range(40):
        await put(wire, b"k%02d" % number, b"x" * (100 << 10))
    watching = await Watching.begin(wire, prefix=b"k", previous=True)
    await wire.kv.Delete(kv_pb2.DeleteRequest(prefix=b"k"))
    events = await watching.until(40)
    assert [each.entry.key for each in events] == [b"k%02d" % number for number in range(40)]
    revisions = [response.revision for response in watching.responses]
    assert revisions == [41] * (len(revisions) - 1) + [42]
    assert all(response.ByteSize() < 1 << 20 for response in watching.responses)


async def test_a_hundred_watches_get_the_same_bytes(wire: Wire) -> None:
    watches = [await Watching.begin(wire, prefix=b"k") for _ in range(100)]
    for number in range(50):
        await put(wire, b"k%d" % number)
    events = [await watching.until(50) for watching in watches]
    assert all(each == events[0] for each in events)
    assert [each.entry.key for each in events[0]] == [b"k%d" % number for number in range(50)]
