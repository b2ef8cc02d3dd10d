"""The twin of the disk: the same answers as the real one, and the faults it promises."""

from collections import Counter
from itertools import pairwise

import pytest

from kvraft.storage.disk import OsDisk
from kvraft.storage.errors import AlreadyLocked, DiskFailed, DiskFull
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.disk import Crash, SimulatedDisk
from kvraft_chaos.simulation.page_cache import SECTOR_BYTES, Loss


@pytest.fixture
def disk():
    disk = SimulatedDisk()
    disk.makedirs("d")
    return disk


def written(disk, path, *pieces, sync=False):
    file = disk.create(path)
    for piece in pieces:
        file.write(piece)
    if sync:
        file.sync()
    return file


def answer(question, *arguments):
    try:
        return question(*arguments)
    except DiskFailed as error:
        return str(error).rpartition(": ")[2]


def conversation(disk, root):
    """Every operation of the door, and what it answered."""
    path = f"{root}/a/b"
    disk.makedirs(path)
    disk.makedirs(path)
    yield disk.listdir(root), disk.listdir(path)
    file = disk.create(f"{path}/f")
    file.write(b"hello")
    file.write(b" world")
    file.sync()
    yield file.size, disk.size(f"{path}/f"), disk.exists(f"{path}/f"), disk.exists(f"{path}/g/h")
    file.close()
    again = disk.append(f"{path}/f")
    again.write(b"!")
    again.close()
    yield disk.read(f"{path}/f"), disk.read(f"{path}/f", 6, 5), disk.read(f"{path}/f", 11, 99)
    yield answer(disk.create, f"{path}/f"), answer(disk.append, f"{path}/g")
    yield answer(disk.read, f"{path}/g"), answer(disk.remove, f"{path}/g")
    yield answer(disk.rename, f"{path}/g", f"{path}/h"), answer(disk.sync_dir, f"{root}/x")
    disk.rewrite(f"{path}/f", 0, b"J")
    disk.truncate(f"{path}/f", 4)
    disk.allocate(f"{path}/z", 1_000)
    disk.rename(f"{path}/f", f"{path}/z")
    disk.sync_dir(path)
    yield disk.listdir(path), disk.read(f"{path}/z")
    lock = disk.lock(f"{root}/LOCK")
    with pytest.raises(AlreadyLocked, match="LOCK is locked by another process"):
        disk.lock(f"{root}/LOCK")
    lock.close()
    disk.lock(f"{root}/LOCK").close()
    disk.remove(f"{path}/z")
    yield disk.listdir(path), disk.free_bytes(root) > 0


def test_it_answers_as_the_real_disk_does(tmp_path):
    twin = list(conversation(SimulatedDisk(), "n1"))

    assert twin == list(conversation(OsDisk(), str(tmp_path)))


def test_a_kill_keeps_the_cache_and_ends_the_process(disk):
    file = written(disk, "d/f", b"un-fsynced")
    disk.lock("d/LOCK")

    disk.kill()

    assert disk.read("d/f") == b"un-fsynced"
    disk.lock("d/LOCK").close()
    with pytest.raises(AssertionError, match="used after a crash"):
        file.write(b"x")
    disk.power_loss(Chance(0, "test"), Loss.EVERYTHING)
    assert disk.listdir("d") == []


def test_what_was_fsynced_survives_every_loss(disk):
    written(disk, "d/f", b"x" * 700, sync=True).write(b"y" * 2_000)
    disk.sync_dir("d")
    for seed in range(300):
        lost = disk.clone()
        lost.power_loss(Chance(seed, "test"))
        assert lost.read("d/f")[:700] == b"x" * 700
        assert lost.size("d/f") <= 2_700


def test_a_name_needs_the_fsync_of_its_directory(disk):
    written(disk, "d/old", b"1", sync=True)
    disk.sync_dir("d")
    written(disk, "d/new", b"2", sync=True)
    disk.rename("d/new", "d/old")
    outcomes = Counter()
    for seed in range(200):
        lost = disk.clone()
        lost.power_loss(Chance(seed, "test"))
        outcomes[tuple((name, lost.read(f"d/{name}")) for name in lost.listdir("d"))] += 1

    assert set(outcomes) == {
        (("old", b"1"),),
        (("old", b"2"),),
        (("new", b"2"), ("old", b"1")),
    }


