"""Every state a crash can leave, around the real log, snapshots, CURRENT and identity.

Never a wrong record, never a lost fsynced one, and never a refusal of what a mere crash produced.
Each of the seeded bugs below must make the same enumeration fail: that is what makes it a test.
"""

import struct
from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest

from kvraft.storage import directory, recovery, segment, snapshot_file, snapshots
from kvraft.storage.errors import DamagedLog, DiskFailed, DiskFull
from kvraft.storage.record import FRAME_BYTES, Frame, Record, encode
from kvraft.storage.wal import WriteAheadLog
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.crash_states import Explorer, Violation
from kvraft_chaos.simulation.crash_subjects import (
    DATA,
    SEGMENT_BYTES,
    TERM,
    VOTE,
    IdentitySubject,
    LogSubject,
    SnapshotSubject,
)
from kvraft_chaos.simulation.disk import Crash, SimulatedDisk, SimulatedFile

SEED = 1
STATES = 20_000
"""Crash states that are reopened, of the log, of snapshots and of the identity each."""
MOST_SEEDS = 5
SUBJECTS = [LogSubject, SnapshotSubject, IdentitySubject]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(snapshot_file, "BLOCK_BYTES", 800)  # so that small snapshots have several


@pytest.mark.parametrize("subject", SUBJECTS)
def test_no_crash_loses_or_invents_anything(subject):
    states = 0
    for seed in range(SEED, SEED + MOST_SEEDS):  # how many states a seed has is its own luck
        explorer = Explorer(seed)
        explorer.explore(subject(), depth=2)
        states += explorer.states
        if states > STATES:
            return
    pytest.fail(f"{MOST_SEEDS} seeds have {states} states only")


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize(
    "failure",
    [
        lambda step: DiskFailed(step.path, step.operation, "Input/output error"),
        lambda step: DiskFull(step.path, 0, step.operation),
    ],
    ids=["error", "full"],
)
def test_no_failing_step_loses_or_invents_anything(subject, failure):
    explorer = Explorer(SEED)

    explorer.fail_each_step(subject, failure)

    assert explorer.states > 200


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_disk_that_fills_up_loses_nothing(subject):
    for capacity in range(0, 12_000, 97):
        disk, promised = SimulatedDisk(capacity), subject()
        with suppress(DiskFull):
            promised.work(disk, Chance(SEED, "test"))
        disk.kill()
        disk.capacity_bytes = 1 << 20
        promised.check(disk)
        disk.power_loss(Chance(capacity, "test"))
        promised.check(disk)


def test_the_same_seed_explores_the_same_states():
    counts = []
    for _ in range(2):
        explorer = Explorer(SEED)
        explorer.explore(SnapshotSubject(), depth=1)
        counts.append(explorer.states)

    assert counts[0] == counts[1]


# Seeded bugs


def explore_seeds(subject):
    for seed in range(20):
        Explorer(seed, deeper=0.2).explore(subject(), depth=1)


def sync_forgotten(monkeypatch, *, suffix):
    honest = SimulatedFile.sync
    monkeypatch.setattr(
        SimulatedFile, "sync", lambda self: self._path.endswith(suffix) or honest(self)
    )


def directory_sync_forgotten(monkeypatch, *, path):
    honest = SimulatedDisk.sync_dir
    monkeypatch.setattr(SimulatedDisk, "sync_dir", lambda self, at: at == path or honest(self, at))


def torn_record_accepted(monkeypatch):
    def believed(data, offset, _salt):
        if offset + FRAME_BYTES > len(data):
            return None
        length, _, *fields = struct.unpack_from(">IIQQBB", data, offset)
        end = offset + 8 + length
        if length < FRAME_BYTES - 8 or end > len(data):
            return None
        return Frame(*fields, offset + FRAME_BYTES, end)

    monkeypatch.setattr(segment, "decode", believed)


def recovered_records_not_made_durable(monkeypatch):
    def cut_only(disk, path, found, data):
        if found.end != len(data):
            disk.truncate(path, found.end)

    monkeypatch.setattr(recovery, "_settle", cut_only)


