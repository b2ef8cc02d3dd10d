"""The state of a lease on a jumpable clock."""

import pytest

from kvraft_client.policy.lease_state import LeaseClock, LeaseState


@pytest.mark.parametrize(
    ("ttl_s", "deadline"), [(10.0, 109.5), (1.0, 100.95), (0.5, 100.45), (100.0, 195.0)]
)
def test_the_deadline_counts_from_the_sending_and_gives_up_a_margin(ttl_s, deadline):
    assert LeaseClock(ttl_s, sent_at=100.0).deadline == pytest.approx(deadline)


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (0.0, LeaseState.SAFE),
        (4.99, LeaseState.SAFE),
        (5.0, LeaseState.JEOPARDY),
        (9.49, LeaseState.JEOPARDY),
        (9.5, LeaseState.LOST),
        (1e6, LeaseState.LOST),
    ],
)
def test_the_states_by_time(now, state):
    assert LeaseClock(10.0, sent_at=0.0).state(now) is state


def test_a_renewal_counts_from_its_sending_not_from_its_answer():
    clock = LeaseClock(10.0, sent_at=0.0)
    clock.renewed(sent_at=3.0, ttl_s=10.0, now=9.0)

    assert clock.deadline == 12.5
    assert clock.state(9.0) is LeaseState.JEOPARDY
    assert clock.remaining_s(9.0) == 3.5


def test_jeopardy_ends_with_a_renewal():
    clock = LeaseClock(10.0, sent_at=0.0)

    assert clock.state(6.0) is LeaseState.JEOPARDY

    clock.renewed(sent_at=6.0, ttl_s=10.0, now=6.1)

    assert clock.state(6.1) is LeaseState.SAFE


def test_lost_is_final_even_if_a_late_answer_says_otherwise():
    clock = LeaseClock(10.0, sent_at=0.0)
    clock.renewed(sent_at=9.4, ttl_s=10.0, now=9.6)

    assert clock.state(0.0) is LeaseState.LOST
    assert clock.remaining_s(0.0) == 0.0


def test_an_answer_that_comes_out_of_order_does_not_shorten_the_lease():
    clock = LeaseClock(10.0, sent_at=0.0)
    clock.renewed(sent_at=4.0, ttl_s=10.0, now=4.1)
    clock.renewed(sent_at=3.0, ttl_s=10.0, now=4.2)

    assert clock.deadline == 13.5


def test_the_stores_word_ends_it():
    clock = LeaseClock(10.0, sent_at=0.0)
    clock.ended()

    assert clock.state(0.1) is LeaseState.LOST


def test_renewals_are_due_at_a_third_and_sooner_after_a_failure():
    clock = LeaseClock(9.0, sent_at=0.0)

    assert clock.next_renewal() == 3.0

    clock.renewal_failed(now=3.5)

    assert clock.next_renewal() == pytest.approx(3.95)

    clock.renewed(sent_at=3.95, ttl_s=9.0, now=4.0)

    assert clock.next_renewal() == pytest.approx(6.95)


def test_a_renewal_is_never_planned_behind_the_deadline():
    clock = LeaseClock(9.0, sent_at=0.0)
    clock.renewal_failed(now=8.5)

    assert clock.next_renewal() == clock.deadline
