"""The decisions of a call on a virtual clock: nothing here touches the network."""

import pytest

from kvraft_client.policy.endpoints import Endpoints
from kvraft_client.policy.failure import Effect, Failure, Outcome
from kvraft_client.policy.retry import Attempts, RetrySettings, may_retry


def failure(endpoint="a:1", *, code="UNAVAILABLE", sent=True, **more):
    return Failure(code, "text", endpoint, sent, **more)


def no_quorum(endpoint="a:1"):
    return failure(endpoint, reason="NO_QUORUM", outcome=Outcome.NOT_APPLIED)


def always(value):
    return lambda: value


@pytest.mark.parametrize(
    ("effect", "given", "outcome"),
    [
        (Effect.READ, failure(), Outcome.NOT_APPLIED),
        (Effect.READ, failure(reason="UNKNOWN_RESULT", outcome=Outcome.UNKNOWN), "NOT_APPLIED"),
        (Effect.MUTATION, failure(), Outcome.UNKNOWN),
        (Effect.MUTATION, failure(code="INVALID_ARGUMENT"), Outcome.UNKNOWN),
        (Effect.MUTATION, failure(sent=False), Outcome.NOT_APPLIED),
        (Effect.MUTATION, failure(reason="NEW_REASON"), Outcome.UNKNOWN),
        (Effect.MUTATION, no_quorum(), Outcome.NOT_APPLIED),
        (Effect.REPEATABLE, failure(code="DEADLINE_EXCEEDED"), Outcome.UNKNOWN),
    ],
)
def test_what_a_failure_means(effect, given, outcome):
    assert outcome == given.outcome_of(effect)


@pytest.mark.parametrize(
    ("effect", "given", "wanted"),
    [
        (Effect.MUTATION, failure(), False),
        (Effect.MUTATION, failure(code="DEADLINE_EXCEEDED"), False),
        (Effect.MUTATION, failure(reason="UNKNOWN_RESULT", outcome=Outcome.UNKNOWN), False),
        (Effect.MUTATION, failure(sent=False), True),
        (Effect.MUTATION, no_quorum(), True),
        (Effect.MUTATION, failure(reason="LEASE_NOT_FOUND", outcome=Outcome.NOT_APPLIED), False),
        (Effect.MUTATION, failure(reason="NO_SPACE", outcome=Outcome.NOT_APPLIED), False),
        (
            Effect.MUTATION,
            failure(reason="NO_SPACE", outcome=Outcome.NOT_APPLIED, retry_after_ms=9),
            True,
        ),
        (Effect.READ, failure(), True),
        (Effect.READ, failure(code="INVALID_ARGUMENT"), False),
        (Effect.READ, failure(code="OUT_OF_RANGE", reason="FUTURE"), False),
        (Effect.READ, failure(reason="UNKNOWN_RESULT", outcome=Outcome.UNKNOWN), True),
        (Effect.REPEATABLE, failure(code="DEADLINE_EXCEEDED"), True),
    ],
)
def test_what_may_be_sent_again(effect, given, wanted):
    assert wanted is may_retry(given, effect)


def test_an_untried_endpoint_is_tried_at_once_then_there_is_a_pause():
    endpoints = Endpoints(["a:1", "b:1", "c:1"], 2.0)
    attempts = Attempts(Effect.MUTATION, 0.0, 5.0, RetrySettings())

    waits, asked = [], []
    for _ in range(4):
        asked.append(attempts.endpoint(endpoints, 0.0))
        waits.append(attempts.failed(no_quorum(asked[-1]), endpoints, 0.0, always(0.5)))

    assert {"a:1", "b:1", "c:1"} == set(asked[:3])
    assert waits == [0.0, 0.0, 0.01, 0.0]


def test_the_pause_doubles_has_full_jitter_and_a_bound():
    endpoints = Endpoints(["a:1"], 2.0)
    attempts = Attempts(Effect.READ, 0.0, 100.0, RetrySettings())

    waits = [attempts.failed(failure(), endpoints, 0.0, always(1.0)) for _ in range(6)]
    none = attempts.failed(failure(), endpoints, 0.0, always(0.0))

    assert waits == [0.02, 0.04, 0.08, 0.16, 0.2, 0.2]
    assert none == 0.0


