"""Starting and stopping: one clear line and nothing left, or everything up; and a quick end."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from integration.processes import kill, serve, start

from kvraft.cli import local_cluster
from kvraft.cli.local_cluster import ClusterError, LocalCluster
from kvraft.config import PORT_STEP
from kvraft_chaos.ports import free_base_port
from kvraft_client import Client

STOP_LIMIT_S = 6.0
STATUS_KEYS = {
    "name", "pid", "endpoint", "peer", "role", "term", "commit", "applied", "revision",
}  # fmt: skip


def refused(process: "subprocess.Popen[str]") -> str:
    """Return the one line of a node that does not start."""
    _, log = process.communicate(timeout=20.0)
    assert process.returncode == 1
    assert len(log.splitlines()) == 1, log
    return log


def kvraft(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "kvraft", *words],
        check=False, cwd=cwd, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def leader(cluster: LocalCluster) -> int:
    with Client(cluster.endpoints, timeout=5.0) as client:
        return next(at for at, node in enumerate(client.status()) if node.role == "leader")


def end(pids: list[int], number: int = signal.SIGTERM) -> list[int]:
    """Signal all at once; return the exit statuses, all within the limit."""
    begun = time.monotonic()
    for pid in pids:
        os.kill(pid, number)
    statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    assert time.monotonic() - begun < STOP_LIMIT_S
    return statuses


@pytest.mark.parametrize("plane", ["client", "peer"])
def test_a_port_in_use_is_one_line(idle_cluster: LocalCluster, plane: str) -> None:
    node = idle_cluster.nodes[0]
    port = node.client_port if plane == "client" else node.peer_port
    with socket.create_server((local_cluster.HOST, port)):
        line = refused(serve(idle_cluster, node))
    assert f"cannot listen for {plane}s on 127.0.0.1:{port}: Address already in use" in line


def test_rubbish_to_restore_is_one_line_with_fitting_advice(idle_cluster, tmp_path) -> None:
    rubbish = tmp_path / "rubbish"
    rubbish.write_bytes(b"no backup")
    line = refused(serve(idle_cluster, idle_cluster.nodes[0], "--restore", str(rubbish)))

    assert "take another backup" in line
    assert "--rejoin" not in line


def test_a_host_that_nobody_knows_is_one_line(idle_cluster) -> None:
    options = ("--listen", "no-such-host.invalid:1")
    line = refused(serve(idle_cluster, idle_cluster.nodes[0], *options))
    assert "cannot listen for clients on no-such-host.invalid:1: " in line


def test_told_to_stop_while_it_starts_it_ends_at_once(idle_cluster: LocalCluster) -> None:
    for milliseconds in range(100, 900, 100):
        local_cluster.start(idle_cluster)
        pids = [pid for node in idle_cluster.nodes if (pid := node.pid())]
        time.sleep(milliseconds / 1000)  # the moment in its start is what is tested
        assert set(end(pids)) <= {0, -signal.SIGTERM}, "the interpreter itself starts, or kvraft"


def test_a_leader_without_a_quorum_ends_soon(cluster: LocalCluster) -> None:
    at = leader(cluster)
    kill([node for number, node in enumerate(cluster.nodes) if number != at])
    assert end([cluster.nodes[at].pid()]) == [0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_three_at_once_end_soon(cluster: LocalCluster, number: int) -> None:
    assert end([node.pid() for node in cluster.nodes], number) == [0, 0, 0]


def test_a_second_start_starts_what_is_missing_only(cluster: LocalCluster) -> None:
    before = [node.pid() for node in cluster.nodes]
    assert local_cluster.start(cluster) == []
    kill([cluster.nodes[1]])
    start(cluster)

    after = [node.pid() for node in cluster.nodes]
    assert (after[0], after[2]) == (before[0], before[2])
    assert after[1] not in (None, before[1])


def test_two_starts_at_once_leave_one_cluster(idle_cluster: LocalCluster) -> None:
    with ThreadPoolExecutor(4) as pool:
        tries = [pool.submit(local_cluster.start, idle_cluster) for _ in range(4)]
    started = [node for one in tries if one.exception() is None for node in one.result()]
    assert sorted(node.name for node in started) == ["n1", "n2", "n3"]
    assert all(isinstance(one.exception(), ClusterError | None) for one in tries)

    local_cluster.wait_until_ready(idle_cluster, started)


def test_a_pid_of_another_program_is_not_the_node(idle_cluster, tmp_path) -> None:
    """Not even that of a node of the same name, elsewhere."""
    node, elsewhere = idle_cluster.nodes[0], local_cluster.describe(tmp_path / "b", 3, 20_001)
    node.directory.mkdir(parents=True)
    process = serve(idle_cluster, node, data_dir=elsewhere.nodes[0].data)
    try:
        for pid in (process.pid, os.getpid(), 1, 1 << 30):
            (node.directory / "pid").write_text(str(pid))
            assert node.pid() is None
        elsewhere.nodes[0].directory.mkdir(parents=True, exist_ok=True)
        (elsewhere.nodes[0].directory / "pid").write_text(str(process.pid))
        assert elsewhere.nodes[0].pid() == process.pid
    finally:
        process.kill()
        process.communicate()
    assert elsewhere.nodes[0].pid() is None


def test_a_port_of_another_program_stops_the_start(idle_cluster: LocalCluster) -> None:
    last = idle_cluster.nodes[2]
    with (
        socket.create_server((local_cluster.HOST, last.peer_port)),
        pytest.raises(ClusterError, match=f"port {last.peer_port} is in use by another program"),
    ):
        local_cluster.start(idle_cluster)
    assert not idle_cluster.directory.exists()


def test_a_node_that_ends_while_the_cluster_starts_ends_the_start(idle_cluster) -> None:
    second = idle_cluster.nodes[1]
    second.data.mkdir(parents=True)
    (second.data / "strange").touch()
    with pytest.raises(ClusterError, match=r"n2 ended: .*no identity file"):
        start(idle_cluster)
    assert [node.pid() for node in idle_cluster.nodes] == [None] * 3


def test_the_cluster_command_in_a_folder_with_spaces(tmp_path) -> None:
    """From a relative path, and stopped from elsewhere; status as DESIGN has it."""
    home = tmp_path / "a folder"
    home.mkdir()
    base = str(free_base_port(3, PORT_STEP))
    try:
        begun = kvraft("cluster", "start", "--dir", "my cluster", "--base-port", base, cwd=home)
        assert begun.returncode == 0, begun.stderr
        again = kvraft("cluster", "start", "--dir", "my cluster", cwd=home)
        assert "nothing: all were running" in again.stderr
        elsewhere = str(home / "my cluster")
        shown = kvraft("cluster", "status", "--dir", elsewhere, "-o", "json", cwd=tmp_path)
        (first, *_) = nodes = json.loads(shown.stdout)["nodes"]
        assert [set(node) for node in nodes] == [STATUS_KEYS] * 3
        assert [node["name"] for node in nodes] == ["n1", "n2", "n3"]
        assert {type(node["pid"]) for node in nodes} == {int}

        os.kill(first["pid"], signal.SIGKILL)
        shown = kvraft("cluster", "status", "--dir", elsewhere, "-o", "json", cwd=tmp_path)
        first = json.loads(shown.stdout)["nodes"][0]
        assert set(first) == STATUS_KEYS
        assert (first["pid"], first["role"], first["revision"]) == (None, None, None)
        assert kvraft("cluster", "status", "-o", "yaml", cwd=home).returncode == 1
    finally:
        ended = kvraft("cluster", "stop", "--dir", str(home / "my cluster"), cwd=tmp_path)
    assert re.search("stopped n2, n3", ended.stderr)


def test_a_cluster_begins_from_a_backup(cluster, tmp_path) -> None:
    backup = tmp_path / "backup.kvraft"
    with Client(cluster.endpoints, timeout=20.0) as client:
        client.put("k", b"v")
        client.snapshot(backup)
    with pytest.raises(ClusterError, match=r"--restore begins a new cluster.*is there already"):
        local_cluster.restore(cluster, backup)
    with pytest.raises(ClusterError, match="there is no file"):
        local_cluster.restore(cluster, tmp_path / "none")
    local_cluster.stop(list(cluster.nodes))

    base = str(free_base_port(3, PORT_STEP))
    words = ("cluster", "start", "--dir", "new", "--base-port", base, "--restore", str(backup))
    try:
        begun = kvraft(*words, cwd=tmp_path)
        assert begun.returncode == 0, begun.stderr
        with Client(f"127.0.0.1:{base}", timeout=10.0) as client:
            assert client.get("k").value == b"v"
    finally:
        kvraft("cluster", "stop", "--dir", "new", cwd=tmp_path)
