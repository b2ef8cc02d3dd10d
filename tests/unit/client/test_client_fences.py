"""`fence=`: what it takes, and that every mutation carries it."""

import grpc
import pytest
from fake_node import deny

from kvraft_client import (
    Client,
    Fence,
    FenceRequired,
    InvalidRequest,
    LockLost,
    OutcomeUnknown,
    StaleFence,
    actions,
    conditions,
    operations,
)
from kvraft_client.fences import fences_of
from kvraft_client.text import format_condition, parse_condition

STALE = deny(grpc.StatusCode.FAILED_PRECONDITION, "STALE_FENCE")


class Held:
    """A lock, as far as `fence=` is concerned."""

    def __init__(self, *fences):
        self.fences = fences
        self.is_stale = False

    def stale(self):
        self.is_stale = True


A, B = Fence(b"a", 1), Fence(b"b", 2)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (None, ()),
        (("a", 1), (A,)),
        (A, (A,)),
        (Held(A, B), (A, B)),
        ([("a", 1), Held(B)], (A, B)),
        ([A, ("a", 1)], (A,)),
        ((A, B), (A, B)),
        ([], ()),
    ],
)
def test_what_it_takes(given, wanted):
    assert fences_of(given) == wanted


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("a=1", TypeError),
        (7, TypeError),
        ([("a", 1, 2)], TypeError),
        ([7], TypeError),
        (("a", "1"), TypeError),
        (("a", True), TypeError),
        (("a", 0), InvalidRequest),
        (("a", 1 << 63), InvalidRequest),
        (("", 1), InvalidRequest),
        ([("a", n + 1) for n in range(65)], InvalidRequest),
    ],
)
def test_what_it_does_not_take(given, error):
    with pytest.raises(error):
        fences_of(given)


MUTATIONS = {
    "Put": lambda kv, fence: kv.put("k", "v", fence=fence),
    "Delete": lambda kv, fence: kv.delete("k", fence=fence),
    "Delete prefix": lambda kv, fence: kv.delete_prefix("k", fence=fence),
    "CompareAndSet": lambda kv, fence: kv.try_cas("k", "v", expect=None, fence=fence),
    "CompareAndSet or raise": lambda kv, fence: kv.cas("k", "v", expect=None, fence=fence),
    "CompareAndSet of modify": lambda kv, fence: kv.modify("k", lambda _: "v", fence=fence),
    "Update": lambda kv, fence: kv.update("k", actions.set("v"), fence=fence),
    "Txn": lambda kv, fence: kv.txn(then=[operations.put("k", "v")], fence=fence),
    "Txn of a function": lambda kv, fence: kv.run_transaction(
        lambda t: t.put("k", "v"), fence=fence
    ),
    "Grant": lambda kv, fence: kv.leases.grant(5.0, fence=fence),
    "Revoke": lambda kv, fence: kv.leases.revoke(kv.leases.grant(5.0).lease_id, fence=fence),
    "SetInvariant": lambda kv, fence: kv.set_invariant("k", minimum=0, fence=fence),
    "SetInvariant to none": lambda kv, fence: kv.remove_invariant("k", fence=fence),
    "GuardPrefix": lambda kv, fence: kv.guard("k", per_key=True, fence=fence),
    "GuardPrefix to none": lambda kv, fence: kv.unguard("k", fence=fence),
    "Release": lambda kv, fence: kv.release_lock("other", 9, fence=fence),
}


def transact(kv, fence):
    with kv.transaction(fence=fence) as t:
        t.put("k", "v")


MUTATIONS["Txn of a block"] = transact


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_every_mutation_carries_its_fences(start, mutation):
    node = start()
    with Client(node.endpoint) as kv, kv.lock("jobs/1") as lock:
        MUTATIONS[mutation](kv, [lock, lock.fence])
        requests = [each for each in node.named(mutation.split()[0]) if hasattr(each, "fences")]

        sent = [(each.lock, each.token) for request in requests for each in request.fences]
        assert sent == [(b"jobs/1", lock.token)]

        node.script[mutation.split()[0]] = [STALE] * 10
        with pytest.raises(StaleFence):
            MUTATIONS[mutation](kv, lock)
        assert not lock.held  # the store's word for it
        assert lock.lost.is_set()