def test_the_deadline_ends_a_call_without_a_pointless_pause():
    endpoints = Endpoints(["a:1"], 2.0)
    attempts = Attempts(Effect.READ, 0.0, 1.0, RetrySettings())

    assert attempts.failed(failure(), endpoints, 0.98, always(1.0)) is None
    assert attempts.limit(2.0) == 0.0


def test_a_refused_mutation_is_not_sent_again_when_too_little_time_is_left():
    endpoints = Endpoints(["a:1", "b:1"], 2.0)
    attempts = Attempts(Effect.MUTATION, 0.0, 5.0, RetrySettings())

    assert attempts.limit(4.95) == pytest.approx(0.05)  # the first one may try
    assert attempts.failed(no_quorum(), endpoints, 4.85, always(0.0)) == 0.0
    assert attempts.limit(4.89) == pytest.approx(0.11)
    assert attempts.limit(4.91) == 0.0
    assert attempts.failed(no_quorum(), endpoints, 4.91, always(0.0)) is None


def test_the_budget_ends_a_call_even_if_every_pause_is_zero():
    endpoints = Endpoints(["a:1"], 2.0)
    attempts = Attempts(Effect.READ, 0.0, 1.0, RetrySettings())

    count = 0
    while attempts.failed(failure(), endpoints, 0.0, always(0.0)) is not None:
        count += 1
        assert count < 1_000

    assert count == 26


def test_overload_waits_as_long_as_the_store_says_and_does_not_go_elsewhere():
    endpoints = Endpoints(["a:1", "b:1"], 2.0)
    attempts = Attempts(Effect.MUTATION, 0.0, 5.0, RetrySettings())
    busy = failure(reason="OVERLOAD", outcome=Outcome.NOT_APPLIED, retry_after_ms=700)

    assert attempts.failed(busy, endpoints, 0.0, always(0.5)) == 0.7


def test_a_read_leaves_time_for_another_endpoint_and_a_mutation_waits_for_its_answer():
    read = Attempts(Effect.READ, 0.0, 5.0, RetrySettings())
    mutation = Attempts(Effect.MUTATION, 0.0, 5.0, RetrySettings())

    assert read.limit(1.0) == 1.5
    assert mutation.limit(1.0) == 4.0
    assert read.probe_limit(4.5) == 0.5


def test_the_stores_word_is_reported_rather_than_a_later_connection_error():
    endpoints = Endpoints(["a:1", "b:1"], 2.0)
    attempts = Attempts(Effect.MUTATION, 0.0, 1.0, RetrySettings())
    attempts.failed(no_quorum("a:1"), endpoints, 0.0, always(0.5))

    assert attempts.failed(failure("b:1", sent=False), endpoints, 2.0, always(0.5)) is None
    assert attempts.last == no_quorum("a:1")
    assert attempts.outcome is Outcome.NOT_APPLIED


def test_one_unknown_attempt_makes_the_whole_call_unknown():
    endpoints = Endpoints(["a:1"], 2.0)
    attempts = Attempts(Effect.REPEATABLE, 0.0, 1.0, RetrySettings())
    attempts.failed(failure(), endpoints, 0.0, always(0.5))

    assert attempts.failed(failure(sent=False), endpoints, 2.0, always(0.5)) is None
    assert attempts.outcome is Outcome.UNKNOWN


def test_a_refusal_of_what_may_be_repeated_is_definite():
    endpoints = Endpoints(["a:1"], 2.0)
    attempts = Attempts(Effect.REPEATABLE, 0.0, 1.0, RetrySettings())
    attempts.failed(failure(), endpoints, 0.0, always(0.5))
    gone = failure(reason="LEASE_NOT_FOUND", outcome=Outcome.NOT_APPLIED)

    assert attempts.failed(gone, endpoints, 0.1, always(0.5)) is None
    assert (attempts.last, attempts.outcome) == (gone, Outcome.NOT_APPLIED)
