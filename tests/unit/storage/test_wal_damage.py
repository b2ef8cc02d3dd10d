"""Torn tails are cut, damage is refused, and no flipped byte ever gives a wrong record."""

import os
from pathlib import Path

import pytest

from kvraft.storage import record as framing
from kvraft.storage import recovery
from kvraft.storage.disk import OsDisk
from kvraft.storage.errors import DamagedLog
from kvraft.storage.record import FRAME_BYTES, Record, encode
from kvraft.storage.segment import SEGMENT, segment_payload
from kvraft.storage.wal import WriteAheadLog

BATCHES = [(b"a" * 40, b"b" * 10), (b"", b"c" * 300), (b"d" * 7,)]


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch):
    """Nothing here depends on durability, which `tests/simulation/test_crash_states.py` proves."""
    monkeypatch.setattr(os, "fsync", lambda _fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda _fd: None)


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "wal"


def opened(directory, **options):
    return WriteAheadLog.open(OsDisk(), str(directory), **options)


def build(directory, batches=BATCHES, **options):
    """Write batches; returns the file's size after each, and all records."""
    log = opened(directory, **options)
    ends = []
    for batch in batches:
        for payload in batch:
            log.append(7, 1, payload)
        log.write(log.take())
        ends.append(log.bytes_written)
    log._file.close()  # without the mark of a clean end
    return ends, list(opened(directory, **options).recovered)


def only(directory):
    [path] = sorted(directory.iterdir())
    return path


def test_any_cut_leaves_a_prefix(directory):
    _, records = build(directory)
    path = only(directory)
    whole = path.read_bytes()

    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        log = opened(directory)
        found = list(log.recovered)
        assert found == records[: len(found)]
        assert log.sequence == (found[-1].sequence if found else int(path.exists()))
        if found:
            assert list(opened(directory).recovered) == found
        path.write_bytes(whole)


@pytest.mark.parametrize("bit", [0, 7])
def test_any_flipped_byte_is_refused_or_cuts_the_last_batch(directory, bit):
    ends, records = build(directory)
    path = only(directory)
    whole = path.read_bytes()
    outcomes = {"refused": 0, "cut": 0}

    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << bit
        path.write_bytes(damaged)
        if position < ends[1]:  # the third batch proves that the first two were durable
            with pytest.raises(DamagedLog) as caught:
                opened(directory)
            assert caught.value.file == str(path)
            assert 0 <= caught.value.offset <= position
            assert "--rejoin" in str(caught.value)
            assert path.read_bytes() == damaged  # kept for inspection
            outcomes["refused"] += 1
        else:
            assert list(opened(directory).recovered) == records[:-1]
            outcomes["cut"] += 1

    assert outcomes == {"refused": ends[1], "cut": len(whole) - ends[1]}


def test_a_mark_proves_that_the_last_batch_was_durable(directory):
    log = opened(directory)
    log.append(7, 1, b"the only one")
    log.write(log.take())
    log.close()
    path = only(directory)
    damaged = bytearray(path.read_bytes())
    damaged[-FRAME_BYTES - 1] ^= 1
    path.write_bytes(damaged)

    with pytest.raises(DamagedLog, match=r"the record of sequence 2 is bad, yet .* sequence 2 at"):
        opened(directory)


@pytest.mark.parametrize(
    "tail",
    [b"\0", bytes(100_000), b"\xff" * 5_000, bytes(range(256)) * 40, b"\0\0\0\x20" * 999],
    ids=["zero byte", "zeros", "ones", "garbage", "lengths"],
)
def test_garbage_after_the_last_record_is_cut(directory, tail):
    _, records = build(directory)
    path = only(directory)
    whole = path.read_bytes()
    path.write_bytes(whole + tail)

    assert list(opened(directory).recovered) == records
    assert path.read_bytes() == whole


def test_sectors_of_one_batch_lost_out_of_order_are_a_torn_tail(directory):
    """Its later records survive, but nothing proves that the lost ones ever were durable."""
    ends, records = build(directory, [(b"first",), tuple(bytes([65 + n]) * 600 for n in range(5))])
    path = only(directory)
    torn = bytearray(path.read_bytes())
    torn[1024:1536] = bytes(512)
    path.write_bytes(torn)

    found = list(opened(directory).recovered)

    assert ends[0] < 1024
    assert found == records[: len(found)]
    assert 1 <= len(found) < 3


