"""Memory of a node with 100,000 keys of 256 bytes: fresh, after overwrites; and its restart."""

import asyncio
import os
import signal
import time
from collections.abc import Callable

from benchmarks.private_cluster import private_cluster, resident_mib, start
from benchmarks.report import Row, spread
from benchmarks.writers import STEP, write_keys
from kvraft.cli.local_cluster import LocalCluster

KEYS = 100_000
OVERWRITES = 1_000_000


def run(progress: Callable[[str, int], Callable[[], None]]) -> list[Row]:
    """Measure resident memory and restart."""
    with private_cluster() as cluster:
        start(cluster)
        step = progress(f"writing {KEYS} keys", KEYS // STEP)
        asyncio.run(write_keys(cluster.endpoints, range(KEYS), KEYS, step))
        fresh = [resident_mib(node) for node in cluster.nodes]
        step = progress(f"overwriting {OVERWRITES} times", OVERWRITES // STEP)
        asyncio.run(write_keys(cluster.endpoints, range(OVERWRITES), KEYS, step))
        old = [resident_mib(node) for node in cluster.nodes]
        took = _restart(cluster)
    return [
        Row(f"resident, {KEYS} keys of 256 B", "MiB", spread(fresh), goal="150"),
        Row(f"resident, after {OVERWRITES} overwrites", "MiB", spread(old), goal="150 + history"),
        Row("kill -9 of all three, restart to serving", "s", spread([took]), goal="5"),
    ]


def _restart(cluster: LocalCluster) -> float:
    pids = [node.pid() for node in cluster.nodes]
    for pid in pids:
        assert pid is not None, "the cluster runs"
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        assert pid is not None, "the cluster ran"
        os.waitpid(pid, 0)
    begun = time.monotonic()
    start(cluster)
    return time.monotonic() - begun
