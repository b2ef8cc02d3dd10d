"""Failures over real gRPC: what is sent again, where, and what the caller hears."""

import time

import grpc
import pytest
from fake_node import NO_QUORUM, bare, deny

from kvraft_client import (
    AccessDenied,
    Compacted,
    DeadlineExceeded,
    Exhausted,
    InvalidRequest,
    LeaseNotFound,
    NoQuorum,
    NoSpace,
    NotApplied,
    Outcome,
    OutcomeUnknown,
    TooLarge,
    Unreachable,
)
from kvraft_client._backends.threads import QUIET_S
from kvraft_client.clock import boot_time
from kvraft_client.rpc import transmittable

Code = grpc.StatusCode


def puts(nodes):
    return [len(node.named("Put")) for node in nodes]


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (Code.INVALID_ARGUMENT, "INVALID", InvalidRequest),
        (Code.INVALID_ARGUMENT, "TTL_OUT_OF_RANGE", InvalidRequest),
        (Code.NOT_FOUND, "LEASE_NOT_FOUND", LeaseNotFound),
        (Code.RESOURCE_EXHAUSTED, "NO_SPACE", NoSpace),
        (Code.RESOURCE_EXHAUSTED, "TOO_MANY_LEASES", Exhausted),
        (Code.OUT_OF_RANGE, "COMPACTED", Compacted),
        (Code.PERMISSION_DENIED, "SOME_NEW_REASON", AccessDenied),
        (Code.FAILED_PRECONDITION, "SOME_NEW_REASON", NotApplied),
    ],
)
def test_a_refusal_is_told_once_and_is_definite(start, connect, code, reason, error):
    node = start()
    node.script["Put"] = [deny(code, reason, message="because")]

    with pytest.raises(error, match="because") as raised:
        connect(node).put("k", "v")
    assert type(raised.value) is error
    assert (raised.value.outcome, raised.value.reason) == (Outcome.NOT_APPLIED, reason)
    assert raised.value.endpoint == node.endpoint
    assert puts([node]) == [1]


def test_too_large_names_the_limit(start, connect):
    node = start()
    node.script["Put"] = [deny(Code.INVALID_ARGUMENT, "TOO_LARGE", limit="10", actual="11")]

    with pytest.raises(TooLarge) as raised:
        connect(node).put("k", "v")
    assert (raised.value.limit, raised.value.actual) == ("10", "11")


@pytest.mark.parametrize(
    "action",
    [
        bare(Code.UNAVAILABLE),
        bare(Code.INTERNAL),
        bare(Code.CANCELLED),
        bare(Code.INVALID_ARGUMENT),
        bare(Code.DEADLINE_EXCEEDED),
        deny(Code.UNAVAILABLE, "UNKNOWN_RESULT", "UNKNOWN"),
        deny(Code.UNAVAILABLE, "NO_QUORUM", "NONSENSE"),
    ],
)
def test_a_mutation_that_may_be_applied_is_never_sent_again(start, connect, action):
    nodes = start(3)
    nodes[0].script["Put"] = [action]

    with pytest.raises(OutcomeUnknown) as raised:
        connect(*nodes, exactly_once=False).put("k", "v")
    assert raised.value.outcome is Outcome.UNKNOWN
    assert puts(nodes) == [1, 0, 0]


def garbage(request, context):
    context.set_trailing_metadata([("grpc-status-details-bin", b"\xff\xff\xff")])
    context.abort(Code.UNAVAILABLE, "garbage")


@pytest.mark.parametrize("action", [garbage, deny(Code.UNAVAILABLE, "NO_QUORUM", domain="a.proxy")])
def test_an_error_info_of_another_domain_or_garbage_is_not_the_stores_word(start, connect, action):
    node = start()
    node.script["Put"] = [action]

    with pytest.raises(OutcomeUnknown):
        connect(node, exactly_once=False).put("k", "v")
    assert puts([node]) == [1]


