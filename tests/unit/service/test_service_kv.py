"""KVService over the wire: what is translated, and what is refused before it reaches the node."""

import pytest
from grpc import StatusCode
from service_wire import Wire, failing

from kvraft.core.commands import CompareAndSet, Delete, DeleteRange, Expect, Put
from kvraft.v1 import kv_pb2

pytestmark = pytest.mark.asyncio

SERIALIZABLE = kv_pb2.CONSISTENCY_SERIALIZABLE
MIB = 1 << 20


async def fill(wire: Wire, *keys: bytes, value: bytes = b"v") -> None:
    for key in keys:
        await wire.kv.Put(kv_pb2.PutRequest(key=key, value=value))


def keys(response: kv_pb2.ListResponse) -> list[bytes]:
    return [entry.key for entry in response.entries]


async def test_put_answers_with_header_entry_and_previous(wire: Wire) -> None:
    first = await wire.kv.Put(kv_pb2.PutRequest(key=b"k", value=b"1", return_previous=True))
    assert first.header.cluster_id == 0x1234
    assert (first.header.node, first.header.raft_term, first.header.revision) == ("n1", 7, 2)
    assert first.entry == kv_pb2.Entry(
        key=b"k", value=b"1", create_revision=2, mod_revision=2, version=1
    )
    assert not first.HasField("previous")
    second = await wire.kv.Put(kv_pb2.PutRequest(key=b"k", value=b"2", return_previous=True))
    assert second.previous == first.entry
    assert second.header.revision == 3
    third = await wire.kv.Put(kv_pb2.PutRequest(key=b"k", value=b"3"))
    assert not third.HasField("previous")


async def test_put_hands_over_every_field(wire: Wire) -> None:
    await wire.kv.Put(kv_pb2.PutRequest(key=b"a", value=b"v", ttl_ms=2_000, return_previous=True))
    await wire.kv.Put(kv_pb2.PutRequest(key=b"a", value=b"v", keep_lease=True))
    await failing(wire.kv.Put(kv_pb2.PutRequest(key=b"a", value=b"v", lease_id=77)))
    assert [command for command, _ in wire.node.submitted] == [
        Put(b"a", b"v", None, 2_000, False, True),
        Put(b"a", b"v", None, None, True, False),
        Put(b"a", b"v", 77, None, False, False),
    ]


async def test_a_previous_value_that_does_not_fit_is_left_out_and_flagged(wire: Wire) -> None:
    big = kv_pb2.PutRequest(key=b"k", value=b"x" * MIB, return_previous=True)
    await wire.kv.Put(big)
    answer = await wire.kv.Put(big)
    assert len(answer.entry.value) == MIB
    assert answer.previous.value_omitted
    assert (answer.previous.value, answer.previous.mod_revision) == (b"", 2)


async def test_get_tells_absent_from_empty(wire: Wire) -> None:
    await fill(wire, b"empty", value=b"")
    found = await wire.kv.Get(kv_pb2.GetRequest(key=b"empty"))
    assert found.HasField("entry")
    assert not (await wire.kv.Get(kv_pb2.GetRequest(key=b"absent"))).HasField("entry")


async def test_a_linearizable_read_waits_for_the_barrier_and_reads_behind_it(wire: Wire) -> None:
    await fill(wire, b"k", value=b"old")
    wire.node.hold = True
    writing = wire.kv.Put(kv_pb2.PutRequest(key=b"k", value=b"new"))
    await wire.node.until_held(1)
    reading = wire.kv.Get(kv_pb2.GetRequest(key=b"k"))
    await wire.node.until_held(2)
    wire.node.release()
    assert (await reading).entry.value == b"new"
    assert (await writing).entry.value == b"new"
    assert len(wire.node.barriers) == 1


@pytest.mark.parametrize("call", ["Get", "List"])
async def test_a_serializable_read_needs_no_barrier(wire: Wire, call) -> None:
    await fill(wire, b"k")
    wire.node.reachable = False
    request = (
        kv_pb2.GetRequest(key=b"k", consistency=SERIALIZABLE)
        if call == "Get"
        else kv_pb2.ListRequest(prefix=b"", consistency=SERIALIZABLE)
    )
    answer = await getattr(wire.kv, call)(request)
    assert answer.header.revision == 2
    assert wire.node.barriers == []


@pytest.mark.parametrize("consistency", [SERIALIZABLE, kv_pb2.CONSISTENCY_LINEARIZABLE])
async def test_a_read_from_the_future_is_refused(wire: Wire, consistency) -> None:
    await fill(wire, b"k")
    request = kv_pb2.GetRequest(key=b"k", consistency=consistency, min_revision=3)
    failed = await failing(wire.kv.Get(request))
    assert (failed.code, failed.info.reason) == (StatusCode.OUT_OF_RANGE, "FUTURE")
    assert failed.metadata == {"outcome": "NOT_APPLIED", "actual": "2"}
    request.min_revision = 2
    assert (await wire.kv.Get(request)).entry.value == b"v"


