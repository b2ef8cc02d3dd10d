"""LeaseService over the wire, its KeepAlive stream above all."""

import asyncio
import gc

import grpc
import pytest
from service_wire import Wire, failing, failure_of

from kvraft.core.commands import LeaseKeepAlive, LeaseRevoke
from kvraft.core.errors import Outcome, Reason
from kvraft.replica.outcomes import Denied
from kvraft.service.limits import ServiceLimits
from kvraft.v1 import cluster_pb2, kv_pb2, lease_pb2

pytestmark = pytest.mark.asyncio


async def grant(wire: Wire, ttl_ms: int = 5_000, **fields) -> int:
    answer = await wire.lease.Grant(lease_pb2.GrantRequest(ttl_ms=ttl_ms, **fields))
    assert answer.ttl_ms == ttl_ms
    assert answer.header.node == "n1"
    return answer.lease_id


def ask(lease_id: int) -> lease_pb2.KeepAliveRequest:
    return lease_pb2.KeepAliveRequest(lease_id=lease_id)


async def test_grant_chooses_an_id_or_takes_the_one_given(wire: Wire) -> None:
    chosen = await grant(wire)
    assert chosen > 0
    assert await grant(wire, lease_id=4_711) == 4_711
    failed = await failing(wire.lease.Grant(lease_pb2.GrantRequest(ttl_ms=5_000, lease_id=4_711)))
    assert (failed.code, failed.info.reason) == (grpc.StatusCode.ALREADY_EXISTS, "LEASE_EXISTS")
    failed = await failing(wire.lease.Grant(lease_pb2.GrantRequest(ttl_ms=999)))
    assert (failed.code, failed.info.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "TTL_OUT_OF_RANGE",
    )
    failed = await failing(wire.lease.Grant(lease_pb2.GrantRequest(ttl_ms=5_000, lease_id=0)))
    assert (failed.code, failed.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID")


async def test_revoke_deletes_the_keys(wire: Wire) -> None:
    lease_id = await grant(wire)
    for key in (b"a", b"b"):
        await wire.kv.Put(kv_pb2.PutRequest(key=key, value=b"", lease_id=lease_id))
    answer = await wire.lease.Revoke(lease_pb2.RevokeRequest(lease_id=lease_id))
    assert answer.deleted == 2
    assert wire.node.submitted[-1][0] == LeaseRevoke(lease_id)
    failed = await failing(wire.lease.Revoke(lease_pb2.RevokeRequest(lease_id=lease_id)))
    assert (failed.code, failed.info.reason) == (grpc.StatusCode.NOT_FOUND, "LEASE_NOT_FOUND")
    failed = await failing(wire.lease.Revoke(lease_pb2.RevokeRequest()))
    assert failed.message == "lease_id: 1 to 9223372036854775807, got 0"


async def test_describe_is_linearizable_and_shows_what_remains(wire: Wire) -> None:
    lease_id = await grant(wire)
    await wire.kv.Put(kv_pb2.PutRequest(key=b"a", value=b"", lease_id=lease_id))
    wire.node.time_ms = 2_000
    await wire.kv.Put(kv_pb2.PutRequest(key=b"b", value=b"", lease_id=lease_id))
    shown = await wire.lease.Describe(lease_pb2.DescribeRequest(lease_id=lease_id))
    assert (shown.ttl_ms, shown.remaining_ms) == (5_000, 3_000)
    assert (list(shown.keys), shown.key_count) == ([b"a", b"b"], 2)
    assert len(wire.node.barriers) == 1
    failed = await failing(wire.lease.Describe(lease_pb2.DescribeRequest(lease_id=99)))
    assert (failed.code, failed.info.reason) == (grpc.StatusCode.NOT_FOUND, "LEASE_NOT_FOUND")
    assert failed.metadata == {"outcome": "NOT_APPLIED"}


async def test_describe_leaves_out_keys_that_do_not_fit(wire: Wire) -> None:
    lease_id = await grant(wire)
    for number in range(1_000):
        key = b"%04d" % number + b"k" * 2_000
        await wire.kv.Put(kv_pb2.PutRequest(key=key, value=b"", lease_id=lease_id))
    shown = await wire.lease.Describe(lease_pb2.DescribeRequest(lease_id=lease_id))
    assert shown.key_count == 1_000
    assert len(shown.keys) == (3 << 19) // 2_004


async def test_list_pages_by_id(wire: Wire) -> None:
    for lease_id in (5, 6, 9):
        await grant(wire, lease_id=lease_id)
    await wire.kv.Put(kv_pb2.PutRequest(key=b"a", value=b"", lease_id=6))
    first = await wire.lease.List(lease_pb2.LeaseServiceListRequest(limit=2))
    assert [(lease.lease_id, lease.keys) for lease in first.leases] == [(5, 0), (6, 1)]
    assert first.more
    assert (first.leases[0].ttl_ms, first.leases[0].remaining_ms) == (5_000, 5_000)
    rest = await wire.lease.List(lease_pb2.LeaseServiceListRequest(after=6))
    assert ([lease.lease_id for lease in rest.leases], rest.more) == ([9], False)
    for request in (
        lease_pb2.LeaseServiceListRequest(limit=-1),
        lease_pb2.LeaseServiceListRequest(after=-1),
    ):
        assert (await failing(wire.lease.List(request))).info.reason == "INVALID"


async def test_keepalives_are_pipelined_and_answered_in_order(wire: Wire) -> None:
    leases = [await grant(wire, 1_000 * (number + 1)) for number in range(5)]
    wire.node.hold = True
    stream = wire.lease.KeepAlive()
    for lease_id in leases:
        await stream.write(ask(lease_id))
    await wire.node.until_held(5)  # none is answered, and all were handed over
    wire.node.held.reverse()
    wire.node.release()
    answers = [await stream.read() for _ in leases]
    assert [answer.lease_id for answer in answers] == leases
    assert [answer.ttl_ms for answer in answers] == [1_000, 2_000, 3_000, 4_000, 5_000]
    await stream.done_writing()
    assert await stream.read() is grpc.aio.EOF
    assert await stream.code() is grpc.StatusCode.OK


async def test_a_lease_that_is_gone_is_an_answer(wire: Wire) -> None:
    lease_id = await grant(wire)
    stream = wire.lease.KeepAlive(iter([ask(lease_id), ask(404), ask(lease_id)]))
    answers = [answer async for answer in stream]
    assert [answer.lease_id for answer in answers] == [lease_id, 404, lease_id]
    assert [answer.ttl_ms for answer in answers] == [5_000, 0, 5_000]
    assert all(answer.header.revision == wire.node.machine.revision for answer in answers)


async def ended_by(stream) -> list[lease_pb2.KeepAliveResponse]:
    return [answer async for answer in stream]


@pytest.mark.parametrize(
    ("denied", "code"),
    [
        (Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, "cut off"), grpc.StatusCode.UNAVAILABLE),
        (
            Denied(Reason.UNKNOWN_RESULT, Outcome.UNKNOWN, "leadership lost"),
            grpc.StatusCode.UNAVAILABLE,
        ),
    ],
)
async def test_a_keepalive_that_is_not_answered_ends_the_stream(wire: Wire, denied, code) -> None:
    lease_id = await grant(wire)
    stream = wire.lease.KeepAlive()
    await stream.write(ask(lease_id))
    assert (await stream.read()).ttl_ms == 5_000
    wire.node.script = [denied]
    await stream.write(ask(lease_id))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream.read()
    failed = failure_of(caught.value)
    assert (failed.code, failed.info.reason) == (code, denied.reason.value)
    assert failed.metadata["outcome"] == denied.outcome.value


