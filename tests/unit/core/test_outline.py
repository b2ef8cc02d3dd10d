"""What is kept of an answer that is too large: its status, its numbers, and what fits."""

from dataclasses import fields, is_dataclass

import pytest
from core_oracle_outline import outlined
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kvraft.core.errors import Reason
from kvraft.core.outline import outline, restored
from kvraft.core.result_codec import decode_result, encode_result
from kvraft.core.results import (
    CasResult,
    DeleteResult,
    GetResult,
    InvariantResult,
    KeyValue,
    LeaseResult,
    Page,
    PutResult,
    Refused,
    TxnResult,
    Unmet,
    UpdateResult,
)

LIMIT = 4_096
KEY_BYTES = 2_048
NUMBER = st.integers(1, (1 << 63) - 1)
SIZES = st.sampled_from([0, 1, 30, 700, 1_500, 3_000, 5_000])


def entries(sizes=SIZES, keys=None):
    keys = st.sampled_from([1, 40, 1_000, KEY_BYTES]) if keys is None else keys
    return st.builds(
        lambda key, value, numbers: KeyValue(b"k" * key, b"v" * value, *numbers),
        keys,
        sizes,
        st.tuples(NUMBER, NUMBER, NUMBER, NUMBER),
    )


ENTRY = entries()
MAYBE = st.none() | ENTRY


@st.composite
def pairs(draw, kind):
    entry = draw(ENTRY)
    previous = draw(st.none() | ENTRY.map(lambda before: before._replace(key=entry.key)))
    return kind(entry, previous)


UNMET = st.builds(
    Unmet,
    st.integers(0, 255),
    st.lists(st.integers(0, 255), max_size=256).map(tuple),
    st.lists(ENTRY, max_size=9).map(tuple),
)
UPDATE = pairs(UpdateResult) | st.builds(UpdateResult, st.none(), MAYBE)
PARTS = (
    pairs(PutResult)
    | UPDATE
    | st.builds(DeleteResult, NUMBER, MAYBE)
    | st.builds(GetResult, MAYBE)
    | st.builds(Page, st.lists(ENTRY, max_size=3).map(tuple), st.booleans())
)


def txns(parts):
    return st.builds(TxnResult, st.none() | UNMET, st.lists(parts, max_size=5).map(tuple))


RESULTS = (
    pairs(PutResult)
    | UPDATE
    | UNMET
    | st.builds(DeleteResult, NUMBER, MAYBE)
    | st.builds(CasResult, st.booleans(), MAYBE)
    | txns(PARTS | txns(PARTS))
    | st.builds(Refused, st.sampled_from(Reason), st.text(max_size=5_000))
    | st.builds(LeaseResult, NUMBER, NUMBER, NUMBER)
)
WIDE = KeyValue(b"k" * KEY_BYTES, b"v" * 5_000, 1, 2, 3, 4)


def numbers(entry):
    return entry and (entry.key, *entry[2:6])


def essence(result):
    """What must survive, whatever is left out."""
    match result:
        case PutResult(entry, previous) | UpdateResult(entry, previous):
            return type(result), numbers(entry), numbers(previous)
        case DeleteResult(deleted, previous):
            return DeleteResult, deleted, numbers(previous)
        case CasResult(succeeded, entry):
            return CasResult, succeeded, numbers(entry)
        case Unmet(clause):
            return Unmet, clause
        case TxnResult(missed, _):
            return TxnResult, missed and missed.clause
        case Refused(reason):
            return Refused, reason
    return result


def values(node):
    """Every entry, in reading order."""
    if isinstance(node, KeyValue):
        return [node]
    if isinstance(node, tuple):
        return [each for part in node for each in values(part)]
    if is_dataclass(node):
        return [each for field in fields(node) for each in values(getattr(node, field.name))]
    return []


