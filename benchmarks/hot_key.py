"""Increments of one key by 64 callers: here, and by etcd's read-compare-put loop, in one run."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from benchmarks import one_loop
from benchmarks.peers.etcd import EtcdClient, etcd_servers, find_etcd, version
from benchmarks.peers.servers import Servers
from benchmarks.private_cluster import meter, private_cluster, start
from benchmarks.process import Meter
from benchmarks.report import Progress, Row, medians, spread
from benchmarks.sizes import Sizes
from kvraft_client import AsyncClient, actions

KEY = b"hot"
CALLERS = 64
UPDATE_TIMES = 100.0
MODIFY_TIMES = 10.0
MODIFY_P99_MS = 500.0

Increment = Callable[[int], Awaitable[None]]
"""One successful increment by one caller, however many tries it takes."""


class Figures:
    """What one round of a contender gave."""

    def __init__(self, took_ms: list[float], seconds: float, cost: dict[str, float]) -> None:
        self.cost = cost
        self.rate = len(took_ms) / seconds
        self.p99_ms = sorted(took_ms)[int(len(took_ms) * 0.99)] if took_ms else float("inf")


async def _closed_loop(increment: Increment, seconds: float, cost: Meter) -> Figures:
    """Increment with all callers for so long; what began in time is waited for."""
    took_ms: list[float] = []
    cost.mark()
    begun = time.monotonic()

    async def caller(number: int) -> None:
        while (sent := time.monotonic()) < begun + seconds:
            await increment(number)
            took_ms.append((time.monotonic() - sent) * 1000)

    async with asyncio.TaskGroup() as group:
        for number in range(CALLERS):
            group.create_task(caller(number))
    took_s = time.monotonic() - begun
    cost.mark()
    return Figures(took_ms, took_s, cost.of_each(len(took_ms)))


async def _updates(endpoints: str, seconds: float, cost: Meter) -> Figures:
    async with AsyncClient(endpoints, timeout=30.0) as client:

        async def increment(_: int) -> None:
            await client.update(KEY, actions.add(1))

        return await _closed_loop(increment, seconds, cost)


async def _modifies(endpoints: str, seconds: float, cost: Meter) -> Figures:
    async with AsyncClient(endpoints, timeout=30.0) as client:

        async def increment(_: int) -> None:
            await client.modify(KEY, lambda old: b"%d" % (int(old or b"0") + 1))

        return await _closed_loop(increment, seconds, cost)


async def _etcd(servers: Servers, seconds: float) -> Figures:
    async with EtcdClient(servers.endpoints) as client:
        cost = Meter(servers.pids, await client.leader())

        async def increment(caller: int) -> None:
            while True:
                value, revision = await client.get(KEY, caller) or (b"0", 0)
                if await client.cas(KEY, b"%d" % (int(value) + 1), revision, caller):
                    return

        return await _closed_loop(increment, seconds, cost)


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
            cost, endpoints = meter(cluster), cluster.endpoints
            updates.append(one_loop.run(_updates(endpoints, sizes.hot_s, cost)))
            step()
            modifies.append(one_loop.run(_modifies(endpoints, sizes.hot_s, cost)))
            step()
        if binary:
            with etcd_servers(binary) as servers:
                peers.append(one_loop.run(_etcd(servers, sizes.hot_s)))
                step()
    rows = [
        _rates("update add, 64 callers", updates, "" if binary else "no etcd here to compare"),
        _rates("modify, 64 callers", modifies),
        Row(
            "modify, 64 callers, p99",
            "ms",
            spread([each.p99_ms for each in modifies]),
            {"median": MODIFY_P99_MS},
        ),
    ]
    if not binary:
        return rows
    name = version(binary)
    p99_ms = statistics.median(each.p99_ms for each in peers)
    rows.append(_rates(f"{name}, read-compare-put, 64 callers", peers, f"p99 {p99_ms:.0f} ms"))
    for mine, what, least in (
        (updates, "update add", UPDATE_TIMES),
        (modifies, "modify", MODIFY_TIMES),
    ):
        ratios = [own.rate / peer.rate for own, peer in zip(mine, peers, strict=True)]
        rows.append(Row(f"{what} / {name}", "times", spread(ratios), least={"median": least}))
    return rows


def _rates(name: str, figures: list[Figures], note: str = "") -> Row:
    rates, costs = [each.rate for each in figures], [each.cost for each in figures]
    return Row(name, "1/s", spread(rates), note=note, details=medians(costs))
