"""Which updates, transactions, identities and invariants are refused before they are proposed."""

import pytest

from kvraft.core.actions import Action, ActionKind
from kvraft.core.commands import (
    Delete,
    DeleteRange,
    Get,
    GetRange,
    KeyIdentity,
    LeaseGrant,
    Put,
    Request,
    Resolve,
    SessionClose,
    SessionIdentity,
    SessionOpen,
    SetInvariant,
    Txn,
    Update,
)
from kvraft.core.conditions import Clause, Operator, Target
from kvraft.core.errors import Reason
from kvraft.core.limits import RequestLimits
from kvraft.core.validation import validate

LIMITS = RequestLimits(
    key_bytes=4,
    value_bytes=100,
    request_bytes=200,
    page_entries=5,
    txn_operations=4,
    actions=3,
    pointer_bytes=8,
    lease_id_max=99,
)
INT64_MAX = (1 << 63) - 1
PUT = Put(b"k", b"v")


def action(kind, operand=None, pointer=""):
    return Action(ActionKind[kind], operand, pointer)


def update(*actions, **fields):
    return Update(b"k", actions, **fields)


def txn(*then, orelse=(), condition=None):
    return Txn(condition, then, tuple(orelse))


def of_value(value):
    return Clause(b"k", Target.VALUE, Operator.EQ, (value,))


ADD = action("ADD", 1)
ACCEPTED = [
    update(ADD, action("MIN", -INT64_MAX - 1), action("MAX", INT64_MAX)),
    update(action("SET", b""), action("APPEND", b""), action("SET_IF_ABSENT", b"v" * 100)),
    update(action("DELETE")),
    update(action("JSON_SET", b" [1, {}] ", "")),
    update(
        action("JSON_ADD", 1, "/a"), action("JSON_ADD", 1.5, ""), action("JSON_REMOVE", None, "/")
    ),
    update(ADD, lease_id=99),
    update(ADD, ttl_ms=1_000),
    txn(),
    txn(PUT, Get(b"k"), orelse=[PUT]),
    txn(GetRange(b"", None, 5), GetRange(b"a", b"b", 1, True)),
    txn(Put(b"a", b""), DeleteRange(b"b", b"c"), Put(b"c", b"")),
    txn(DeleteRange(b"b", None), Put(b"a", b""), DeleteRange(b"c", b"d")),
    txn(txn(PUT, orelse=[PUT]), orelse=[PUT]),
    txn(txn(PUT, orelse=[DeleteRange(b"k", b"l")]), Put(b"j", b"")),
    txn(PUT, condition=of_value(b"v" * 100)),
    SetInvariant(b"k", False, -INT64_MAX - 1, INT64_MAX, True),
    SetInvariant(b"", True, 5, 5),
    SetInvariant(b"k", False),
    SessionOpen(),
    SessionClose(INT64_MAX),
    Resolve(KeyIdentity(b"x" * 128)),
    Resolve(SessionIdentity(1, 7, 7)),
    Request(PUT, identity=SessionIdentity(1, 7, 1)),
    Request(txn(PUT), identity=KeyIdentity(b"x")),
    Request(LeaseGrant(1_000), identity=KeyIdentity(b"x")),
    Request(update(ADD), of_value(b"1"), KeyIdentity(b"x")),
]