@given(RESULTS)
@example(PutResult(WIDE, WIDE))
@example(UpdateResult(WIDE, WIDE))
@example(UpdateResult(None, WIDE))
@example(DeleteResult(1, WIDE))
@example(CasResult(False, WIDE))
@example(Unmet(7, tuple(range(256)), (WIDE,) * 9))
@example(TxnResult(Unmet(7, tuple(range(256)), (WIDE,) * 9), (PutResult(WIDE),) * 9))
@example(Refused(Reason.INVARIANT, "ü" * 4_000))
@settings(max_examples=300, deadline=None)
def test_it_fits_and_its_status_and_numbers_survive(result):
    kept = outline(result, LIMIT)
    encoded = encode_result(kept)
    assert len(encoded) <= LIMIT
    assert decode_result(encoded) == kept
    assert essence(restored(kept)) == essence(result)
    assert outline(kept, LIMIT) == kept
    for entry in values(kept):
        assert not (entry.value_omitted and entry.value)
    if len(encode_result(result)) <= LIMIT:
        assert kept == result
    assert restored(kept) == restored(outlined(result, LIMIT)), "the naive one agrees"


@given(RESULTS, st.integers(260, 6_000))
@settings(max_examples=200, deadline=None)
def test_the_naive_one_agrees_at_every_limit(result, limit):
    assert outline(result, limit) == outlined(result, limit)


def entry(value, key=b"k"):
    return KeyValue(key, value, 1, 2, 3, 0)


def gone(value, key=b"k"):
    return entry(b"", key)._replace(value_omitted=True)


def test_values_go_first_and_those_that_fit_stay():
    unmet = Unmet(3, (1,), (entry(bytes(9_000)), entry(b"small"), entry(bytes(9_000))))
    assert outline(unmet, LIMIT) == Unmet(3, (1,), (gone(b""), entry(b"small"), gone(b"")))


def test_entries_go_where_they_are_too_many_and_the_clauses_stay():
    unmet = Unmet(3, (1, 2), (entry(b"", b"k" * 1_000),) * 5)
    assert outline(unmet, LIMIT) == Unmet(3, (1, 2), ())
    txn = TxnResult(unmet, (GetResult(None),))
    assert outline(txn, LIMIT) == TxnResult(Unmet(3, (1, 2), ()), ())


def test_mismatches_are_cut_to_what_fits():
    unmet = Unmet(3, tuple(range(100)), ())
    assert outline(unmet, 114) == Unmet(3, tuple(range(25)), ())


@pytest.mark.parametrize("is_txn", [False, True])
def test_every_byte_of_the_limit_counts(is_txn):
    unmet = Unmet(3, tuple(range(30)), (entry(bytes(50)), entry(bytes(60))))
    result = TxnResult(unmet, (GetResult(entry(bytes(70))),)) if is_txn else unmet
    for limit in range(18, 450):
        kept = outline(result, limit)
        assert len(encode_result(kept)) <= limit
        assert kept == outlined(result, limit)


def test_the_results_of_a_transaction_go_together():
    many = (PutResult(entry(b"", b"k" * 1_000)),) * 5
    assert outline(TxnResult(None, many), LIMIT) == TxnResult(None, ())
    few = (PutResult(entry(b"", b"k" * 1_000)), GetResult(entry(bytes(4_000))))
    assert outline(TxnResult(None, few), LIMIT) == TxnResult(None, (few[0], GetResult(gone(b""))))


def test_a_key_is_kept_once_where_twice_is_too_much():
    wide = entry(b"", b"k" * KEY_BYTES)
    before = wide._replace(mod_revision=1, value=b"v" * 99)
    kept = outline(UpdateResult(wide, before), LIMIT)
    assert kept == UpdateResult(wide, before._replace(key=b"", value=b"", value_omitted=True))
    assert restored(kept).previous.key == wide.key


@pytest.mark.parametrize("result", [InvariantResult(b"k" * KEY_BYTES, True), CasResult(True, None)])
def test_what_is_small_by_nature_is_kept_whole(result):
    assert outline(result, LIMIT) is result
    assert restored(result) is result


def test_a_message_is_cut_between_characters():
    assert outline(Refused(Reason.INVARIANT, "ab" + "ü" * 50), 40).message.startswith("abüü")
    assert len(encode_result(outline(Refused(Reason.INVARIANT, "ab" + "ü" * 50), 40))) in (39, 40)
