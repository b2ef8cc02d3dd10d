"""What is in the log's directory after a crash, and whether a crash can explain it.

A torn tail, or damage? Between two fsyncs the kernel writes pages in any order, so after a power
loss the last segment may hold any subset of the sectors of its last, un-fsynced batch: a good
record behind a hole is then no proof of damage. What decides is whether the record missing at the
hole (sequence E) had ever been durable. Every frame therefore carries `durable`, the highest
sequence known to be durable when it was written. After the first bad frame the rest is scanned:

- some good frame says durable >= E: E was on disk and is gone. That is damage; a crash never takes
  back what an fsync made durable. The node must stop.
- none does: only one batch is ever in flight, so all behind the hole is of the batch that E is in
  (a later batch would carry durable >= E). Its fsync never returned, nothing of it was
  acknowledged, and the tail may go. So a mere power loss is never refused.

What this cannot tell is rot in the very last fsynced batch from a torn write of it; no log can
without a second copy (Alagappan et al., Protocol-Aware Recovery, FAST '18, section 3.2). Marks
(`WriteAheadLog.mark`), written when the log falls idle, narrow that to what follows the last mark.

Assumed: a sector (512 bytes) is written whole or not at all. A garbage sector that passes as a
frame would need a salted CRC-32 to match; stale frames of this same log carry a lower `durable`.
"""

from collections import deque
from dataclasses import dataclass, field

from kvraft.storage.disk import Disk
from kvraft.storage.errors import DamagedLog
from kvraft.storage.record import FRAME_BYTES, Record, claimed, decode
from kvraft.storage.segment import Segment, read_segment, salt_of, segment_names, segment_path


@dataclass(slots=True)
class Recovered:
    """A log that is whole and durable up to `sequence`."""

    segments: deque[int] = field(default_factory=deque)
    records: deque[Record] = field(default_factory=deque)
    sequence: int = 0
    tail_bytes: int = 0
    """Size of the last segment."""


def recover(disk: Disk, directory: str, disk_id: int) -> Recovered:
    """Read the log, cut a torn tail, and make what was read durable; raises DamagedLog."""
    disk.makedirs(directory)
    log = Recovered()
    firsts = segment_names(disk.listdir(directory))
    for first in firsts:
        path = segment_path(directory, first)
        if log.segments and first != log.sequence + 1:
            raise DamagedLog(
                path,
                0,
                f"it should start at sequence {log.sequence + 1}: a segment is missing, or the one "
                "before it was cut short",
            )
        data = disk.read(path)
        segment = read_segment(memoryview(data), path, first, disk_id)
        if first != firsts[-1]:
            _check_whole(segment, path, len(data))
        else:
            _check_torn(segment, path, memoryview(data), salt_of(disk_id))
            if not segment.complete:
                _forget(disk, directory, segment, only=len(firsts) == 1)
                break
            _settle(disk, path, segment, data)
        log.segments.append(first)
        log.records.extend(segment.records)
        log.sequence, log.tail_bytes = segment.sequence, segment.end
    # A process killed before its own directory fsync left names that only the cache knows.
    disk.sync_dir(directory)
    return log


def _check_whole(segment: Segment, path: str, size: int) -> None:
    """Refuse any blemish: a segment is fsynced whole before the next one is created."""
    if segment.end != size or not segment.complete:
        raise DamagedLog(
            path,
            segment.end,
            f"no good record of sequence {segment.sequence + 1}, but a later segment exists",
        )


def _check_torn(segment: Segment, path: str, data: memoryview, salt: int) -> None:
    """Refuse a hole where something was durable once (see the top of this module)."""
    missing = segment.sequence + 1
    # A frame starts with a non-zero byte within its length, so none starts in trailing zeros;
    # they may be many where a file system extended the file before the bytes were written.
    limit = segment.end + len(bytes(data[segment.end :]).rstrip(b"\0"))
    highest = missing + len(data) // FRAME_BYTES
    for offset in range(segment.end, min(limit, len(data) - FRAME_BYTES + 1)):
        if data[offset]:
            continue  # a length is below 2**24, so its first byte is zero
        # Before the checksum, or values full of plausible lengths would make this quadratic.
        sequence, durable = claimed(data, offset)
        if missing <= durable <= sequence <= highest and decode(data, offset, salt):
            raise DamagedLog(
                path,
                segment.end,
                f"the record of sequence {missing} is bad, yet the record of sequence "
                f"{sequence} at offset {offset} proves that it was durable",
            )


def _forget(disk: Disk, directory: str, segment: Segment, *, only: bool) -> None:
    """Remove a last segment whose creation a crash interrupted: nothing in it was durable."""
    path = segment_path(directory, segment.first)
    if only and segment.first != 1:
        raise DamagedLog(
            path, segment.end, "its first records are bad, and older segments were dropped for it"
        )
    disk.remove(path)


def _settle(disk: Disk, path: str, segment: Segment, data: bytes) -> None:
    """Make durable what is not known to be, and cut what follows.

    An fsync alone does not do: after one that failed, the kernel may hold the pages as clean and
    report success for ever (Rebello et al., Can Applications Recover from fsync Failures?, ATC
    '20). Writing the same bytes again makes them dirty; a crash meanwhile harms nothing.
    """
    unsure = next((at for sequence, at in segment.starts if sequence > segment.durable), 0)
    disk.rewrite(path, unsure, data[unsure : segment.end])
    if segment.end != len(data):
        disk.truncate(path, segment.end)
