"""Conditions: what each clause says, what decides a tree, and what cannot be compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvraft.core.condition_evaluation import Verdict, evaluate, keys_of
from kvraft.core.conditions import All, AnyOf, Clause, Not, Operator, Target
from kvraft.core.json_value import JsonBudget
from kvraft.core.limits import JSON_DEPTH, RequestLimits
from kvraft.core.validation_conditions import ConditionCheck

JSON = b"""{"price": 7, "rate": 7.0, "name": "chair", "sold": true, "note": null,
 "tags": ["a", "b"], "a/b": {"m~n": -1}, "big": 9007199254740993}"""
RECORDS = {
    b"number": (b"650", 2, 5, 3, 9),
    b"bytes": (b"abc", 3, 3, 1, 0),
    b"json": (JSON, 4, 4, 1, 0),
    b"deep": (b"[" * 100_000, 6, 6, 1, 0),
    b"digits": (b"1" * 1_000_000, 7, 7, 1, 0),
}
NAMES = {operator.name: operator for operator in Operator}


def clause(key, target, operator, *operands, pointer=""):
    return Clause(key.encode(), Target[target], Operator[operator], operands, pointer)


def decide(condition, json_bytes=1 << 22):
    assert ConditionCheck(RequestLimits()).refusal(condition) is None
    return evaluate(condition, RECORDS.get, len, JsonBudget(json_bytes))


def place(operator, *operands, pointer, key="json"):
    return clause(key, "JSON", operator, *operands, pointer=pointer)


CLAUSES = [
    (clause("number", "EXISTS", "EQ", True), True),
    (clause("number", "EXISTS", "NE", True), False),
    (clause("number", "EXISTS", "EQ", False), False),
    (clause("gone", "EXISTS", "EQ", False), True),
    (clause("gone", "EXISTS", "NE", False), False),
    (clause("number", "VERSION", "EQ", 3), True),
    (clause("number", "CREATE_REVISION", "EQ", 2), True),
    (clause("number", "MOD_REVISION", "BETWEEN", 5, 6), True),
    (clause("number", "MOD_REVISION", "BETWEEN", 4, 5), True),
    (clause("number", "MOD_REVISION", "BETWEEN", 6, 9), False),
    (clause("number", "LEASE_ID", "NE", 0), True),
    (clause("bytes", "LEASE_ID", "EQ", 0), True),
    (clause("bytes", "VALUE", "EQ", b"abc"), True),
    (clause("bytes", "VALUE", "LT", b"abd"), True),
    (clause("bytes", "VALUE", "LE", b"abc"), True),
    (clause("bytes", "VALUE", "GE", b"abcd"), False),
    (clause("bytes", "VALUE", "GT", b"ab"), True),
    (clause("bytes", "VALUE", "IN", b"x", b"abc"), True),
    (clause("bytes", "VALUE", "IN", b"x", b"ab"), False),
    (clause("bytes", "VALUE", "BETWEEN", b"abc", b"b"), True),
    (clause("bytes", "VALUE", "BEGINS_WITH", b"ab"), True),
    (clause("bytes", "VALUE", "BEGINS_WITH", b"b"), False),
    (clause("number", "VALUE", "GT", b"7"), False),
    (clause("number", "NUMBER", "GT", 7), True),
    (clause("number", "NUMBER", "GT", 650), False),
    (clause("number", "NUMBER", "GE", 650), True),
    (clause("number", "NUMBER", "LT", 650), False),
    (clause("number", "NUMBER", "LE", 649), False),
    (clause("number", "NUMBER", "NE", 650), False),
    (clause("number", "NUMBER", "IN", 1, 650), True),
    (clause("ab", "COUNT", "EQ", 2), True),
    (clause("", "COUNT", "LT", 1), True),
    (place("EQ", 7, pointer="/price"), True),
    (place("EQ", 7.0, pointer="/price"), True),
    (place("EQ", 7, pointer="/rate"), True),
    (place("GT", 6.5, pointer="/price"), True),
    (place("EQ", 9007199254740992.0, pointer="/big"), False),  # exact, as Python compares
    (place("EQ", "chair", pointer="/name"), True),
    (place("BEGINS_WITH", "ch", pointer="/name"), True),
    (place("BETWEEN", "a", "d", pointer="/name"), True),
    (place("EQ", True, pointer="/sold"), True),
    (place("NE", False, pointer="/sold"), True),
    (place("EQ", None, pointer="/note"), True),
    (place("IN", "x", None, pointer="/note"), True),
    (place("IN", 1, "chair", True, pointer="/name"), True),
    (place("EQ", "b", pointer="/tags/1"), True),
    (place("LT", 0, pointer="/a~1b/m~0n"), True),
    (clause("json", "EXISTS", "EQ", True, pointer="/note"), True),
    (clause("json", "EXISTS", "EQ", True, pointer="/tags"), True),
    (clause("json", "EXISTS", "EQ", True, pointer="/tags/2"), False),
    (clause("json", "EXISTS", "EQ", False, pointer="/nothing"), True),
    (clause("gone", "EXISTS", "EQ", False, pointer="/price"), True),
    (clause("gone", "EXISTS", "EQ", True, pointer="/price"), False),
]


@pytest.mark.parametrize(("condition", "holds"), CLAUSES, ids=repr)
def test_a_clause(condition, holds):
    assert decide(condition) == Verdict(holds, 0, ())
    assert decide(Not(condition)) == Verdict(not holds, 0, ())


ABSENT = [
    clause("gone", target, operator, *operands)
    for target, operands in (("VERSION", (0, 0)), ("NUMBER", (0, 0)), ("VALUE", (b"", b"")))
    for operator, operands in (
        *((name, operands[:1]) for name in ("EQ", "NE", "LT", "LE", "GT", "GE", "IN")),
        ("BETWEEN", operands),
    )
] + [
    place(operator, *["x"] * (1 + (operator == "BETWEEN")), pointer=pointer, key=key)
    for operator in NAMES
    for key, pointer in (("gone", "/price"), ("json", "/nothing"))
]


@pytest.mark.parametrize("condition", ABSENT, ids=repr)
def test_of_what_is_absent_only_ne_is_true(condition):
    assert decide(condition) == Verdict(condition.operator is Operator.NE, 0, ())


MISMATCHES = [
    clause("bytes", "NUMBER", "EQ", 1),
    clause("bytes", "NUMBER", "NE", 1),
    place("EQ", 1, pointer="", key="bytes"),
    place("NE", 1, pointer="/a", key="bytes"),
    clause("bytes", "EXISTS", "EQ", False, pointer="/a"),
    place("EQ", 1, pointer="", key="deep"),
    place("NE", 1, pointer="/0", key="deep"),
    place("GE", 1, pointer="", key="digits"),
    clause("digits", "NUMBER", "NE", 1),
    place("EQ", 1, pointer="/sold"),  # true is not 1
    place("EQ", True, pointer="/price"),
    place("NE", "7", pointer="/price"),
    place("NE", None, pointer="/price"),
    place("EQ", 0, pointer="/note"),
    place("LT", 8, pointer="/name"),
    place("BEGINS_WITH", "7", pointer="/price"),
    place("IN", 1, 2, pointer="/name"),
    place("EQ", "a", pointer="/tags"),
    place("NE", "a", pointer="/a~1b"),
]


@pytest.mark.parametrize("condition", MISMATCHES, ids=repr)
def test_what_cannot_be_compared_is_false_and_flagged(condition):
    assert decide(condition) == Verdict(False, 0, (0,))
    assert decide(Not(condition)) == Verdict(True, 0, (0,))


@pytest.mark.parametrize(
    "value",
    [b"", b"+1", b" 1", b"1\n", b"01", b"1.0", b"9223372036854775808", b"1" * 99, b"\xd9\xa1"],
)
def test_what_is_no_number(value):
    condition = clause("k", "NUMBER", "GE", -(1 << 63))
    record = (value, 1, 1, 1, 0)
    assert evaluate(condition, lambda _: record, len, JsonBudget(0)).mismatched == (0,)


@pytest.mark.parametrize("number", [0, -1, (1 << 63) - 1, -(1 << 63)])
def test_every_int64_is_a_number(number):
    record = (b"%d" % number, 1, 1, 1, 0)
    condition = clause("k", "NUMBER", "EQ", number)
    assert evaluate(condition, lambda _: record, len, JsonBudget(0)).holds


TRUE = clause("number", "EXISTS", "EQ", True)
FALSE = clause("number", "EXISTS", "EQ", False)
ODD = clause("bytes", "NUMBER", "EQ", 1)

TREES = [
    (All((TRUE, FALSE, FALSE)), False, 1, ()),
    (All((TRUE, AnyOf((FALSE, FALSE)), FALSE)), False, 1, ()),
    (AnyOf((FALSE, FALSE)), False, 0, ()),
    (All((TRUE, TRUE, Not(AnyOf((FALSE, TRUE))))), False, 3, ()),
    (All((TRUE, Not(All((TRUE, TRUE))))), False, 1, ()),
    (All((Not(FALSE), Not(TRUE))), False, 1, ()),
    (Not(Not(FALSE)), False, 0, ()),
    (AnyOf((All((TRUE, FALSE)), FALSE)), False, 1, ()),
    (AnyOf((FALSE, TRUE, ODD)), True, 1, (2,)),
    (All((FALSE, ODD, ODD)), False, 0, (1, 2)),
    (All((TRUE, Not(ODD))), True, 0, (1,)),
    (All((ODD, TRUE)), False, 0, (0,)),
]


@pytest.mark.parametrize(("condition", "holds", "index", "mismatched"), TREES)
def test_what_decides_a_tree(condition, holds, index, mismatched):
    assert decide(condition) == Verdict(holds, index, mismatched)


@given(
    st.recursive(
        st.sampled_from([TRUE, FALSE, ODD]),
        lambda part: (
            st.builds(Not, part)
            | st.lists(part, min_size=1, max_size=4)
            .map(tuple)
            .flatmap(lambda parts: st.sampled_from([All(parts), AnyOf(parts)]))
        ),
        max_leaves=20,
    )
)
def test_a_tree_is_decided_as_the_words_say(condition):
    flagged = []
    count = 0

    def naive(part):
        nonlocal count
        if isinstance(part, Clause):
            if part is ODD:
                flagged.append(count)
            count += 1
            return part is TRUE, count - 1
        if isinstance(part, Not):
            holds, index = naive(part.part)
            return not holds, index
        decided = [naive(inner) for inner in part.parts]
        holds = (all if isinstance(part, All) else any)([each[0] for each in decided])
        first = [index for each, index in decided if each is not isinstance(part, All)]
        alike = all(each is decided[0][0] for each, _ in decided)
        return holds, decided[0][1] if alike else first[0]

    holds, index = naive(condition)
    verdict = evaluate(condition, RECORDS.get, len, JsonBudget(1_000))
    assert verdict == Verdict(holds, index, tuple(flagged))


def test_json_beyond_the_budget_is_a_mismatch_and_one_value_is_parsed_once():
    there = place("EQ", 7, pointer="/price")
    assert decide(All((there,) * 200), json_bytes=len(JSON)) == Verdict(True, 0, ())
    assert decide(there, json_bytes=len(JSON) - 1) == Verdict(False, 0, (0,))


def test_a_document_may_be_as_deep_as_the_limit():
    record = (b"[" * JSON_DEPTH + b"]" * JSON_DEPTH, 1, 1, 1, 0)
    condition = clause("k", "EXISTS", "EQ", True, pointer="/0" * (JSON_DEPTH - 1))
    assert evaluate(condition, lambda _: record, len, JsonBudget(1_000)) == Verdict(True, 0, ())


def test_the_keys_of_a_condition_once_each_in_reading_order_without_prefixes():
    first, second = clause("b", "VERSION", "EQ", 1), clause("a", "NUMBER", "EQ", 1)
    prefix = clause("p", "COUNT", "EQ", 1)
    assert keys_of(All((first, Not(AnyOf((prefix, second))), first))) == (b"b", b"a")
    assert keys_of(prefix) == ()
