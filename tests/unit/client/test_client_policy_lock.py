"""The state of one acquisition, without any I/O."""

import pytest

from kvraft_client.policy.lease_state import LeaseClock
from kvraft_client.policy.lock import (
    ATTACH_MARGIN_S,
    ATTACH_S,
    CONFIRM_AFTER_S,
    RELEASE_GIVE_UP_S,
    Acquisition,
    Ending,
    Granted,
    Phase,
    Queued,
    Releasing,
    Step,
)

QUEUED = Queued(place=7, position=2, holders=(41,), lease_id=9)
GRANTED = Granted(place=7, fences=((b"a", 42),), lease_id=9)


def acquisition(wait_s=None, *, own_ttl_s=10.0):
    return Acquisition(100.0, wait_s=wait_s, patience_s=5.0, own_ttl_s=own_ttl_s)


def test_from_asking_to_confirmed():
    one = acquisition()
    assert (one.phase, one.is_held) == (Phase.ASKING, False)

    assert one.answered(QUEUED, 100.0, 100.0) is Step.FOLLOW
    assert (one.phase, one.is_held) == (Phase.QUEUED, False)
    assert one.answered(GRANTED, 100.0, 100.0) is Step.HOLD
    assert (one.phase, one.is_held) == (Phase.GRANTED, True)
    one.confirmed()
    assert (one.phase, one.is_held) == (Phase.CONFIRMED, True)


@pytest.mark.parametrize(
    ("ending", "own", "shared"),
    [
        (Ending.TIMED_OUT, Step.TIMED_OUT, Step.TIMED_OUT),
        (Ending.UNATTENDED, Step.ASK_AGAIN, Step.ASK_AGAIN),
        (Ending.RELEASED, Step.ASK_AGAIN, Step.ASK_AGAIN),
        (Ending.LEASE_EXPIRED, Step.ASK_AGAIN, Step.LEASE_OVER),
        (Ending.LEASE_REVOKED, Step.LEASE_OVER, Step.LEASE_OVER),
    ],
)
def test_what_an_ending_means(ending, own, shared):
    assert acquisition().answered(ending, 100.0, 100.0) is own
    assert acquisition(own_ttl_s=None).answered(ending, 100.0, 100.0) is shared


def test_what_is_left_of_the_wait_is_sent():
    one = acquisition(30.0)

    assert one.wait_ms(100.0) == 30_000
    assert one.wait_ms(112.5) == 17_500
    assert one.wait_ms(131.0) == 0
    assert acquisition().wait_ms(500.0) is None
    assert acquisition(0).wait_ms(100.0) == 0


def test_without_any_answer_there_is_patience_or_the_wait():
    assert acquisition().limit_s(101.0) == 4.0
    assert acquisition(0).limit_s(101.0) == 4.0
    assert acquisition(30.0).limit_s(101.0) == 29.0


def test_a_place_is_waited_for_as_long_as_was_said_and_the_stores_word_a_little_longer():
    endless, bounded = acquisition(), acquisition(30.0)
    for each in (endless, bounded):
        each.answered(QUEUED, 100.0, 100.0)

    assert endless.limit_s(1e6) is None
    assert bounded.limit_s(129.0) == 6.0
    assert bounded.limit_s(136.0) == -1.0


def test_another_place_is_asked_for_while_there_is_time():
    assert acquisition().may_ask_again(1e6)
    assert acquisition(30.0).may_ask_again(129.9)
    assert not acquisition(30.0).may_ask_again(130.0)
    assert acquisition(0).may_ask_again(104.9)
    assert not acquisition(0).may_ask_again(105.0)


def test_asking_again_begins_anew_with_the_same_wait():
    one = acquisition(30.0)
    one.answered(QUEUED, 100.0, 100.0)
    one.asks_again(110.0)

    assert one.phase is Phase.ASKING
    assert one.wait_ms(110.0) == 20_000
    assert one.limit_s(110.0) == 20.0
    one.answered(GRANTED, 110.0, 110.0)
    assert one.confirm_by(None) == 110.0 + ATTACH_S - ATTACH_MARGIN_S


