"""One segment file of the log: its name, its first record, and reading it back.

The first record of a segment (kind `SEGMENT`) says how many preamble records follow it, so that a
segment whose preamble was torn is recognised, and to which disk it belongs.
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from kvraft.storage.errors import DamagedLog
from kvraft.storage.record import Record, decode

SEGMENT = 255
MARK = 254
"""Kinds of the log itself: a segment's first record, and a note of what is durable."""
LAST_FREE_KIND = 253
FORMAT = 1
_SEGMENT_PAYLOAD = struct.Struct(">HQ")
_NAME = re.compile(r"(\d{20})\.log")


def segment_path(directory: str, first: int) -> str:
    """Segments are named by the sequence of their first record, so that names sort by it."""
    return f"{directory}/{first:020d}.log"


def segment_names(names: Sequence[str]) -> list[int]:
    """The first sequences of all segments among the names of a directory, in order."""
    return sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name)))


def salt_of(disk_id: int) -> int:
    """Where checksums of this disk's records start (32 bits)."""
    return (disk_id ^ (disk_id >> 32)) & 0xFFFFFFFF


def segment_payload(preamble_records: int, disk_id: int) -> bytes:
    """Payload of a segment's first record."""
    return _SEGMENT_PAYLOAD.pack(preamble_records, disk_id)


@dataclass(slots=True)
class Segment:
    """The undamaged beginning of a segment file."""

    first: int
    sequence: int
    """Of the last good record; `first - 1` if there is none."""
    end: int = 0
    """Where the good records end."""
    durable: int = 0
    """The highest sequence that a good record proves to have been durable."""
    preamble: int | None = None
    """Preamble records the segment must have; None if its first record is not whole."""
    records: list[Record] = field(default_factory=list)
    starts: list[tuple[int, int]] = field(default_factory=list)
    """(sequence, offset) of every good frame: it is on disk if that sequence was made durable."""

    @property
    def complete(self) -> bool:
        """Whether the first record and the whole preamble are there."""
        return self.preamble is not None and len(self.records) >= self.preamble


def read_segment(data: memoryview, path: str, first: int, disk_id: int) -> Segment:
    """Read records until one is not good; raises DamagedLog for another disk's or newer format."""
    segment = Segment(first, first - 1)
    _read_first(data, path, segment, disk_id)
    if segment.preamble is not None:
        _read_records(data, segment, salt_of(disk_id))
    return segment


def _read_first(data: memoryview, path: str, segment: Segment, disk_id: int) -> None:
    # Without the salt, so that another disk's segment is told from a damaged one.
    frame = decode(data, 0, 0)
    if frame is None or frame.kind != SEGMENT or frame.sequence != segment.first:
        return
    if frame.version != FORMAT:
        raise DamagedLog(
            path,
            0,
            f"it is of format {frame.version}, this version reads {FORMAT}",
            "start the version of kvraft that wrote it",
        )
    segment.preamble, owner = _SEGMENT_PAYLOAD.unpack_from(data, frame.start)
    if owner != disk_id:
        raise DamagedLog(path, 0, f"it was written for disk {owner}, this is disk {disk_id}")
    segment.sequence, segment.end, segment.durable = segment.first, frame.end, frame.durable
    segment.starts.append((frame.sequence, 0))


def _read_records(data: memoryview, segment: Segment, salt: int) -> None:
    while frame := decode(data, segment.end, salt):
        if frame.kind == MARK and frame.sequence == segment.sequence:
            # It takes no sequence of its own; the fsync of the next record covers it.
            segment.starts.append((frame.sequence + 1, segment.end))
        elif frame.kind <= LAST_FREE_KIND and frame.sequence == segment.sequence + 1:
            payload = bytes(data[frame.start : frame.end])
            record = Record(frame.sequence, frame.kind, frame.version, payload)
            segment.records.append(record)
            segment.starts.append((frame.sequence, segment.end))
            segment.sequence = frame.sequence
        else:
            return
        segment.durable = max(segment.durable, frame.durable)
        segment.end = frame.end
