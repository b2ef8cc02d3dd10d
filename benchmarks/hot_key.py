"""Increments of one key by 64 callers: here, and by etcd's read-compare-put loop, in one run."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from benchmarks.peers.etcd import EtcdClient, etcd_cluster, find_etcd, version
from benchmarks.private_cluster import private_cluster, start
from benchmarks.report import Progress, Row, spread
from benchmarks.sizes import Sizes
from kvraft_client import AsyncClient, actions

KEY = b"hot"
CALLERS = 64
UPDATE_TIMES = 50.0
MODIFY_TIMES = 10.0
MODIFY_P99_MS = 500.0

Increment = Callable[[int], Awaitable[None]]
"""One successful increment by one caller, however many tries it takes."""


class Figures:
    """What one round of a contender gave."""

    def __init__(self, took_ms: list[float], seconds: float) -> None:
        self.rate = len(took_ms) / seconds
        self.p99_ms = sorted(took_ms)[int(len(took_ms) * 0.99)] if took_ms else float("inf")


async def _closed_loop(increment: Increment, seconds: float) -> Figures:
    """Increment with all callers for so long; what began in time is waited for."""
    took_ms: list[float] = []
    begun = time.monotonic()

    async def caller(number: int) -> None:
        while (sent := time.monotonic()) < begun + seconds:
            await increment(number)
            took_ms.append((time.monotonic() - sent) * 1000)

    async with asyncio.TaskGroup() as group:
        for number in range(CALLERS):
            group.create_task(caller(number))
    return Figures(took_ms, time.monotonic() - begun)


async def _updates(endpoints: str, seconds: float) -> Figures:
    async with AsyncClient(endpoints, timeout=30.0) as client:

        async def increment(_: int) -> None:
            await client.update(KEY, actions.add(1))

        return await _closed_loop(increment, seconds)


async def _modifies(endpoints: str, seconds: float) -> Figures:
    async with AsyncClient(endpoints, timeout=30.0) as client:

        async def increment(_: int) -> None:
            await client.modify(KEY, lambda old: b"%d" % (int(old or b"0") + 1))

        return await _closed_loop(increment, seconds)


async def _etcd(endpoints: list[str], seconds: float) -> Figures:
    async with EtcdClient(endpoints) as client:

        async def increment(caller: int) -> None:
            while True:
                value, revision = await client.get(KEY, caller) or (b"0", 0)
                if await client.cas(KEY, b"%d" % (int(value) + 1), revision, caller):
                    return

        return await _closed_loop(increment, seconds)


def run(progress: Progress, sizes: Sizes) -> list[Row]:
    """Measure in interleaved rounds; ratios are of one round, medians over all."""
    binary = find_etcd()
    step = progress("hot key", sizes.rounds * (3 if binary else 2))
    updates: list[Figures] = []
    modifies: list[Figures] = []
    peers: list[Figures] = []
    for _ in range(sizes.rounds):
        with private_cluster() as cluster:
            start(cluster)
            updates.append(asyncio.run(_updates(cluster.endpoints, sizes.hot_s)))
            step()
            modifies.append(asyncio.run(_modifies(cluster.endpoints, sizes.hot_s)))
            step()
        if binary:
            with etcd_cluster(binary) as endpoints:
                peers.append(asyncio.run(_etcd(endpoints, sizes.hot_s)))
                step()
    rows = [
        Row("update add, 64 callers", "1/s", spread([each.rate for each in updates])),
        Row("modify, 64 callers", "1/s", spread([each.rate for each in modifies])),
        Row(
            "modify, 64 callers, p99",
            "ms",
            spread([each.p99_ms for each in modifies]),
            {"median": MODIFY_P99_MS},
        ),
    ]
    if not binary:
        rows[0] = Row(rows[0].name, rows[0].unit, rows[0].spread, note="no etcd here to compare")
        return rows
    name = version(binary)
    p99_ms = statistics.median(each.p99_ms for each in peers)
    rows.append(
        Row(
            f"{name}, read-compare-put, 64 callers",
            "1/s",
            spread([each.rate for each in peers]),
            note=f"p99 {p99_ms:.0f} ms",
        )
    )
    for mine, what, least in (
        (updates, "update add", UPDATE_TIMES),
        (modifies, "modify", MODIFY_TIMES),
    ):
        ratios = [own.rate / peer.rate for own, peer in zip(mine, peers, strict=True)]
        rows.append(Row(f"{what} / {name}", "times", spread(ratios), least={"median": least}))
    return rows
