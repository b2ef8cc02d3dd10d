"""What the encodings refuse, and with which words; that they return is a property test's matter."""

from math import inf, nan
from struct import pack

import pytest

from kvraft.core.actions import Action, ActionKind
from kvraft.core.codec import (
    assemble_entry,
    decode_command,
    decode_entry,
    decode_result,
    encode_command,
    encode_entry,
    encode_result,
)
from kvraft.core.commands import (
    COMMAND_VERSION,
    Acquire,
    CompareAndSet,
    Delete,
    Entry,
    Expect,
    Fence,
    Get,
    GuardPrefix,
    HashMarker,
    KeyIdentity,
    LeaseGrant,
    Member,
    MemberDisk,
    Put,
    Release,
    Request,
    Resolve,
    SetInvariant,
    Txn,
    Update,
)
from kvraft.core.conditions import Clause, Not, Operator, Target
from kvraft.core.errors import CodecError, Reason, UnknownCommandError
from kvraft.core.results import (
    AcquireResult,
    AttachResult,
    GetResult,
    KeyValue,
    MarkerResult,
    MemberResult,
    PutResult,
    Refused,
    ReleaseResult,
    Replayed,
    Resolved,
    Standing,
    TxnResult,
)

ENTRY = KeyValue(b"k", b"v", 2, 3, 2, 0)
CLAUSE = Clause(b"k", Target.NUMBER, Operator.GT, (500,))
ADD = (Action(ActionKind.ADD, 1),)
TXN = Txn(None, ())


def changed(raw, offset, byte):
    return raw[:offset] + bytes([byte]) + raw[offset + 1 :]


def asked(condition):
    return encode_command(Request(Delete(b"k"), condition))


def frame(kind, body):
    return bytes([kind, COMMAND_VERSION, 0]) + len(body).to_bytes(4, "little") + body


def levels(count):
    condition = CLAUSE
    for _ in range(count):
        condition = Not(condition)
    return condition


ACQUIRE = encode_command(Acquire(b"k", (b"x",), ttl_ms=9))
GRANTED = encode_result(AcquireResult(3, Standing.GRANTED, 5, (Fence(b"x", 7),)))
DEEP = frame(17, b"\0" + b"\4" * 1_000_000)
EMPTY = bytes(5)  # the body of a transaction of nothing
INNER = b"\0\1\0\x0c\5\0\0\0" + EMPTY + b"\0\0"
NESTED = frame(12, b"\0\1\0\x0c\x0f\0\0\0" + INNER + b"\0\0")
NOT_A_NUMBER = asked(Clause(b"k", Target.JSON, Operator.EQ, (1.0,))).replace(
    pack("<d", 1.0), pack("<d", nan)
)


def test_the_layout_of_an_entry_stays():
    raw = encode_entry(Entry(7, (Delete(b"k"),)))
    assert raw.hex() == "0101" + "0700000000000000" + "01000000" + "030200" + "02000000" + "006b"


def test_an_entry_is_assembled_of_encoded_commands():
    commands = (Put(b"a", b"1"), HashMarker(3))
    frames = [encode_command(command) for command in commands]
    assert assemble_entry(9, frames) == encode_entry(Entry(9, commands))


@pytest.mark.parametrize(
    ("offset", "byte", "needed"),
    [
        (0, 42, "type 42 version 2 flags 0x00 needs command version 3"),
        (1, 9, "version 9 flags 0x00 needs command version 9"),
        (2, 4, "flags 0x04 needs command version 3"),
    ],
)
def test_an_unknown_command_names_the_version_it_needs(offset, byte, needed):
    raw = changed(encode_command(Put(b"k", b"v")), offset, byte)
    with pytest.raises(UnknownCommandError, match=needed) as refused:
        decode_command(raw)
    assert f"this node knows up to {COMMAND_VERSION}" in str(refused.value)


