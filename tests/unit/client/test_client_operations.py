"""What each call sends and returns, in both clients."""

import grpc
import pytest
from fake_node import deny

from kvraft.v1 import kv_pb2
from kvraft_client import (
    Conflict,
    Entry,
    InvalidRequest,
    NodeHash,
    NotApplied,
    Outcome,
    TooLarge,
    Unavailable,
)


def test_write_read_and_absence(start, connect):
    kv = connect(start())

    assert kv.get("seat/14C") is None
    assert kv.put("seat/14C", b"free") == Entry(b"seat/14C", b"free", 1, 2, 2)
    assert kv.get(b"seat/14C") == Entry(b"seat/14C", b"free", 1, 2, 2)


def test_text_is_utf8(start, connect):
    kv = connect(start())
    kv.put("straße", "grün")

    assert kv.get("straße".encode()).value == "grün".encode()


def test_cas_with_what_get_returned(start, connect):
    kv = connect(start())

    first = kv.cas("k", "1", expect=kv.get("k"))
    second = kv.cas("k", "2", expect=first)

    assert (first.version, second.version) == (1, 2)
    with pytest.raises(Conflict) as conflict:
        kv.cas("k", "3", expect=first)
    assert conflict.value.current == second
    assert conflict.value.outcome is Outcome.NOT_APPLIED


def test_try_cas_is_falsy_and_shows_what_there_is(start, connect):
    kv = connect(start())
    there = kv.put("k", "1")

    refused = kv.try_cas("k", "2", expect_absent=True)
    absent = kv.try_cas("other", "2", expect_version=1)
    done = kv.try_cas("k", "2", expect_value="1")

    assert (bool(refused), refused.entry) == (False, there)
    assert (bool(absent), absent.entry) == (False, None)
    assert (bool(done), done.entry.value) == (True, b"2")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"expect": None}, {"absent": True}),
        ({"expect_absent": True}, {"absent": True}),
        ({"expect": Entry(b"k", b"v", 3, 9, 2)}, {"mod_revision": 9}),
        ({"expect_value": ""}, {"value": b""}),
        ({"expect_version": 0}, {"version": 0}),
        ({"expect_revision": 5, "expect_value": b"v"}, {"mod_revision": 5, "value": b"v"}),
    ],
)
def test_conditions_are_sent_by_presence(start, connect, given, sent):
    node = start()
    connect(node).try_cas("k", "v", **given)

    (request,) = node.named("CompareAndSet")

    assert request.expect == kv_pb2.Expect(**sent)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, InvalidRequest),
        ({"expect_absent": False}, InvalidRequest),
        ({"expect": b"v"}, TypeError),
        ({"expect": Entry(b"other", b"v", 1, 2, 2)}, InvalidRequest),
        ({"expect": Entry(b"k", b"v", 1, 2, 2), "expect_revision": 3}, InvalidRequest),
    ],
)
def test_a_condition_that_says_nothing_or_two_things_is_refused(start, connect, given, error):
    with pytest.raises(error, match="expect"):
        connect(start()).try_cas("k", "v", **given)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda kv: kv.get(""), InvalidRequest, "key is empty"),
        (lambda kv: kv.put(7, "v"), TypeError, "key must be bytes or str, not int"),
        (lambda kv: kv.put("k", None), TypeError, "value must be bytes or str, not NoneType"),
        (lambda kv: kv.put("k", "v", ttl=0), InvalidRequest, "positive number of seconds"),
        (lambda kv: kv.put("k", "v", ttl=1, lease=2), InvalidRequest, "at most one of"),
        (lambda kv: kv.get("k", consistency="fast"), InvalidRequest, "'linearizable' or"),
        (lambda kv: kv.get("k", timeout=-1), InvalidRequest, "timeout must be a positive"),
        (
            lambda kv: kv.get("k", timeout=float("inf")),
            InvalidRequest,
            "timeout must be a positive",
        ),
        (lambda kv: kv.get("k", timeout="1"), TypeError, "timeout must be a number"),
        (lambda kv: kv.outcome("k"), TypeError, "KeyIdentity"),
        (lambda kv: kv.list("p", start="q"), InvalidRequest, "not both"),
        (lambda kv: kv.delete_prefix(""), InvalidRequest, "would delete everything"),
        (lambda kv: kv.put("k", b"v" * (5 << 20)), TooLarge, "exceeds 4194304 bytes"),
    ],
)
def test_bad_arguments_are_named_and_nothing_is_sent(start, connect, call, error, text):
    node = start()

    with pytest.raises(error, match=text):
        call(connect(node))
    assert [name for name, _ in node.calls if name != "Status"] == []


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, {}),
        ({"ttl": 1.5}, {"ttl_ms": 1_500}),
        ({"lease": 9}, {"lease_id": 9}),
        ({"keep_lease": True}, {"keep_lease": True}),
    ],
)
def test_what_a_put_attaches(start, connect, given, sent):
    node = start()
    connect(node, exactly_once=False).put("k", "v", **given)

    assert node.named("Put") == [kv_pb2.PutRequest(key=b"k", value=b"v", **sent)]


