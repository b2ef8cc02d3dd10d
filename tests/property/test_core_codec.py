"""Encodings of commands, entries and results: they return, they are canonical, they never raise
anything but CodecError."""

import pytest
from core_strategies import (
    any_command,
    any_condition,
    any_entry,
    any_fences,
    any_identity,
    any_mutation,
    any_result,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kvraft.core.codec import (
    decode_command,
    decode_entry,
    decode_result,
    encode_command,
    encode_entry,
    encode_known,
    encode_result,
)
from kvraft.core.command_codec import request_hash
from kvraft.core.commands import Request
from kvraft.core.errors import CodecError

DECODERS = {
    decode_command: encode_command,
    decode_entry: encode_entry,
    decode_result: encode_result,
}


def decodes_canonically_or_refuses(decode, raw):
    try:
        decoded = decode(raw)
    except CodecError:
        return
    assert DECODERS[decode](decoded) == raw


@settings(deadline=None)
@given(any_command)
def test_a_command_returns(command):
    returned = decode_command(encode_command(command))
    assert returned == command
    assert repr(returned) == repr(command)  # 1 == 1.0 == True, but a literal has a type


@settings(deadline=None)
@given(any_command)
def test_what_is_applied_without_decoding_is_what_decoding_gives(command):
    encoded, known = encode_known(command)
    returned = decode_command(encoded)
    assert encoded == encode_command(command)
    assert (returned, repr(returned)) == (known, repr(known))
    assert getattr(returned, "digest", None) == getattr(known, "digest", None)


@settings(deadline=None)
@given(
    any_mutation,
    st.none() | any_condition,
    any_fences,
    st.lists(any_identity, min_size=2, max_size=2),
)
def test_a_request_has_one_hash_whoever_asks(mutation, condition, fences, identities):
    requests = [Request(mutation, condition, identity, fences) for identity in identities]
    digests = {decode_command(encode_command(request)).digest for request in requests}
    assert digests == {request_hash(mutation, condition, fences)}


@settings(deadline=None)
@given(*[st.tuples(any_mutation, st.none() | any_condition, any_fences)] * 2)
def test_two_requests_have_two_hashes(one, other):
    same = repr(one) == repr(other)
    assert (request_hash(*one) == request_hash(*other)) == same


@settings(deadline=None)
@given(any_entry)
def test_an_entry_returns(entry):
    assert decode_entry(encode_entry(entry)) == entry


@settings(deadline=None)
@given(any_result)
def test_a_result_returns(result):
    returned = decode_result(encode_result(result))
    assert returned == result
    assert repr(returned) == repr(result)


@pytest.mark.parametrize("decode", DECODERS)
@settings(deadline=None)
@given(raw=st.binary(max_size=200))
@example(raw=b"\x08\x02\x00\xff\xff\xff\xff")
def test_random_bytes_are_refused_or_canonical(decode, raw):
    decodes_canonically_or_refuses(decode, raw)


@settings(deadline=None)
@given(any_entry, st.data())
def test_a_damaged_entry_is_refused_or_canonical(entry, draw):
    raw = bytearray(encode_entry(entry))
    for _ in range(draw.draw(st.integers(1, 3))):
        raw[draw.draw(st.integers(0, len(raw) - 1))] = draw.draw(st.integers(0, 255))
    decodes_canonically_or_refuses(decode_entry, bytes(raw))


@settings(deadline=None)
@given(any_result, st.data())
def test_a_damaged_result_is_refused_or_canonical(result, draw):
    raw = bytearray(encode_result(result))
    raw[draw.draw(st.integers(0, len(raw) - 1))] = draw.draw(st.integers(0, 255))
    decodes_canonically_or_refuses(decode_result, bytes(raw))


@pytest.mark.parametrize(
    ("strategy", "encode", "decode"),
    [
        (any_command, encode_command, decode_command),
        (any_entry, encode_entry, decode_entry),
        (any_result, encode_result, decode_result),
    ],
)
@settings(deadline=None)
@given(draw=st.data())
def test_every_cut_is_refused(strategy, encode, decode, draw):
    raw = encode(draw.draw(strategy))
    size = draw.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(CodecError):
        decode(raw[:size])
