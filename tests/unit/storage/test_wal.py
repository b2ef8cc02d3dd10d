"""The write-ahead log on real files: recovery, segments, preambles, group commit's pieces."""

import resource

import pytest

from kvraft.storage.disk import OsDisk
from kvraft.storage.errors import DamagedLog, DiskFailed, DiskFull
from kvraft.storage.record import MAX_RECORD_BYTES, Record
from kvraft.storage.wal import WriteAheadLog


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "wal")


def opened(path, **options):
    return WriteAheadLog.open(OsDisk(), path, **options)


def write(log, *payloads, kind=7):
    for payload in payloads:
        log.append(kind, 1, payload)
    return log.write(log.take())


def segment_of(path, first):
    return OsDisk().read(f"{path}/{first:020d}.log")


def test_an_empty_log_has_nothing_and_writes_nothing(path):
    log = opened(path)

    assert list(log.recovered) == []
    assert (log.sequence, log.durable, log.take(), log.segments()) == (0, 0, None, [])
    log.close()
    assert OsDisk().listdir(path) == []


def test_what_was_written_is_recovered_once_in_order(path):
    log = opened(path)
    first = log.append(7, 3, b"one")
    second = log.append(8, 4, b"")
    assert log.write(log.take()) == second
    log.close()

    log = opened(path)

    assert list(log.recovered) == [Record(first, 7, 3, b"one"), Record(second, 8, 4, b"")]
    assert list(log.recovered) == []
    assert log.sequence == log.durable == second


def test_append_does_no_io_and_one_batch_is_one_fsync(path):
    log = opened(path)
    for number in range(100):
        log.append(7, 1, b"%d" % number)
    assert (log.fsyncs, log.bytes_written, OsDisk().listdir(path)) == (0, 0, [])

    log.write(log.take())
    fresh = log.fsyncs
    write(log, b"x", b"y", b"z")

    assert fresh == 2  # the segment and its name
    assert log.fsyncs == fresh + 1
    assert log.bytes_written == len(segment_of(path, 1))


def test_what_was_not_written_is_not_there_after_a_restart(path):
    log = opened(path)
    durable = write(log, b"kept")
    log.append(7, 1, b"never taken")
    log.close()

    again = opened(path)

    assert again.sequence == durable
    assert again.append(7, 1, b"another") == durable + 1


def test_segments_roll_and_each_begins_with_the_preamble(path):
    log = opened(path, segment_bytes=350)
    log.preamble = lambda: [(1, 1, b"term"), (2, 1, b"vote")]
    sequences = [write(log, b"%099d" % number) for number in range(6)]
    log.close()

    again = opened(path, segment_bytes=350)
    records = list(again.recovered)

    assert len(again.segments()) == 3
    for first in again.segments():
        inside = [record for record in records if record.sequence > first][:2]
        assert [record.payload for record in inside] == [b"term", b"vote"]
    assert [r.sequence for r in records if r.kind == 7] == sequences


def test_one_batch_may_span_segments(path):
    log = opened(path, segment_bytes=300)
    last = write(log, *(bytes(100) for _ in range(10)))
    log.close()

    again = opened(path, segment_bytes=300)

    assert again.sequence == last
    assert len(again.segments()) == 5


def test_a_record_larger_than_a_segment_has_one_for_itself(path):
    log = opened(path, segment_bytes=100)

    write(log, bytes(500), b"small")

    assert len(log.segments()) == 2


def test_recovered_segment_goes_on_until_it_is_full(path):
    log = opened(path, segment_bytes=300)
    write(log, bytes(50))
    log.close()

    log = opened(path, segment_bytes=300)
    write(log, bytes(50))
    assert len(log.segments()) == 1
    write(log, bytes(200))

    assert len(log.segments()) == 2


def test_drop_before_keeps_every_segment_that_is_needed(path):
    log = opened(path, segment_bytes=1)
    for _ in range(4):
        write(log, b"x")
    firsts = log.segments()

    assert log.drop_before(firsts[2] - 1) == 1
    assert log.drop_before(firsts[2]) == 1
    assert log.drop_before(1 << 60) == 1  # the newest stays
    log.close()

    again = opened(path)
    assert again.segments() == firsts[3:]
    assert again.sequence == firsts[3] + 1


