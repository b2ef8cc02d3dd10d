"""Snapshots: streamed, checked, current only when whole, readable while pinned."""

import hashlib
import os
from pathlib import Path

import pytest

from kvraft.storage import snapshot_file
from kvraft.storage.disk import OsDisk, OsFile
from kvraft.storage.errors import DamagedFile, DamagedSnapshot, DiskFailed
from kvraft.storage.snapshot_file import META_BYTES, verify_backup
from kvraft.storage.snapshots import SYNC_BYTES, SnapshotStore

STATE = bytes(range(256)) * 1000


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch):
    """Nothing here depends on durability, which `tests/simulation/test_crash_states.py` proves."""
    monkeypatch.setattr(os, "fsync", lambda _fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda _fd: None)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "snapshots")


def opened(path):
    return SnapshotStore.open(OsDisk(), path)


def save(store, state=STATE, index=10, term=3, meta=b"meta", piece=10_000):
    writer = store.create(index, term, meta)
    for start in range(0, len(state), piece):
        writer.write(state[start : start + piece])
    return writer.commit()


def files(path, suffix=".snapshot"):
    return sorted(Path(path).glob(f"*{suffix}"))


def test_an_empty_store_has_no_current(path):
    assert opened(path).current is None
    assert opened(path).pin() is None


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 200_000])
def test_what_was_committed_is_current_and_whole(path, size):
    saved = save(opened(path), STATE[:size])

    found = opened(path).current

    assert found == saved
    assert (found.index, found.term, found.meta) == (10, 3, b"meta")
    assert found.state_bytes == size
    assert found.file_bytes == OsDisk().size(found.path) == len(found.read_file(0, 1 << 30))
    assert b"".join(found.blocks()) == STATE[:size]


def test_any_range_can_be_read(path):
    snapshot = save(opened(path))
    for offset in (0, 1, 65_535, 65_536, 70_000, 255_999, 256_000, 300_000):
        for size in (0, 1, 65_536, 65_537, 200_000):
            assert snapshot.read(offset, size) == STATE[offset : offset + size]


def test_the_digest_does_not_depend_on_the_pieces(path):
    store = opened(path)

    assert save(store, piece=1_000).digest == save(store, piece=100_000).digest
    assert len(files(path)) == 1
    assert save(store, index=11).digest != save(store, index=12).digest


def test_a_new_snapshot_replaces_the_old(path):
    store = opened(path)
    save(store, b"old", index=1)
    save(store, b"new", index=2)

    assert [file.name[:20] for file in files(path)] == [f"{2:020d}"]
    assert opened(path).current.read(0, 10) == b"new"


def test_a_pinned_snapshot_stays_readable(path):
    store = opened(path)
    save(store, b"old", index=1)
    old = store.pin()
    assert store.pin() == old
    store.unpin(old)
    save(store, b"new", index=2)
    assert old.read(0, 10) == b"old"

    store.unpin(old)
    save(store, b"newer", index=3)

    with pytest.raises(DiskFailed, match="No such file"):
        old.read(0, 10)
    assert len(files(path)) == 1


def test_an_aborted_or_unfinished_snapshot_changes_nothing(path):
    store = opened(path)
    save(store, b"kept")
    store.create(20, 3, b"").abort()
    unfinished = store.create(21, 3, b"")
    unfinished.write(STATE)
    assert len(files(path, ".tmp")) == 1

    assert opened(path).current.read(0, 10) == b"kept"
    assert files(path, ".tmp") == []


def test_a_transfer_that_arrives_changed_is_not_installed(path):
    store = opened(path)
    save(store, b"kept")
    writer = store.create(20, 3, b"")
    writer.write(b"changed")

    with pytest.raises(DamagedSnapshot, match=r"digest .* not 00.*; transfer it again"):
        writer.commit(bytes(32))

    assert store.current.read(0, 10) == b"kept"
    assert files(path, ".tmp") == []


def test_a_transfer_with_the_right_digest_is_installed(path, tmp_path):
    sent = save(opened(path))
    received = opened(str(tmp_path / "other")).create(10, 3, b"meta")
    for block in sent.blocks():
        received.write(block)

    assert received.commit(sent.digest).digest == sent.digest


def test_leftovers_of_crashes_are_removed(path):
    store = opened(path)
    kept = save(store)
    (Path(path) / "1.tmp").write_bytes(b"half")
    (Path(path) / f"{1:020d}-{1:020d}-x.snapshot").write_bytes(b"older")

    assert opened(path).current == kept
    assert [str(file) for file in files(path)] == [kept.path]
    assert files(path, ".tmp") == []


def test_without_current_whole_snapshots_are_kept_for_inspection(path):
    save(opened(path))
    (Path(path) / "CURRENT").unlink()

    assert opened(path).current is None
    assert len(files(path)) == 1


@pytest.mark.parametrize("meta", [b"", b"m" * 50])
def test_every_flipped_byte_is_noticed_and_every_cut(path, meta, monkeypatch):
    monkeypatch.setattr(snapshot_file, "BLOCK_BYTES", 64)
    file = Path(save(opened(path), STATE[:150], meta=meta).path)
    whole = file.read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        file.write_bytes(damaged)
        with pytest.raises(DamagedSnapshot) as caught:
            opened(path)
        assert caught.value.file == str(file)
        assert 0 <= caught.value.offset <= len(whole)
        file.write_bytes(whole[:position])
        with pytest.raises(DamagedSnapshot):
            verify_backup(OsDisk(), str(file))
    file.write_bytes(whole + b"\0")
    with pytest.raises(DamagedSnapshot):
        opened(path)


