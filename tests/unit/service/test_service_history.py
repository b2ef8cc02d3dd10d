"""Reads at a revision, and reads that say how old the state may be."""

import asyncio

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from service_wire import Wire, failing

from kvraft.core.errors import Outcome, Reason
from kvraft.core.limits import PAST_READ_STEPS
from kvraft.core.machine import StateMachine
from kvraft.replica.outcomes import Denied
from kvraft.v1 import kv_pb2

pytestmark = pytest.mark.asyncio

SERIALIZABLE = kv_pb2.CONSISTENCY_SERIALIZABLE


async def fill(wire: Wire) -> None:
    """a=1 at 2, b=1 at 3, a=2 at 4, a gone at 5."""
    for key, value in ((b"a", b"1"), (b"b", b"1"), (b"a", b"2")):
        await wire.kv.Put(kv_pb2.PutRequest(key=key, value=value))
    await wire.kv.Delete(kv_pb2.DeleteRequest(key=b"a"))


async def get(wire: Wire, **fields) -> kv_pb2.GetResponse:
    return await wire.kv.Get(kv_pb2.GetRequest(**{"key": b"a", **fields}))


async def test_a_key_as_it_stood(wire: Wire) -> None:
    await fill(wire)
    values = [(await get(wire, revision=number)).entry.value for number in range(1, 6)]
    assert values == [b"", b"1", b"1", b"2", b""]
    assert (await get(wire, revision=2)).header.revision == 5
    assert wire.node.barriers == []


async def test_a_listing_stays_on_its_revision(wire: Wire) -> None:
    await fill(wire)
    request = kv_pb2.ListRequest(prefix=b"", limit=1, revision=4)
    first = await wire.kv.List(request)
    await wire.kv.Put(kv_pb2.PutRequest(key=b"aa"))
    request.after = first.entries[-1].key
    second = await wire.kv.List(request)
    pages = [[(each.key, each.value) for each in page.entries] for page in (first, second)]
    assert pages == [[(b"a", b"2")], [(b"b", b"1")]]
    assert (first.more, second.more) == (True, False)


@pytest.mark.parametrize("consistency", [0, SERIALIZABLE])
@pytest.mark.parametrize("field", ["revision", "min_revision"])
async def test_the_future_is_refused_behind_the_barrier_only(
    wire: Wire, consistency, field
) -> None:
    await fill(wire)
    wire.node.hold = True
    reading = get(wire, consistency=consistency, **{field: 6})
    writing = wire.kv.Put(kv_pb2.PutRequest(key=b"a", value=b"3"))
    held = wire.node.until_held(2)
    answers = asyncio.gather(reading, writing)
    await held
    wire.node.held.sort(key=lambda each: each[0] is None)  # the write, then the barrier
    wire.node.release()
    found, _ = await answers
    assert found.entry.value == b"3"
    wire.node.hold = False
    failed = await failing(get(wire, consistency=consistency, **{field: 7}))
    assert (failed.code, failed.info.reason) == (StatusCode.OUT_OF_RANGE, "FUTURE")
    assert failed.metadata == {"outcome": "NOT_APPLIED", "actual": "6"}
    assert f"{field}: the store is at 6, asked for 7" in failed.message


async def test_what_is_compacted_is_refused_with_the_oldest(wire: Wire) -> None:
    await fill(wire)
    wire.node.machine._history.compacted_revision = 4
    failed = await failing(get(wire, revision=3))
    assert (failed.code, failed.info.reason) == (StatusCode.OUT_OF_RANGE, "COMPACTED")
    assert failed.metadata == {"outcome": "NOT_APPLIED", "oldest_revision": "4"}
    assert (await get(wire, revision=4)).entry.value == b"2"


async def test_a_fresh_state_answers_alone_and_an_old_one_asks(wire: Wire) -> None:
    await fill(wire)
    now = 100.0
    wire.node.clock = lambda: now
    wanted = {"consistency": SERIALIZABLE, "max_age_ms": 500}
    await get(wire, **wanted)
    assert len(wire.node.barriers) == 1
    now += 0.4
    await get(wire, **wanted)
    assert len(wire.node.barriers) == 1
    now += 0.2
    await get(wire, **wanted)
    assert len(wire.node.barriers) == 2


async def test_a_linearizable_read_makes_the_state_known_to_be_fresh(wire: Wire) -> None:
    await get(wire)
    await get(wire, consistency=SERIALIZABLE, max_age_ms=5_000)
    assert len(wire.node.barriers) == 1


async def test_the_age_counts_from_when_the_barrier_was_asked_for(wire: Wire) -> None:
    now = 100.0
    wire.node.clock = lambda: now
    wire.node.hold = True
    reading = get(wire, consistency=SERIALIZABLE, max_age_ms=500)
    call = asyncio.ensure_future(failing(reading))
    await wire.node.until_held(1)
    now += 0.7
    wire.node.release()
    failed = await call
    assert (failed.code, failed.info.reason) == (StatusCode.UNAVAILABLE, "NO_QUORUM")
    assert (failed.metadata["limit"], failed.metadata["actual"]) == ("500", "700")


