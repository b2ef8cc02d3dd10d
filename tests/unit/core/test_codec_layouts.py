"""The bytes of every command and result: what is on disk outlives the code.

A literal here may only ever be joined by another version's.
"""

import pytest

from kvraft.core.actions import Action, ActionKind
from kvraft.core.codec import decode_command, decode_result, encode_command, encode_result
from kvraft.core.commands import (
    Acquire,
    Attach,
    CompareAndSet,
    Confirm,
    Delete,
    DeleteRange,
    Expect,
    Fence,
    Get,
    GetRange,
    GuardPrefix,
    HashMarker,
    KeyIdentity,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    LockMode,
    Member,
    MemberDisk,
    Put,
    Release,
    Request,
    Resolve,
    SessionClose,
    SessionIdentity,
    SessionOpen,
    SetInvariant,
    Txn,
    Update,
)
from kvraft.core.conditions import All, AnyOf, Clause, Not, Operator, Target
from kvraft.core.errors import Reason
from kvraft.core.results import (
    AcquireResult,
    AttachResult,
    CasResult,
    DeleteResult,
    Ending,
    GetResult,
    GuardResult,
    InvariantResult,
    KeyValue,
    LeaseResult,
    MarkerResult,
    MemberResult,
    Page,
    PutResult,
    Refused,
    ReleaseResult,
    Replayed,
    Resolved,
    RevokeResult,
    SessionResult,
    Standing,
    TxnResult,
    Unmet,
    UpdateResult,
)

CLAUSE = Clause(b"k", Target.NUMBER, Operator.GT, (500,))
ANY_LITERAL = (None, True, False, 1.5, "é", b"b")
ENTRY = KeyValue(b"k", b"v", 2, 3, 2, 0)
OMITTED = KeyValue(b"k", b"", 2, 3, 2, 0, value_omitted=True)

Q = "{:02x}00000000000000".format  # a small int64
ENTRY_HEX = "01006b" + "0100000076" + Q(2) + Q(3) + Q(2) + Q(0) + "00"
OMITTED_HEX = "01006b" + "00000000" + Q(2) + Q(3) + Q(2) + Q(0) + "01"
CLAUSE_HEX = "010705" + "01006b" + "0000" + "01000000" + "03f401000000000000"


