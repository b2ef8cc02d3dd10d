"""Three fresh nodes, from the first fork to the first acknowledged write."""

import contextlib
import time

from benchmarks.private_cluster import private_cluster
from benchmarks.report import Progress, Row, spread
from benchmarks.sizes import Sizes
from kvraft.cli import local_cluster
from kvraft.cli.local_cluster import ClusterError, LocalCluster
from kvraft_client import Client, KvraftError

GIVE_UP_S = 60.0


def run(progress: Progress, sizes: Sizes) -> list[Row]:
    """Measure start-up."""
    step, took = progress("start of three fresh nodes", sizes.starts), []
    for _ in range(sizes.starts):
        with private_cluster() as cluster:
            begun = time.monotonic()
            local_cluster.start(cluster)
            _write(cluster, begun + GIVE_UP_S)
            took.append(time.monotonic() - begun)
        step()
    return [Row("three fresh nodes to the first write", "s", spread(took), {"high": 2.0})]


def _write(cluster: LocalCluster, end: float) -> None:
    with Client(cluster.endpoints) as client:
        while time.monotonic() < end:
            with contextlib.suppress(KvraftError):
                client.put("first", b"write", timeout=1.0)
                return
            for node in cluster.nodes:
                if node.pid() is None:
                    raise ClusterError(f"{node.name} ended: {node.last_words()}")
    raise ClusterError(f"no write was acknowledged in {GIVE_UP_S:.0f} s")
