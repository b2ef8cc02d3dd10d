"""The data directory: whose it is, one process at a time, and its reserve."""

from dataclasses import replace
from pathlib import Path

import pytest

from kvraft.storage.directory import DataDirectory, Identity
from kvraft.storage.disk import OsDisk
from kvraft.storage.errors import AlreadyLocked, DamagedFile, WrongDirectory
from kvraft.storage.record import Record, encode
from kvraft.storage.small_file import replace_file
from kvraft_chaos.simulation.disk import SimulatedDisk


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "n1")


def opened(path, name="n1", *, rejoin=False, disk_id=5, disk=None):
    return DataDirectory.open(disk or OsDisk(), path, name, rejoin=rejoin, new_disk_id=disk_id)


def test_a_new_directory_gets_an_identity_that_lasts(path):
    first = opened(path)
    assert first.identity == Identity("n1", 0, 5, rejoining=False, origin=0)
    saved = replace(first.identity, cluster_id=7, origin=9)
    first.save_identity(saved)
    assert first.identity == saved
    first.close()

    again = opened(path, disk_id=6)

    assert again.identity == saved
    assert (again.wal_path, again.snapshot_path) == (f"{path}/wal", f"{path}/snapshots")
    again.close()


def test_another_nodes_directory_is_refused(path):
    opened(path, "n2").close()

    with pytest.raises(WrongDirectory, match="this directory belongs to n2, not to n1; check"):
        opened(path, "n1")
    opened(path, "n2").close()  # and it was not left locked


def test_a_second_opening_is_refused(path):
    first = opened(path)

    with pytest.raises(AlreadyLocked, match="locked by another process"):
        opened(path)
    first.close()


def test_rejoin_starts_an_empty_directory_and_survives_restarts(path):
    opened(path, rejoin=True).close()

    without_flag = opened(path)
    assert without_flag.identity.rejoining
    without_flag.close()
    with_flag = opened(path, rejoin=True, disk_id=6)
    assert with_flag.identity.rejoining
    assert with_flag.identity.disk_id == 5
    with_flag.close()


def test_rejoin_refuses_a_directory_with_data(path):
    opened(path).close()

    with pytest.raises(WrongDirectory, match=r"--rejoin needs an empty directory.* data of n1"):
        opened(path, rejoin=True)


@pytest.mark.parametrize("rejoin", [False, True])
def test_a_directory_that_is_not_ours_is_refused(path, rejoin):
    OsDisk().makedirs(path + "/wal")

    with pytest.raises(WrongDirectory, match=r"no identity file.*\(it holds wal\).* --rejoin"):
        opened(path, rejoin=rejoin)


@pytest.mark.parametrize("leftover", ["LOCK", "identity.tmp", "lost+found"])
def test_a_half_created_directory_counts_as_empty(path, leftover):
    OsDisk().makedirs(path)
    (Path(path) / leftover).write_bytes(b"half")

    assert opened(path, rejoin=True).identity.disk_id == 5


def test_every_flipped_byte_of_the_identity_is_noticed(path):
    opened(path).close()
    file = Path(path) / "identity"
    whole = file.read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1
        file.write_bytes(damaged)
        with pytest.raises(DamagedFile, match=r"identity is damaged at offset 0"):
            opened(path)
    file.write_bytes(whole + b"x")
    with pytest.raises(DamagedFile, match=r"its \d+ bytes fail their checksum"):
        opened(path)


def test_an_identity_of_other_fields_is_refused(path):
    OsDisk().makedirs(path)
    replace_file(OsDisk(), path, "identity", kind=0x49, payload=b'{"node_name": "n1", "x": 1}')

    with pytest.raises(DamagedFile, match="fields are not those of an identity"):
        opened(path)


def test_an_identity_of_a_newer_version_names_itself(path):
    OsDisk().makedirs(path)
    frame = encode(Record(0, 0x49, 2, b"{}"), durable=0, salt=0)
    (Path(path) / "identity").write_bytes(frame)

    with pytest.raises(DamagedFile, match="version 2, this version reads 1; start the version"):
        opened(path)


def test_the_identity_can_be_read_by_people(path):
    opened(path).close()

    assert b'"node_name": "n1"' in (Path(path) / "identity").read_bytes()


def test_the_ballast_is_allocated_once_and_can_be_given_up(path):
    directory = opened(path)
    assert not directory.release_after_enospc()

    assert directory.ensure_ballast()
    assert directory.ensure_ballast()
    assert OsDisk().size(directory.ballast_path) == 16 << 20

    assert directory.release_after_enospc()
    assert not OsDisk().exists(directory.ballast_path)
    directory.close()


def test_a_ballast_cut_short_by_a_crash_is_made_anew(path):
    directory = opened(path)
    OsDisk().allocate(directory.ballast_path, 100)

    assert directory.ensure_ballast()

    assert OsDisk().size(directory.ballast_path) == 16 << 20
    directory.close()


def test_a_disk_too_full_for_ballast_goes_without():
    disk = SimulatedDisk(capacity_bytes=1_000_000)
    directory = opened("n1", disk=disk)

    assert not directory.ensure_ballast()

    assert not disk.exists(directory.ballast_path)
    assert directory.ensure_ballast(500_000)