def test_a_grant_stands_for_sure_from_when_it_cannot_have_been_made_before():
    at_once, waited = acquisition(), acquisition()
    at_once.answered(GRANTED, 103.0, 103.0)
    assert at_once.confirm_by(None) == 112.5

    waited.answered(QUEUED, 103.0, 103.0)
    waited.answered(QUEUED, 104.0, 104.0)  # another stream: it was still queued when that was asked
    waited.answered(GRANTED, 150.0, 150.0)  # this one may have been granted long before
    assert waited.confirm_by(None) == 113.5


def test_a_renewal_of_its_own_lease_confirms_or_came_before_the_grant():
    one = acquisition()
    one.answered(QUEUED, 103.0, 103.0)
    one.answered(GRANTED, 103.0, 103.0)

    assert one.confirm_by(140.0) == 149.5
    assert one.confirm_by(90.0) == 112.5


def test_a_grant_is_confirmed_only_after_a_while_and_long_before_it_is_taken_back():
    at_once, waited = acquisition(), acquisition()
    at_once.answered(GRANTED, 103.0, 103.5)
    assert at_once.confirm_in_s(103.5, None) == CONFIRM_AFTER_S - 0.5
    assert at_once.confirm_in_s(110.0, None) == 0.0
    assert at_once.confirm_by(None) - 103.0 - CONFIRM_AFTER_S >= ATTACH_S / 2

    waited.answered(QUEUED, 103.0, 103.0)
    waited.answered(GRANTED, 103.0, 106.0)  # it may have been granted right after it was queued
    assert waited.confirm_in_s(106.0, None) == CONFIRM_AFTER_S - 3.0
    assert waited.confirm_in_s(106.0, 105.0) == CONFIRM_AFTER_S - 1.0
    assert waited.confirm_in_s(150.0, None) == 0.0


def test_a_renewal_confirms_if_it_was_sent_when_the_grant_was_known():
    one = acquisition()
    one.answered(GRANTED, 103.0, 104.0)

    for sent_at in (None, 103.0, 104.0):  # the first of a lease that came with the grant
        one.renewed(sent_at)
        assert one.phase is Phase.GRANTED
    one.renewed(104.1)
    assert one.phase is Phase.CONFIRMED


@pytest.mark.parametrize("ttl_s", [0.5, 3.0, 9.9, 10.0])
def test_a_short_lease_of_its_own_confirms_or_is_lost_no_later(ttl_s):
    one = acquisition(own_ttl_s=ttl_s)
    one.answered(GRANTED, 103.0, 103.0)

    assert not one.needs_confirm
    assert LeaseClock(ttl_s, 103.0).deadline <= one.confirm_by(103.0)


def test_a_long_lease_and_one_of_others_do_not():
    assert acquisition(own_ttl_s=10.1).needs_confirm
    assert acquisition(own_ttl_s=None).needs_confirm


def test_a_loss_is_told_once_and_is_final():
    one = acquisition()
    assert not one.lost()  # what was never held cannot be lost
    one.answered(GRANTED, 100.0, 100.0)

    assert one.lost()
    assert not one.lost()
    one.confirmed()
    assert one.phase is Phase.LOST
    assert not one.released()
    assert one.phase is Phase.LOST


def test_what_was_released_is_not_lost_any_more():
    one = acquisition()
    one.answered(GRANTED, 100.0, 100.0)

    assert one.released()
    assert not one.released()
    assert not one.lost()
    assert one.phase is Phase.RELEASED


def test_a_release_is_tried_again_ever_more_slowly_until_it_is_given_up():
    plan = Releasing(10.0)

    assert [plan.pause_s(11.0, 1.0) for _ in range(7)] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert Releasing(10.0).pause_s(11.0, 0.0) == 0.05
    assert plan.pause_s(9.9 + RELEASE_GIVE_UP_S, 0.5) is not None
    assert plan.pause_s(10.0 + RELEASE_GIVE_UP_S, 0.5) is None
