"""Disks that are slow, and disks that are full."""

import contextlib
import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kvraft_chaos.cluster import ChaosCluster
from kvraft_chaos.nemesis.argument import Number, Victim, taking
from kvraft_chaos.nemesis.node_processes import NotHere, processes
from kvraft_chaos.nemesis.stroke import Stroke, chosen
from kvraft_chaos.nemesis.target import Target
from kvraft_chaos.node import Node
from kvraft_chaos.rig import disk_file, say

LAST_WORDS_BYTES = 16 << 10
"""The node's log is under the file size limit too: this much it may still say."""
FILLER = "filler"
"""The file that fills a node's file system."""


class SlowDisk(Stroke):
    name = "slow-disk"
    sentence = "every fsync of a node takes so many milliseconds longer"
    takes = taking(node=Victim(), sync_ms=Number(50, 1_500, most=60_000))

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        nodes = processes(cluster)
        if not nodes.rig.disks:
            raise NotHere("the nodes were not started with disks that can be slowed")
        node, delay_ms = chosen(cluster, arguments["node"]), arguments["sync_ms"]
        self.struck = (node,)
        self._slow(nodes, node, delay_ms)
        return f"{node}: {delay_ms} ms"

    def _slow(self, cluster: ChaosCluster, node: str, delay_ms: int) -> None:
        """Of strokes that overlap on a node the last one decides, until the last one heals."""
        file = disk_file(cluster.nodes[node].directory)
        cluster.holds.take(f"slow {node}", self)
        self.undo(self._fast, cluster, node, file)
        say(file, str(delay_ms))

    def _fast(self, cluster: ChaosCluster, node: str, file: Path) -> None:
        if cluster.holds.let_go(f"slow {node}", self):
            say(file, "0")


class FullDisk(Stroke):
    """Where the node's directory is a file system of its own it is filled. Else no file may grow:
    the kernel says EFBIG, which a node takes for a full disk. Either way the node ends by itself.
    """

    name = "full-disk"
    sentence = "a node can write nothing any more and stops; it is started again with room"
    takes = taking(node=Victim())

    @staticmethod
    def needs() -> str | None:
        return None if hasattr(resource, "prlimit") else f"prlimit, which {sys.platform} lacks"

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        nodes = processes(cluster)
        node = chosen(cluster, arguments["node"])
        self.struck = (node,)
        self.keep_down(cluster, node)
        cluster.holds.take(f"full {node}", self)
        self.undo(self._make_room, nodes, node)
        place = nodes.nodes[node]
        if place.directory.is_mount():
            fill(place.directory)
            return f"{node}: its file system"
        limit_files(place)
        return f"{node}: no file may grow"

    def _make_room(self, cluster: ChaosCluster, node: str) -> None:
        """A node that met no write yet is ended too, so that it begins anew without the limit."""
        if cluster.holds.let_go(f"full {node}", self):
            (cluster.nodes[node].directory / FILLER).unlink(missing_ok=True)
            if cluster.running(node):
                cluster.kill(node)


def limit_files(node: Node) -> None:
    """Let no file of the process grow beyond what its log of entries is now."""
    if node.process is None or not node.running:
        return
    segments = [path.stat().st_size for path in (node.directory / "wal").glob("*.log")]
    words = node.log.stat().st_size + LAST_WORDS_BYTES
    _, hard = resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE)
    limit = max(words, *segments) if segments else words
    with contextlib.suppress(ProcessLookupError):  # it ended a moment ago
        resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (limit, hard))


def fill(directory: Path) -> None:
    """Take all that is free on the file system of the directory."""
    descriptor = os.open(directory / FILLER, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        found = os.statvfs(directory)
        with contextlib.suppress(OSError):
            os.posix_fallocate(descriptor, 0, found.f_bavail * found.f_frsize)
        with contextlib.suppress(OSError):  # the rest, byte by byte of what nobody counted
            while os.write(descriptor, bytes(4096)):
                pass
    finally:
        os.close(descriptor)
