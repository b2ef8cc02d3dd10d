"""Stored outcomes: what is kept, how long, and what a full table refuses."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvraft.core.commands import KeyIdentity, SessionIdentity
from kvraft.core.errors import CodecError, Reason
from kvraft.core.identities import Identities
from kvraft.core.limits import ApplyLimits
from kvraft.core.outcomes import (
    ABANDONED,
    KEY_BYTES_MAX,
    OUTCOME_BYTES,
    Outcome,
    Outcomes,
    pack_outcome,
    unpack_outcome,
)
from kvraft.core.result_codec import encode_result
from kvraft.core.results import (
    DeleteResult,
    KeyValue,
    PutResult,
    Refused,
    Replayed,
    Resolved,
    Unmet,
    UpdateResult,
)
from kvraft.core.table import Table

LIMITS = ApplyLimits(key_retention_ms=1_000, expiries_per_entry=2, outcome_reply_bytes=64)
HASH, OTHER = b"h" * 16, b"o" * 16
DONE = DeleteResult(1)


@pytest.fixture
def identities():
    return Identities()


def execute(identities, key, *, result=DONE, now_ms=0, revision=7, limits=LIMITS):
    identity = KeyIdentity(key)
    found = identities.find(identity, HASH, now_ms, limits)
    if found is None:
        identities.record(identity, HASH, result, revision=revision, now_ms=now_ms, limits=limits)
    return found


ANSWERS = [
    DONE,
    Refused(Reason.WRONG_TYPE, "no"),
    Unmet(0, (), ()),
    PutResult(KeyValue(b"k", b"v", 1, 2, 3, 0)),
]


@pytest.mark.parametrize("result", ANSWERS, ids=lambda result: type(result).__name__)
def test_a_key_is_answered_alike_whatever_the_answer(identities, result):
    assert execute(identities, b"k", result=result) is None
    assert execute(identities, b"k") == Replayed(result, 7)
    assert identities.resolve(KeyIdentity(b"k"), 0, LIMITS) == Resolved(result, 7)


def test_another_request_under_a_used_key_is_refused(identities):
    execute(identities, b"k")
    refused = identities.find(KeyIdentity(b"k"), OTHER, 0, LIMITS)
    assert refused.reason is Reason.KEY_REUSED
    assert refused.message == "idempotency key b'k' was used for another request"


def test_a_large_reply_is_left_out_and_its_revision_kept(identities):
    result = PutResult(KeyValue(b"k", bytes(64), 1, 2, 3, 0))
    execute(identities, b"k", result=result)
    kept = PutResult(KeyValue(b"k", b"", 1, 2, 3, 0, True))
    assert execute(identities, b"k") == Replayed(kept, 7, omitted=True)
    assert identities.resolve(KeyIdentity(b"k"), 0, LIMITS) == Resolved(kept, 7, omitted=True)


def test_a_reply_of_exactly_the_limit_is_kept():
    size = len(encode_result(PUT))
    kept = PutResult(KeyValue(b"k", b"", 1, 2, 3, 0, True))
    for limit, result in ((size, PUT), (size - 1, kept)):
        packed = pack_outcome(HASH, PUT, limit)
        assert unpack_outcome(3, packed) == Outcome(HASH, 3, result, result is kept)


def test_a_key_that_stands_twice_in_a_reply_is_kept_once():
    new, old = KeyValue(b"k" * 2_048, b"v", 1, 3, 2, 0), KeyValue(b"k" * 2_048, b"", 1, 2, 1, 0)
    packed = pack_outcome(HASH, UpdateResult(new, old), 4_096)
    assert len(packed) <= 16 + 1 + 4_096
    valueless = new._replace(value=b"", value_omitted=True)
    assert unpack_outcome(3, packed) == Outcome(HASH, 3, UpdateResult(valueless, old), True)


@pytest.mark.parametrize("identity", [KeyIdentity(b"k"), SessionIdentity(1, 1, 1)])
def test_to_resolve_burns_what_was_not_applied(identities, identity):
    identities.open(0, LIMITS)
    for _ in range(2):
        assert identities.resolve(identity, 0, LIMITS) == Resolved(None)
    for request_hash in (HASH, OTHER):
        refused = identities.find(identity, request_hash, 0, LIMITS)
        assert refused.reason is Reason.ABANDONED
    assert len(identities.outcomes) == 1


def test_keys_are_forgotten_when_their_time_is_over_and_not_before(identities):
    execute(identities, b"k", now_ms=5)
    identities.age_out(1_004, LIMITS, 0)
    assert execute(identities, b"k", now_ms=1_004) == Replayed(DONE, 7), "this renews nothing"
    identities.age_out(1_005, LIMITS, 0)
    assert execute(identities, b"k", now_ms=1_005) is None


def test_keys_age_in_order_of_completion_a_bounded_piece_an_entry(identities):
    for key in (b"e", b"d", b"c", b"b", b"a"):
        execute(identities, key)
    identities.age_out(1_000, LIMITS, 0)
    assert [execute(identities, key) for key in (b"e", b"d")] == [None, None]
    assert execute(identities, b"c") == Replayed(DONE, 7)
    identities.age_out(1_000, LIMITS, 1)
    assert len(identities.outcomes) == 1


def test_a_full_table_refuses_and_forgets_nothing(identities):
    limits = replace(LIMITS, outcome_records=2)
    identities.open(0, limits)
    execute(identities, b"a", limits=limits)
    identities.find(SessionIdentity(1, 1, 1), HASH, 0, limits)
    identities.record(SessionIdentity(1, 1, 1), HASH, DONE, revision=7, now_ms=0, limits=limits)
    for refused in (
        execute(identities, b"b", limits=limits),
        identities.find(SessionIdentity(1, 2, 1), HASH, 0, limits),
        identities.resolve(KeyIdentity(b"b"), 0, limits),
    ):
        assert refused.reason is Reason.OVERLOAD
        assert "2 outcomes" in refused.message
        assert "outcome_records 2" in refused.message
    assert execute(identities, b"a", limits=limits) == Replayed(DONE, 7), "replays need no room"
    identities.age_out(1_000, limits, 0)
    assert execute(identities, b"b", limits=limits) is None


def test_the_bytes_of_outcomes_never_exceed_their_limit(identities):
    limits = replace(LIMITS, outcome_bytes=3_000)
    largest = PutResult(KeyValue(b"k", bytes(64 - len(encode_result(PUT)) + 1), 1, 2, 3, 0))
    assert len(encode_result(largest)) == limits.outcome_reply_bytes
    number = 0
    while True:
        key = b"%d" % number + bytes(KEY_BYTES_MAX - len(b"%d" % number))
        found = execute(identities, key, result=largest, limits=limits)
        if found is not None:
            break
        number += 1
    assert found.reason is Reason.OVERLOAD
    one = OUTCOME_BYTES + KEY_BYTES_MAX + 16 + 1 + 64
    assert number == 3_000 // one
    assert identities.outcomes.size_bytes == number * one


PUT = PutResult(KeyValue(b"k", b"v", 1, 2, 3, 0))


@pytest.mark.parametrize(
    "packed", [b"", b"\1", b"\2\2", HASH, HASH + b"\2", HASH + b"\1x", HASH + b"\1", HASH + b"\0"]
)
def test_damaged_outcomes_are_refused(packed):
    with pytest.raises(CodecError):
        unpack_outcome(1, packed)


def test_a_burned_identity_tells_so():
    assert unpack_outcome(0, ABANDONED).abandoned
    assert not unpack_outcome(0, pack_outcome(HASH, DONE, 64)).abandoned


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9), st.booleans()), max_size=40))
def test_obsolete_outcomes_go_and_no_others(steps):
    """Sequences are added above an acknowledged bound that grows; pruning is asked for anywhere."""
    outcomes, bounds, kept = Outcomes(), dict.fromkeys((1, 2, 3), 1), set()
    for session_id, step, prune in steps:
        sequence = bounds[session_id] + step
        if outcomes.of_sequence(session_id, sequence) is None:
            outcomes.add_sequence(session_id, sequence, 1, ABANDONED)
            kept.add((session_id, sequence))
        if step > 6:
            bounds[session_id] += step - 5
            outcomes.drop_below(session_id, bounds[session_id])
        if prune:
            outcomes.prune(2)
    outcomes.prune(999)
    kept = {
        (session_id, sequence) for session_id, sequence in kept if sequence >= bounds[session_id]
    }
    assert set(outcomes.sequences.between(0, None)) == {sid << 63 | seq for sid, seq in kept}
    assert outcomes.size_bytes == len(kept) * (OUTCOME_BYTES + 1)
    assert not outcomes._obsolete


def test_keys_that_are_not_old_yet_are_not_looked_at(identities, monkeypatch):
    """It was the whole bound, 0.05 ms, in each entry."""
    for number in range(100):
        execute(identities, b"%d" % number, now_ms=number // 50 * 500)
    looked_at = []

    def between(self, start, end, plain=Table.between):
        for key in plain(self, start, end):
            looked_at.append(key)
            yield key

    monkeypatch.setattr(Table, "between", between)
    identities.age_out(999, replace(LIMITS, expiries_per_entry=99), 0)
    assert len(looked_at) <= 1
    identities.age_out(1_000, replace(LIMITS, expiries_per_entry=99), 0)
    assert (len(identities.outcomes), len(looked_at)) == (50, 52)
