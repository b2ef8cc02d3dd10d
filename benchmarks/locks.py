"""Cycles of lease, lock, release, and how fast a lock is handed over: here and by others, in turns.

Of etcd: a lease, its Lock call, and the end of the lease, which releases. Of ZooKeeper: kazoo's
lock, on a session that stays; where there is none, its figure on such a machine is the goal.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from benchmarks import one_loop
from benchmarks.peers.etcd import EtcdClient, etcd_servers, find_etcd, version
from benchmarks.peers.servers import Servers
from benchmarks.peers.zookeeper import ZooKeeperClient, find_zookeeper, zookeeper_servers
from benchmarks.peers.zookeeper_pipeline import version_and_leader
from benchmarks.private_cluster import meter, private_cluster, start
from benchmarks.process import Meter
from benchmarks.report import Progress, Row, Step, medians, spread
from benchmarks.sizes import Sizes
from kvraft_client import AsyncClient

ONE, MANY = 1, 16
"""Callers."""
ZOOKEEPERS_CYCLES = 320.0
"""A second, of one caller."""
HAND_OVER_MS = 3.0
ETCD_TIMES = 2.0
ZOOKEEPER_TIMES = 1.0
TIMEOUT_S = 60.0

Held = Callable[[str, int], AbstractAsyncContextManager[object]]
"""A lock by its name, held by a caller with a number."""


class Figures:
    """What all rounds of a contender gave."""

    def __init__(self) -> None:
        self.cycles: dict[int, list[float]] = defaultdict(list)
        """By callers, a figure for each round."""
        self.costs: dict[int, list[dict[str, float]]] = defaultdict(list)
        """Of the same: processor time of a cycle."""
        self.hand_overs_ms: list[float] = []

    async def measure(self, held: Held, cost: Meter, sizes: Sizes, step: Step) -> None:
        """One round of everything, with all connections made."""
        async with asyncio.TaskGroup() as group:
            for number in range(max(MANY, sizes.lock_waiters)):
                group.create_task(_once(held, number))
        for callers in (ONE, MANY):
            cost.mark()
            done, seconds = await _cycles(held, callers, sizes.locks_s)
            cost.mark()
            self.cycles[callers].append(done / seconds)
            self.costs[callers].append(cost.of_each(done))
            step()
        self.hand_overs_ms += await _hand_overs(held, sizes.lock_waiters, sizes.locks_s)
        step()

    def rows(self, whose: str, sizes: Sizes) -> list[Row]:
        """Show what a peer did."""
        return [
            *(
                Row(f"{whose}, {_cycles_of(callers)}", "1/s", spread(cycles), details=costs)
                for callers, cycles in self.cycles.items()
                for costs in [medians(self.costs[callers])]
            ),
            Row(f"{whose}, {_hand_over(sizes)}", "ms", spread(self.hand_overs_ms)),
        ]


async def _once(held: Held, number: int) -> None:
    async with held(f"own/{number}", number):
        pass


async def _cycles(held: Held, callers: int, seconds: float) -> tuple[int, float]:
    """Cycles and seconds, each caller on a lock of its own; what began in time is waited for."""
    done, begun = 0, time.monotonic()

    async def caller(number: int) -> None:
        nonlocal done
        while time.monotonic() < begun + seconds:
            async with held(f"own/{number}", number):
                done += 1

    async with asyncio.TaskGroup() as group:
        for number in range(callers):
            group.create_task(caller(number))
    return done, time.monotonic() - begun


async def _hand_overs(held: Held, waiters: int, seconds: float) -> list[float]:
    """Milliseconds from one's wish to release to the next one's grant, all on one lock."""
    took_ms: list[float] = []
    begun, released = time.monotonic(), 0.0

    async def caller(number: int) -> None:
        nonlocal released
        while time.monotonic() < begun + seconds:
            async with held("all", number):
                if released:
                    took_ms.append((time.monotonic() - released) * 1_000)
                released = time.monotonic()

    async with asyncio.TaskGroup() as group:
        for number in range(waiters):
            group.create_task(caller(number))
    return took_ms


async def _own(figures: Figures, endpoints: str, cost: Meter, sizes: Sizes, step: Step) -> None:
    async with AsyncClient(endpoints, timeout=TIMEOUT_S) as client:
        await figures.measure(lambda name, _: client.lock(name), cost, sizes, step)


async def _etcd(figures: Figures, servers: Servers, sizes: Sizes, step: Step) -> None:
    async with EtcdClient(servers.endpoints) as client:

        @asynccontextmanager
        async def held(name: str, caller: int) -> AsyncIterator[None]:
            lease_id = await client.lock(name.encode(), caller)
            yield
            await client.unlock(lease_id, caller)

        cost = Meter(servers.pids, await client.leader())
        await figures.measure(held, cost, sizes, step)


async def _zookeeper(figures: Figures, servers: Servers, sizes: Sizes, step: Step) -> None:
    async with ZooKeeperClient(servers.endpoints) as client:
        _, leader = version_and_leader(servers.endpoints)
        await figures.measure(client.held, Meter(servers.pids, leader), sizes, step)


def run(progress: Progress, sizes: Sizes) -> list[Row]:
    """Measure in interleaved rounds; ratios are of one round, medians over all."""
    etcd, script = find_etcd(), find_zookeeper()
    contenders = 1 + (etcd is not None) + (script is not None)
    step = progress("locks", sizes.rounds * 3 * contenders)
    own, etcds, zookeepers = Figures(), Figures(), Figures()
    for _ in range(sizes.rounds):
        with private_cluster() as cluster:
            start(cluster)
            one_loop.run(_own(own, cluster.endpoints, meter(cluster), sizes, step))
        if etcd:
            with etcd_servers(etcd) as servers:
                one_loop.run(_etcd(etcds, servers, sizes, step))
        if script:
            with zookeeper_servers(script) as servers:
                one_loop.run(_zookeeper(zookeepers, servers, sizes, step))
    rows = _own_rows(own, sizes, etcd=etcd is not None, zookeeper=script is not None)
    if etcd:
        name = version(etcd)
        rows += [*etcds.rows(name, sizes), _ratio(own, etcds, MANY, name, ETCD_TIMES)]
    if script:
        rows += zookeepers.rows("ZooKeeper", sizes)
        rows.append(_ratio(own, zookeepers, ONE, "ZooKeeper", ZOOKEEPER_TIMES))
    return rows


def _own_rows(own: Figures, sizes: Sizes, *, etcd: bool, zookeeper: bool) -> list[Row]:
    one, many = spread(own.cycles[ONE]), spread(own.cycles[MANY])
    costs = {callers: medians(each) for callers, each in own.costs.items()}
    alone = Row(
        _cycles_of(ONE),
        "1/s",
        one,
        note="no ZooKeeper here to compare: the goal is its figure from elsewhere",
        least={"median": ZOOKEEPERS_CYCLES},
        details=costs[ONE],
    )
    lacking = "" if etcd else "no etcd here to compare"
    return [
        Row(_cycles_of(ONE), "1/s", one, details=costs[ONE]) if zookeeper else alone,
        Row(_cycles_of(MANY), "1/s", many, note=lacking, details=costs[MANY]),
        Row(_hand_over(sizes), "ms", spread(own.hand_overs_ms), {"median": HAND_OVER_MS}),
    ]


def _ratio(own: Figures, peer: Figures, callers: int, name: str, least: float) -> Row:
    ratios = [a / b for a, b in zip(own.cycles[callers], peer.cycles[callers], strict=True)]
    return Row(f"{_cycles_of(callers)} / {name}", "times", spread(ratios), least={"median": least})


def _cycles_of(callers: int) -> str:
    return f"lock cycles, {callers} callers"


def _hand_over(sizes: Sizes) -> str:
    return f"hand-over, {sizes.lock_waiters} waiters"
