"""What the encodings refuse, and with which words; that they return is a property test's matter."""

import pytest

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
    CompareAndSet,
    Delete,
    Entry,
    Expect,
    HashMarker,
    LeaseGrant,
    Member,
    MemberDisk,
    Put,
)
from kvraft.core.errors import CodecError, Reason, UnknownCommandError
from kvraft.core.results import KeyValue, MarkerResult, MemberResult, PutResult, Refused

ENTRY = KeyValue(b"k", b"v", 2, 3, 2, 0)


def changed(raw, offset, byte):
    return raw[:offset] + bytes([byte]) + raw[offset + 1 :]


def test_the_layout_of_a_put_stays():
    """Bytes on disk outlive the code: this literal may only ever be joined by another version's."""
    raw = encode_command(Put(b"key", b"value", lease_id=5, return_previous=True))
    assert raw.hex() == (
        "010100"  # type, version, flags
        "1b000000"  # body length
        "0905000000000000000000000000000000"  # options, lease id, ttl
        "03006b6579"  # key
        "76616c7565"  # value
    )


def test_the_layout_of_an_entry_stays():
    raw = encode_entry(Entry(7, (Delete(b"k"),)))
    assert raw.hex() == "0101" + "0700000000000000" + "01000000" + "030100" + "02000000" + "006b"


def test_an_entry_is_assembled_of_encoded_commands():
    commands = (Put(b"a", b"1"), HashMarker(3))
    frames = [encode_command(command) for command in commands]
    assert assemble_entry(9, frames) == encode_entry(Entry(9, commands))


@pytest.mark.parametrize(
    ("offset", "byte", "needed"),
    [
        (0, 42, "type 42 version 1 flags 0x00 needs command version 2"),
        (1, 9, "version 9 flags 0x00 needs command version 9"),
        (2, 4, "flags 0x04 needs command version 2"),
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
        (changed(encode_command(Delete(b"k")), 1, 0), "type 3 has version 0"),
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
    ],
)
def test_a_command_that_does_not_fit_is_refused(command, name):
    with pytest.raises(CodecError, match=f"{name} does not fit its encoding"):
        encode_command(command)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "result: cut off"),
        (changed(encode_result(MarkerResult(1, 2)), 0, 99), "result type 99 version 1 is unknown"),
        (changed(encode_result(MarkerResult(1, 2)), 1, 2), "result type 7 version 2 is unknown"),
        (encode_result(MarkerResult(1, 2)) + b"!", "1 bytes behind the end"),
        (encode_result(PutResult(ENTRY))[:-1] + b"\2", "2 where 0 or 1 must stand"),
        (changed(encode_result(Refused(Reason.INVALID, "")), 3, 88), "unknown reason 'XNVALID'"),
        (changed(encode_result(MemberResult(1, "n", 2)), 19, 0xFF), "is not UTF-8"),
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