def test_delete_says_whether_there_was_one(start, connect):
    kv = connect(start())
    kv.put("k", "v")

    assert kv.delete("k") is True
    assert kv.delete("k") is False


def test_list_goes_through_all_pages(start, connect):
    kv = connect(start())
    for number in range(8):
        kv.put(f"p/{number}", "v")
    kv.put("q", "v")

    assert [entry.key for entry in kv.list("p/")] == [b"p/%d" % number for number in range(8)]
    assert [entry.key for entry in kv.list(start="p/6", end="q")] == [b"p/6", b"p/7"]
    assert len(kv.list()) == 9


def test_delete_prefix_goes_in_steps_where_all_at_once_are_too_many(start, connect):
    node = start()
    kv = connect(node)
    for number in range(8):
        kv.put(f"p/{number}", "v")
    kv.put("q", "v")
    node.script["Delete"] = [deny(grpc.StatusCode.INVALID_ARGUMENT, "TOO_MANY_ENTRIES")]

    assert kv.delete_prefix("p/") == 8
    assert [entry.key for entry in kv.list()] == [b"q"]


def test_delete_prefix_passes_other_refusals_on(start, connect):
    node = start()
    node.script["Delete"] = [deny(grpc.StatusCode.INVALID_ARGUMENT, "INVALID")]

    with pytest.raises(InvalidRequest):
        connect(node).delete_prefix("p/")


def test_consistency_and_revision_travel(start, connect):
    node = start()
    connect(node).get("k", consistency="serializable", min_revision=5)

    (request,) = node.named("Get")

    assert request.consistency == kv_pb2.CONSISTENCY_SERIALIZABLE
    assert request.min_revision == 5


def test_status_shows_every_endpoint(start, connect, closed_port):
    first, second = start(2)
    one, two, none = connect(first, second, closed_port).status()

    assert (one.name, one.role, one.leader, one.counters["fsyncs"]) == ("n1", "leader", "n1", 3)
    assert (one.commit_index, one.peers[0].contact_age_ms) == (12, None)
    assert (two.name, two.role) == ("n2", "follower")
    assert (none.endpoint, none.name) == (closed_port, None)
    assert "UNAVAILABLE" in none.error


def test_state_hash_and_transfer(start, connect):
    kv = connect(start())

    result = kv.state_hash()

    assert result.hashes[0] == NodeHash("n1", 12, 9, "ab")
    assert (result.missing, result.is_equal) == (("n3",), True)
    assert kv.transfer_leadership("n2") == "n2"


def test_snapshot_is_complete_or_not_there(start, connect, tmp_path):
    first, second = start(2)
    kv = connect(first, second)
    first.script["Snapshot"] = [lambda request, context: [b"head", b"lost"]]

    with pytest.raises(Unavailable, match="8 of 12 bytes"):
        kv.snapshot(tmp_path / "a")
    info = kv.snapshot(tmp_path / "b")

    assert info.size_bytes == 12
    assert (tmp_path / "b").read_bytes() == b"headbodytail"
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_snapshot_is_taken_from_another_node_if_one_fails(start, connect, tmp_path):
    first, second = start(2)
    first.script["Snapshot"] = [deny(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")]
    connect(first, second).snapshot(tmp_path / "b")

    assert len(second.named("Snapshot")) == 1


def test_snapshot_to_a_directory_that_is_not_there(start, connect, tmp_path):
    with pytest.raises(InvalidRequest, match="No such file or directory"):
        connect(start()).snapshot(tmp_path / "none" / "b")


@pytest.mark.parametrize(
    ("endpoints", "text"),
    [
        ("", "no endpoint"),
        ("localhost", "is not HOST:PORT"),
        ("a:1,b:0", "'b:0' is not"),
        (":1", "is not HOST:PORT"),
    ],
)
def test_endpoints_are_checked(connect, endpoints, text):
    with pytest.raises(InvalidRequest, match=text):
        connect(endpoints)


def test_a_conflict_is_a_definite_error():
    assert issubclass(Conflict, NotApplied)