async def test_a_node_that_belongs_to_no_cluster_answers_no_read(wire: Wire) -> None:
    wire.node.machine.cluster_id = 0
    failed = await failing(wire.kv.Get(kv_pb2.GetRequest(key=b"k", consistency=SERIALIZABLE)))
    assert (failed.code, failed.info.reason) == (StatusCode.UNAVAILABLE, "NO_QUORUM")


async def test_list_by_prefix_and_range(wire: Wire) -> None:
    await fill(wire, b"a", b"a/1", b"a/\xff", b"a/\xff\xff2", b"b", b"\xff", b"\xff\xff")

    async def listed(**request) -> list[bytes]:
        return keys(await wire.kv.List(kv_pb2.ListRequest(**request)))

    assert await listed(prefix=b"a/") == [b"a/1", b"a/\xff", b"a/\xff\xff2"]
    assert await listed(prefix=b"a/\xff") == [b"a/\xff", b"a/\xff\xff2"]
    assert await listed(prefix=b"\xff") == [b"\xff", b"\xff\xff"]
    assert len(await listed(prefix=b"")) == 7
    assert await listed(range=kv_pb2.KeyRange(start=b"a/\xff", end=b"b")) == [
        b"a/\xff",
        b"a/\xff\xff2",
    ]
    assert await listed(range=kv_pb2.KeyRange(start=b"b")) == [b"b", b"\xff", b"\xff\xff"]
    assert await listed(range=kv_pb2.KeyRange(start=b"b", end=b"b")) == []
    assert await listed(range=kv_pb2.KeyRange(end=b"a/")) == [b"a"]


async def test_pages_continue_behind_the_last_key_and_say_when_they_end(wire: Wire) -> None:
    await fill(wire, b"a1", b"a1\0", b"a2", b"a3", b"b")
    seen, request = [], kv_pb2.ListRequest(prefix=b"a", limit=2)
    for _ in range(3):
        page = await wire.kv.List(request)
        seen.append(keys(page))
        if not page.more:
            break
        request.after = seen[-1][-1]
    assert seen == [[b"a1", b"a1\0"], [b"a2", b"a3"]]
    request.after = b"a9"
    assert keys(await wire.kv.List(request)) == []
    request.after = b"z"
    assert keys(await wire.kv.List(request)) == []