def test_a_mark_is_written_once_and_takes_no_sequence(path):
    log = opened(path)
    log.mark()
    write(log, b"x")
    before = log.bytes_written
    log.mark()
    log.mark()
    assert log.bytes_written == before + 26
    last = write(log, b"y")
    log.close()

    again = opened(path)

    assert again.sequence == last == log.sequence
    assert [record.payload for record in again.recovered] == [b"x", b"y"]


def test_a_record_that_cannot_be_one_is_refused(path):
    log = opened(path)

    with pytest.raises(ValueError, match=f"16777191 bytes, the limit is {MAX_RECORD_BYTES}"):
        log.append(7, 1, bytes(MAX_RECORD_BYTES + 1))
    with pytest.raises(ValueError, match="0 to 253, not 254"):
        log.append(254, 1, b"")
    assert log.take() is None


def test_the_largest_record_survives(path):
    log = opened(path)
    write(log, bytes(MAX_RECORD_BYTES))
    log.close()

    assert [len(record.payload) for record in opened(path).recovered] == [MAX_RECORD_BYTES]


def test_batches_are_written_in_the_order_taken(path):
    log = opened(path)
    log.append(7, 1, b"1")
    first = log.take()
    log.append(7, 1, b"2")

    with pytest.raises(AssertionError, match="order taken"):
        log.write(log.take())
    log.write(first)


class OneBadFile:
    """Passes everything to a real disk, but its files fail when told to."""

    def __init__(self):
        self.real = OsDisk()
        self.failing = ""

    def __getattr__(self, name):
        return getattr(self.real, name)

    def create(self, path):
        file = self.real.create(path)
        bad = self

        class Bad:
            def write(self, data):
                if bad.failing == "write":
                    raise DiskFailed(path, "write", "Input/output error")
                file.write(data)

            def sync(self):
                if bad.failing == "sync":
                    raise DiskFailed(path, "fdatasync", "Input/output error")
                file.sync()

            def close(self):
                file.close()

        return Bad()


@pytest.mark.parametrize("operation", ["write", "sync"])
def test_after_a_failure_nothing_is_ever_written_again(path, operation):
    disk = OneBadFile()
    log = WriteAheadLog.open(disk, path)
    write(log, b"good")
    disk.failing = operation
    with pytest.raises(DiskFailed, match=f"{operation} of .* failed: Input/output error"):
        write(log, b"lost?")
    disk.failing = ""
    size = len(segment_of(path, 1))

    with pytest.raises(DiskFailed, match="an earlier write to this log failed"):
        write(log, b"must not be written")
    log.mark()
    log.close()

    assert len(segment_of(path, 1)) == size


def test_a_full_disk_says_so_and_the_log_recovers(path):
    log = opened(path)
    durable = write(log, b"kept")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    try:
        with pytest.raises(DiskFull, match=r"disk full: write of .*1\.log failed with \d+ bytes"):
            write(log, bytes(5_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    log.close()

    again = opened(path)

    assert again.sequence == durable
    assert [record.payload for record in again.recovered] == [b"kept"]
    write(again, bytes(5_000))


def test_another_disks_log_is_refused(path):
    log = opened(path, disk_id=1)
    write(log, b"x")
    log.close()

    with pytest.raises(DamagedLog, match="written for disk 1, this is disk 2"):
        opened(path, disk_id=2)


def test_two_logs_do_not_share_checksums(path, tmp_path):
    for disk_id, name in ((1, "a"), (2, "b")):
        log = opened(str(tmp_path / name), disk_id=disk_id)
        write(log, b"same")
        log.close()
    a, b = (OsDisk().read(str(tmp_path / name / f"{1:020d}.log")) for name in "ab")

    assert a[62:66] == b[62:66] == b"same"
    assert a[36:62] != b[36:62]


def test_other_files_in_the_directory_are_left_alone(path):
    log = opened(path)
    write(log, b"x")
    log.close()
    OsDisk().create(f"{path}/notes.txt").close()

    assert opened(path).sequence == 2
    assert OsDisk().exists(f"{path}/notes.txt")