def test_a_subset_of_sectors_survives_whole(disk):
    pieces = [bytes([number]) * SECTOR_BYTES for number in range(1, 6)]
    written(disk, "d/f", *pieces)
    disk.sync_dir("d")
    holes = 0
    for seed in range(300):
        lost = disk.clone()
        lost.power_loss(Chance(seed, "test"), Loss.SUBSET)
        content = lost.read("d/f")
        survived = [content[at * SECTOR_BYTES :][:SECTOR_BYTES] == pieces[at] for at in range(5)]
        holes += any(later and not earlier for earlier, later in pairwise(survived))
    assert holes > 50


def test_a_prefix_ends_at_any_byte(disk):
    written(disk, "d/f", b"abc", b"defg")
    disk.sync_dir("d")
    seen = set()
    for seed in range(200):
        lost = disk.clone()
        lost.power_loss(Chance(seed, "test"), Loss.PREFIX)
        seen.add(lost.read("d/f"))

    assert seen == {b"abcdefg"[:size] for size in range(8)}


def test_a_directory_that_was_not_synced_goes_with_all_in_it():
    disk = SimulatedDisk()

    def no_sync(step):
        if step.operation == "sync_dir":
            raise Crash

    disk.on_step = no_sync
    with pytest.raises(Crash):
        disk.makedirs("d/e")
    disk.on_step = lambda _: None
    lost = disk.clone()
    lost.power_loss(Chance(0, "test"), Loss.EVERYTHING)
    assert lost.listdir("") == []

    disk.kill()
    disk.makedirs("d/e")  # now it makes durable what the last attempt had left in the cache
    disk.power_loss(Chance(0, "test"), Loss.EVERYTHING)
    assert disk.listdir("d") == ["e"]


def test_a_crash_in_a_write_lets_part_of_it_through(disk):
    def crash(step):
        if step.operation == "write":
            assert (step.path, step.data) == ("d/f", b"hello")
            raise Crash(2)

    file = disk.create("d/f")
    disk.on_step = crash
    with pytest.raises(Crash):
        file.write(b"hello")

    assert disk.read("d/f") == b"he"


def test_a_failed_fsync_loses_the_pages_for_good(disk):
    file = written(disk, "d/f", b"hello")
    disk.sync_dir("d")

    def fail(step):
        if step.operation == "sync":
            raise DiskFailed(step.path, step.operation, "Input/output error")

    disk.on_step = fail
    with pytest.raises(DiskFailed):
        file.sync()
    disk.on_step = lambda _: None
    assert disk.read("d/f") == b"hello"
    file.sync()  # reports success, as Linux does

    disk.power_loss(Chance(0, "test"), Loss.NOTHING)
    assert disk.read("d/f") == b""


def test_space_ends_in_the_middle_of_a_write():
    disk = SimulatedDisk(capacity_bytes=10)
    file = disk.create("f")
    file.write(b"12345678")

    with pytest.raises(DiskFull, match="write of f failed with 0 bytes free"):
        file.write(b"abcd")

    assert disk.read("f") == b"12345678ab"
    assert disk.free_bytes("") == 0
    disk.rewrite("f", 0, b"xx")  # takes no space


def test_bits_rot_in_the_cache_and_on_the_platter(disk):
    written(disk, "d/f", b"\x00\x00", sync=True)
    disk.sync_dir("d")

    disk.flip_bit("d/f", 1, 3)

    assert disk.read("d/f") == b"\x00\x08"
    disk.power_loss(Chance(0, "test"))
    assert disk.read("d/f") == b"\x00\x08"


def test_a_clone_is_independent(disk):
    written(disk, "d/f", b"x")
    twin = disk.clone()

    twin.append("d/f").write(b"y")
    twin.remove("d/f")
    disk.append("d/f").write(b"z")

    assert disk.read("d/f") == b"xz"
    assert twin.listdir("d") == []


def test_an_empty_disk_can_take_its_place(disk):
    written(disk, "d/f", b"x", sync=True)

    disk.wipe()

    assert disk.listdir("") == []
    assert disk.boot == 1
