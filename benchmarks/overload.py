"""Four times the load that saturates the cluster: what is acknowledged still, and how fast.

Goodput counts what was acknowledged within its two seconds. The leases beside it are kept by the
client library, as a program would; one that is lost was renewed too late.
"""

import asyncio
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AsyncExitStack
from multiprocessing import get_context

from benchmarks import one_loop
from benchmarks.flood import Flooded, overload, saturate
from benchmarks.private_cluster import leader, private_cluster, start
from benchmarks.report import Progress, Row, spread
from benchmarks.sizes import Sizes
from kvraft_client import AsyncClient, LeaseState

TIMES = 4
SHARE = 0.9
"""Of the peak that must be left."""
P99_MS = 2_000.0
"""As long as an operation has; the queue itself holds nobody for more than 0.3 s."""
LEASE_S = 5.0


async def _beside_leases(
    pool: Executor, endpoints: str, target: str, rate: float, sizes: Sizes
) -> tuple[Flooded, int]:
    """Return what the flood came to, and how many leases outlived it."""
    async with AsyncClient(endpoints) as client, AsyncExitStack() as stack:
        leases = [client.lease(ttl=LEASE_S) for _ in range(sizes.overload_leases)]
        for lease in leases:
            await stack.enter_async_context(lease)
        loop = asyncio.get_running_loop()
        flooded = await loop.run_in_executor(pool, overload, target, rate, sizes.overload_s)
        return flooded, sum(lease.state is not LeaseState.LOST for lease in leases)


def run(progress: Progress, sizes: Sizes) -> list[Row]:
    """Measure in rounds: the peak, then the flood; ratios are of one round."""
    step = progress("overload", sizes.rounds * 2)
    peaks: list[Flooded] = []
    floods: list[Flooded] = []
    kept: list[float] = []
    with private_cluster() as cluster, ProcessPoolExecutor(1, get_context("spawn")) as pool:
        start(cluster)
        for _ in range(sizes.rounds):
            target = leader(cluster)[0].endpoint
            seconds = sizes.overload_s
            tried = [
                pool.submit(saturate, target, callers, seconds).result()
                for callers in sizes.overload_callers
            ]
            peaks.append(max(tried, key=lambda each: each.rate))
            step()
            rate = peaks[-1].rate * TIMES
            beside = _beside_leases(pool, cluster.endpoints, target, rate, sizes)
            flood, alive = one_loop.run(beside)
            floods.append(flood)
            kept.append(alive)
            step()
    ratios = [flood.rate / peak.rate for flood, peak in zip(floods, peaks, strict=True)]
    offered = spread([flood.offered / flood.seconds for flood in floods]).median
    refused = spread([flood.refused for flood in floods]).median
    leases = sizes.overload_leases
    return [
        Row(
            "puts, saturated",
            "1/s",
            spread([peak.rate for peak in peaks]),
            note=f"p99 {spread([peak.p99_ms for peak in peaks]).median:.0f} ms",
        ),
        Row(
            f"puts acknowledged, {TIMES} times as many offered",
            "1/s",
            spread([flood.rate for flood in floods]),
            note=f"{offered:.0f}/s offered, {refused:.0%} of them refused",
        ),
        Row("... / saturated", "times", spread(ratios), least={"median": SHARE}),
        Row(
            "... p99 of the acknowledged",
            "ms",
            spread([flood.p99_ms for flood in floods]),
            {"high": P99_MS},
        ),
        Row(f"leases kept alive beside it, of {leases}", "", spread(kept), least={"low": leases}),
    ]
