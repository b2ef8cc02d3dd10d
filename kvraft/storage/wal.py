"""The write-ahead log: what a node promised, in the order in which it promised it.

`append` and `take` belong to one thread (the loop); `write` and `mark` to whoever has the disk,
one at a time; `drop_before` to any one thread. At most one batch is between `take` and the end of
`write`: recovery needs that.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from kvraft.storage.disk import Disk, File
from kvraft.storage.errors import DiskFailed
from kvraft.storage.record import FRAME_BYTES, MAX_RECORD_BYTES, Record, encode
from kvraft.storage.recovery import recover
from kvraft.storage.segment import (
    FORMAT,
    LAST_FREE_KIND,
    MARK,
    SEGMENT,
    salt_of,
    segment_path,
    segment_payload,
)

SEGMENT_BYTES = 64 << 20
"""A new segment starts beyond this: few files, and still little to read again after a snapshot."""


@dataclass(slots=True)
class _Chunk:
    """Records for one segment."""

    opens_segment: bool
    records: list[Record] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one `write` makes durable."""

    first: int
    last: int
    bytes: int
    """Of its frames."""
    chunks: tuple[_Chunk, ...]


def _no_preamble() -> Sequence[tuple[int, int, bytes]]:
    return ()


class WriteAheadLog:
    """Segments of checksummed records, made durable a batch at a time."""

    def __init__(self, disk: Disk, directory: str, segment_bytes: int, disk_id: int) -> None:
        """Use `open`."""
        found = recover(disk, directory, disk_id)
        self.recovered: Iterator[Record] = _drained(found.records)
        """What was in the log, oldest first; it can be read once."""
        self.sequence = found.sequence
        """Of the last record appended."""
        self.preamble: Callable[[], Sequence[tuple[int, int, bytes]]] = _no_preamble
        """Gives (kind, version, payload) of the first records of every new segment: absolute
        statements of all that older segments said and that still matters, true just before the
        record now being appended (the loop thread asks, from `append`)."""
        self.fsyncs = 0
        self.bytes_written = 0
        # The loop thread's.
        self._planned_bytes = found.tail_bytes
        self._plans_segment = bool(found.segments)
        self._segment_bytes = segment_bytes
        self._chunks: list[_Chunk] = []
        self._buffered_bytes = 0
        self._taken = found.sequence
        # The writer thread's.
        self._disk = disk
        self._directory = directory
        self._disk_id = disk_id
        self._salt = salt_of(disk_id)
        self._segments = found.segments
        self._file: File | None = None
        self._new_segment: int | None = None  # created, its name not durable yet
        self._written = self._durable = self._marked = found.sequence
        self._failed = False

    @classmethod
    def open(
        cls, disk: Disk, directory: str, *, segment_bytes: int = SEGMENT_BYTES, disk_id: int = 0
    ) -> "WriteAheadLog":
        """Create or recover the log; raises DamagedLog. What is recovered is durable."""
        return cls(disk, directory, segment_bytes, disk_id)

    @property
    def durable(self) -> int:
        """Everything up to this sequence survives a power loss."""
        return self._durable

    def append(self, kind: int, version: int, payload: bytes) -> int:
        """Buffer a record (no I/O) and return its sequence; ValueError if it cannot be one."""
        if not 0 <= kind <= LAST_FREE_KIND:
            raise ValueError(f"kind of a log record must be 0 to {LAST_FREE_KIND}, not {kind}")
        if len(payload) > MAX_RECORD_BYTES:
            raise ValueError(
                f"log record of {len(payload)} bytes, the limit is {MAX_RECORD_BYTES} bytes"
            )
        planned = self._planned_bytes + FRAME_BYTES + len(payload)
        if not self._plans_segment or planned > self._segment_bytes:
            self._plan_segment()
        return self._buffer(kind, version, payload)

    def take(self) -> Batch | None:
        """Detach what is buffered, to be written; None if there is nothing."""
        if not self._chunks:
            return None
        size, self._buffered_bytes = self._buffered_bytes, 0
        batch = Batch(self._taken + 1, self.sequence, size, tuple(self._chunks))
        self._taken = self.sequence
        self._chunks = []
        return batch

    def write(self, batch: Batch) -> int:
        """Write and fsync a batch (blocking); returns the sequence that is durable now.

        A StorageError leaves the batch UNKNOWN; every later call is refused, nothing is retried.
        """
        if self._failed:
            raise DiskFailed(self._directory, "write", "an earlier write to this log failed")
        assert batch.first == self._written + 1, "batches must be written in the order taken"
        self._failed = True  # until this has gone well
        for chunk in batch.chunks:
            if chunk.opens_segment:
                self._start_segment(chunk.records[0].sequence)
            self._write_records(chunk.records)
        self._sync()
        self._failed = False
        return self._durable

    def mark(self) -> None:
        """Note (without fsync) what is durable, so that rot in it is told from a torn tail."""
        if self._failed or self._file is None or self._marked == self._durable:
            return
        self._failed = True
        note = Record(self._durable, MARK, FORMAT, b"")
        self._put(encode(note, durable=self._durable, salt=self._salt))
        self._marked = self._durable
        self._failed = False

    def segments(self) -> list[int]:
        """The first sequence of every durable segment, oldest first."""
        return list(self._segments)

    def drop_before(self, sequence: int) -> int:
        """Remove segments whose records are all below `sequence` (blocking); how many it were.

        The newest segment stays. Each removal is durable before the next, since a crash must not
        leave an older segment behind a gap.
        """
        dropped = 0
        while len(self._segments) > 1 and self._segments[1] <= sequence:
            self._disk.remove(segment_path(self._directory, self._segments[0]))
            self._disk.sync_dir(self._directory)
            self._segments.popleft()
            dropped += 1
        return dropped

    def close(self) -> None:
        """Close the file; what was not written is lost, and was never acknowledged."""
        if self._file is not None:
            self.mark()
            self._file.close()
            self._file = None
        self._failed = True

    def _plan_segment(self) -> None:
        preamble = self.preamble()
        self._chunks.append(_Chunk(opens_segment=True))
        self._planned_bytes, self._plans_segment = 0, True
        self._buffer(SEGMENT, FORMAT, segment_payload(len(preamble), self._disk_id))
        for kind, version, payload in preamble:
            self._buffer(kind, version, payload)

    def _buffer(self, kind: int, version: int, payload: bytes) -> int:
        if not self._chunks:
            self._chunks.append(_Chunk(opens_segment=False))
        self.sequence += 1
        size = FRAME_BYTES + len(payload)
        self._planned_bytes += size
        self._buffered_bytes += size
        self._chunks[-1].records.append(Record(self.sequence, kind, version, payload))
        return self.sequence

    def _start_segment(self, first: int) -> None:
        if self._file is not None:
            # Whole and durable before the next exists: a torn tail is legal in the last one only.
            self._sync()
            self._file.close()
        self._file = self._disk.create(segment_path(self._directory, first))
        self._new_segment = first

    def _write_records(self, records: list[Record]) -> None:
        durable = self._durable
        self._put(
            b"".join(
                encode(record, durable=durable, salt=0 if record.kind == SEGMENT else self._salt)
                for record in records
            )
        )
        self._written = records[-1].sequence

    def _put(self, data: bytes) -> None:
        if self._file is None:
            self._file = self._disk.append(segment_path(self._directory, self._segments[-1]))
        self._file.write(data)
        self.bytes_written += len(data)

    def _sync(self) -> None:
        assert self._file is not None
        self._file.sync()
        self.fsyncs += 1
        if self._new_segment is not None:
            self._disk.sync_dir(self._directory)
            self.fsyncs += 1
            self._segments.append(self._new_segment)
            self._new_segment = None
        self._durable = self._written


def _drained(records: deque[Record]) -> Iterator[Record]:
    """Give records away one by one, so that their memory goes as they are used."""
    while records:
        yield records.popleft()
