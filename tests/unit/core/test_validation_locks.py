"""What may be asked about locks, fences and guards: each refusal names the limit and the actual."""

import re

import pytest

from kvraft.core.commands import (
    Acquire,
    Attach,
    Confirm,
    Delete,
    Fence,
    GuardPrefix,
    KeyIdentity,
    LockMode,
    Put,
    Release,
    Request,
    Txn,
)
from kvraft.core.conditions import Clause, Operator, Target
from kvraft.core.errors import Reason
from kvraft.core.limits import RequestLimits
from kvraft.core.validation import validate

LIMITS = RequestLimits()
BIG = 1 << 63
SHARED, COUNTED = LockMode.SHARED, LockMode.COUNTED
FENCE = Fence(b"x", 7)
PUT = Put(b"k", b"v")
KEY = KeyIdentity(b"id")
NAMES = tuple(b"%03d" % number for number in range(65))
FENCES = tuple(Fence(name, 1) for name in NAMES)


def acquire(*names, key=b"k", mode=LockMode.EXCLUSIVE, capacity=1, **given):
    return Acquire(key, names or (b"x",), mode, capacity, **({"ttl_ms": 1_000} | given))


def when(operator, *operands, lock=b"x", pointer=""):
    return Request(PUT, Clause(lock, Target.FENCE, operator, operands, pointer))


