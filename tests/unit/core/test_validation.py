"""What is refused before it is proposed: the answer names the limit and the actual size."""

import re
from dataclasses import replace

import pytest

from kvraft.core.codec import decode_command, encode_command
from kvraft.core.commands import (
    Bootstrap,
    CompareAndSet,
    Delete,
    DeleteRange,
    Expect,
    HashMarker,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Member,
    MemberDisk,
    Put,
)
from kvraft.core.errors import Reason
from kvraft.core.limits import ApplyLimits, RequestLimits
from kvraft.core.validation import validate

LIMITS = RequestLimits(key_bytes=4, value_bytes=8, request_bytes=14, lease_id_max=99)
INT64_MAX = (1 << 63) - 1
EMPTY = Expect()
ABSENT = Expect(absent=True)
MEMBERS = (Member("n1", 1), Member("n2", 2))

ACCEPTED = [
    Put(b"kkkk", b"vvvvvvvv"),
    Put(b"k", b"v", lease_id=1),
    Put(b"k", b"", ttl_ms=1_000),
    Put(b"k", b"v", keep_lease=True),
    CompareAndSet(b"k", b"v", ABSENT),
    CompareAndSet(b"k", b"v", Expect(value=b"")),
    CompareAndSet(b"k", b"v", Expect(version=1, mod_revision=INT64_MAX, create_revision=0)),
    Delete(b"k"),
    DeleteRange(b"", None),
    DeleteRange(b"a", b"b"),
    LeaseGrant(1_000),
    LeaseGrant(1_000, lease_id=99),
    LeaseKeepAlive(1),
    LeaseRevoke(99),
    Bootstrap(INT64_MAX, MEMBERS, ApplyLimits()),
    MemberDisk(Member("n" * 255, INT64_MAX)),
    HashMarker(-5),
]

REFUSED = [
    (Put(b"", b"v"), "INVALID", "empty key"),
    (Put(b"kkkkk", b""), "TOO_LARGE", "key is 5 bytes, the limit key_bytes is 4"),
    (Put(b"k", b"v" * 9), "TOO_LARGE", "value is 9 bytes, the limit value_bytes is 8"),
    (Put(b"k", b"", 1, 1_000), "INVALID", "at most one of lease_id, ttl_ms and keep_lease"),
    (Put(b"k", b"", 1, keep_lease=True), "INVALID", "at most one of"),
    (Put(b"k", b"", lease_id=0), "INVALID", "lease_id is 0, it must be 1 to 99"),
    (Put(b"k", b"", lease_id=100), "INVALID", "lease_id is 100, it must be 1 to 99"),
    (Put(b"k", b"", ttl_ms=1 << 63), "INVALID", "ttl_ms is 9223372036854775808"),
    (CompareAndSet(b"k", b"", EMPTY), "INVALID", "expect is empty"),
    (CompareAndSet(b"k", b"", replace(ABSENT, version=1)), "INVALID", "absent and something"),
    (CompareAndSet(b"", b"", ABSENT), "INVALID", "empty key"),
    (
        CompareAndSet(b"k", b"", Expect(value=b"v" * 9)),
        "TOO_LARGE",
        "expected value is 9 bytes, the limit value_bytes is 8",
    ),
    (
        CompareAndSet(b"kkkk", b"v" * 8, Expect(value=b"vvv")),
        "TOO_LARGE",
        "request is 15 bytes, the limit request_bytes is 14",
    ),
    (CompareAndSet(b"k", b"", Expect(version=1 << 63)), "INVALID", "expected version"),
    (CompareAndSet(b"k", b"", Expect(mod_revision=1 << 63)), "INVALID", "expected mod_revision"),
    (CompareAndSet(b"k", b"", Expect(create_revision=1 << 63)), "INVALID", "create_revision"),
    (Delete(b""), "INVALID", "empty key"),
    (DeleteRange(b"b", b"b"), "INVALID", "the range is empty: start b'b' >= end b'b'"),
    (DeleteRange(b"kkkkk", None), "TOO_LARGE", "range start is 5 bytes"),
    (DeleteRange(b"", b"kkkkk"), "TOO_LARGE", "range end is 5 bytes"),
    (LeaseGrant(1 << 63), "INVALID", "ttl_ms is 9223372036854775808, which is no int64"),
    (LeaseGrant(1_000, lease_id=-1), "INVALID", "lease_id is -1"),
    (LeaseKeepAlive(0), "INVALID", "lease_id is 0"),
    (LeaseRevoke(100), "INVALID", "lease_id is 100"),
    (Bootstrap(0, MEMBERS, ApplyLimits()), "INVALID", "cluster_id is 0"),
    (Bootstrap(1 << 63, MEMBERS, ApplyLimits()), "INVALID", "cluster_id is 9223372036854775808"),
    (Bootstrap(1, (), ApplyLimits()), "INVALID", r"members must be named, each once: \[\]"),
    (Bootstrap(1, MEMBERS * 2, ApplyLimits()), "INVALID", "each once"),
    (
        Bootstrap(1, tuple(Member(f"n{i}", 1) for i in range(256)), ApplyLimits()),
        "INVALID",
        "each once",
    ),
    (Bootstrap(1, MEMBERS, ApplyLimits(leases=0)), "INVALID", "not a positive int64"),
    (Bootstrap(1, (Member("", 1),), ApplyLimits()), "INVALID", "the name '' is not 1 to 255 bytes"),
    (MemberDisk(Member("é" * 128, 1)), "INVALID", "is not 1 to 255 bytes"),
    (MemberDisk(Member("\ud800", 1)), "INVALID", "is not 1 to 255 bytes of UTF-8"),
    (MemberDisk(Member("n\ud800", 1)), "INVALID", "is not 1 to 255 bytes of UTF-8"),
    (MemberDisk(Member("n1", 1 << 63)), "INVALID", "disk_id"),
    (MemberDisk(Member("n1", 1, command_version=65_536)), "INVALID", "command_version"),
    (HashMarker(1 << 63), "INVALID", "nonce"),
]


@pytest.mark.parametrize("command", ACCEPTED, ids=repr)
def test_accepted(command):
    assert validate(command, LIMITS) is None


@pytest.mark.parametrize(("command", "reason", "words"), REFUSED)
def test_refused_with_the_reason_and_the_size(command, reason, words):
    refused = validate(command, LIMITS)
    assert refused is not None
    assert refused.reason is Reason(reason)
    assert re.search(words, refused.message)


def test_a_command_of_no_known_type_is_a_bug_and_raises():
    with pytest.raises(AssertionError):
        validate("put", LIMITS)


@pytest.mark.parametrize("command", ACCEPTED, ids=repr)
def test_what_is_accepted_can_be_encoded(command):
    assert decode_command(encode_command(command)) == command