@pytest.mark.parametrize(
    ("offset", "byte", "needed"),
    [
        (0, 3, "entry version 3 .* needs entry version 3"),
        (1, 2, "flags 0x02 needs entry version 2"),
    ],
)
def test_an_unknown_entry_names_the_version_it_needs(offset, byte, needed):
    with pytest.raises(UnknownCommandError, match=needed):
        decode_entry(changed(encode_entry(Entry(1, ())), offset, byte))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (changed(encode_command(Delete(b"k")), 1, 1), "type 3 has version 1"),
        (changed(encode_command(Delete(b"k")), 7, 2), "delete: 2 where 0 or 1 must stand"),
        (encode_command(Delete(b"k")) + b"!", "1 bytes behind the end"),
        (encode_command(Delete(b"k"))[:-1], "cut off, 2 bytes expected, 1 left"),
        (b"\x01\x01", "command: cut off, 7 bytes expected, 2 left"),
        (changed(encode_command(HashMarker(1)), 3, 7), "hash_marker: cut off, 8 bytes"),
        (
            changed(encode_command(HashMarker(1)), 3, 9) + b"!",
            "hash_marker: 1 bytes behind the end",
        ),
        (changed(encode_command(Put(b"k", b"")), 24, 9), "put: cut off, 9 bytes expected, 1 left"),
        (changed(encode_command(Put(b"k", b"")), 7, 16), "put: unknown options 0x10"),
        (
            changed(encode_command(CompareAndSet(b"k", b"", Expect())), 7, 8),
            "compare_and_set: unknown options 0x08",
        ),
        (changed(encode_command(Put(b"k", b"", ttl_ms=5)), 7, 0), "put: 5 where an absent number"),
        (
            changed(encode_command(CompareAndSet(b"", b"", Expect())), 26, 32),
            "unknown expectation 0x20",
        ),
        (
            changed(encode_command(MemberDisk(Member("é", 1))), 8, 0xFF),
            r"member_disk: b'\\xff\\xa9' is not UTF-8",
        ),
        (changed(asked(CLAUSE), 9, 99), "request: 99 is not a valid Target"),
        (changed(asked(CLAUSE), 10, 99), "request: 99 is not a valid Operator"),
        (changed(asked(CLAUSE), 20, 7), "request: unknown literal 7"),
        (changed(asked(CLAUSE), 8, 5), "request: unknown condition 5"),
        (changed(asked(CLAUSE), 7, 3), "request: unknown identity 3"),
        (changed(encode_command(Request(Delete(b"k"))), 10, 17), "request: type 17 is no mutation"),
        (changed(encode_command(Resolve(KeyIdentity(b""))), 7, 0), "resolve: no identity"),
        (changed(encode_command(SetInvariant(b"k", False)), 7, 16), "unknown options 0x10"),
        (
            changed(encode_command(Update(b"k", ADD)), 29, 99),
            "update: 99 is not a valid ActionKind",
        ),
        (
            changed(encode_command(Update(b"k", ADD)), 32, 2),
            "update: an action has no operand like",
        ),
        (changed(encode_command(Txn(None, (Get(b"k"),))), 10, 2), "txn: type 2 cannot stand"),
        (changed(ACQUIRE, 7, 16), "acquire: unknown options 0x10"),
        (changed(ACQUIRE, 7, 1), "acquire: 9 where an absent number must be 0"),
        (changed(ACQUIRE, 8, 4), "acquire: 4 is not a valid LockMode"),
        (changed(encode_command(Release(b"k")), 7, 16), "release: unknown options 0x10"),
        (encode_command(Release(b"k"))[:-1], "release: cut off|command: cut off"),
        (changed(encode_command(GuardPrefix(b"p")), 7, 4), "guard_prefix: unknown options 0x04"),
        (frame(24, b"\0\1\0px"), "guard_prefix: 1 bytes behind the end"),
        (frame(21, b"\xff\xff\xff\xff"), "attach: cut off"),
        (NOT_A_NUMBER, "nan is no number that JSON has"),
        (DEEP, "request: a condition of more than 64 levels"),
        (NESTED, "txn: type 12 cannot stand in a transaction here"),
    ],
)
def test_a_malformed_command_is_refused(raw, words):
    with pytest.raises(CodecError, match=words):
        decode_command(raw)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (changed(encode_entry(Entry(None, ())), 0, 0), "version 0"),
        (changed(encode_entry(Entry(7, ())), 1, 0), "stamp 7 without its flag"),
        (encode_entry(Entry(7, ())) + b"!", "1 bytes behind the end"),
        (changed(encode_entry(Entry(7, ())), 13, 0xFF), "command: cut off|entry: cut off"),
    ],
)
def test_a_malformed_entry_is_refused(raw, words):
    with pytest.raises(CodecError, match=words):
        decode_entry(raw)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (Put(b"k" * 65_536, b""), "Put"),
        (LeaseGrant(1 << 63), "LeaseGrant"),
        (MemberDisk(Member("\ud800", 1)), "MemberDisk"),
        (MemberDisk(Member("n", 1, command_version=-1)), "MemberDisk"),
        (Resolve(KeyIdentity(b"k" * 256)), "Resolve"),
        (Txn(Clause(b"k", Target.JSON, Operator.EQ, ("\ud800",)), ()), "Txn"),
    ],
)
def test_a_command_that_does_not_fit_is_refused(command, name):
    with pytest.raises(CodecError, match=f"{name} does not fit its encoding"):
        encode_command(command)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (Txn(levels(65), ()), "a condition of more than 64 levels does not fit"),
        (Request(Delete(b"k"), levels(10_000)), "a condition of more than 64 levels does not fit"),
        (Txn(None, (Txn(None, (TXN,)),)), "a transaction is nested more than once"),
        (Txn(Clause(b"k", Target.JSON, Operator.EQ, (inf,)), ()), "inf is no number"),
        (Update(b"k", (Action(ActionKind.ADD, True),)), "an action has no operand like True"),
    ],
)
def test_a_command_that_could_not_be_decoded_is_not_encoded(command, words):
    with pytest.raises(CodecError, match=words):
        encode_command(command)


