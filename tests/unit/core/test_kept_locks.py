"""Answers about locks and guards that are kept for whoever asks again."""

import pytest
from core_states import apply, asked, bootstrapped, encoding, loaded

from kvraft.core.codec import decode_command, decode_result, encode_command, encode_result
from kvraft.core.command_codec import request_hash
from kvraft.core.commands import (
    Acquire,
    Fence,
    GuardPrefix,
    KeyIdentity,
    LeaseGrant,
    Put,
    Release,
    Request,
)
from kvraft.core.errors import Reason
from kvraft.core.outline import outline, restored
from kvraft.core.results import GuardResult, Refused, ReleaseResult, Replayed

ID = KeyIdentity(b"id")
PUT = Put(b"k", b"v")
LEAST = 2_048 + 400  # of `outcome_reply_bytes`: one key and 400 bytes


def holding():
    """A machine on which the tokens 1 and 2 are held."""
    machine = bootstrapped()
    apply(machine, LeaseGrant(5_000, lease_id=5), Acquire(b"a", (b"x", b"y"), lease_id=5), at=1)
    return machine


def test_a_release_is_done_once():
    machine = holding()
    assert apply(machine, asked(Release(key=b"a"), ID)) == ReleaseResult(True)
    revision = machine.revision
    again = loaded(encoding(machine))
    for one in (machine, again):
        assert apply(one, asked(Release(key=b"a"), ID)) == Replayed(ReleaseResult(True), revision)
        assert apply(one, Release(key=b"a")) == ReleaseResult(False)
        assert one.revision == revision


def test_a_guard_is_set_once():
    machine = holding()
    command = asked(GuardPrefix(b"p", lock=b"x"), ID)
    assert apply(machine, command) == GuardResult(b"p")
    assert apply(machine, GuardPrefix(b"p")) == GuardResult(b"p")
    assert apply(loaded(encoding(machine)), command).result == GuardResult(b"p")
    assert apply(machine, command).result == GuardResult(b"p")
    assert machine.guards() == ()


def test_other_fences_are_another_request():
    machine = holding()
    first = Request(PUT, identity=ID, fences=(Fence(b"x", 1),))
    assert apply(machine, first).entry.key == b"k"
    for fences in ((), (Fence(b"y", 2),), (Fence(b"x", 1), Fence(b"y", 2))):
        refused = apply(machine, Request(PUT, identity=ID, fences=fences))
        assert refused.reason == Reason.KEY_REUSED
    assert isinstance(apply(machine, first), Replayed)


def test_a_stale_fence_is_kept_like_any_refusal():
    machine = holding()
    command = Request(PUT, identity=ID, fences=(Fence(b"x", 9),))
    refused = apply(machine, command)
    assert refused.reason == Reason.STALE_FENCE
    assert apply(loaded(encoding(machine)), command).result == refused


def test_a_hash_covers_every_fence():
    lists = [(), (Fence(b"x", 1),), (Fence(b"x", 2),), (Fence(b"y", 1),), (Fence(b"x", 1),) * 2]
    digests = {request_hash(PUT, None, fences) for fences in lists}
    assert len(digests) == len(lists)
    for fences in lists:
        command = decode_command(encode_command(Request(PUT, None, ID, fences)))
        assert command.digest == request_hash(PUT, None, fences)


@pytest.mark.parametrize("kept", [ReleaseResult(True), GuardResult(b"p" * 2_048)])
def test_a_kept_answer_fits_whole(kept):
    assert outline(kept, LEAST) == kept
    assert restored(decode_result(encode_result(kept))) == kept


def test_a_long_refusal_is_cut():
    kept = outline(Refused(Reason.STALE_FENCE, "x" * 9_000), LEAST)
    assert kept.reason == Reason.STALE_FENCE
    assert len(encode_result(kept)) == LEAST
