"""The piece stream of one link: order, interleaving, bounds, and what is refused."""

import random
import struct
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvraft.consensus.link import HEADER_BYTES, LinkReceiver, LinkSender
from kvraft.consensus.port import ProtocolError
from kvraft.consensus.timing import Flow

SMALL = Flow(piece_bytes=16, message_bytes=100, send_buffer_bytes=200, control_buffer_bytes=150)
BULK, LAST = 1, 2


def piece(counter, payload, flags=LAST):
    word = len(payload) << 8 | flags
    return struct.pack(">QII", counter, word, crc32(payload, word)) + payload


def drained(sender, limit=1):
    out = []
    while sender:
        out.append(sender.next_bytes(limit))
    assert sender.next_bytes(limit) == b""
    return out


def test_message_survives_every_split():
    sender = LinkSender(SMALL)
    sender.push(b"c" * 40, bulk=False)
    sender.push(b"b" * 50, bulk=True)
    stream = sender.next_bytes(10_000)
    for cut in range(len(stream) + 1):
        receiver = LinkReceiver(SMALL)
        assert receiver.feed(stream[:cut]) + receiver.feed(stream[cut:]) == [b"c" * 40, b"b" * 50]
        assert receiver.pieces == 3 + 4
    receiver = LinkReceiver(SMALL)
    got = [m for i in range(len(stream)) for m in receiver.feed(stream[i : i + 1])]
    assert got == [b"c" * 40, b"b" * 50]


messages = st.lists(st.tuples(st.binary(min_size=1, max_size=100), st.booleans()), max_size=12)


@given(messages, st.integers(1, 300), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_each_lane_arrives_complete_and_in_order(batch, limit, chance):
    flow = Flow(piece_bytes=16, message_bytes=100)
    sender, receiver = LinkSender(flow), LinkReceiver(flow)
    got, stream = [], b""
    for message, bulk in batch:
        assert sender.push(message, bulk=bulk)
        if chance.random() < 0.5:
            stream += sender.next_bytes(limit)
    stream += b"".join(drained(sender, limit))
    while stream:
        cut = chance.randint(1, 60)
        got += receiver.feed(stream[:cut])
        stream = stream[cut:]
    assert sorted(got) == sorted(m for m, _ in batch)
    # Where a message stands in both lanes, either copy will do: compare each lane as subsequence.
    for lane in (False, True):
        rest = iter(got)
        assert all(m in rest for m in (m for m, bulk in batch if bulk is lane))


def test_control_overtakes_bulk_at_the_next_piece():
    sender, receiver = LinkSender(SMALL), LinkReceiver(SMALL)
    sender.push(b"b" * 100, bulk=True)
    got = receiver.feed(sender.next_bytes(1))
    sender.push(b"control", bulk=False)
    got += receiver.feed(sender.next_bytes(1))
    assert got == [b"control"]
    for data in drained(sender):
        got += receiver.feed(data)
    assert got == [b"control", b"b" * 100]


def test_next_bytes_stops_at_the_piece_that_reaches_the_limit():
    sender = LinkSender(SMALL)
    for _ in range(3):
        sender.push(b"x" * 10, bulk=False)
    assert len(sender.next_bytes(26)) == 26
    assert len(sender.next_bytes(27)) == 52


def test_bulk_is_bounded_and_says_when_there_is_room_again():
    sender = LinkSender(SMALL)
    cost = 50 + HEADER_BYTES
    assert [sender.push(b"x" * 50, bulk=True) for _ in range(4)] == [True] * 3 + [False]
    assert 3 * cost <= SMALL.send_buffer_bytes < 4 * cost
    assert not sender.take_writable()
    sender.next_bytes(1)
    assert not sender.take_writable(), "one piece does not make room for the refused message"
    while not sender.take_writable():
        assert sender.next_bytes(1)
    assert not sender.take_writable(), "said once"
    assert sender.push(b"x" * 50, bulk=True)


def test_control_is_bounded_on_its_own():
    sender = LinkSender(SMALL)
    assert sender.push(b"x" * 100, bulk=True)
    assert [sender.push(b"x" * 50, bulk=False) for _ in range(3)] == [True, True, False]
    assert not sender.take_writable(), "writable is about bulk"


def test_tiny_messages_are_bounded_by_what_they_cost():
    sender = LinkSender(SMALL)
    taken = 0
    while sender.push(b"x", bulk=True):
        taken += 1
    assert taken == SMALL.send_buffer_bytes // (1 + HEADER_BYTES)


def test_an_empty_lane_takes_a_message_above_its_bound():
    sender = LinkSender(Flow(piece_bytes=16, message_bytes=100, send_buffer_bytes=10))
    assert sender.push(b"x" * 100, bulk=True)
    assert not sender.push(b"x", bulk=True)


def test_room_is_accounted_for_to_the_last_byte():
    sender = LinkSender(SMALL)
    for _ in range(50):
        while sender.push(random.randbytes(37), bulk=True):
            pass
        drained(sender, 30)
    assert sender._bulk.buffered == 0


@pytest.mark.parametrize("size", [0, 101])
def test_sender_refuses_what_the_receiver_would(size):
    with pytest.raises(ValueError, match=f"message of {size} bytes.*1 to 100"):
        LinkSender(SMALL).push(b"x" * size, bulk=True)


@pytest.mark.parametrize("piece_bytes", [0, 101, 1 << 24])
def test_impossible_piece_size_is_refused(piece_bytes):
    with pytest.raises(ValueError, match=f"piece_bytes is {piece_bytes}"):
        LinkSender(Flow(piece_bytes=piece_bytes, message_bytes=100))


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (piece(1, b"x"), "piece 1 where 0 was due"),
        (piece(0, b"x") + piece(0, b"x"), "piece 0 where 1 was due"),
        (piece(0, b"x") + piece(2, b"x"), "piece 2 where 1 was due"),
        (piece(0, b""), "piece of 0 bytes"),
        (piece(0, b"x" * 17)[:HEADER_BYTES], "piece of 17 bytes"),
        (piece(0, b"x", flags=4 | LAST), "unknown piece flags 0x6"),
        (piece(0, b"x", flags=0x80 | LAST), "unknown piece flags"),
        (piece(0, b"x")[:-1] + b"y", "wrong checksum"),
        (b"".join(piece(i, b"x" * 16, flags=0) for i in range(7)), "longer than 100 bytes"),
        (b"".join(piece(i, b"x" * 16, flags=BULK) for i in range(7)), "longer than 100 bytes"),
        (bytes(HEADER_BYTES), "piece of 0 bytes"),
    ],
)
def test_violations_are_named_and_final(stream, why):
    receiver = LinkReceiver(SMALL)
    with pytest.raises(ProtocolError, match=why):
        receiver.feed(stream)
    with pytest.raises(ProtocolError, match=why):
        receiver.feed(piece(receiver.pieces, b"x"))


