"""Real node processes for tests: start and wait, kill, one node by hand."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from kvraft.cli import local_cluster
from kvraft.cli.local_cluster import LocalCluster, LocalNode
from kvraft_client import Client, KvraftError

READY_S = 30.0


def answers(endpoints: str) -> bool:
    """Whether a linearizable read is answered."""
    try:
        with Client(endpoints, timeout=1.0) as client:
            client.get("ready")
    except KvraftError:
        return False
    return True


def start(cluster: LocalCluster, *extra: str) -> None:
    """Start what is not running and wait until the cluster answers."""
    started = local_cluster.start(cluster, extra)
    local_cluster.wait_for(cluster, started, lambda: answers(cluster.endpoints), timeout_s=READY_S)


def kill(nodes: Sequence[LocalNode]) -> None:
    """kill -9, and wait until they are gone."""
    pids = [pid for node in nodes if (pid := node.pid()) is not None]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        os.waitpid(pid, 0)


def serve(
    cluster: LocalCluster, node: LocalNode, *extra: str, data_dir: Path | None = None
) -> subprocess.Popen[str]:
    """Run one node in the foreground of a test, its log in `stderr`."""
    peers = ",".join(f"{peer.name}={peer.peer}" for peer in cluster.nodes)
    options = {
        "--name": node.name,
        "--data-dir": str(data_dir or node.directory / "data"),
        "--listen": node.endpoint,
        "--peer-listen": node.peer,
        "--peers": peers,
    }
    words = [word for pair in options.items() for word in pair]
    return subprocess.Popen(
        [sys.executable, "-m", "kvraft", "serve", *words, *extra],
        stderr=subprocess.PIPE,
        text=True,
    )
