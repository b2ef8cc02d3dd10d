"""Real node processes for tests: start and wait, kill, one node by hand."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from kvraft.cli import local_cluster
from kvraft.cli.local_cluster import LocalCluster, LocalNode


def start(cluster: LocalCluster, *extra: str) -> None:
    """Start what is not running and wait until every node counts and the cluster answers."""
    local_cluster.wait_until_ready(cluster, local_cluster.start(cluster, extra))


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
