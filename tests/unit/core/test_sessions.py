"""Sessions: their numbers, their window, their end."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvraft.core.commands import SessionIdentity
from kvraft.core.errors import Reason
from kvraft.core.identities import Identities
from kvraft.core.limits import ApplyLimits
from kvraft.core.outcomes import sequence_number, split_sequence
from kvraft.core.results import DeleteResult, Refused, Replayed, Resolved, SessionResult
from kvraft.core.sessions import Sessions

LIMITS = ApplyLimits(sessions=3, session_window=4, session_idle_ms=1_000, expiries_per_entry=2)
HASH = b"h" * 16
DONE = DeleteResult(1)


@pytest.fixture
def identities():
    made = Identities()
    made.open(0, LIMITS)
    return made


def execute(identities, session_id, sequence, first_unacked=1, *, now_ms=0, limits=LIMITS):
    """Ask, and record if it was not known."""
    identity = SessionIdentity(session_id, sequence, first_unacked)
    found = identities.find(identity, HASH, now_ms, limits)
    if found is None:
        identities.record(identity, HASH, DONE, revision=7, now_ms=now_ms, limits=limits)
    return found


def reason(found):
    assert isinstance(found, Refused), found
    return found.reason


def test_ids_count_upwards_and_never_come_again(identities):
    assert identities.open(0, LIMITS) == SessionResult(2)
    assert identities.close(2) == SessionResult(2)
    assert identities.open(0, LIMITS) == SessionResult(3)
    assert identities.session_count == 2


def test_sessions_are_limited(identities):
    identities.open(0, LIMITS)
    identities.open(0, LIMITS)
    refused = identities.open(0, LIMITS)
    assert refused.reason is Reason.OVERLOAD
    assert refused.message == "3 sessions are open, the limit sessions is 3"
    identities.close(1)
    assert identities.open(0, LIMITS) == SessionResult(4), "a refused one took no id"


def test_a_sequence_is_executed_once(identities):
    assert execute(identities, 1, 1) is None
    assert execute(identities, 1, 1) == Replayed(DONE, 7)
    assert execute(identities, 1, 2) is None


def test_another_request_under_a_used_sequence_is_refused(identities):
    execute(identities, 1, 1)
    refused = identities.find(SessionIdentity(1, 1, 1), b"o" * 16, 0, LIMITS)
    assert reason(refused) is Reason.KEY_REUSED
    assert refused.message == "sequence 1 of session 1 was used for another request"


def test_the_window_ends_the_sequences_that_can_be_used(identities):
    assert execute(identities, 1, 4) is None
    refused = execute(identities, 1, 5)
    assert reason(refused) is Reason.OVERLOAD
    assert "1 is unacknowledged, the limit session_window is 4" in refused.message
    assert execute(identities, 1, 5, first_unacked=2) is None


@pytest.mark.parametrize("acknowledged_by", [3, 9])
def test_what_was_acknowledged_can_be_asked_for_no_more(identities, acknowledged_by):
    execute(identities, 1, 1)
    execute(identities, 1, acknowledged_by, first_unacked=3)
    for sequence in (1, 2):
        refused = execute(identities, 1, sequence)
        assert reason(refused) is Reason.SESSION_EXPIRED
        assert f"sequence {sequence} of session 1 was acknowledged" in refused.message
        identity = SessionIdentity(1, sequence, 1)
        assert reason(identities.resolve(identity, 0, LIMITS)) is Reason.SESSION_EXPIRED


@pytest.mark.parametrize("session_id", [0, 1, 2, 99])
def test_an_ended_session_is_refused(identities, session_id):
    execute(identities, 1, 1)
    identities.close(1)
    for refused in (
        execute(identities, session_id, 1),
        identities.resolve(SessionIdentity(session_id, 1, 1), 0, LIMITS),
        identities.close(session_id),
    ):
        assert reason(refused) is Reason.SESSION_EXPIRED
        assert str(session_id) in refused.message


def test_what_is_acknowledged_goes_a_bounded_piece_an_entry(identities):
    limits = replace(LIMITS, session_window=100)
    for sequence in range(1, 11):
        execute(identities, 1, sequence, limits=limits)
    execute(identities, 1, 11, first_unacked=9, limits=limits)
    counts = []
    for commands in (0, 1, 0, 0):
        identities.age_out(0, limits, commands)
        counts.append(len(identities.outcomes))
    assert counts == [9, 5, 3, 3]
    assert [split_sequence(each) for each in identities.outcomes.sequences.between(0, None)] == [
        (1, 9),
        (1, 10),
        (1, 11),
    ]


def test_the_outcomes_of_ended_sessions_go_a_bounded_piece_an_entry(identities):
    identities.open(0, LIMITS)
    for session_id in (1, 2):
        for sequence in (1, 2, 3):
            execute(identities, session_id, sequence)
    identities.close(2)
    identities.close(1)
    counts = []
    for _ in range(4):
        identities.age_out(0, LIMITS, 0)
        counts.append(len(identities.outcomes))
    assert counts == [4, 2, 0, 0]
    assert identities.outcomes.size_bytes == 0
    assert not identities.outcomes._obsolete


def test_an_idle_session_ends_and_a_used_one_does_not(identities):
    identities.open(0, LIMITS)
    execute(identities, 1, 1, now_ms=600)
    identities.age_out(999, LIMITS, 0)
    assert identities.session_count == 2
    identities.age_out(1_000, LIMITS, 0)
    assert identities.sessions.get(2) is None
    assert identities.sessions.get(1) == (1, 600)
    assert identities.resolve(SessionIdentity(1, 1, 1), 1_599, LIMITS) == Resolved(DONE, 7)
    identities.age_out(1_600, LIMITS, 0)
    assert identities.session_count == 1, "to resolve is to use"
    identities.age_out(2_599, LIMITS, 0)
    assert identities.session_count == 0


def test_idle_sessions_end_in_order_of_their_last_use_then_of_their_id():
    identities = Identities()
    limits = replace(LIMITS, sessions=9)
    for _ in range(5):
        identities.open(0, limits)
    execute(identities, 1, 1, now_ms=1)
    left = []
    for _ in range(3):
        identities.age_out(5_000, limits, 0)
        left.append(list(identities.sessions.table.between(0, None)))
    assert left == [[1, 4, 5], [1], []]


def test_more_commands_pay_for_more_ageing():
    identities = Identities()
    limits = replace(LIMITS, sessions=9)
    for _ in range(9):
        identities.open(0, limits)
    identities.age_out(5_000, limits, 3)
    assert identities.session_count == 1


@given(st.integers(1, 1 << 40), st.integers(1, (1 << 63) - 1))
def test_the_number_of_a_sequence_tells_both(session_id, sequence):
    number = sequence_number(session_id, sequence)
    assert split_sequence(number) == (session_id, sequence)
    assert number < sequence_number(session_id + 1, 1)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 9)), max_size=40))
def test_due_is_what_the_sessions_say(uses):
    sessions, now_ms = Sessions(), 0
    for _ in range(5):
        sessions.open(0)
    for session_id, later_ms in uses:
        now_ms += later_ms
        if sessions.get(session_id) is None:
            continue
        if later_ms == 9:
            sessions.end(session_id)
        else:
            sessions.use(session_id, sessions.get(session_id)[0], now_ms)
    order = []
    while (session_id := sessions.first_idle(now_ms)) is not None:
        order.append((sessions.get(session_id)[1], session_id))
        sessions.end(session_id)
    assert order == sorted(order)
    assert len(sessions) == 0
