"""A three-node cluster of real processes in a temporary directory, for one measurement."""

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import process
from benchmarks.process import Meter
from kvraft.cli import local_cluster
from kvraft.cli.local_cluster import ClusterError, LocalCluster, LocalNode
from kvraft.config import PORT_STEP
from kvraft_chaos.ports import free_base_port
from kvraft_client import Client, NodeStatus

READY_S = 300.0
"""Longest wait for a cluster to answer: three nodes restore two million keys at a time."""
LEADER_S = 10.0
POLL_S = 0.01


@contextlib.contextmanager
def private_cluster(nodes: int = 3) -> Iterator[LocalCluster]:
    """Yield a described cluster, not started; stop and remove whatever became of it."""
    directory = Path(tempfile.mkdtemp(prefix="kvraft-bench-"))
    cluster = local_cluster.describe(directory, nodes, free_base_port(nodes, PORT_STEP))
    try:
        yield cluster
    finally:
        for node in cluster.nodes:  # one that was stopped would not hear SIGTERM
            with contextlib.suppress(ProcessLookupError, AssertionError):
                os.kill(pid_of(node), signal.SIGCONT)
        local_cluster.stop(list(cluster.nodes))
        shutil.rmtree(directory, ignore_errors=True)


def start(cluster: LocalCluster, extra: Sequence[str] = ()) -> None:
    """Start what is not running and wait until every node counts and the cluster answers."""
    local_cluster.wait_until_ready(cluster, local_cluster.start(cluster, extra), READY_S)


def pid_of(node: LocalNode) -> int:
    """Return the process id of a node that runs."""
    pid = node.pid()
    assert pid is not None, f"{node.name} does not run: {node.last_words()}"
    return pid


def kill(node: LocalNode) -> None:
    """`kill -9`, without waiting: what follows is being measured."""
    os.kill(pid_of(node), signal.SIGKILL)


def bury(node: LocalNode) -> None:
    """Wait for the end of a killed node, which is a child of this process."""
    pid = int((node.directory / "pid").read_text())
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def status(node: LocalNode) -> NodeStatus:
    """Return what a node says of itself, or its `error`."""
    with Client(node.endpoint) as client:
        return client.status(timeout=1.0)[0]


def leader(cluster: LocalCluster) -> tuple[LocalNode, NodeStatus]:
    """Return the node that leads and its status; ClusterError if none does for long."""
    end = time.monotonic() + LEADER_S
    while time.monotonic() < end:
        for node in cluster.nodes:
            if node.pid() is not None and (found := status(node)).role == "leader":
                return node, found
        time.sleep(POLL_S)
    raise ClusterError(f"no node leads for {LEADER_S:.0f} s; logs: {cluster.directory}")


def meter(cluster: LocalCluster) -> Meter:
    """Return a meter of the nodes and this process."""
    node, _ = leader(cluster)
    return Meter([pid_of(each) for each in cluster.nodes], cluster.nodes.index(node))


def wait_caught_up(cluster: LocalCluster) -> None:
    """Wait until every node has applied what the leader has committed now."""
    _, leading = leader(cluster)
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        if all(status(node).applied_index >= leading.commit_index for node in cluster.nodes):
            return
        time.sleep(POLL_S)
    raise ClusterError(f"a node does not catch up for {READY_S:.0f} s; logs: {cluster.directory}")


def memory_mib(node: LocalNode) -> tuple[float, float]:
    """Return the resident memory of a node's process now, and its highest so far."""
    pid = pid_of(node)
    return process.memory_mib(pid, "VmRSS"), process.memory_mib(pid, "VmHWM")
