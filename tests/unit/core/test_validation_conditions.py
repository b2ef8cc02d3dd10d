"""Which conditions are refused before they are proposed, and that bad trees cost little."""

import pytest

from kvraft.core.commands import Delete, LeaseGrant, LeaseRevoke, Put, Request, SetInvariant, Txn
from kvraft.core.conditions import All, AnyOf, Clause, Not, Operator, Target
from kvraft.core.errors import Reason
from kvraft.core.limits import RequestLimits
from kvraft.core.validation import validate

LIMITS = RequestLimits(key_bytes=4, value_bytes=8, request_bytes=400, pointer_bytes=8)
INT64_MAX = (1 << 63) - 1


def clause(target, operator, *operands, key=b"k", pointer=""):
    return Clause(key, Target[target], Operator[operator], operands, pointer)


OK = clause("VERSION", "EQ", 1)


def refusal(condition, limits=LIMITS):
    return validate(Request(Delete(b"d"), condition), limits)


def nested(depth, kind):
    condition = OK
    for _ in range(depth):
        condition = Not(condition) if kind is Not else kind((condition,))
    return condition


NUMERIC = ["VERSION", "CREATE_REVISION", "MOD_REVISION", "LEASE_ID", "NUMBER", "COUNT"]
ACCEPTED = [
    *(clause(target, name, 1) for target in NUMERIC for name in ("EQ", "NE", "LT", "GE", "IN")),
    *(clause(target, "BETWEEN", -INT64_MAX - 1, INT64_MAX) for target in NUMERIC),
    clause("EXISTS", "EQ", True),
    clause("EXISTS", "NE", False, pointer="/a"),
    clause("VALUE", "BEGINS_WITH", b""),
    clause("VALUE", "BETWEEN", b"v" * 8, b"a"),
    clause("JSON", "EQ", None),
    clause("JSON", "IN", None, True, 1, 1.5, "x", pointer="/a~0~1"),
    clause("JSON", "BETWEEN", 1, 2.5, pointer="/a"),
    clause("JSON", "BEGINS_WITH", "é" * 4, pointer="/ééé"),
    clause("COUNT", "EQ", 0, key=b""),
    nested(8, Not),
    nested(8, All),
    All((OK,) * 20),
]