async def test_a_state_of_unknown_age_is_no_answer_without_a_quorum(wire: Wire) -> None:
    wire.node.script = [Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, "nobody there")]
    failed = await failing(get(wire, consistency=SERIALIZABLE, max_age_ms=500))
    assert failed.info.reason == "NO_QUORUM"
    assert not (await get(wire, consistency=SERIALIZABLE)).HasField("entry")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"revision": 0}, "revision: 1 or more, got 0"),
        ({"max_age_ms": -1}, "max_age_ms: 0 or more, got -1"),
        ({"min_revision": -1}, "min_revision: 0 or more, got -1"),
    ],
)
async def test_a_malformed_demand_is_refused(wire: Wire, fields, text) -> None:
    failed = await failing(get(wire, **fields))
    assert failed.info.reason == "INVALID"
    assert text in failed.message


async def many(wire: Wire, monkeypatch) -> kv_pb2.ListRequest:
    """Four keys, then gone; a turn of the loop looks at one."""
    monkeypatch.setattr("kvraft.core.past_page.PAST_KEY_STEPS", PAST_READ_STEPS)
    for name in b"abcd":
        await wire.kv.Put(kv_pb2.PutRequest(key=bytes([name]), value=b"1"))
    await wire.kv.Delete(kv_pb2.DeleteRequest(prefix=b""))
    return kv_pb2.ListRequest(prefix=b"", revision=5, limit=3)


async def test_a_listing_of_the_past_takes_a_turn_for_each_part(wire: Wire, monkeypatch) -> None:
    request = await many(wire, monkeypatch)
    turns, plain = [], type(wire.node.machine).read_past

    def counted(machine, page):
        asyncio.get_running_loop().call_soon(turns.append, "another")
        turns.append(len(page.entries))
        return plain(machine, page)

    monkeypatch.setattr(type(wire.node.machine), "read_past", counted)
    page = await wire.kv.List(request)
    assert [(each.key, each.value) for each in page.entries] == [
        (b"a", b"1"), (b"b", b"1"), (b"c", b"1"),
    ]  # fmt: skip
    assert page.more
    assert turns[:7] == [0, "another", 1, "another", 2, "another", 3]


async def test_a_listing_that_is_overtaken_is_compacted(wire: Wire, monkeypatch) -> None:
    request = await many(wire, monkeypatch)
    plain = type(wire.node.machine).read_past

    def overtaken(machine, page):
        machine._history.compacted_revision = 6
        return plain(machine, page)

    monkeypatch.setattr(type(wire.node.machine), "read_past", overtaken)
    failed = await failing(wire.kv.List(request))
    assert (failed.code, failed.info.reason) == (StatusCode.OUT_OF_RANGE, "COMPACTED")


async def test_a_listing_in_a_pipeline_lets_others_pass(wire: Wire, monkeypatch) -> None:
    request = await many(wire, monkeypatch)
    stream = wire.kv.Pipeline()
    get = kv_pb2.GetRequest(key=b"b", revision=5)
    calls = [
        kv_pb2.PipelineCall(id=1, list=request),
        kv_pb2.PipelineCall(id=2, list=request),
        kv_pb2.PipelineCall(id=3, get=kv_pb2.GetRequest(key=b"b")),
        kv_pb2.PipelineCall(id=4, get=get),
    ]
    await stream.write(kv_pb2.PipelineRequest(calls=calls))
    replies = []
    while len(replies) < 4:
        replies += (await stream.read()).replies
    assert [reply.id for reply in replies] == [3, 4, 1, 2]
    for reply in replies[2:]:
        assert [each.key for each in reply.list.entries] == [b"a", b"b", b"c"]
        assert reply.list.more
    assert replies[1].get.entry.value == b"1"
    stream.cancel()


async def test_a_listing_in_a_pipeline_that_is_overtaken(wire: Wire, monkeypatch) -> None:
    request = await many(wire, monkeypatch)
    plain = type(wire.node.machine).read_past

    def overtaken(machine, page):
        machine._history.compacted_revision = 6
        return plain(machine, page)

    monkeypatch.setattr(type(wire.node.machine), "read_past", overtaken)
    stream = wire.kv.Pipeline()
    call = kv_pb2.PipelineCall(id=1, list=request)
    await stream.write(kv_pb2.PipelineRequest(calls=[call]))
    (reply,) = (await stream.read()).replies
    assert (reply.id, reply.WhichOneof("reply")) == (1, "error")
    stream.cancel()


async def test_a_mistake_in_one_read_does_not_reach_the_node(wire: Wire, monkeypatch) -> None:
    wire.node.hold = True
    answer = asyncio.ensure_future(get(wire))
    await wire.node.until_held(1)
    with monkeypatch.context() as patched:
        patched.setattr(StateMachine, "get", lambda *_: 1 / 0)
        wire.node.release()  # as the node does when the barrier is met
    with pytest.raises(AioRpcError) as failed:
        await answer
    assert failed.value.code() is StatusCode.UNKNOWN
