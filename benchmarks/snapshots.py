"""What a snapshot costs the writes that go on during it, at 100,000 and at 2,000,000 keys."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.bulk import make_backup
from benchmarks.private_cluster import leader, private_cluster, start
from benchmarks.report import Row, spread
from benchmarks.writers import Latencies
from kvraft.cli.local_cluster import LocalCluster
from kvraft_client import AsyncClient

SIZES = (100_000, 2_000_000)
CALLERS = 4
QUIET_S = 5.0
"""Writes without a snapshot, for comparison: the machine itself pauses too."""


def run(progress: Callable[[str, int], Callable[[], None]]) -> list[Row]:
    """Measure the longest write with and without a snapshot."""
    rows: list[Row] = []
    for keys in SIZES:
        step = progress(f"snapshot of {keys} keys under load", 3)
        with private_cluster() as cluster:
            backup = make_backup(cluster.directory, keys)
            step()
            start(cluster, restore=backup)
            step()
            quiet, during, took, slice_ms = asyncio.run(_measure(cluster))
            step()
        note = f"{quiet:.0f} ms without; snapshot {took:.1f} s; longest slice {slice_ms:.1f} ms"
        name = f"longest write during a snapshot, {keys} keys"
        rows.append(Row(name, "ms", spread([during]), goal="50 more", note=note))
    return rows


async def _measure(cluster: LocalCluster) -> tuple[float, float, float, float]:
    node = leader(cluster)
    async with AsyncClient(cluster.endpoints, timeout=30.0) as client:
        load = Latencies(client, CALLERS)
        await asyncio.sleep(1.0)  # connections, caches
        begin = time.monotonic()
        await asyncio.sleep(QUIET_S)
        middle = time.monotonic()
        await asyncio.to_thread(_save_snapshot, node.endpoint, cluster.directory / "backup")
        end = time.monotonic()
        await load.stop()
        async with AsyncClient(node.endpoint) as one:
            counters = (await one.status())[0].counters
    slice_ms = counters["longest_snapshot_slice_us"] / 1000
    return load.worst_ms(begin, middle), load.worst_ms(middle, end), end - middle, slice_ms


def _save_snapshot(endpoint: str, file: Path) -> None:
    command = [sys.executable, "-m", "kvraft", "--endpoints", endpoint]
    command += ["--timeout", "120", "snapshot", "save", str(file)]
    subprocess.run(command, check=True, capture_output=True)
