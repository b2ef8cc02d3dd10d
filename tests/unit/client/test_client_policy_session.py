"""Identities and budgets on a virtual clock."""

import pytest

from kvraft_client.policy.budget import OWN_TRIES, RetryBudget
from kvraft_client.policy.endpoints import Endpoints
from kvraft_client.policy.failure import Effect, Failure, Outcome
from kvraft_client.policy.identity import SessionIdentity
from kvraft_client.policy.retry import Attempts, RetrySettings, conflict_pause
from kvraft_client.policy.session import Sessions, SessionWindow


def failure(reason=None, outcome=None, *, sent=True):
    return Failure("UNAVAILABLE", "text", "a:1", sent, reason=reason, outcome=outcome)


LOST = failure()
REFUSED = Outcome.NOT_APPLIED


def attempts(timeout_s=5.0, **options):
    return Attempts(Effect.IDENTIFIED, 0.0, timeout_s, RetrySettings(), **options)


def fail(call, failed, now=0.0):
    return call.failed(failed, Endpoints(["a:1"], 2.0), now, lambda: 0.0)


@pytest.mark.parametrize(
    ("before", "last", "outcome"),
    [
        (None, failure("SESSION_EXPIRED", Outcome.UNKNOWN), "NOT_APPLIED"),
        (LOST, failure("SESSION_EXPIRED", Outcome.UNKNOWN), "UNKNOWN"),
        (failure("NO_QUORUM", REFUSED), failure("SESSION_EXPIRED", Outcome.UNKNOWN), "NOT_APPLIED"),
        (LOST, failure("INVARIANT", REFUSED), "NOT_APPLIED"),
        (LOST, failure("ABANDONED", REFUSED), "NOT_APPLIED"),
        (LOST, failure("NO_SPACE", REFUSED), "UNKNOWN"),
        (LOST, failure("SOME_NEW_REASON", REFUSED), "UNKNOWN"),
        (None, failure("SOME_NEW_REASON", Outcome.UNKNOWN), "UNKNOWN"),
        (None, failure("SOME_NEW_REASON", REFUSED), "NOT_APPLIED"),
    ],
)
def test_what_the_last_refusal_says_of_the_copies_before_it(before, last, outcome):
    call = attempts()
    if before is not None:
        assert fail(call, before) is not None

    assert fail(call, last) is None
    assert call.outcome == outcome


def test_an_identity_is_not_sent_again_when_it_may_be_forgotten():
    call = attempts(timeout_s=1_000.0)
    assert call.limit(10.0) > 0
    assert fail(call, LOST, now=11.0) is not None
    assert call.limit(310.0) > 0
    assert fail(call, LOST, now=311.0) is None
    assert call.limit(311.0) == 0.0


def test_the_effect_may_be_as_old_as_the_first_copy_nobody_answered_for():
    call = attempts()
    call.limit(1.0)
    fail(call, failure("NO_QUORUM", REFUSED), now=1.1)
    assert call.maybe_applied_at is None
    call.limit(2.0)
    fail(call, LOST, now=2.1)
    call.limit(3.0)
    fail(call, LOST, now=3.1)

    assert call.maybe_applied_at == 2.0


def test_retries_of_all_callers_are_paced_and_not_failed():
    budget = RetryBudget(burst=2, per_second=10.0)

    assert [budget.take(0.0) for _ in range(4)] == [0.0, 0.0, 0.1, 0.2]
    assert budget.take(0.3) == 0.0
    assert budget.take(100.0) == 0.0


OVERLOAD = failure("OVERLOAD", REFUSED)


def test_a_call_that_meets_overload_waits_for_its_share_of_the_budget():
    budget = RetryBudget(burst=1, per_second=2.0)

    assert fail(attempts(shared=budget), OVERLOAD) == 0.0
    assert fail(attempts(shared=budget), OVERLOAD) == 0.5
    assert fail(attempts(timeout_s=0.9, shared=budget), OVERLOAD) is None


def test_the_tries_that_an_election_takes_are_a_calls_own():
    """Else the last of 256 callers wait for a second while somebody has long been elected."""
    budget = RetryBudget(burst=0, per_second=2.0)

    for _ in range(100):
        call = attempts(shared=budget)
        assert [fail(call, LOST) for _ in range(OWN_TRIES)] == [0.0] * OWN_TRIES

    assert fail(call, LOST) == 0.5


def test_sequences_are_acknowledged_in_order():
    window = SessionWindow(7, 8)
    first, second, third = window.take(), window.take(), window.take()
    assert [each.identity.sequence for each in (first, second, third)] == [1, 2, 3]
    window.settled(2)
    assert window.take().first_unacked == 1
    window.settled(1)
    assert window.take().first_unacked == 3


def test_a_window_is_full_when_it_is_full_and_half_full_when_nobody_knows():
    window = SessionWindow(7, 8)
    for _ in range(8):
        assert window.has_room
        window.take()
    assert not window.has_room
    window.settled(1)
    assert window.has_room
    window.unresolved(2)
    assert not window.has_room
    for sequence in range(2, 7):
        window.settled(sequence)
    assert window.has_room


def test_a_former_session_is_kept_while_something_in_it_is_open():
    sessions = Sessions()
    assert sessions.take() is None
    sessions.opened(1, 8)
    open_one = sessions.take().identity
    sessions.unresolved(open_one)
    sessions.opened(2, 8)

    assert sessions.take().identity == SessionIdentity(2, 1)
    assert sessions.finished() == []
    sessions.settled(SessionIdentity(2, 1))
    assert sessions.finished() == [2]
    sessions.settled(open_one)
    assert sessions.finished() == [1, 2]


def test_only_the_session_in_use_is_given_up_when_it_has_ended():
    sessions = Sessions()
    sessions.opened(1, 8)
    sessions.opened(2, 8)
    sessions.expired(1)
    assert sessions.take().identity.session_id == 2
    sessions.expired(2)
    assert sessions.take() is None


def test_the_pause_after_a_conflict_doubles_up_to_a_bound():
    assert [conflict_pause(number, 1.0) for number in (0, 1, 2, 30)] == [0.002, 0.004, 0.008, 0.25]
    assert conflict_pause(5, 0.0) == 0.0
