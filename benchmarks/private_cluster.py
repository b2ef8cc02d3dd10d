"""A three-node cluster of real processes in a temporary directory, for one measurement."""

import contextlib
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from kvraft.cli import local_cluster
from kvraft.cli.local_cluster import LocalCluster, LocalNode
from kvraft.config import PORT_STEP
from kvraft_client import Client

READY_S = 60.0
"""Longest wait for a cluster to answer: two million keys are loaded in some seconds."""


def free_base_port(count: int = 3) -> int:
    """Return a port whose neighbours, in the steps of a local cluster, are free too."""
    for base in range(21000, 32000, PORT_STEP * count):
        with contextlib.ExitStack() as stack:
            try:
                for offset in range(count):
                    for port in (0, 1):
                        probe = stack.enter_context(socket.socket())
                        probe.bind((local_cluster.HOST, base + offset * PORT_STEP + port))
            except OSError:
                continue
            return base
    raise RuntimeError("no free ports from 21000 to 32000")


@contextlib.contextmanager
def private_cluster(nodes: int = 3) -> Iterator[LocalCluster]:
    """Yield a described cluster, not started; stop and remove whatever became of it."""
    directory = Path(tempfile.mkdtemp(prefix="kvraft-bench-"))
    cluster = local_cluster.describe(directory, nodes, free_base_port(nodes))
    try:
        yield cluster
    finally:
        local_cluster.stop(list(cluster.nodes))
        shutil.rmtree(directory, ignore_errors=True)


def start(cluster: LocalCluster, *, restore: Path | None = None) -> None:
    """Start what is not running and wait until every node counts and the cluster answers."""
    extra = ["--restore", str(restore)] if restore else []
    local_cluster.wait_until_ready(cluster, local_cluster.start(cluster, extra), READY_S)


def leader(cluster: LocalCluster, timeout_s: float = 10.0) -> LocalNode:
    """Return the node that leads."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        for node in cluster.nodes:
            if node.pid() is None:
                continue
            with Client(node.endpoint) as client:
                if client.status(timeout=0.5)[0].role == "leader":
                    return node
    raise RuntimeError("no node leads")


def resident_mib(node: LocalNode) -> float:
    """Return the resident memory of a node's process."""
    for line in Path(f"/proc/{node.pid()}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"{node.name} has no resident memory")