async def test_a_malformed_keepalive_is_refused_behind_the_answers_before_it(wire: Wire) -> None:
    lease_id = await grant(wire)
    stream = wire.lease.KeepAlive(iter([ask(lease_id), ask(0)]))
    assert (await stream.read()).ttl_ms == 5_000
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream.read()
    assert failure_of(caught.value).info.reason == "INVALID"


async def test_a_keepalive_that_is_no_message_ends_the_stream_at_once(wire: Wire) -> None:
    """Found by the fuzz test: the stream stayed open until its deadline."""
    stream = wire.channel.stream_stream("/kvraft.v1.LeaseService/KeepAlive")(timeout=20.0)
    await stream.write(b"\xff")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(stream.read(), 5.0)
    assert caught.value.code() is not grpc.StatusCode.DEADLINE_EXCEEDED


async def test_no_client_can_leave_an_exception_that_nobody_retrieves(wire: Wire) -> None:
    """The node stops on those. Here the answer ends the stream after a later request broke it."""
    uncaught: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, found: uncaught.append(str(found)))
    answers: asyncio.Queue = asyncio.Queue()
    wire.node.submit = lambda command, deadline, done: answers.put_nowait(done)
    stream = wire.channel.stream_stream("/kvraft.v1.LeaseService/KeepAlive")(timeout=20.0)
    await stream.write(ask(1).SerializeToString())
    await stream.write(b"\xff")
    done = await answers.get()
    await wire.cluster.Status(cluster_pb2.StatusRequest())  # came behind the broken request
    done(Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, "cut off"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream.read()
    assert failure_of(caught.value).info.reason == "NO_QUORUM"
    await wire.cluster.Status(cluster_pb2.StatusRequest())  # the handler has ended
    gc.collect()
    assert [text for text in uncaught if "never retrieved" in text] == []


async def test_each_keepalive_of_a_stream_has_its_own_deadline(wire: Wire) -> None:
    lease_id = await grant(wire)
    stream = wire.lease.KeepAlive()  # it has none and may live for ever
    for _ in range(2):
        begun = wire.node.now()
        await stream.write(ask(lease_id))
        await stream.read()
        command, deadline = wire.node.submitted[-1]
        assert command == LeaseKeepAlive(lease_id)
        assert 4.95 <= deadline - begun <= 4.95 + wire.node.now() - begun
    stream.cancel()


async def test_a_cancelled_stream_leaves_the_callbacks_alone(wire: Wire) -> None:
    lease_id = await grant(wire)
    wire.node.hold = True
    stream = wire.lease.KeepAlive()
    for _ in range(3):
        await stream.write(ask(lease_id))
    await wire.node.until_held(3)
    stream.cancel()
    wire.node.hold = False
    wire.node.release()
    assert await grant(wire, lease_id=8) == 8


class TestBounds:
    @pytest.fixture
    def limits(self) -> ServiceLimits:
        return ServiceLimits(keepalives_in_flight=4)

    async def test_a_stream_is_not_read_beyond_its_bound(self, wire: Wire) -> None:
        lease_id = await grant(wire)
        wire.node.hold = True
        stream = wire.lease.KeepAlive()
        for _ in range(10):
            await stream.write(ask(lease_id))
        for _ in range(2):
            await wire.node.until_held(4)
            # What the stream carries besides has arrived: this call came behind it.
            await wire.cluster.Status(cluster_pb2.StatusRequest())
            assert len(wire.node.held) == 4
            wire.node.release()
            for _ in range(4):
                assert (await stream.read()).ttl_ms == 5_000
        await wire.node.until_held(2)
        wire.node.release()
        for _ in range(2):
            assert (await stream.read()).ttl_ms == 5_000
        stream.cancel()


async def test_a_stream_that_begins_behind_the_stop_is_sent_away(wire: Wire) -> None:
    """It was accepted before the stop; its handler runs after."""
    wire.server._leases.close()
    stream = wire.lease.KeepAlive(timeout=20.0)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(stream.read(), 5.0)
    assert failure_of(caught.value).info.reason == "SHUTTING_DOWN"


async def test_a_stop_answers_what_was_read_and_says_where_to_go(wire: Wire) -> None:
    lease_id = await grant(wire)
    wire.node.hold = True
    wire.node.leader = "n2"
    stream = wire.lease.KeepAlive()
    await stream.write(ask(lease_id))
    await wire.node.until_held(1)
    stopping = asyncio.create_task(wire.server.stop(30.0))
    await asyncio.sleep(0)  # one turn: the stop has begun
    wire.node.hold = False
    wire.node.release()
    assert (await stream.read()).ttl_ms == 5_000
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream.read()
    failed = failure_of(caught.value)
    assert (failed.code, failed.info.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    assert failed.metadata == {
        "outcome": "NOT_APPLIED",
        "leader": "n2",
        "leader_endpoint": "127.0.0.1:4389",
    }
    await asyncio.wait_for(stopping, 5.0)  # well before the grace has passed