REFUSED = [
    (clause("VERSION", "EQ", 1, key=b""), "INVALID", "condition: clause 0: empty key"),
    (clause("VERSION", "EQ", 1, key=b"kkkkk"), "TOO_LARGE", "key is 5 bytes, the limit key_bytes"),
    (clause("COUNT", "EQ", 1, key=b"kkkkk"), "TOO_LARGE", "prefix is 5 bytes"),
    (clause("VERSION", "EQ"), "INVALID", "EQ takes 1 operand, not 0"),
    (clause("VERSION", "EQ", 1, 2), "INVALID", "EQ takes 1 operand, not 2"),
    (clause("VERSION", "IN"), "INVALID", "IN takes at least one operand"),
    (clause("VERSION", "BETWEEN", 1), "INVALID", "BETWEEN takes 2 operands, not 1"),
    (clause("VERSION", "BETWEEN", 1, 2, 3), "INVALID", "BETWEEN takes 2 operands, not 3"),
    (clause("JSON", "BETWEEN", 1, "2"), "INVALID", "BETWEEN takes operands of one type"),
    (clause("VERSION", "EQ", True), "INVALID", "the target VERSION cannot be compared by EQ with"),
    (clause("NUMBER", "EQ", 1.0), "INVALID", "an operand of type float"),
    (clause("NUMBER", "IN", 1, b"2"), "INVALID", "an operand of type bytes"),
    (clause("VALUE", "EQ", "text"), "INVALID", "an operand of type str"),
    (clause("JSON", "EQ", b"raw"), "INVALID", "an operand of type bytes"),
    (clause("EXISTS", "EQ", 1), "INVALID", "an operand of type int"),
    (clause("EXISTS", "LT", True), "INVALID", "the target EXISTS cannot be compared by LT"),
    (clause("EXISTS", "IN", True), "INVALID", "cannot be compared by IN"),
    (clause("NUMBER", "BEGINS_WITH", 1), "INVALID", "cannot be compared by BEGINS_WITH"),
    (clause("JSON", "BEGINS_WITH", 1), "INVALID", "cannot be compared by BEGINS_WITH"),
    (
        clause("JSON", "LT", None),
        "INVALID",
        "cannot be compared by LT with an operand of type None",
    ),
    (clause("JSON", "BETWEEN", False, True), "INVALID", "with an operand of type bool"),
    (clause("NUMBER", "EQ", INT64_MAX + 1), "INVALID", "9223372036854775808, which is no int64"),
    (clause("NUMBER", "EQ", -INT64_MAX - 2), "INVALID", "which is no int64"),
    (clause("JSON", "EQ", 1 << 64), "INVALID", "which is no int64"),
    (clause("JSON", "EQ", float("nan")), "INVALID", "the operand nan is not finite"),
    (clause("JSON", "IN", 1, float("-inf")), "INVALID", "the operand -inf is not finite"),
    (
        clause("VALUE", "EQ", b"v" * 9),
        "TOO_LARGE",
        "operand is 9 bytes, the limit value_bytes is 8",
    ),
    (clause("JSON", "EQ", "é" * 5), "TOO_LARGE", "operand is 10 bytes"),
    (clause("JSON", "EQ", "\ud800"), "INVALID", "no Unicode text"),
    (clause("JSON", "EQ", 1, pointer="a"), "INVALID", "must be empty or begin with '/'"),
    (clause("JSON", "EQ", 1, pointer="/~2"), "INVALID", "'~' must be followed by 0 or 1"),
    (clause("JSON", "EQ", 1, pointer="/" + "é" * 4), "TOO_LARGE", "JSON pointer is 9 bytes"),
    (clause("JSON", "EQ", 1, pointer="/\udfff"), "INVALID", "half of a surrogate pair"),
    (clause("VALUE", "EQ", b"", pointer="/a"), "INVALID", "the target VALUE takes no JSON pointer"),
    (nested(9, Not), "INVALID", "nested deeper than condition_depth, which is 8"),
    (nested(9, All), "INVALID", "nested deeper than condition_depth, which is 8"),
    (nested(100_000, Not), "INVALID", "nested deeper than condition_depth"),
    (nested(100_000, AnyOf), "INVALID", "nested deeper than condition_depth"),
    (All(()), "INVALID", "empty group"),
    (Not(AnyOf(())), "INVALID", "empty group"),
    (All((OK,) * 257), "INVALID", "at least 257 clauses, the limit is 256"),
    (All((All((OK,) * 128), AnyOf((OK,) * 129))), "INVALID", "at least 257 clauses"),
    (All((All((OK,) * 128), AnyOf((OK,) * 128), OK)), "INVALID", "at least 257 clauses"),
    (All((OK, Not(clause("VERSION", "IN")))), "INVALID", "clause 1: IN takes"),
    (All((AnyOf((OK, OK)), clause("VERSION", "IN"))), "INVALID", "clause 2: IN takes"),
    (
        clause("VALUE", "IN", *[b""] * 50),
        "TOO_LARGE",
        "request is 402 bytes, the limit request_bytes",
    ),
    (clause("VERSION", "IN", *range(50)), "TOO_LARGE", "request is 402 bytes"),
]


@pytest.mark.parametrize("condition", ACCEPTED, ids=repr)
def test_accepted(condition):
    assert refusal(condition) is None


@pytest.mark.parametrize(
    ("condition", "reason", "words"), REFUSED, ids=[case[2][:40] for case in REFUSED]
)
def test_refused(condition, reason, words):
    refused = refusal(condition)
    assert refused is not None
    assert refused.reason is Reason(reason)
    assert words in refused.message


def test_256_clauses_of_the_default_limits_are_accepted():
    assert refusal(All((All((OK,) * 128), AnyOf((OK,) * 128))), RequestLimits()) is None


def test_a_tree_that_shares_its_parts_stops_at_the_limit():
    condition = OK
    for _ in range(8):
        condition = All((condition,) * 200)  # 200 ** 8 clauses
    refused = refusal(condition)
    assert refused is not None
    assert "clauses" in refused.message


def test_the_conditions_of_a_transaction_share_the_limit():
    many = All((OK,) * 128)
    inner = Txn(many, (Put(b"k", b"v"),))
    assert validate(Txn(many, (inner,)), RequestLimits()) is None
    refused = validate(Txn(many, (inner, Txn(OK, ()))), RequestLimits())
    assert refused is not None
    assert refused.message == (
        "then[1].condition: clause 0: the conditions hold at least 257 clauses, the limit is 256"
    )


@pytest.mark.parametrize(
    "mutation", [Txn(None, ()), LeaseGrant(1_000), LeaseRevoke(1), SetInvariant(b"k", False)]
)
def test_what_takes_no_condition_around_it(mutation):
    refused = validate(Request(mutation, OK), LIMITS)
    assert refused is not None
    assert "takes no condition around it" in refused.message