def recovered_records_only_fsynced(monkeypatch):
    def sync_only(disk, path, found, data):
        disk.truncate(path, found.end)

    monkeypatch.setattr(recovery, "_settle", sync_only)


def torn_tail_not_cut(monkeypatch):
    honest = recovery._settle
    monkeypatch.setattr(
        recovery,
        "_settle",
        lambda disk, path, found, data: honest(disk, path, found, data[: found.end]),
    )


def mark_at_the_end_not_made_durable(monkeypatch):
    honest = recovery._settle

    def forgetful(disk, path, found, data):
        starts = [(sequence, at) for sequence, at in found.starts if sequence <= found.sequence]
        if any(sequence > found.durable for sequence, _ in starts):
            honest(disk, path, replace(found, starts=starts), data)

    monkeypatch.setattr(recovery, "_settle", forgetful)


def any_later_record_taken_for_damage(monkeypatch):
    honest = recovery.claimed

    def convinced(data, offset):
        sequence, _ = honest(data, offset)
        return sequence, sequence

    monkeypatch.setattr(recovery, "claimed", convinced)


def segment_started_before_the_older_is_durable(monkeypatch):
    def hasty(self, first):
        self._file = self._disk.create(f"{self._directory}/{first:020d}.log")
        self._new_segment = first

    monkeypatch.setattr(WriteAheadLog, "_start_segment", hasty)


def segments_dropped_without_directory_sync(monkeypatch):
    def hasty(self, sequence):
        while len(self._segments) > 1 and self._segments[1] <= sequence:
            self._disk.remove(f"{self._directory}/{self._segments.popleft():020d}.log")

    monkeypatch.setattr(WriteAheadLog, "drop_before", hasty)


def torn_preamble_accepted(monkeypatch):
    monkeypatch.setattr(
        segment.Segment, "complete", property(lambda self: self.preamble is not None)
    )


def strays_removed_before_current_is_durable(monkeypatch):
    honest_read = snapshots.SnapshotStore._read_current
    honest_removal = snapshots.SnapshotStore._remove_strays

    def hasty(self, names):
        self.current = honest_read(self, names)
        honest_removal(self, names)
        return self.current

    monkeypatch.setattr(snapshots.SnapshotStore, "_read_current", hasty)
    monkeypatch.setattr(snapshots.SnapshotStore, "_remove_strays", lambda _self, _names: None)


def old_snapshot_removed_before_current_is_replaced(monkeypatch):
    honest = snapshots.replace_file

    def hasty(disk, at, name, *, kind, payload):
        for old in disk.listdir(at):
            if old.endswith(".snapshot") and old.encode() not in payload:
                disk.remove(f"{at}/{old}")
        honest(disk, at, name, kind=kind, payload=payload)

    monkeypatch.setattr(snapshots, "replace_file", hasty)


def replaced_in_place(monkeypatch, *, module):
    def in_place(disk, at, name, *, kind, payload):
        path = f"{at}/{name}"
        record = encode(Record(0, kind, 1, payload), durable=0, salt=0)
        if disk.exists(path):
            disk.truncate(path, 0)
            file = disk.append(path)
        else:
            file = disk.create(path)
        file.write(record)
        file.sync()
        disk.sync_dir(at)

    monkeypatch.setattr(module, "replace_file", in_place)