@pytest.mark.parametrize(
    ("command", "kind", "body"),
    [
        (
            Put(b"key", b"value", lease_id=5, return_previous=True),
            "01",
            "09" + Q(5) + Q(0) + "03006b6579" + "76616c7565",  # options, lease, ttl, key, value
        ),
        (
            CompareAndSet(b"k", b"v", Expect(version=3, value=b"o")),
            "02",
            "00" + Q(0) + Q(0) + "01006b" + "06" + Q(3) + Q(0) + Q(0) + "010000006f" + "76",
        ),
        (Delete(b"k"), "03", "006b"),
        (DeleteRange(b"a", b"b"), "04", "01" + "010061" + "62"),
        (LeaseGrant(9, 5), "05", "01" + Q(5) + Q(9)),
        (LeaseKeepAlive(5), "06", Q(5)),
        (LeaseRevoke(5), "07", Q(5)),
        (MemberDisk(Member("n", 7)), "09", "016e" + Q(7) + "0200"),
        (HashMarker(3), "0a", Q(3)),
        (
            Update(
                b"k",
                (Action(ActionKind.ADD, -75), Action(ActionKind.JSON_SET, b"1", "/p")),
                ttl_ms=9,
            ),
            "0b",
            "02" + Q(0) + Q(9) + "01006b" + "0200"  # two actions: kind, pointer, operand
            "03" + "0000" + "03b5ffffffffffffff" + "08" + "02002f70" + "060100000031",
        ),
        (
            Txn(
                CLAUSE,
                (Get(b"g"), Put(b"p", b"")),
                (GetRange(b"a", b"b", 7, keys_only=True), Txn(None, (Delete(b"d"),))),
            ),
            "0c",
            CLAUSE_HEX + "0200"  # then: two operations, each type, length, body
            "12" + "01000000" + "67"
            "01" + "14000000" + "00" + Q(0) + Q(0) + "010070" + "0200"  # otherwise: two
            "13" + "0d000000" + "03" + Q(7) + "010061" + "62"
            "0c" + "0c000000" + "00" + "0100" + "03" + "02000000" + "0064" + "0000",
        ),
        (SetInvariant(b"k", True, minimum=0, immutable=True), "0d", "0b" + Q(0) + Q(0) + "6b"),
        (SessionOpen(), "0e", ""),
        (SessionClose(5), "0f", Q(5)),
        (Resolve(KeyIdentity(b"id")), "10", "02" + "026964"),
        (
            Request(Delete(b"k"), CLAUSE, SessionIdentity(5, 6, 4)),
            "11",
            "01" + Q(5) + Q(6) + Q(4) + CLAUSE_HEX + "00" + "03" + "006b",
        ),
        (
            Request(Delete(b"k"), fences=(Fence(b"x", 7), Fence(b"yy", 8))),
            "11",
            "00" + "00" + "02" + "010078" + Q(7) + "02007979" + Q(8) + "03" + "006b",
        ),
        (
            Request(
                Delete(b"k"),
                All(
                    (
                        Not(Clause(b"j", Target.JSON, Operator.IN, ANY_LITERAL, "/p")),
                        AnyOf((CLAUSE,)),
                    )
                ),
            ),
            "11",
            "00" + "020200"  # nobody asks; all of two: not a clause with six operands, any of one
            "04" + "010807" + "01006a" + "02002f70" + "06000000"
            "00" + "02" + "01" + "04000000000000f83f" + "0502000000c3a9" + "060100000062"
            "030100" + CLAUSE_HEX + "00" + "03" + "006b",
        ),
        (
            Acquire(b"k", (b"x", b"yy"), ttl_ms=9, owner=b"o", wait_ms=0),
            "14",  # options, mode, five numbers, key, owner, names
            "06" + "01" + Q(1) + Q(0) + Q(9) + Q(0) + Q(0) + "016b" + "016f" + "0200"
            "010078" + "02007979",
        ),
        (
            Acquire(b"k", (b"x",), LockMode.COUNTED, 3, lease_id=5, max_hold_ms=7),
            "14",
            "09" + "03" + Q(3) + Q(5) + Q(0) + Q(0) + Q(7) + "016b" + "00" + "0100" + "010078",
        ),
        (Attach((7, 8)), "15", "02000000" + Q(7) + Q(8)),
        (Confirm(b"k"), "16", "6b"),
        (Release(key=b"k", end_lease=True), "17", "05" + "016b"),
        (Release(key=b"k", unless_confirmed=True), "17", "09" + "016b"),
        (Release(fence=Fence(b"x", 7)), "17", "02" + "010078" + Q(7)),
        (GuardPrefix(b"p", lock=b"x"), "18", "01" + "010070" + "78"),
        (GuardPrefix(b"p", per_key=True), "18", "02" + "010070"),
        (GuardPrefix(b""), "18", "00" + "0000"),
    ],
)
def test_the_layout_of_a_command_stays(command, kind, body):
    raw = encode_command(command)
    size = (len(body) // 2).to_bytes(4, "little").hex()
    assert raw.hex() == kind + "02" + "00" + size + body  # type, version, flags, length
    assert decode_command(raw) == command


@pytest.mark.parametrize(
    ("result", "kind", "body"),
    [
        (PutResult(ENTRY, OMITTED), "01", ENTRY_HEX + "01" + OMITTED_HEX),
        (DeleteResult(2), "02", Q(2) + "00"),
        (CasResult(True, ENTRY), "03", "01" + "01" + ENTRY_HEX),
        (LeaseResult(5, 6, 7), "04", Q(5) + Q(6) + Q(7)),
        (RevokeResult(5, 2), "05", Q(5) + Q(2)),
        (MemberResult(1, "n", 2), "06", Q(1) + Q(2) + "016e"),
        (MarkerResult(3, 4), "07", Q(3) + Q(4)),
        (Refused(Reason.INVALID, "no"), "08", "07494e56414c4944" + "020000006e6f"),
        (UpdateResult(ENTRY, None), "09", "01" + ENTRY_HEX + "00"),
        (
            TxnResult(
                Unmet(1, (0, 2), (ENTRY,)),
                (GetResult(None), Page((ENTRY,), True), TxnResult(None, (DeleteResult(1),))),
            ),
            "0a",
            "01"
            "01000000"
            "02000000"
            "00000000"
            "02000000"
            "01000000"
            + ENTRY_HEX
            # three results, each type and body
            + "0300"
            + "1000"
            + "1101"
            + "01000000"
            + ENTRY_HEX
            + "0a00"
            + "010002"
            + Q(1)
            + "00",
        ),
        (Unmet(1, (0,), ()), "0b", "01000000" + "01000000" + "00000000" + "00000000"),
        (InvariantResult(b"k", True), "0c", "01" + "01006b"),
        (SessionResult(5), "0d", Q(5)),
        (Resolved(None), "0e", Q(0) + "00" + "00"),
        (Resolved(SessionResult(5), 7, True), "0e", Q(7) + "01" + "0d" + Q(5)),
        (Replayed(DeleteResult(1), 7), "0f", Q(7) + "00" + "02" + Q(1) + "00"),
        (Replayed(DeleteResult(1), 7, True), "0f", Q(7) + "01" + "02" + Q(1) + "00"),
        (
            AcquireResult(3, Standing.GRANTED, 5, (Fence(b"x", 7),)),
            "12",  # standing, ending, three numbers, fences, holders
            "02" + "00" + Q(3) + Q(5) + Q(0) + "01" + "010078" + Q(7) + "00",
        ),
        (
            AcquireResult(3, Standing.QUEUED, 5, position=2, holders=(7, 8)),
            "12",
            "01" + "00" + Q(3) + Q(5) + Q(2) + "00" + "02" + Q(7) + Q(8),
        ),
        (
            AcquireResult(3, Standing.ENDED, ending=Ending.UNATTENDED),
            "12",
            "03" + "03" + Q(3) + Q(0) + Q(0) + "00" + "00",
        ),
        (ReleaseResult(True), "13", "01"),
        (AttachResult(2), "14", Q(2)),
        (GuardResult(b"p"), "15", "010070"),
        (Replayed(ReleaseResult(True), 7), "0f", Q(7) + "00" + "13" + "01"),
    ],
)
def test_the_layout_of_a_result_stays(result, kind, body):
    raw = encode_result(result)
    assert raw.hex() == kind + "02" + body  # type, version
    assert decode_result(raw) == result
