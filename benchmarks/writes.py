"""Latency and throughput of single puts of 256 bytes, one client process, 1 to 64 callers."""

import asyncio

from benchmarks import one_loop
from benchmarks.private_cluster import private_cluster, start
from benchmarks.report import Progress, Row, spread
from benchmarks.sizes import Sizes
from benchmarks.writers import Latencies
from kvraft_client import AsyncClient

WARM_S = 0.5


def run(progress: Progress, sizes: Sizes) -> list[Row]:
    """Measure a put with each number of callers."""
    rows, step = [], progress("puts", len(sizes.callers))
    with private_cluster() as cluster:
        start(cluster)
        for callers in sizes.callers:
            took_ms, seconds = one_loop.run(_measure(cluster.endpoints, callers, sizes.writes_s))
            note = f"{len(took_ms) / seconds:.0f} puts a second"
            rows.append(Row(f"put, {callers} callers", "ms", spread(took_ms), note=note))
            step()
    return rows


async def _measure(endpoints: str, callers: int, seconds: float) -> tuple[list[float], float]:
    async with AsyncClient(endpoints, timeout=30.0) as client:
        load = Latencies(client, callers)
        await asyncio.sleep(WARM_S)
        begin = load.now()
        await asyncio.sleep(seconds)
        end = load.now()
        await load.stop()
    return load.took_ms(begin, end), end - begin