def test_a_delete_in_steps_carries_them_in_each(start):
    node = start()
    with Client(node.endpoint) as kv:
        for number in range(5):
            kv.put(f"k{number}", "v")
        node.script["Delete"] = [deny(grpc.StatusCode.INVALID_ARGUMENT, "TOO_MANY_ENTRIES")]
        with kv.lock("jobs/1") as lock:
            assert kv.delete_prefix("k", fence=lock) == 5
        assert [len(each.fences) for each in node.named("Delete")] == [1] * 3


def test_a_stale_pair_is_refused_by_the_store_and_nothing_is_written(start):
    node = start()
    with Client(node.endpoint) as kv:
        with kv.lock("jobs/1") as lock:
            fence = lock.fence
            kv.put("k", "v", fence=fence)
        with pytest.raises(StaleFence) as caught:
            kv.put("k", "w", fence=fence)

        assert isinstance(caught.value, LockLost)
        assert kv.get("k").value == b"v"


def test_a_lock_that_is_known_to_be_lost_costs_no_call(start):
    node = start()
    with Client(node.endpoint) as kv:
        with kv.lock("jobs/1") as lock:
            pass
        with pytest.raises(LockLost, match="'jobs/1' is not held: it was released"):
            kv.put("k", "v", fence=lock)
    assert node.named("Put") == []


def test_of_several_locks_nobody_knows_here_which_was_stale(start):
    node = start()
    with Client(node.endpoint) as kv, kv.lock("a") as one, kv.lock("b") as two:
        node.script["Put"] = [STALE]
        with pytest.raises(StaleFence):
            kv.put("k", "v", fence=[one, two])
        assert one.held
        assert two.held


def test_a_refusal_for_a_fence_settles_a_copy_of_the_request(start):
    """The state said so: it would have to be UNKNOWN if it spoke for the second copy only."""
    node = start()
    node.script["Put"] = [
        deny(grpc.StatusCode.UNAVAILABLE, "UNKNOWN_RESULT", "UNKNOWN"),
        deny(grpc.StatusCode.FAILED_PRECONDITION, "FENCE_REQUIRED", message="billing needs L"),
    ]
    with Client(node.endpoint) as kv, pytest.raises(FenceRequired, match="billing needs L"):
        kv.put("billing/1", "v")

    node.script["Put"] = [
        deny(grpc.StatusCode.UNAVAILABLE, "UNKNOWN_RESULT", "UNKNOWN"),
        deny(grpc.StatusCode.FAILED_PRECONDITION, "SOMETHING_ELSE"),
    ]
    with Client(node.endpoint) as kv, pytest.raises(OutcomeUnknown):
        kv.put("billing/1", "v")


def test_a_condition_asks_for_a_token(start):
    node = start()
    with Client(node.endpoint) as kv, kv.lock("jobs/1") as lock:
        assert kv.put("k", "v", when=conditions.fence("jobs/1", lock.token))
        assert kv.put("k", "v", when=f'fence("jobs/1") = {lock.token}')
        assert kv.txn(when=f'fence("jobs/1") != {lock.token}').succeeded is False
        assert kv.txn(when=~conditions.fence("jobs/1", 7)).succeeded


@pytest.mark.parametrize("text", ['fence("jobs/1") = 42', 'fence("k") != 1', 'not fence("a") = 2'])
def test_its_text(text):
    assert format_condition(parse_condition(text, b"k"), b"k") == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("fence = 1", "say of what"),
        ('fence("a") < 1', "= or != only"),
        ('fence("a") in (1, 2)', "= or != only"),
        ('fence("a") = "x"', "compared with integers"),
        ('fence("a")./b = 1', "only value and exists take a pointer"),
    ],
)
def test_mistakes_in_its_text(text, problem):
    with pytest.raises(InvalidRequest, match=problem):
        parse_condition(text, b"k")
