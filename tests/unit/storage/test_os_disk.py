"""The real disk: what each operation does, and that every failure is explained."""

import os
import subprocess
import sys

import pytest

from kvraft.storage.disk import SHRINK_BYTES, OsDisk
from kvraft.storage.errors import AlreadyLocked, DiskFailed, DiskFull


@pytest.fixture
def disk():
    return OsDisk()


def test_files_are_created_appended_read_and_cut(disk, tmp_path):
    path = str(tmp_path / "file")
    file = disk.create(path)
    file.write(b"abc")
    file.sync()
    file.close()
    file.close()
    again = disk.append(path)
    again.write(b"def")
    assert again.size == disk.size(path) == 6
    again.close()

    assert disk.read(path) == b"abcdef"
    assert disk.read(path, 4) == b"ef"
    assert disk.read(path, 1, 2) == b"bc"
    assert disk.read(path, 5, 100) == b"f"
    disk.rewrite(path, 1, b"BC")
    disk.truncate(path, 4)
    assert disk.read(path) == b"aBCd"
    disk.rename(path, path + "2")
    disk.sync_dir(str(tmp_path))
    assert disk.listdir(str(tmp_path)) == ["file2"]
    disk.remove(path + "2")
    assert not disk.exists(path + "2")


def test_directories_are_made_with_their_parents(disk, tmp_path):
    path = str(tmp_path / "a" / "b" / "c")

    disk.makedirs(path)
    disk.makedirs(path)

    assert disk.listdir(path) == []


def test_the_parent_of_a_directory_is_synced_even_if_it_was_there(disk, tmp_path, monkeypatch):
    """A process killed between mkdir and fsync left an entry that is not durable."""
    synced = []
    monkeypatch.setattr(OsDisk, "sync_dir", lambda _self, path: synced.append(path))
    (tmp_path / "a").mkdir()

    disk.makedirs(str(tmp_path / "a"))
    disk.makedirs(str(tmp_path / "a" / "b"))

    assert synced == [str(tmp_path), str(tmp_path), str(tmp_path / "a")]


def test_a_parent_that_may_not_be_opened_was_not_made_by_us(disk, tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(OsDisk, "sync_dir", lambda _self, path: synced.append(path))
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)

    disk.makedirs(str(tmp_path / "a"))

    assert synced == [str(tmp_path)]


def test_a_relative_path_works(disk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    disk.makedirs("data/wal")
    disk.create("data/wal/file").close()

    assert disk.listdir("data/wal") == ["file"]


def test_a_file_is_never_created_over_another(disk, tmp_path):
    path = str(tmp_path / "file")
    disk.create(path).close()

    with pytest.raises(DiskFailed, match=r"create of .*file failed: File exists"):
        disk.create(path)
    with pytest.raises(DiskFailed, match="File exists"):
        disk.allocate(path, 10)


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("listdir", ()),
        ("size", ()),
        ("read", ()),
        ("append", ()),
        ("rewrite", (0, b"x")),
        ("truncate", (0,)),
        ("remove", ()),
        ("sync_dir", ()),
        ("rename", ("elsewhere",)),
        ("free_bytes", ()),
    ],
)
def test_what_is_not_there_is_named(disk, tmp_path, operation, arguments):
    path = str(tmp_path / "absent")

    with pytest.raises(DiskFailed, match=r"absent failed: No such file"):
        getattr(disk, operation)(path, *arguments)


def test_a_file_in_the_way_of_a_directory_is_named(disk, tmp_path):
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(DiskFailed, match=r"mkdir of .*file"):
        disk.makedirs(str(tmp_path / "file"))


def test_allocated_bytes_are_really_there(disk, tmp_path):
    path = tmp_path / "ballast"

    disk.allocate(str(path), 1 << 20)

    assert path.stat().st_size == 1 << 20
    assert path.stat().st_blocks * 512 >= 1 << 20


def test_a_full_disk_names_the_path_and_the_free_bytes(disk):
    file = disk.append("/dev/full")

    with pytest.raises(DiskFull, match=r"disk full: write of /dev/full failed with \d+ bytes free"):
        file.write(b"x")
    file.close()


def test_a_failed_fsync_is_explained(disk, tmp_path):
    read_end, write_end = os.pipe()
    file = disk.append(f"/proc/self/fd/{write_end}")

    with pytest.raises(DiskFailed, match=r"fdatasync of .* failed: Invalid argument"):
        file.sync()
    file.close()
    os.close(read_end)
    os.close(write_end)


def test_free_bytes_are_those_of_the_file_system(disk, tmp_path):
    found = os.statvfs(tmp_path)

    assert disk.free_bytes(str(tmp_path)) == pytest.approx(
        found.f_bavail * found.f_frsize, abs=1 << 30
    )


def test_a_lock_is_exclusive_until_closed_and_names_its_holder(disk, tmp_path):
    path = str(tmp_path / "LOCK")
    lock = disk.lock(path)

    with pytest.raises(AlreadyLocked, match=rf"LOCK is locked by .* \(pid {os.getpid()}\)"):
        disk.lock(path)
    lock.close()
    disk.lock(path).close()


def test_a_lock_ends_with_its_process(disk, tmp_path):
    path = str(tmp_path / "LOCK")
    script = (
        "import sys\nfrom kvraft.storage.disk import OsDisk\n"
        "lock = OsDisk().lock(sys.argv[1])\nprint('locked', flush=True)\nsys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with other:
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(AlreadyLocked, match=f"pid {other.pid}"):
            disk.lock(path)
        other.kill()
        other.wait()

    disk.lock(path).close()


def test_a_large_file_is_freed_in_steps(tmp_path, monkeypatch):
    steps = []
    truncate = os.truncate
    monkeypatch.setattr(
        os, "truncate", lambda path, size: steps.append(size) or truncate(path, size)
    )
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(3 * SHRINK_BYTES + 1)
    OsDisk().remove(str(path))

    assert steps == [2 * SHRINK_BYTES + 1, SHRINK_BYTES + 1, 1]
    assert not path.exists()