REFUSED = [
    (Update(b"", (ADD,)), "INVALID", "empty key"),
    (Update(b"kkkkk", (ADD,)), "TOO_LARGE", "key is 5 bytes"),
    (update(), "INVALID", "an update takes 1 to 3 actions, not 0"),
    (update(*[ADD] * 4), "INVALID", "an update takes 1 to 3 actions, not 4"),
    (update(ADD, action("ADD", 1.0)), "INVALID", "actions[1] ADD: the operand is of type float"),
    (update(action("ADD", True)), "INVALID", "the operand is of type bool, not int"),
    (update(action("ADD")), "INVALID", "the operand is of type NoneType, not int"),
    (update(action("ADD", 1 << 63)), "INVALID", "which is no int64"),
    (update(action("SET", 5)), "INVALID", "of type int, not bytes"),
    (update(action("DELETE", b"")), "INVALID", "of type bytes, not NoneType"),
    (update(action("JSON_ADD", b"1", "/a")), "INVALID", "of type bytes, not int or float"),
    (update(action("JSON_ADD", float("inf"), "/a")), "INVALID", "not finite"),
    (update(action("JSON_ADD", 1 << 63, "/a")), "INVALID", "which is no int64"),
    (update(action("APPEND", b"v" * 101)), "TOO_LARGE", "operand is 101 bytes, the limit value_by"),
    (
        update(action("JSON_SET", b"{", "/a")),
        "INVALID",
        "actions[0] JSON_SET: the operand is no JSON",
    ),
    (update(action("JSON_SET", b"[" * 100, "/a")), "INVALID", "the operand is no JSON, or nested"),
    (update(action("JSON_SET", b"NaN", "/a")), "INVALID", "the operand is no JSON"),
    (update(action("JSON_SET", b"1", "a")), "INVALID", "must be empty or begin with '/'"),
    (update(action("JSON_ADD", 1, "/" * 9)), "TOO_LARGE", "JSON pointer is 9 bytes"),
    (update(action("JSON_REMOVE")), "INVALID", "use DELETE"),
    (update(action("SET", b"", "/a")), "INVALID", "only JSON actions take a JSON pointer"),
    (update(ADD, lease_id=1, ttl_ms=1_000), "INVALID", "at most one of lease_id and ttl_ms"),
    (update(ADD, lease_id=100), "INVALID", "lease_id is 100"),
    (update(ADD, ttl_ms=1 << 63), "INVALID", "ttl_ms is"),
    (update(*[action("SET", b"v" * 67)] * 3), "TOO_LARGE", "request is 202 bytes"),
    (
        update(action("SET", b"v" * 100), action("JSON_ADD", 1, "/a"), action("SET", b"v" * 90)),
        "TOO_LARGE",
        "request is 201 bytes",
    ),
    (txn(PUT, Put(b"", b"")), "INVALID", "then[1]: empty key"),
    (txn(orelse=[Get(b"")]), "INVALID", "orelse[0]: empty key"),
    (
        txn(txn(update(ADD, action("ADD")))),
        "INVALID",
        "then[0].then[0]: actions[1] ADD: the operand",
    ),
    (txn(Put(b"k", b"", 1, 1)), "INVALID", "then[0]: at most one of"),
    (txn(DeleteRange(b"b", b"b")), "INVALID", "the range is empty"),
    (txn(GetRange(b"b", b"a", 1)), "INVALID", "the range is empty"),
    (txn(GetRange(b"", None, 0)), "INVALID", "limit is 0, it must be 1 to page_entries, 5"),
    (txn(GetRange(b"", None, 6)), "INVALID", "limit is 6"),
    (txn(*[Get(b"k")] * 5), "INVALID", "at least 5 operations, the limit txn_operations is 4"),
    (txn(*[Get(b"k")] * 2, orelse=[Get(b"k")] * 3), "INVALID", "at least 5 operations"),
    (txn(txn(*[Get(b"k")] * 2, orelse=[Get(b"k")] * 2)), "INVALID", "at least 5 operations"),
    (txn(txn(txn())), "INVALID", "then[0].then[0]: a transaction inside another must hold none"),
    (txn(PUT, PUT), "INVALID", "then[1]: the key b'k' is written twice"),
    (
        txn(orelse=[update(ADD), Delete(b"k")]),
        "INVALID",
        "orelse[1]: the key b'k' is written twice",
    ),
    (txn(DeleteRange(b"k", b"l"), PUT), "INVALID", "then[1]: the key b'k' is written twice"),
    (txn(DeleteRange(b"a", None), PUT), "INVALID", "written twice"),
    (txn(PUT, DeleteRange(b"", None)), "INVALID", "then[1]: the key b'k' is written twice"),
    (txn(PUT, txn(orelse=[PUT])), "INVALID", "then[1].orelse[0]: the key b'k' is written twice"),
    (txn(txn(PUT), PUT), "INVALID", "then[1]: the key b'k' is written twice"),
    (txn(txn(orelse=[PUT]), PUT), "INVALID", "then[1]: the key b'k' is written twice"),
    (
        txn(txn(PUT), txn(orelse=[PUT])),
        "INVALID",
        "then[1].orelse[0]: the key b'k' is written twice",
    ),
    (txn(txn(DeleteRange(b"k", None)), PUT), "INVALID", "then[1]: the key b'k' is written twice"),
    (txn(Put(b"a", b"v" * 100), Put(b"b", b"v" * 99)), "TOO_LARGE", "request is 201 bytes"),
    (
        txn(Put(b"a", b"v" * 99), condition=of_value(b"v" * 100)),
        "TOO_LARGE",
        "request is 201 bytes",
    ),
    (Request(Put(b"a", b"v" * 99), of_value(b"v" * 100)), "TOO_LARGE", "request is 201 bytes"),
    (SetInvariant(b"", False), "INVALID", "empty key"),
    (SetInvariant(b"kkkkk", True), "TOO_LARGE", "prefix is 5 bytes"),
    (SetInvariant(b"k", False, 1 << 63), "INVALID", "minimum is 9223372036854775808"),
    (SetInvariant(b"k", False, None, 1 << 63), "INVALID", "maximum is 9223372036854775808"),
    (SetInvariant(b"k", False, 6, 5), "INVALID", "minimum is 6, which is above the maximum, 5"),
    (SessionClose(0), "INVALID", "session_id is 0, it must be a positive int64"),
    (Resolve(KeyIdentity(b"")), "INVALID", "the idempotency key is 0 bytes, it must be 1 to 128"),
    (Resolve(KeyIdentity(b"x" * 129)), "INVALID", "the idempotency key is 129 bytes"),
    (Resolve(SessionIdentity(0, 1, 1)), "INVALID", "session_id is 0"),
    (Resolve(SessionIdentity(1, 0, 0)), "INVALID", "sequence is 0"),
    (Resolve(SessionIdentity(1, 1 << 63, 1)), "INVALID", "sequence is 9223372036854775808"),
    (
        Resolve(SessionIdentity(1, 5, 6)),
        "INVALID",
        "first_unacked is 6, it must be 1 to the sequence",
    ),
    (Resolve(SessionIdentity(1, 5, 0)), "INVALID", "first_unacked is 0"),
    (Request(PUT, identity=KeyIdentity(b"")), "INVALID", "the idempotency key is 0 bytes"),
    (Request(Put(b"", b""), identity=KeyIdentity(b"x")), "INVALID", "empty key"),
    (Request(PUT), "INVALID", "is its mutation alone"),
]


@pytest.mark.parametrize("command", ACCEPTED, ids=repr)
def test_accepted(command):
    assert validate(command, LIMITS) is None


@pytest.mark.parametrize(
    ("command", "reason", "words"), REFUSED, ids=[case[2][:50] for case in REFUSED]
)
def test_refused(command, reason, words):
    refused = validate(command, LIMITS)
    assert refused is not None
    assert refused.reason is Reason(reason)
    assert words in refused.message


def test_256_operations_of_the_default_limits_are_accepted():
    puts = tuple(Put(b"%d" % number, b"v") for number in range(256))
    assert validate(Txn(None, puts), RequestLimits()) is None
    assert validate(Txn(None, puts, puts), RequestLimits()) is not None


def test_a_long_key_does_not_fill_the_message():
    put = Put(b"\0" * 2_048, b"")
    refused = validate(txn(put, put), RequestLimits())
    assert refused is not None
    assert len(refused.message) < 400