def test_damage_after_opening_is_noticed_by_the_reader(path):
    snapshot = save(opened(path))
    file = Path(snapshot.path)
    damaged = bytearray(file.read_bytes())
    damaged[100_000] ^= 1
    file.write_bytes(damaged)

    assert snapshot.read(0, 65_536) == STATE[:65_536]
    with pytest.raises(DamagedSnapshot, match="at offset 65577: block 1 fails its checksum"):
        snapshot.read(70_000, 10)


def test_a_file_cut_after_opening_is_noticed_by_the_reader(path):
    snapshot = save(opened(path))
    OsDisk().truncate(snapshot.path, 70_000)

    with pytest.raises(DamagedSnapshot, match="block 1 fails its checksum"):
        snapshot.read(65_536, 10)


def test_bytes_missing_before_a_good_footer_are_noticed(path):
    file = Path(save(opened(path)).path)
    whole = file.read_bytes()
    file.write_bytes(whole[:1_000] + whole[2_000:])

    with pytest.raises(DamagedSnapshot, match=f"should have {len(whole)} bytes, not"):
        opened(path)


def test_swapped_blocks_are_noticed(path, monkeypatch):
    monkeypatch.setattr(snapshot_file, "BLOCK_BYTES", 64)
    file = Path(save(opened(path), STATE[:128], meta=b"").path)
    whole = file.read_bytes()
    start, stride = 29, 72
    file.write_bytes(
        whole[:start]
        + whole[start + stride : start + 2 * stride]
        + whole[start : start + stride]
        + whole[start + 2 * stride :]
    )

    with pytest.raises(DamagedSnapshot, match="block 0 fails its checksum"):
        opened(path)


def test_a_footer_that_lies_is_noticed(path, monkeypatch):
    snapshot = save(opened(path))
    monkeypatch.setattr(snapshot_file.hashlib, "blake2b", lambda _data, **_: hashlib.sha256())

    with pytest.raises(DamagedSnapshot, match="does not have the digest of its footer"):
        verify_backup(OsDisk(), snapshot.path)


def test_a_current_that_names_nothing_or_another_is_refused(path):
    store = opened(path)
    first = Path(save(store, b"one", index=1).path)
    content = first.read_bytes()
    second = Path(save(store, b"two", index=2).path)
    second.write_bytes(content)

    with pytest.raises(DamagedSnapshot, match="CURRENT names a snapshot with another digest"):
        opened(path)
    second.unlink()
    with pytest.raises(DamagedSnapshot, match="CURRENT names it, but it is missing"):
        opened(path)


def test_every_flipped_byte_of_current_is_noticed(path):
    save(opened(path))
    current = Path(path) / "CURRENT"
    whole = current.read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1
        current.write_bytes(damaged)
        with pytest.raises(DamagedFile, match="CURRENT is damaged"):
            opened(path)


def test_a_newer_version_names_itself(path):
    file = Path(save(opened(path)).path)
    changed = bytearray(file.read_bytes())
    changed[4] = 2
    file.write_bytes(changed)

    with pytest.raises(DamagedSnapshot, match="version 2, this version reads 1; use the version"):
        opened(path)


def test_what_is_no_snapshot_is_said_to_be_none(tmp_path):
    (tmp_path / "backup").write_bytes(b"hello")

    with pytest.raises(DamagedSnapshot, match="does not begin as a snapshot does"):
        verify_backup(OsDisk(), str(tmp_path / "backup"))


def test_a_backup_is_a_copy_of_the_file(path, tmp_path):
    snapshot = save(opened(path))
    copy = tmp_path / "backup"
    copy.write_bytes(snapshot.read_file(0, snapshot.file_bytes))

    backup = verify_backup(OsDisk(), str(copy))

    assert b"".join(backup.blocks()) == STATE
    assert backup.digest == snapshot.digest


def test_a_large_snapshot_is_synced_as_it_grows(path, monkeypatch):
    """One fsync of all of it at its end would hold up the fsyncs of the log."""
    unsynced = [0]
    sizes = []
    write, sync = OsFile.write, OsFile.sync

    def counted_write(file, data):
        write(file, data)
        unsynced[0] += len(data)

    def counted_sync(file):
        sync(file)
        sizes.append(unsynced[0])
        unsynced[0] = 0

    monkeypatch.setattr(OsFile, "write", counted_write)
    monkeypatch.setattr(OsFile, "sync", counted_sync)
    save(opened(path), bytes(3 * SYNC_BYTES), piece=1 << 20)
    assert len(sizes) >= 3
    assert max(sizes) <= SYNC_BYTES + (1 << 20)


def test_meta_is_bounded(path):
    store = opened(path)
    save(store, meta=bytes(META_BYTES))

    with pytest.raises(ValueError, match="65537 bytes, the limit is 65536"):
        store.create(1, 1, bytes(META_BYTES + 1))
    assert opened(path).current.meta == bytes(META_BYTES)
