"""Disks that are lost, damaged, somebody else's, or all gone."""

import re
import shutil

import pytest
from integration.processes import kill, serve, start

from kvraft.cli import local_cluster
from kvraft.cli.local_cluster import LocalCluster
from kvraft_client import Client

LEAP = 1 << 32


def write(cluster: LocalCluster, count: int, mark: str = "k") -> None:
    with Client(cluster.endpoints, timeout=10.0) as client:
        for number in range(count):
            client.put(f"{mark}/{number}", f"value {number}".encode())


def read(cluster: LocalCluster, mark: str = "k") -> dict[str, bytes]:
    with Client(cluster.endpoints, timeout=10.0) as client:
        return {entry.key.decode(): entry.value for entry in client.list(f"{mark}/")}


def ended(process, limit_s: float = 20.0) -> tuple[int, str]:
    _, log = process.communicate(timeout=limit_s)
    return process.returncode, log


def test_a_wiped_disk_without_rejoin_is_refused_by_name(cluster: LocalCluster) -> None:
    write(cluster, 20)
    victim = cluster.nodes[2]
    kill([victim])
    shutil.rmtree(victim.directory / "data")
    process = serve(cluster, victim)
    try:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        line = next(line for line in lines if "--rejoin" in line)
        assert re.search("n3.*different disk", line)
        with Client(victim.endpoint, timeout=2.0) as client:
            assert client.status()[0].role != "leader"
    finally:
        process.kill()
        process.communicate()
    assert len(read(cluster)) == 20


def test_starting_the_cluster_with_a_wiped_node_says_which_and_why(cluster) -> None:
    victim = cluster.nodes[0]
    kill([victim])
    shutil.rmtree(victim.directory / "data")
    started = local_cluster.start(cluster)
    with pytest.raises(local_cluster.ClusterError, match=r"n1: .*--rejoin"):
        local_cluster.wait_until_ready(cluster, started, timeout_s=3.0)
    assert victim.pid() is None, "what was started is stopped"
    assert cluster.nodes[1].pid() is not None, "what ran goes on"


def test_a_node_that_comes_late_joins_by_itself(idle_cluster: LocalCluster) -> None:
    """Its slot was empty when the cluster was formed: it never voted, so it needs no flag."""
    late = idle_cluster.nodes[2]
    two = [serve(idle_cluster, node) for node in idle_cluster.nodes[:2]]
    try:
        write(idle_cluster, 20)
        start_late = serve(idle_cluster, late)
        try:
            with Client(late.endpoint, timeout=10.0) as client:
                client.put("k/late", b"through the late one")
                while client.status()[0].role != "follower":
                    pass
            two[1].kill()
            assert len(read(idle_cluster)) == 21, "it carries the majority now"
        finally:
            start_late.kill()
            start_late.communicate()
    finally:
        for process in two:
            process.kill()
            process.communicate()


def test_a_lost_disk_rejoins_and_then_carries_the_cluster(cluster: LocalCluster) -> None:
    """No acknowledged write is lost when the other nodes then fail in turn."""
    write(cluster, 50)
    victim = cluster.nodes[0]
    kill([victim])
    shutil.rmtree(victim.directory / "data")
    write(cluster, 10, mark="during")
    start(cluster, "--rejoin")
    for other in cluster.nodes[1:]:
        kill([other])
        write(cluster, 5, mark=other.name)
        assert len(read(cluster)) == 50
        assert len(read(cluster, "during")) == 10
        start(cluster)


def test_all_disks_lost_and_restored_from_a_backup(cluster: LocalCluster, tmp_path) -> None:
    write(cluster, 100)
    backup = tmp_path / "backup.kvraft"
    with Client(cluster.endpoints, timeout=20.0) as client:
        before = client.get("k/7")
        client.snapshot(backup)
        client.put("k/7", b"after the backup")
        old_cluster = client.status()[0].cluster_id
    kill(cluster.nodes)
    for node in cluster.nodes:
        shutil.rmtree(node.directory)
    start(cluster, "--restore", str(backup))

    assert read(cluster) == {f"k/{number}": f"value {number}".encode() for number in range(100)}
    with Client(cluster.endpoints, timeout=10.0) as client:
        assert client.get("k/7") == before
        assert client.put("k/new", b"v").mod_revision > LEAP
        with client.lease(ttl=5.0) as lease:
            assert lease.id > LEAP
        assert client.status()[0].cluster_id != old_cluster


def test_restore_wants_an_empty_directory_and_a_whole_file(cluster, tmp_path) -> None:
    backup = tmp_path / "backup.kvraft"
    with Client(cluster.endpoints, timeout=20.0) as client:
        client.snapshot(backup)
    node = cluster.nodes[0]
    kill([node])

    status, log = ended(serve(cluster, node, "--restore", str(backup)))
    assert (status, "--restore needs an empty directory" in log) == (1, True)

    backup.write_bytes(backup.read_bytes()[:-10])
    empty = tmp_path / "empty"
    status, log = ended(serve(cluster, node, "--restore", str(backup), data_dir=empty))
    assert status == 1
    assert "damaged" in log


def test_a_damaged_log_stops_the_node_with_file_offset_and_what_to_do(cluster) -> None:
    write(cluster, 200)
    node = cluster.nodes[1]
    kill([node])
    segment = min((node.directory / "data/wal").iterdir())
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 0x40
    segment.write_bytes(content)
    status, log = ended(serve(cluster, node))

    assert status == 1
    assert re.search(rf"{segment.name} is damaged at offset \d+.*--rejoin", log)
    assert len(read(cluster)) == 200


def test_a_member_without_its_log_does_not_start(cluster) -> None:
    """It would have forgotten what it voted for and acknowledged."""
    node = cluster.nodes[1]
    kill([node])
    shutil.rmtree(node.directory / "data/wal")
    status, log = ended(serve(cluster, node))

    assert status == 1
    assert re.search("the log of a member of a cluster is gone.*--rejoin", log)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--name", "n2"), "this directory belongs to n1"),
        (("--peers", "n1=nowhere"), "--peers n1: expected HOST:PORT"),
        (("--rejoin",), "--rejoin needs an empty directory"),
    ],
    ids=["another node's directory", "malformed peers", "rejoin with data"],
)
def test_a_node_that_must_not_start_says_why(cluster, change, message) -> None:
    node = cluster.nodes[0]
    kill([node])
    status, log = ended(serve(cluster, node, *change))

    assert status == 1
    assert message in log
    assert "Traceback" not in log


def test_a_directory_is_for_one_process(cluster) -> None:
    status, log = ended(serve(cluster, cluster.nodes[0]))

    assert status == 1
    assert re.search("in use|locked|another process", log)


def test_a_node_of_another_cluster_is_refused(cluster, tmp_path) -> None:
    """An old directory under a known name in a new cluster: it is told, and counts for nothing."""
    third = cluster.nodes[2]
    kill(cluster.nodes)
    old = tmp_path / "old"
    shutil.copytree(third.directory / "data", old)
    for node in cluster.nodes:
        shutil.rmtree(node.directory / "data")
    start(cluster)
    write(cluster, 5)
    kill([third])
    process = serve(cluster, third, data_dir=old)
    try:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        assert next(line for line in lines if re.search("refused.*cluster", line))
        write(cluster, 5)
    finally:
        process.kill()
        process.communicate()