def test_a_condition_of_as_many_levels_as_can_be_read_returns():
    command = Request(Delete(b"k"), levels(64))
    assert decode_command(encode_command(command)) == command


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (Replayed(Replayed(MarkerResult(1, 2), 1), 1), "a kept answer is of no kept answer"),
        (Replayed(AttachResult(1), 1), "AttachResult cannot be kept"),
        (Resolved(AcquireResult(1, Standing.QUEUED)), "AcquireResult cannot be kept"),
        (TxnResult(None, (TxnResult(None, (TxnResult(None, ()),)),)), "nested more than once"),
    ],
)
def test_a_result_that_could_not_be_decoded_is_not_encoded(result, words):
    with pytest.raises(CodecError, match=words):
        encode_result(result)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "result: cut off"),
        (changed(encode_result(MarkerResult(1, 2)), 0, 99), "result type 99 version 2 is unknown"),
        (changed(encode_result(MarkerResult(1, 2)), 1, 3), "result type 7 version 3 is unknown"),
        (encode_result(MarkerResult(1, 2)) + b"!", "1 bytes behind the end"),
        (encode_result(PutResult(ENTRY))[:-1] + b"\2", "2 where 0 or 1 must stand"),
        (changed(encode_result(Refused(Reason.INVALID, "")), 3, 88), "unknown reason 'XNVALID'"),
        (changed(encode_result(MemberResult(1, "n", 2)), 19, 0xFF), "is not UTF-8"),
        (changed(encode_result(PutResult(ENTRY)), 42, 2), "2 where 0 or 1 must stand"),
        (changed(encode_result(Replayed(MarkerResult(1, 2), 3)), 11, 14), "type 14 cannot be kept"),
        (b"\x0f\2" + bytes(10), "nothing was replayed"),
        (changed(GRANTED, 2, 4), "4 is not a valid Standing"),
        (changed(GRANTED, 3, 6), "6 is not a valid Ending"),
        (changed(encode_result(ReleaseResult(True)), 2, 2), "2 where 0 or 1 must stand"),
        (changed(encode_result(Replayed(MarkerResult(1, 2), 3)), 11, 18), "type 18 cannot be kept"),
        (changed(encode_result(TxnResult(None, (GetResult(None),))), 5, 3), "type 3 cannot stand"),
        (b"\x0a\2" + b"\0\1\0\x0a" * 100_000, "type 10 cannot stand in a transaction here"),
    ],
)
def test_a_malformed_result_is_refused(raw, words):
    with pytest.raises(CodecError, match=words):
        decode_result(raw)


@pytest.mark.parametrize("encode", [encode_command, encode_result])
def test_a_value_of_no_known_type_is_a_bug_and_raises(encode):
    with pytest.raises(AssertionError):
        encode("put")


def test_a_result_that_does_not_fit_is_refused():
    with pytest.raises(CodecError, match="MarkerResult does not fit its encoding"):
        encode_result(MarkerResult(1 << 63, 0))
