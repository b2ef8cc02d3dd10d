"""Memory of a node with 100,000 keys of 256 bytes: fresh, after overwrites; and its restart."""

import time

from benchmarks import one_loop
from benchmarks.private_cluster import bury, kill, memory_mib, private_cluster, start
from benchmarks.report import Progress, Row, spread
from benchmarks.sizes import Sizes
from benchmarks.writers import STEP, VALUE, key, write_keys
from kvraft.cli import local_cluster
from kvraft.cli.local_cluster import ClusterError, LocalCluster
from kvraft_client import Client

MOST_MIB = 150.0
SAMPLES = 100
"""Keys read back after a restart, spread over all."""


def run(progress: Progress, sizes: Sizes) -> list[Row]:
    """Measure resident memory and restart."""
    keys, overwrites = sizes.keys, sizes.overwrites
    with private_cluster() as cluster:
        start(cluster)
        empty = _resident(cluster, "resident, no keys")
        step = progress(f"writing {keys} keys", keys // STEP)
        one_loop.run(write_keys(cluster.endpoints, range(keys), keys, step))
        fresh = _resident(cluster, f"resident, {keys} keys of {len(VALUE)} B", MOST_MIB)
        step = progress(f"overwriting {overwrites} times", overwrites // STEP)
        one_loop.run(write_keys(cluster.endpoints, range(overwrites), keys, step))
        old = _resident(cluster, f"resident, after {overwrites} overwrites", MOST_MIB)
        step, took = progress("kill -9 of all three, restart", sizes.restarts), []
        for _ in range(sizes.restarts):
            took.append(_restart(cluster, keys))
            step()
        again = _resident(cluster, "resident, after the restart", MOST_MIB)
    name = "kill -9 of all three, restart to serving"
    return [empty, fresh, old, again, Row(name, "s", spread(took), {"high": 5.0})]


def _resident(cluster: LocalCluster, name: str, most_mib: float | None = None) -> Row:
    now, peak = zip(*(memory_mib(node) for node in cluster.nodes), strict=True)
    goals = {} if most_mib is None else {"high": most_mib}
    return Row(name, "MiB", spread(now), goals, f"highest so far {max(peak):.0f} MiB")


def _restart(cluster: LocalCluster, keys: int) -> float:
    """Return seconds from the first fork to serving: all three count, a read is answered."""
    for node in cluster.nodes:
        kill(node)
    for node in cluster.nodes:
        bury(node)
    begun = time.monotonic()
    started = local_cluster.start(cluster)
    local_cluster.wait_until_ready(cluster, started, 60.0)
    took = time.monotonic() - begun
    with Client(cluster.endpoints) as client:
        for number in range(0, keys, max(1, keys // SAMPLES)):
            found = client.get(key(number))
            if found is None or found.value != VALUE:
                raise ClusterError(f"{key(number)} is lost after the restart")
    return took
