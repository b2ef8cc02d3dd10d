"""Three fresh nodes, from the first fork to the first acknowledged write."""

import contextlib
import time
from collections.abc import Callable

from benchmarks.private_cluster import private_cluster
from benchmarks.report import Row, spread
from kvraft.cli import local_cluster
from kvraft_client import Client, KvraftError

RUNS = 7


def run(progress: Callable[[str, int], Callable[[], None]]) -> list[Row]:
    """Measure start-up."""
    step, took = progress("start of three fresh nodes", RUNS), []
    for _ in range(RUNS):
        with private_cluster() as cluster:
            begun = time.monotonic()
            local_cluster.start(cluster)
            with Client(cluster.endpoints, timeout=1.0) as client:
                while True:
                    with contextlib.suppress(KvraftError):
                        client.put("first", b"write", timeout=1.0)
                        break
            took.append(time.monotonic() - begun)
        step()
    return [Row("three fresh nodes to the first write", "s", spread(took), goal="2.0")]