@pytest.mark.parametrize(
    "action", [bare(Code.UNAVAILABLE), deny(Code.UNAVAILABLE, "UNKNOWN_RESULT", "UNKNOWN")]
)
def test_a_read_is_sent_again(start, connect, action):
    nodes = start(2)
    nodes[0].script["Get"] = [action]

    assert connect(*nodes).get("k") is None
    assert sum(len(node.named("Get")) for node in nodes) == 2


def test_what_was_not_applied_is_sent_again(start, connect):
    nodes = start(3)
    nodes[0].script["Put"] = [NO_QUORUM, NO_QUORUM]
    nodes[1].script["Put"] = [NO_QUORUM]
    nodes[2].script["Put"] = [NO_QUORUM]

    assert connect(*nodes).put("k", "v").version == 1


def test_without_a_quorum_the_call_ends_in_time_and_says_so(start, connect):
    nodes = start(3)
    for node in nodes:
        node.script["Put"] = [NO_QUORUM] * 1_000
    kv = connect(*nodes, timeout=0.6)

    begun = time.monotonic()
    with pytest.raises(NoQuorum) as raised:
        kv.put("k", "v")
    assert time.monotonic() - begun < 1.5
    assert raised.value.outcome is Outcome.NOT_APPLIED
    assert min(puts(nodes)) >= 1
    assert sum(puts(nodes)) < 120  # backed off: bounded by the budget


def test_a_hint_is_followed_by_name_and_its_address_is_not_dialled(start, connect):
    nodes = start(3)
    hint = deny(Code.UNAVAILABLE, "NOT_LEADER", leader="n3", leader_endpoint="192.0.2.1:1")

    def step_down(request, context):
        nodes[0].store.leader = "n3"
        hint(request, context)

    nodes[0].script["Put"] = [step_down]
    kv = connect(*nodes)
    kv.put("k", "v")

    assert puts(nodes) == [1, 0, 1]
    assert set(kv.kv._caller._channels) == {node.endpoint for node in nodes}


def test_the_leader_is_found_and_followed_from_one_term_to_the_next(start, connect):
    nodes = start(3)
    store = nodes[0].store
    store.leader = "n3"
    kv = connect(*nodes)
    kv.put("k", "v")

    assert puts(nodes) == [0, 0, 1]

    store.leader, store.term = "n2", 2
    kv.put("k", "v")  # n3 may pass it on; its answer tells of the new term
    before = puts(nodes)
    kv.put("k", "v")

    assert [now - was for was, now in zip(before, puts(nodes), strict=True)] == [0, 1, 0]


def test_nothing_was_sent_where_nobody_listens(start, connect, closed_port):
    node = start()

    assert connect(closed_port, node).put("k", "v").version == 1


def test_if_nobody_is_there_nothing_was_applied(connect, closed_port):
    begun = time.monotonic()
    with pytest.raises(Unreachable) as raised:
        connect(closed_port, timeout=0.4).put("k", "v")
    assert raised.value.outcome is Outcome.NOT_APPLIED
    assert time.monotonic() - begun < 1.5


def test_a_node_that_dies_with_the_request_leaves_it_unknown(start, connect):
    nodes = start(2)
    nodes[0].script["Put"] = [nodes[0].die]

    with pytest.raises(OutcomeUnknown):
        connect(*nodes, exactly_once=False).put("k", "v")
    assert puts(nodes) == [1, 0]


def test_a_node_that_died_before_the_request_costs_no_unknown(start, connect):
    nodes = start(2)
    kv = connect(*nodes)
    kv.put("k", "v")
    assert puts(nodes) == [1, 0]
    nodes[0].stop()
    nodes[0].store.leader, nodes[0].store.term = "n2", 2
    kv.status()  # lets the loop of the async client hear of it
    kv.kv._caller.now = lambda: boot_time() + QUIET_S  # the sync one goes by the time

    assert kv.put("k", "v").version == 2
    assert puts(nodes) == [1, 1]