def test_every_single_bit_flip_is_noticed():
    stream = piece(0, b"hello") + piece(1, b"world!", flags=BULK | LAST)
    for bit in range(len(stream) * 8):
        bad = bytearray(stream)
        bad[bit // 8] ^= 1 << bit % 8
        receiver = LinkReceiver(Flow(piece_bytes=64, message_bytes=64))
        try:
            got = receiver.feed(bytes(bad))
        except ProtocolError:
            continue
        # A longer length waits for its bytes; what comes next then fails the checksum.
        assert b"hello" not in got or b"world!" not in got
        with pytest.raises(ProtocolError):
            receiver.feed(bytes(128))


def test_a_hole_shows_at_the_next_header():
    stream = b"".join(piece(i, bytes([i]) * 10) for i in range(8))
    for start in range(1, 60):
        receiver = LinkReceiver(SMALL)
        holed = stream[:start] + stream[start + 26 :]
        with pytest.raises(ProtocolError):
            receiver.feed(holed)


def test_receiver_holds_at_most_one_message_a_lane_and_one_piece():
    receiver = LinkReceiver(SMALL)
    chance = random.Random(1)
    held = 0
    for counter in range(300):
        lane = chance.choice((0, BULK))
        last = chance.random() < 0.3 or receiver._sizes[lane] + 16 > 84
        data = piece(counter, b"x" * 16, flags=lane | (LAST if last else 0))
        receiver.feed(data[:20])
        receiver.feed(data[20:])
        held = max(held, sum(len(p) for lane in receiver._parts for p in lane))
        assert sum(len(p) for p in receiver._held) <= HEADER_BYTES + SMALL.piece_bytes
    assert 100 < held <= 2 * SMALL.message_bytes