@pytest.mark.parametrize(
    "command",
    [
        acquire(),
        acquire(*NAMES[:64], key=b"k" * 64, owner=b"o" * 64, wait_ms=0, max_hold_ms=1),
        acquire(b"x" * 512, wait_ms=BIG - 1, max_hold_ms=BIG - 1),
        acquire(mode=SHARED, ttl_ms=None, lease_id=5),
        acquire(mode=COUNTED, capacity=1_000),
        acquire(mode=COUNTED),
        Attach((1, BIG - 1)),
        Attach((7,) * 1_000),
        Confirm(b"k" * 64),
        Release(key=b"k", end_lease=True),
        Release(fence=FENCE),
        GuardPrefix(b"", lock=b"x"),
        GuardPrefix(b"p" * 2_048, per_key=True),
        GuardPrefix(b"p"),
        Request(PUT, fences=FENCES[:64]),
        Request(Release(b"k"), identity=KEY, fences=(FENCE,)),
        Request(GuardPrefix(b"p"), identity=KEY),
        Request(Txn(None, (PUT,)), fences=(FENCE,)),
        when(Operator.EQ, 7),
        when(Operator.NE, 7, lock=b"x" * 512),
    ],
)
def test_what_fits_is_accepted(command):
    assert validate(command, LIMITS) is None


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (acquire(key=b""), "the acquisition key is 0 bytes, it must be 1 to acquisition_key_bytes"),
        (acquire(key=b"k" * 65), "the acquisition key is 65 bytes, .* acquisition_key_bytes, 64"),
        (Acquire(b"k", (), ttl_ms=9), "takes 1 to acquired_locks, 64, names, not 0"),
        (acquire(*NAMES), "takes 1 to acquired_locks, 64, names, not 65"),
        (acquire(b""), r"names\[0\]: empty lock name"),
        (acquire(b"y", b"x"), r"names\[1\]: b'x' stands behind b'y'; names must be sorted"),
        (acquire(b"x", b"x"), r"names\[1\]: b'x' stands behind b'x'; names must be sorted"),
        (acquire(b"x", b"y", mode=SHARED), "2 names with the mode SHARED: .* as EXCLUSIVE"),
        (acquire(b"x", b"y", mode=COUNTED), "2 names with the mode COUNTED"),
        (acquire(capacity=2), "capacity is 2, with the mode EXCLUSIVE it must be 1"),
        (acquire(mode=SHARED, capacity=0), "capacity is 0, with the mode SHARED it must be 1"),
        (acquire(mode=COUNTED, capacity=0), "capacity is 0, it must be 1 to lock_capacity, 1000"),
        (acquire(mode=COUNTED, capacity=1_001), "capacity is 1001, it must be 1 to lock_capacity"),
        (acquire(ttl_ms=None), "exactly one of lease_id and ttl_ms must be set, not neither"),
        (acquire(lease_id=5), "must be set, not lease_id 5 and ttl_ms 1000"),
        (acquire(ttl_ms=None, lease_id=0), "lease_id is 0, it must be 1 to"),
        (acquire(ttl_ms=BIG), f"ttl_ms is {BIG}, which is no int64"),
        (acquire(wait_ms=-1), "wait_ms is -1, it must be 0 or a positive int64"),
        (acquire(wait_ms=BIG), f"wait_ms is {BIG}, it must be 0 or a positive int64"),
        (acquire(max_hold_ms=0), "max_hold_ms is 0, it must be a positive int64"),
        (acquire(max_hold_ms=BIG), f"max_hold_ms is {BIG}, it must be a positive int64"),
        (Attach(()), "an attach is for 1 to attached_places, 1000, places, not 0"),
        (Attach((7,) * 1_001), "an attach is for 1 to attached_places, 1000, places, not 1001"),
        (Attach((1, 0)), "a place is 0, it must be a positive int64"),
        (Attach((BIG,)), f"a place is {BIG}, it must be a positive int64"),
        (Confirm(b""), "the acquisition key is 0 bytes"),
        (Release(), "by exactly one of key and fence, not by neither"),
        (Release(b"k", FENCE), "by exactly one of key and fence, not by both"),
        (Release(b"k" * 65), "the acquisition key is 65 bytes"),
        (Release(fence=Fence(b"x", 0)), "token is 0, it must be a positive int64"),
        (Release(fence=Fence(b"", 1)), "empty lock name"),
        (GuardPrefix(b"p", b"x", per_key=True), "names lock b'x' and per_key, at most one"),
        (GuardPrefix(b"p", b""), "empty lock name"),
        (Request(PUT), "without condition, identity and fences is its mutation alone"),
        (Request(PUT, fences=FENCES), "65 fences are given, the limit fences is 64"),
        (Request(PUT, fences=(FENCE, Fence(b"y", -1))), r"fences\[1\]: token is -1"),
        (Request(PUT, fences=(FENCE, Fence(b"x", 8))), r"fences\[1\]: lock b'x' .* fences\[0\]"),
        (Request(PUT, fences=(Fence(b"", 1),)), r"fences\[0\]: empty lock name"),
        (
            Request(Release(b"k"), Clause(b"a", Target.EXISTS, Operator.EQ, (True,))),
            "Release takes no condition around it",
        ),
        (
            Request(GuardPrefix(b"p"), Clause(b"a", Target.EXISTS, Operator.EQ, (True,))),
            "GuardPrefix takes no condition around it",
        ),
        (Request(Release(), identity=KEY), "by exactly one of key and fence"),
        (when(Operator.GT, 7), "the target FENCE cannot be compared by GT with an operand"),
        (when(Operator.IN, 7, 8), "the target FENCE cannot be compared by IN"),
        (when(Operator.EQ, True), "the target FENCE cannot be compared by EQ .* type bool"),
        (when(Operator.EQ, b"7"), "the target FENCE cannot be compared by EQ .* type bytes"),
        (when(Operator.EQ, 7, 8), "EQ takes 1 operand, not 2"),
        (when(Operator.EQ, 7, pointer="/p"), "the target FENCE takes no JSON pointer"),
        (when(Operator.EQ, 7, lock=b""), "clause 0: empty lock name"),
        (when(Operator.EQ, BIG), "which is no int64"),
    ],
)
def test_what_does_not_fit_is_refused(command, words):
    refused = validate(command, LIMITS)
    assert refused.reason == Reason.INVALID
    assert re.search(words, refused.message), refused


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (acquire(b"a", b"x" * 513), r"names\[1\]: lock name is 513 bytes, .* lock_name_bytes is"),
        (acquire(owner=b"o" * 65), "owner is 65 bytes, the limit owner_bytes is 64"),
        (GuardPrefix(b"p" * 2_049), "prefix is 2049 bytes, the limit key_bytes is 2048"),
        (GuardPrefix(b"p", b"x" * 513), "lock name is 513 bytes, the limit lock_name_bytes is 512"),
        (Request(PUT, fences=(Fence(b"x" * 513, 1),)), r"fences\[0\]: lock name is 513 bytes"),
        (when(Operator.EQ, 7, lock=b"x" * 513), "lock name is 513 bytes"),
    ],
)
def test_what_is_too_large_is_refused(command, words):
    refused = validate(command, LIMITS)
    assert refused.reason == Reason.TOO_LARGE
    assert re.search(words, refused.message), refused


@pytest.mark.parametrize(
    ("command", "size"),
    [
        (acquire(b"x", b"yy", key=b"key", owner=b"o"), 7),
        (Attach((1, 2)), 16),
        (Confirm(b"key"), 3),
        (Release(b"key"), 3),
        (Release(fence=FENCE), 9),
        (GuardPrefix(b"pp", b"x"), 3),
        (Request(Delete(b"kk"), fences=(FENCE, Fence(b"yy", 1))), 21),
    ],
)
def test_the_bytes_of_a_request_are_limited(command, size):
    assert validate(command, RequestLimits(request_bytes=size)) is None
    refused = validate(command, RequestLimits(request_bytes=size - 1))
    assert refused.reason == Reason.TOO_LARGE
    assert refused.message == f"request is {size} bytes, the limit request_bytes is {size - 1}"
