"""The handshake codec: what goes through, what is refused and with which words."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvraft.consensus import hello as codec
from kvraft.consensus.hello import (
    HelloReader,
    UnknownHelloVersionError,
    encode_ack,
    encode_hello,
    encode_refused,
)
from kvraft.consensus.port import Hello, HelloRefused, ProtocolError

HELLO = Hello(
    cluster_id=2**63 - 1,
    origin=7,
    name="n1",
    disk_id=3,
    boot_id=4,
    protocol_min=1,
    protocol_max=2,
    command_version=5,
    endpoint="127.0.0.1:4379",
    rejoining=True,
    members_index=6,
)
u64, u16 = st.integers(0, 2**64 - 1), st.integers(0, 2**16 - 1)
hellos = st.builds(
    Hello,
    cluster_id=u64,
    origin=u64,
    name=st.text("abc-ä", min_size=1, max_size=32),
    disk_id=u64,
    boot_id=u64,
    protocol_min=u16,
    protocol_max=u16,
    command_version=u16,
    endpoint=st.text(max_size=100).filter(lambda t: t.isascii() and t.isprintable()),
    rejoining=st.booleans(),
    members_index=u64,
)


@given(hellos)
def test_round_trip(hello):
    assert HelloReader(answer=False).feed(encode_hello(hello)) == hello
    assert HelloReader(answer=True).feed(encode_ack(hello)) == hello


def test_every_truncation_waits_and_every_split_works():
    data = encode_hello(HELLO)
    for cut in range(len(data)):
        reader = HelloReader(answer=False)
        assert reader.feed(data[:cut]) is None
        assert reader.feed(data[cut:]) == HELLO


def test_refusal_goes_through_cut_and_printable():
    refused = HelloRefused("n2 comes with a different disk; start it with --rejoin")
    assert HelloReader(answer=True).feed(encode_refused(refused)) == refused
    long = HelloReader(answer=True).feed(encode_refused(HelloRefused("ä" * 600)))
    assert long == HelloRefused("ä" * 256)
    coloured = HelloReader(answer=True).feed(encode_refused(HelloRefused("\x1b[31mred\n")))
    assert coloured == HelloRefused("?[31mred?")


def test_unknown_version_is_told_apart_and_a_refusal_of_any_version_is_read(monkeypatch):
    monkeypatch.setattr(codec, "HELLO_VERSION", 9)
    hello, refused = encode_hello(HELLO), encode_refused(HelloRefused("too old"))
    monkeypatch.undo()
    with pytest.raises(UnknownHelloVersionError, match=r"version 9 is not spoken here, only 1"):
        HelloReader(answer=False).feed(hello)
    assert HelloReader(answer=True).feed(refused) == HelloRefused("too old")


def test_fields_of_a_later_version_are_skipped():
    body = codec._hello_body(HELLO) + b"more"
    assert HelloReader(answer=False).feed(codec._framed(1, body)) == HELLO


def body(name=b"n1", name_size=None, endpoint_size=0):
    sizes = (len(name) if name_size is None else name_size, endpoint_size)
    return codec._FIXED.pack(1, 2, 3, 4, 1, 1, 1, False, 9, *sizes) + name


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GET / HTTP/1.1\r\n", "wrong magic"),
        (b"X", "wrong magic"),
        (b"KVRX", "wrong magic"),
        (b"\x16\x03\x01", "wrong magic"),
        (encode_ack(HELLO), "kind 2"),
        (encode_refused(HelloRefused("no")), "kind 3"),
        (encode_hello(HELLO) + b"x", "bytes behind"),
        (encode_hello(HELLO)[:-1] + b"\x00", "wrong checksum"),
        (codec._framed(1, bytes(1_025)), "handshake of 1025 bytes; at most 1024"),
        (codec._framed(1, b""), "HELLO of 0 bytes; at least 50"),
        (codec._framed(1, body(name_size=3)), "shorter than it says"),
        (codec._framed(1, body(endpoint_size=1)), "shorter than it says"),
        (codec._framed(1, body(name=b"")), "node name of 0 bytes"),
        (codec._framed(1, body(name=b"x" * 65)), "node name of 65 bytes; must be 1 to 64"),
        (codec._framed(1, body(name=b"\xff\xfe")), "not UTF-8"),
        (codec._framed(1, body(name=b"n\x1b1")), "unprintable"),
    ],
)
def test_malformed_is_named(data, why):
    with pytest.raises(ProtocolError, match=why):
        HelloReader(answer=False).feed(data)


def test_no_bit_flip_gives_another_hello():
    data = encode_hello(HELLO)
    for bit in range(len(data) * 8):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        reader = HelloReader(answer=False)
        try:
            # A longer length waits; the handshake's time limit ends that.
            assert reader.feed(bytes(bad)) is None
        except ProtocolError:
            continue


def test_random_bytes_are_refused_at_once():
    chance = random.Random(3)
    for _ in range(2_000):
        with pytest.raises(ProtocolError):
            HelloReader(answer=False).feed(chance.randbytes(chance.randint(4, 200)))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": "x" * 65}, "node name .* has 65 bytes; at most 64"),
        ({"endpoint": "x" * 513}, "endpoint .* has 513 bytes; at most 512"),
        ({"boot_id": 2**64}, "does not fit"),
        ({"protocol_max": -1}, "does not fit"),
    ],
)
def test_encoding_refuses_what_does_not_fit(change, why):
    with pytest.raises(ValueError, match=why):
        encode_hello(replace(HELLO, **change))


def test_the_largest_hello_fits_the_body_limit():
    largest = replace(HELLO, name="n" * 64, endpoint="e" * 512)
    assert HelloReader(answer=False).feed(encode_hello(largest)) == largest