def test_the_cut_tail_can_not_come_back(directory):
    """What is appended after a cut never meets remains of the tail that was cut."""
    _, records = build(directory, [(b"first",), (b"x" * 900, b"y" * 10, b"z" * 10)])
    path = only(directory)
    torn = bytearray(path.read_bytes())
    torn[200] ^= 1
    path.write_bytes(torn)
    log = opened(directory)
    assert len(list(log.recovered)) == 1
    log.append(7, 1, b"x" * 900)
    log.write(log.take())
    log.close()

    again = list(opened(directory).recovered)

    assert [record.payload for record in again] == [b"first", b"x" * 900]
    assert again[0] == records[0]


def test_payloads_that_imitate_records_do_not_stop_a_node(directory):
    """A client that guesses sequences still does not know the salt."""
    fake = encode(Record(99, 7, 1, b"evil"), durable=98, salt=0)
    build(directory, [(b"a" * 600 + fake * 10, b"b")], disk_id=1234567)
    path = only(directory)
    torn = bytearray(path.read_bytes())
    torn[100] ^= 1
    path.write_bytes(torn)

    assert list(opened(directory, disk_id=1234567).recovered) == []


def test_values_full_of_plausible_lengths_do_not_make_the_scan_quadratic(directory, monkeypatch):
    checked = []
    monkeypatch.setattr(recovery, "decode", lambda *where: checked.append(where))
    build(directory, [(b"\0\1" * 5_000,)])
    path = only(directory)
    torn = bytearray(path.read_bytes())
    torn[80] ^= 1
    path.write_bytes(torn)

    assert list(opened(directory).recovered) == []
    assert len(checked) == 0


@pytest.fixture
def three_segments(directory):
    build(directory, [(b"a",), (b"b",), (b"c",)], segment_bytes=1)
    paths = sorted(directory.iterdir())
    assert len(paths) == 3
    return paths


def test_a_missing_segment_is_refused(directory, three_segments):
    three_segments[1].unlink()

    with pytest.raises(DamagedLog, match="should start at sequence 3: a segment is missing"):
        opened(directory)


@pytest.mark.parametrize("index", [0, 1])
def test_any_blemish_of_an_older_segment_is_refused(directory, three_segments, index):
    path = three_segments[index]
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(DamagedLog):
            opened(directory)
    for tail in (b"\0", whole):
        path.write_bytes(whole + tail)
        with pytest.raises(DamagedLog, match="but a later segment exists"):
            opened(directory)


def test_swapped_segments_are_refused(directory, three_segments):
    first, second = (path.read_bytes() for path in three_segments[:2])
    three_segments[0].write_bytes(second)
    three_segments[1].write_bytes(first)

    with pytest.raises(DamagedLog):
        opened(directory)


def test_a_bad_beginning_of_the_only_segment_is_refused_once_older_ones_are_gone(
    directory, three_segments
):
    log = opened(directory)
    log.drop_before(1 << 60)
    three_segments[2].write_bytes(b"")

    with pytest.raises(DamagedLog, match="older segments were dropped for it"):
        opened(directory)


def test_a_last_segment_whose_creation_was_interrupted_is_forgotten(directory, three_segments):
    three_segments[2].write_bytes(three_segments[2].read_bytes()[:30])

    log = opened(directory)

    assert log.sequence == 4
    assert not three_segments[2].exists()
    assert log.append(7, 1, b"c again") == 5


def test_a_newer_format_names_itself(directory):
    OsDisk().makedirs(str(directory))
    frame = encode(Record(1, SEGMENT, 9, segment_payload(0, 0)), durable=0, salt=0)
    Path(directory / f"{1:020d}.log").write_bytes(frame)

    with pytest.raises(DamagedLog, match="format 9, this version reads 1; start the version"):
        opened(directory)


def test_a_flipped_length_does_not_pass_by_luck_of_the_checksum(monkeypatch):
    """The checksum covers the length: no shorter or longer frame shares it."""
    data = bytearray(encode(Record(5, 7, 1, bytes(300)), durable=4, salt=9))
    assert framing.decode(memoryview(data), 0, 9).sequence == 5
    for length in range(400):
        changed = data.copy()
        changed[0:4] = length.to_bytes(4, "big")
        assert framing.decode(memoryview(changed), 0, 9) is None or length == 318
