"""Mistakes in storage: what is believed after a crash, and in which order things become durable."""

from collections.abc import Sequence

from kvraft.storage import record, recovery, segment, small_file, snapshot_file, snapshots, wal
from kvraft.storage.disk import Disk
from kvraft.storage.errors import DiskFailed
from kvraft.storage.record import Frame
from kvraft.storage.snapshot_file import SnapshotFile
from kvraft.storage.wal import WriteAheadLog
from kvraft_chaos.simulation.mutants.registry import Patch, mutant, replaced, together

LOG, SNAPSHOTS = "crash_states_of_the_log", "crash_states_of_snapshots"
BROKEN = "promise-broken"


@mutant(LOG, BROKEN)
def torn_record_accepted() -> Patch:
    """A log record is believed without its checksum."""

    def decode(data: memoryview, offset: int, _: int) -> Frame | None:
        if offset + record.FRAME_BYTES > len(data):
            return None
        frame = record._FRAME.unpack_from(data, offset)  # noqa: SLF001 - the mistake is made there
        length, _checksum, sequence, durable, version, kind = frame
        end = offset + 8 + length
        if not length >= record.FRAME_BYTES - 8 or end > len(data):
            return None
        return Frame(sequence, durable, version, kind, offset + record.FRAME_BYTES, end)

    return together(replaced(segment, "decode", decode), replaced(recovery, "decode", decode))


@mutant(LOG, BROKEN)
def wrong_segment_order() -> Patch:
    """Segments are read newest first, and nobody looks whether one follows the other."""
    names = segment.segment_names

    def backwards(found: Sequence[str]) -> list[int]:
        return names(found)[::-1]

    return replaced(recovery, "segment_names", backwards)


@mutant(LOG, BROKEN)
def new_segment_without_directory_fsync() -> Patch:
    """The name of a new log segment is never made durable."""

    def sync(self: WriteAheadLog) -> None:
        assert self._file is not None
        self._file.sync()
        if self._new_segment is not None:
            self._segments.append(self._new_segment)
            self._new_segment = None
        self._durable = self._written

    return replaced(wal.WriteAheadLog, "_sync", sync)


@mutant(LOG, BROKEN)
def tail_believed_without_a_second_fsync() -> Patch:
    """What recovery reads from the page cache is reported durable as it is."""

    def settle(_disk: Disk, _path: str, _segment: segment.Segment, _data: bytes) -> None:
        return

    return replaced(recovery, "_settle", settle)


@mutant("a_failed_fsync_promises_nothing", "lost")
def failed_fsync_ignored() -> Patch:
    """A failed fsync of the log counts as done."""
    sync = WriteAheadLog._sync  # noqa: SLF001 - the mistake is made there

    def shrugs(self: WriteAheadLog) -> None:
        try:
            sync(self)
        except DiskFailed:
            self._durable = self._written

    return replaced(WriteAheadLog, "_sync", shrugs)


@mutant(SNAPSHOTS, BROKEN)
def current_renamed_before_fsync() -> Patch:
    """CURRENT gets its name before its content is on the disk."""

    def write_new(disk: Disk, path: str, data: bytes) -> None:
        if disk.exists(path):
            disk.remove(path)
        file = disk.create(path)
        file.write(data)
        file.close()

    return replaced(small_file, "write_new", write_new)


@mutant(SNAPSHOTS, BROKEN)
def old_snapshot_removed_before_current_is_durable() -> Patch:
    """A new snapshot becomes CURRENT without an fsync of the directory; the old one goes."""

    def replace_file(disk: Disk, directory: str, name: str, *, kind: int, payload: bytes) -> None:
        path = f"{directory}/{name}"
        framed = record.encode(record.Record(0, kind, 1, payload), durable=0, salt=0)
        small_file.write_new(disk, path + small_file.TEMPORARY, framed)
        disk.rename(path + small_file.TEMPORARY, path)

    return replaced(snapshots, "replace_file", replace_file)


@mutant("a_damaged_snapshot_is_refused", "damage-accepted")
def snapshot_loaded_without_its_check() -> Patch:
    """A snapshot is loaded whatever its checksums say."""

    def block(self: SnapshotFile, raw: memoryview, _start: int, number: int, at: int) -> memoryview:
        size = min(snapshot_file.BLOCK_BYTES, self.state_bytes - number * snapshot_file.BLOCK_BYTES)
        begin = at + 8
        return raw[begin : begin + size]

    def verify(disk: Disk, path: str) -> SnapshotFile:
        return snapshot_file._described(disk, path)  # noqa: SLF001 - the mistake is made there

    return together(
        replaced(SnapshotFile, "_block", block), replaced(snapshots, "verify_backup", verify)
    )