SEEDED_BUGS = {
    "acknowledged before fsync": (LogSubject, partial(sync_forgotten, suffix=".log")),
    "no directory fsync of the log": (
        LogSubject,
        partial(directory_sync_forgotten, path="n1/wal"),
    ),
    "no directory fsync of snapshots": (
        SnapshotSubject,
        partial(directory_sync_forgotten, path="n1/snapshots"),
    ),
    "no directory fsync of the identity": (
        IdentitySubject,
        partial(directory_sync_forgotten, path="n1"),
    ),
    "CURRENT renamed before fsync": (
        SnapshotSubject,
        partial(sync_forgotten, suffix="CURRENT.tmp"),
    ),
    "snapshot renamed before fsync": (SnapshotSubject, partial(sync_forgotten, suffix="1.tmp")),
    "identity renamed before fsync": (
        IdentitySubject,
        partial(sync_forgotten, suffix="identity.tmp"),
    ),
    "torn record accepted": (LogSubject, torn_record_accepted),
    "recovered records not made durable": (LogSubject, recovered_records_not_made_durable),
    "torn tail not cut": (LogSubject, torn_tail_not_cut),
    "any later record taken for damage": (LogSubject, any_later_record_taken_for_damage),
    "segment started before the older is durable": (
        LogSubject,
        segment_started_before_the_older_is_durable,
    ),
    "segments dropped without directory fsync": (
        LogSubject,
        segments_dropped_without_directory_sync,
    ),
    "strays removed before CURRENT is durable": (
        SnapshotSubject,
        strays_removed_before_current_is_durable,
    ),
    "old snapshot removed before CURRENT is replaced": (
        SnapshotSubject,
        old_snapshot_removed_before_current_is_replaced,
    ),
    "CURRENT written in place": (SnapshotSubject, partial(replaced_in_place, module=snapshots)),
    "identity written in place": (IdentitySubject, partial(replaced_in_place, module=directory)),
}


@pytest.mark.parametrize("bug", SEEDED_BUGS)
def test_the_enumeration_convicts(bug, monkeypatch):
    subject, seed_bug = SEEDED_BUGS[bug]
    seed_bug(monkeypatch)

    with pytest.raises(Violation):
        explore_seeds(subject)


def test_failing_steps_convict_a_recovery_that_trusts_fsync_after_an_error(monkeypatch):
    recovered_records_only_fsynced(monkeypatch)

    with pytest.raises(Violation):
        Explorer(SEED).fail_each_step(
            LogSubject, lambda step: DiskFailed(step.path, step.operation, "Input/output error")
        )


# Schedules that the enumeration meets too rarely to be relied on


def crash_when(disk, operation, path):
    def crash(step):
        if (step.operation, step.path) == (operation, path):
            raise Crash

    disk.on_step = crash


def losses(disk, promised, seeds=200):
    disk.on_step = lambda _: None
    for seed in range(seeds):
        lost, owed = disk.clone(), promised.copy()
        lost.power_loss(Chance(seed, "test"))
        yield lost, owed


def mark_before_a_new_segment():
    """A mark at the end of the log, a restart, a new segment: the mark is torn in an old one."""
    disk, promised = SimulatedDisk(), LogSubject()
    log = promised.open(disk)
    log.append(DATA, 1, b"x")
    promised.write(log)
    log.close()
    disk.kill()
    log = promised.open(disk)
    log.append(DATA, 1, bytes(SEGMENT_BYTES))
    crash_when(disk, "write", "n1/wal/00000000000000000005.log")
    with pytest.raises(Crash):
        promised.write(log)
    for lost, owed in losses(disk, promised):
        owed.check(lost)


def half_a_preamble():
    """Half a preamble survives, the log goes on, and what the other half said is dropped."""
    disk, promised = SimulatedDisk(), LogSubject()
    log = promised.open(disk)
    for kind in (TERM, VOTE):
        log.append(kind, 1, bytes([kind]) * 600)
    promised.write(log)
    log.append(DATA, 1, bytes(SEGMENT_BYTES))
    crash_when(disk, "sync", "n1/wal/00000000000000000006.log")
    with pytest.raises(Crash):
        promised.write(log)
    for lost, owed in losses(disk, promised):
        log = owed.open(lost)
        log.append(DATA, 1, b"x")
        owed.write(log)
        owed.drop_before(log, owed.durable)
        lost.power_loss(Chance(0, "test"))
        owed.check(lost)


SCHEDULES = {
    mark_before_a_new_segment: mark_at_the_end_not_made_durable,
    half_a_preamble: torn_preamble_accepted,
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_named_schedules(schedule, monkeypatch):
    schedule()

    SCHEDULES[schedule](monkeypatch)
    with pytest.raises((AssertionError, DamagedLog)):
        schedule()