async def test_a_page_is_bounded_in_bytes_and_keys_only_is_smaller(wire: Wire) -> None:
    await fill(wire, b"a", b"b", b"c", value=b"x" * (MIB // 2))
    page = await wire.kv.List(kv_pb2.ListRequest(prefix=b""))
    assert page.more
    assert 1 <= len(page.entries) < 3
    slim = await wire.kv.List(kv_pb2.ListRequest(prefix=b"", keys_only=True))
    assert keys(slim) == [b"a", b"b", b"c"]
    assert {entry.value for entry in slim.entries} == {b""}
    assert not slim.more


async def test_delete_one_prefix_and_range(wire: Wire) -> None:
    await fill(wire, b"a", b"b1", b"b2", b"c", b"d")
    one = await wire.kv.Delete(kv_pb2.DeleteRequest(key=b"a", return_previous=True))
    assert (one.deleted, one.previous.key) == (1, b"a")
    none = await wire.kv.Delete(kv_pb2.DeleteRequest(key=b"a"))
    assert (none.deleted, none.header.revision) == (0, one.header.revision)
    assert (await wire.kv.Delete(kv_pb2.DeleteRequest(prefix=b"b"))).deleted == 2
    span = kv_pb2.KeyRange(start=b"c")
    assert (await wire.kv.Delete(kv_pb2.DeleteRequest(range=span))).deleted == 2
    assert [command for command, _ in wire.node.submitted[5:]] == [
        Delete(b"a", True),
        Delete(b"a", False),
        DeleteRange(b"b", b"c"),
        DeleteRange(b"c", None),
    ]


async def test_compare_and_set_hands_over_every_expectation(wire: Wire) -> None:
    await fill(wire, b"k", value=b"")
    expect = kv_pb2.Expect(value=b"", version=1, mod_revision=2, create_revision=2)
    request = kv_pb2.CompareAndSetRequest(key=b"k", value=b"w", expect=expect, ttl_ms=1_500)
    done = await wire.kv.CompareAndSet(request)
    assert done.succeeded
    assert (done.entry.value, done.entry.version, done.header.revision) == (b"w", 2, 3)
    assert wire.node.submitted[-1][0] == CompareAndSet(
        b"k", b"w", Expect(False, b"", 1, 2, 2), None, 1_500, False
    )
    lost = await wire.kv.CompareAndSet(request)
    assert not lost.succeeded
    assert lost.entry.value == b"w"
    absent = kv_pb2.CompareAndSetRequest(
        key=b"none", value=b"", expect=kv_pb2.Expect(mod_revision=4)
    )
    assert not (await wire.kv.CompareAndSet(absent)).HasField("entry")


def put(**fields) -> tuple[str, object]:
    return "Put", kv_pb2.PutRequest(**{"key": b"k", **fields})


def cas(**fields) -> tuple[str, object]:
    return "CompareAndSet", kv_pb2.CompareAndSetRequest(**{"key": b"k", **fields})


def listing(**fields) -> tuple[str, object]:
    return "List", kv_pb2.ListRequest(**fields)


ABSENT = kv_pb2.Expect(absent=True)
BACKWARDS = kv_pb2.KeyRange(start=b"b", end=b"a")
MALFORMED = {
    "no key in get": (("Get", kv_pb2.GetRequest()), "key: 1 to 2048 bytes, got 0"),
    "no key in put": (put(key=b""), "key: 1 to 2048 bytes, got 0"),
    "no key in delete": (("Delete", kv_pb2.DeleteRequest(key=b"")), "key: 1 to 2048 bytes, got 0"),
    "no key in cas": (cas(key=b"", expect=ABSENT), "key: 1 to 2048 bytes, got 0"),
    "two attachments": (put(lease_id=1, ttl_ms=1_000), "got lease_id and ttl_ms"),
    "keep and attach": (cas(expect=ABSENT, ttl_ms=9, keep_lease=True), "got ttl_ms and keep_lease"),
    "lease zero": (put(lease_id=0), "lease_id: 1 to 9223372036854775807, got 0"),
    "lease negative": (cas(expect=ABSENT, lease_id=-1), "got -1"),
    "nothing to list": (listing(), "target: one of prefix, range must be set"),
    "nothing to delete": (("Delete", kv_pb2.DeleteRequest()), "one of key, prefix, range"),
    "range backwards": (listing(range=BACKWARDS), "got b'b' and b'a'"),
    "delete backwards": (("Delete", kv_pb2.DeleteRequest(range=BACKWARDS)), "got b'b' and b'a'"),
    "limit": (listing(prefix=b"", limit=-1), "limit: 0 (the server's page limit) or more, got -1"),
    "consistency": (("Get", kv_pb2.GetRequest(key=b"k", consistency=9)), "SERIALIZABLE, got 9"),
    "min_revision": (("Get", kv_pb2.GetRequest(key=b"k", min_revision=-2)), "got -2"),
    "no expect": (cas(), "expect: at least one of"),
    "empty expect": (cas(expect=kv_pb2.Expect(absent=False)), "expect: at least one of"),
    "previous of many": (
        ("Delete", kv_pb2.DeleteRequest(prefix=b"a", return_previous=True)),
        "return_previous: only with key, got it with prefix",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_a_malformed_request_names_field_allowed_and_given(wire: Wire, case) -> None:
    (method, request), text = MALFORMED[case]
    failed = await failing(getattr(wire.kv, method)(request))
    assert (failed.code, failed.info.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID")
    assert failed.metadata == {"outcome": "NOT_APPLIED"}
    assert text in failed.message
    assert wire.node.submitted == []
    assert wire.node.barriers == []


LONG = b"k" * 2_049
TOO_LARGE = {
    "key": (put(key=LONG), 2_048, 2_049),
    "read": (("Get", kv_pb2.GetRequest(key=LONG)), 2_048, 2_049),
    "prefix": (listing(prefix=LONG), 2_048, 2_049),
    "range": (listing(range=kv_pb2.KeyRange(start=b"", end=LONG)), 2_048, 2_049),
    "after": (listing(prefix=b"", after=LONG), 2_048, 2_049),
    "value": (put(value=b"x" * (MIB + 1)), MIB, MIB + 1),
    "expected": (cas(expect=kv_pb2.Expect(value=b"x" * (MIB + 1))), MIB, MIB + 1),
    "request": (
        cas(value=b"x" * MIB, expect=kv_pb2.Expect(value=b"x" * MIB)),
        3 << 19,
        2 * MIB + 1,
    ),
}


@pytest.mark.parametrize("case", TOO_LARGE)
async def test_what_is_too_large_names_the_limit_and_the_size(wire: Wire, case) -> None:
    (method, request), limit, actual = TOO_LARGE[case]
    failed = await failing(getattr(wire.kv, method)(request))
    assert (failed.code, failed.info.reason) == (StatusCode.INVALID_ARGUMENT, "TOO_LARGE")
    assert failed.metadata == {
        "outcome": "NOT_APPLIED",
        "limit": str(limit),
        "actual": str(actual),
    }
    assert wire.node.submitted == []


async def test_the_largest_key_and_value_pass(wire: Wire) -> None:
    request = kv_pb2.PutRequest(key=b"\xff" * 2_048, value=b"x" * MIB)
    assert len((await wire.kv.Put(request)).entry.value) == MIB
    listed = await wire.kv.List(kv_pb2.ListRequest(prefix=request.key, after=request.key))
    assert keys(listed) == []
    assert keys(await wire.kv.List(kv_pb2.ListRequest(prefix=b"\xff"))) == [request.key]