def test_a_mutation_that_hangs_is_unknown_at_its_deadline(start, connect):
    nodes = start(2)
    nodes[0].script["Put"] = [nodes[0].hang]
    kv = connect(*nodes)

    begun = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        kv.put("k", "v", timeout=0.3)
    assert 0.25 < time.monotonic() - begun < 1.0
    assert puts(nodes) == [1, 0]


def test_a_read_that_hangs_is_asked_elsewhere_before_the_deadline(start, connect):
    nodes = start(2)
    nodes[0].script["Get"] = [nodes[0].hang]

    begun = time.monotonic()
    assert connect(*nodes).get("k") is None
    assert time.monotonic() - begun < 2.5
    assert len(nodes[1].named("Get")) == 1


def test_a_read_that_hangs_everywhere_changes_nothing(start, connect):
    node = start()
    node.script["Get"] = [node.hang] * 5

    with pytest.raises(DeadlineExceeded) as raised:
        connect(node).get("k", timeout=0.3)
    assert raised.value.outcome is Outcome.NOT_APPLIED


def test_a_black_hole_costs_one_probe_and_then_nothing(start, connect, black_hole):
    node = start()
    kv = connect(black_hole, node)

    begun = time.monotonic()
    assert kv.put("k", "v").version == 1
    first = time.monotonic() - begun
    begun = time.monotonic()
    assert kv.put("k", "v").version == 2
    second = time.monotonic() - begun

    assert 0.9 < first < 2.0
    assert second < 0.5


def test_each_attempt_carries_what_is_left_of_the_time(start, connect):
    left = []

    def note(request, context):
        left.append(context.time_remaining())
        NO_QUORUM(request, context)

    node = start()
    node.script["Put"] = [note] * 5
    kv = connect(node, timeout=2.0, exactly_once=False)
    kv.kv._caller.uniform = lambda: 1.0  # whole pauses: 300 ms in all
    kv.put("k", "v")

    assert 1.2 < left[4] < 1.7 < left[0] <= 2.0


def test_the_server_never_sees_more_time_than_there_is(start, connect):
    """Without `transmittable` gRPC grants up to 3 % more: it re-uses what it sent before."""
    left = []
    node = start()
    kv = connect(node)
    given = [5.0 - number * 0.03 for number in range(40)] + [20.09, 19.8, 0.5, 0.49, 0.48]
    node.script["Put"] = [lambda request, context: left.append(context.time_remaining())] * 45

    for timeout in given:
        kv.put("k", "v", timeout=timeout)

    assert all(had <= limit for had, limit in zip(left, given, strict=True))


@pytest.mark.parametrize("timeout", [0.0003, 0.02, 0.3, 1.0, 1.5, 4.999, 5.0, 60.0, 300.0])
def test_a_timeout_on_the_wire_is_a_little_shorter(timeout):
    assert 0.93 * timeout <= transmittable(timeout) <= timeout
    assert transmittable(-1.0) == -1.0


def test_overload_is_waited_for_as_long_as_the_store_says(start, connect):
    node = start()
    node.script["Put"] = [deny(Code.RESOURCE_EXHAUSTED, "OVERLOAD", retry_after_ms=200)]

    begun = time.monotonic()
    connect(node).put("k", "v")
    assert time.monotonic() - begun >= 0.2


def test_a_node_without_status_is_used_all_the_same(start, connect):
    node = start()
    node.script["Status"] = [bare(Code.UNIMPLEMENTED)] * 3

    assert connect(node).put("k", "v").version == 1


def test_a_node_that_refuses_its_status_for_want_of_a_quorum_is_passed_over(start, connect):
    nodes = start(2)
    nodes[0].script["Status"] = [NO_QUORUM]
    nodes[0].store.leader = "n2"
    connect(*nodes).put("k", "v")

    assert puts(nodes) == [0, 1]
