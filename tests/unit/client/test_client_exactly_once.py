"""One effect: sessions, idempotency keys, lost replies, and what became of a mutation."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from fake_node import NO_QUORUM, FakeNode, FakeStore, bare, deny, lost

from kvraft_client import (
    Abandoned,
    Applied,
    AsyncClient,
    Client,
    DeadlineExceeded,
    InvalidRequest,
    KeyIdentity,
    KeyReused,
    LeaseState,
    NeverApplied,
    NoQuorum,
    NotApplied,
    Outcome,
    OutcomeUnknown,
    Refused,
    SessionExpired,
    SessionIdentity,
    actions,
    operations,
)
from kvraft_client.conditions import value

Code = grpc.StatusCode
LOST = bare(Code.UNAVAILABLE)
UNKNOWN_RESULT = deny(Code.UNAVAILABLE, "UNKNOWN_RESULT", "UNKNOWN")
EXPIRED = deny(Code.FAILED_PRECONDITION, "SESSION_EXPIRED", "UNKNOWN")


def identities(node, method="Put"):
    sent = [request.identity.session for request in node.named(method)]
    return [(each.session_id, each.sequence, each.first_unacked) for each in sent]


@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("Put", lambda kv: kv.put("k", "v")),
        ("Delete", lambda kv: kv.delete("k")),
        ("Delete", lambda kv: kv.delete_prefix("k")),
        ("CompareAndSet", lambda kv: kv.cas("k", "v", expect=None)),
        ("Update", lambda kv: kv.update("k", actions.add(1))),
        ("Txn", lambda kv: kv.txn(then=[operations.put("k", "v")])),
        ("Grant", lambda kv: kv.kv.leases.grant(5.0)),
        ("Revoke", lambda kv: kv.kv.leases.revoke(100)),
    ],
)
def test_every_mutation_says_who_it_is(start, connect, method, call):
    node = start()
    node.store.leases[100] = 5_000
    kv = connect(node)
    made = call(kv)
    if asyncio.iscoroutine(made):
        kv.runner.run(wait_for(made))

    assert identities(node, method) == [(1, 1, 1)]
    assert len(node.named("Open")) == 1


async def wait_for(made):
    return await made


@pytest.mark.parametrize("failure", [LOST, UNKNOWN_RESULT, bare(Code.INTERNAL)])
@pytest.mark.parametrize("done", [True, False])
def test_a_lost_reply_is_asked_for_again_and_is_one_effect(start, connect, failure, done):
    node = start()
    node.script["Update"] = [lost(failure) if done else failure]
    kv = connect(node)

    assert kv.update("n", actions.add(5)).entry.value == b"5"
    assert node.store.entries[b"n"].value == b"5"
    assert identities(node, "Update") == [(1, 1, 1)] * 2
    assert (kv.metrics().retried_unknown, kv.metrics().replayed) == (1, int(done))


def test_without_identities_the_same_loss_is_two_effects_if_the_caller_asks_again(start, connect):
    node = start()
    node.script["Update"] = [lost(LOST)]
    kv = connect(node, exactly_once=False)

    with pytest.raises(OutcomeUnknown) as raised:
        kv.update("n", actions.add(5))
    assert raised.value.identity is None
    assert kv.update("n", actions.add(5)).entry.value == b"10"
    assert node.named("Open") == []


def test_the_other_node_answers_what_the_first_one_did(start, connect):
    nodes = start(3)
    nodes[0].script["Update"] = [lost(nodes[0].die)]

    assert connect(*nodes).update("n", actions.add(1)).entry.value == b"1"
    assert sum(len(node.named("Update")) for node in nodes) == 2


def test_a_node_that_hangs_costs_an_attempt_and_not_the_answer(start, connect):
    nodes = start(2)
    nodes[0].script["Put"] = [nodes[0].hang]

    begun = time.monotonic()
    assert connect(*nodes).put("k", "v").version == 1
    assert time.monotonic() - begun < 3.0


def test_outcomes_that_were_had_are_acknowledged(start, connect):
    node = start()
    kv = connect(node)
    for _ in range(3):
        kv.put("k", "v")
    node.script["Put"] = [deny(Code.INVALID_ARGUMENT, "INVALID")]
    with pytest.raises(InvalidRequest):
        kv.put("k", "v")
    kv.put("k", "v")

    assert identities(node) == [(1, number, number) for number in (1, 2, 3, 4, 5)]


def test_an_unknown_outcome_is_not_acknowledged_until_it_is_settled(start, connect):
    node = start()
    kv = connect(node)
    node.script["Put"] = [lost(LOST), *[LOST] * 60]
    with pytest.raises(OutcomeUnknown) as raised:
        kv.put("k", "v", timeout=0.5)
    node.script["Put"].clear()
    kv.put("k", "w")
    fate = kv.outcome(raised.value.identity)
    kv.put("k", "x")

    assert raised.value.identity == SessionIdentity(1, 1)
    assert isinstance(fate, Applied)
    assert fate.result.value == b"v"
    assert identities(node)[-2:] == [(1, 2, 1), (1, 3, 3)]


def test_what_was_never_applied_never_will_be(start, connect):
    node = start()
    kv = connect(node)
    node.script["Put"] = [LOST] * 60
    with pytest.raises(OutcomeUnknown) as raised:
        kv.put("k", "v", timeout=0.3, idempotency_key="mine")
    node.script["Put"].clear()

    assert kv.outcome(raised.value.identity) == NeverApplied()
    with pytest.raises(Abandoned) as refused:
        kv.put("k", "v", idempotency_key="mine")
    assert refused.value.outcome is Outcome.NOT_APPLIED
    assert kv.get("k") is None


def test_a_false_condition_and_a_failed_swap_are_told_as_refused(start, connect):
    kv = connect(start())
    kv.put("k", "1")
    kv.try_cas("k", "2", expect=None, idempotency_key="swap")
    kv.try_cas("k", "2", expect_value="1", when=value("k") == "9", idempotency_key="when")

    swap, when = kv.outcome(KeyIdentity(b"swap")), kv.outcome(KeyIdentity(b"when"))

    assert isinstance(swap, Refused)
    assert (swap.reason, swap.current.value) == ("CONFLICT", b"1")
    assert isinstance(when, Refused)
    assert (when.reason, when.unmet.clause) == ("CONDITION", 0)


def test_what_became_of_it_stays_unknown_once_the_session_has_ended(start, connect):
    with pytest.raises(OutcomeUnknown) as raised:
        connect(start()).outcome(SessionIdentity(77, 1), timeout=0.3)
    assert (raised.value.reason, raised.value.identity) == (
        "SESSION_EXPIRED",
        SessionIdentity(77, 1),
    )


def test_a_key_of_the_callers_own_outlives_the_client(start):
    node = start()
    for _ in range(3):
        with Client(node.endpoint) as kv:
            kv.update("n", actions.add(1), idempotency_key="order-7")

    assert node.store.entries[b"n"].value == b"1"
    assert node.named("Open") == []


def test_a_key_that_was_used_for_something_else_is_refused(start, connect):
    node = start()
    kv = connect(node)
    kv.put("k", "1", idempotency_key=b"x")

    with pytest.raises(KeyReused):
        kv.put("k", "2", idempotency_key=b"x")
    for bad in ("", "x" * 129):
        with pytest.raises(InvalidRequest, match="1 to 128 bytes"):
            kv.put("k", "2", idempotency_key=bad)


def test_a_session_that_ended_is_opened_again_without_a_word(start, connect):
    node = start()
    kv = connect(node)
    kv.put("k", "1")
    node.store.sessions.clear()

    assert kv.put("k", "2").version == 2
    assert identities(node) == [(1, 1, 1), (1, 2, 2), (2, 1, 1)]


def test_a_session_that_ended_after_a_lost_reply_leaves_it_unknown(start, connect):
    node = start()
    kv = connect(node)
    node.script["Update"] = [lost(LOST), EXPIRED]

    with pytest.raises(OutcomeUnknown) as raised:
        kv.update("n", actions.add(1))
    assert raised.value.identity == SessionIdentity(1, 1)
    assert node.store.entries[b"n"].value == b"1"
    assert len(node.named("Update")) == 2


def test_sessions_that_end_again_and_again_are_not_opened_for_ever(start, connect):
    node = start()
    node.script["Put"] = [EXPIRED] * 50

    with pytest.raises(SessionExpired) as raised:
        connect(node).put("k", "v")
    assert raised.value.outcome is Outcome.NOT_APPLIED
    assert len(node.named("Open")) == 4


def test_a_refusal_that_is_about_one_copy_leaves_the_call_unknown(start, connect):
    node = start()
    node.script["Put"] = [lost(LOST), *[NO_QUORUM] * 100]

    with pytest.raises(OutcomeUnknown):
        connect(node).put("k", "v", timeout=0.5)


def test_without_a_session_nothing_was_sent(start, connect):
    node = start()
    node.script["Open"] = [NO_QUORUM] * 100

    with pytest.raises(NoQuorum) as raised:
        connect(node).put("k", "v", timeout=0.4)
    assert isinstance(raised.value, NotApplied)
    node.script["Open"] = [node.hang] * 9
    with pytest.raises(DeadlineExceeded) as late:
        connect(node).put("k", "v", timeout=0.4)
    assert isinstance(late.value, NotApplied)
    assert node.named("Put") == []


def test_many_callers_open_one_session(start):
    node = start()
    with Client(node.endpoint) as kv, ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: kv.put(f"k/{number}", "v"), range(64)))

    async def main():
        async with AsyncClient(node.endpoint) as kv:
            await asyncio.gather(*(kv.put(f"k/{number}", "v") for number in range(64)))
            return kv.metrics()

    assert asyncio.run(main()).sessions == 1
    assert len(node.named("Open")) == 2
    assert sorted(sequence for _, sequence, _ in identities(node)) == sorted([*range(1, 65)] * 2)


def test_an_unresolved_outcome_that_blocks_half_the_window_is_left_behind(start):
    store = FakeStore()
    store.window = 8
    node = FakeNode(store=store)
    try:
        with Client(node.endpoint) as kv:
            node.script["Put"] = [lost(LOST), *[LOST] * 60]
            with pytest.raises(OutcomeUnknown) as raised:
                kv.put("k", "v", timeout=0.3)
            node.script["Put"].clear()
            for _ in range(5):
                kv.put("k", "w")

            assert [each[:2] for each in identities(node)][-5:] == [
                (1, 2),
                (1, 3),
                (1, 4),
                (2, 1),
                (2, 2),
            ]
            assert isinstance(kv.outcome(raised.value.identity), Applied)
    finally:
        node.stop()


def test_closing_ends_the_session_unless_something_is_open(start):
    node = start()
    with Client(node.endpoint) as kv:
        kv.put("k", "v")
    assert [each.session_id for each in node.named("Close")] == [1]

    with Client(node.endpoint) as kv:
        node.script["Put"] = [LOST] * 60
        with pytest.raises(OutcomeUnknown) as raised:
            kv.put("k", "v", timeout=0.3)
    with Client(node.endpoint) as other:
        assert other.outcome(raised.value.identity) == NeverApplied()
    assert len(node.named("Close")) == 1


def test_a_cancelled_call_is_open(start):
    node = start()
    node.script["Put"] = [node.hang]

    async def main():
        async with AsyncClient(node.endpoint) as kv:
            task = asyncio.create_task(kv.put("k", "v"))
            while not node.named("Put"):
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await kv.put("k", "w")

    asyncio.run(main())
    assert identities(node)[-1] == (1, 2, 1)
    assert node.named("Close") == []


def test_a_lease_counts_from_the_copy_that_may_have_been_granted(start):
    node = start()
    node.script["Grant"] = [lost(node.hang)]
    with Client(node.endpoint) as kv, kv.lease(ttl=4.0) as lease:
        # The first copy was granted; its reply was given up after 1.5 s.
        assert lease.remaining_s < 4.0 - 0.2 - 1.4
        assert lease.state in (LeaseState.SAFE, LeaseState.JEOPARDY)
    assert len(node.store.leases) == 0


def test_without_sessions_each_mutation_has_a_key_of_its_own(start, connect):
    node = start()
    node.script["Update"] = [lost(LOST)]
    kv = connect(node, sessions=False)

    assert kv.update("n", actions.add(5)).entry.value == b"5"
    kv.put("k", "v")
    kv.put("k", "w", idempotency_key="mine")
    assert node.named("Open") == node.named("Close") == []
    keys = [each.identity.idempotency_key for each in node.named("Update") + node.named("Put")]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert keys[-1] == b"mine"


def test_a_key_of_its_own_is_told_with_an_unknown_outcome(start, connect):
    node = start()
    node.script["Put"] = [LOST] * 60
    kv = connect(node, sessions=False)

    with pytest.raises(OutcomeUnknown) as raised:
        kv.put("k", "v", timeout=0.3)
    assert kv.outcome(raised.value.identity) == NeverApplied()
