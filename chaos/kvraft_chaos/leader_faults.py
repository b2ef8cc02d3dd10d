"""Work that goes on while the cluster's leader is cut off, and a leader is killed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ParamSpec, TypeVar

from kvraft_chaos.cluster import ChaosCluster
from kvraft_chaos.topology import around
from kvraft_client import AsyncClient, OutcomeUnknown, Unavailable

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")

HEALTHY_SECONDS = 0.3
"""Of work before each fault and after it."""
ELECTION_SECONDS = 5.0

Work = Callable[[AsyncClient, int, asyncio.Event], Awaitable[None]]
"""What a worker does with a client of its own, by its number, until the event is set."""
Naive = Callable[[AsyncClient, int, asyncio.Barrier], Awaitable[None]]
"""What a naive worker does, by its number; all meet at the barrier between reading and writing, so
that chance and load have no say in whether it goes wrong."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Who was cut off, and who was killed, each while it led; and seconds of each stage."""

    cut_off: str
    killed: str
    stages_s: tuple[float, ...]

    def __str__(self) -> str:
        stages = ", ".join(f"{each:.1f}" for each in self.stages_s)
        return f"cut {self.cut_off} off, then killed {self.killed}: {stages} s"


async def told(
    call: Callable[Arguments, Awaitable[Result]], *given: Arguments.args, **named: Arguments.kwargs
) -> Result:
    """Ask until there is an answer: again and again in the same words, whatever that did before."""
    while True:
        try:
            return await call(*given, **named)
        except (OutcomeUnknown, Unavailable):
            await asyncio.sleep(0.01)


async def under_faults(cluster: ChaosCluster, work: Work, workers: int) -> Faults:
    """Run the workers while a leader is cut off and a leader is killed, which is coming back when
    this returns. The first error of a worker ends it.
    """
    endpoints = endpoints_of(cluster)
    stop = asyncio.Event()

    async def with_its_own(number: int) -> None:
        async with AsyncClient(endpoints) as client:
            await work(client, number, stop)

    async with asyncio.TaskGroup() as group:
        for number in range(workers):
            group.create_task(with_its_own(number))
        faults = await _strike(cluster)
        stop.set()
    return faults


async def undisturbed(cluster: ChaosCluster, work: Naive, workers: int) -> None:
    """Run the workers until they end by themselves, and let nothing happen: for controls."""
    meeting = asyncio.Barrier(workers)
    async with AsyncClient(endpoints_of(cluster)) as client:
        await asyncio.gather(*(work(client, each, meeting) for each in range(workers)))


async def values(client: AsyncClient, prefix: str) -> dict[str, str]:
    """Return what stands below a prefix, by the rest of each key."""
    entries = client.list(prefix)
    return {each.key.decode().removeprefix(prefix): each.value.decode() async for each in entries}


def endpoints_of(cluster: ChaosCluster) -> str:
    """Return how a client reaches the cluster."""
    return ",".join(cluster.endpoint(name) for name in cluster.names)


async def _strike(cluster: ChaosCluster) -> Faults:
    """Cut the leader off and heal it, then kill the leader; it comes back later, under the load of
    whoever is next, for a node needs a while to start.
    """
    clock = asyncio.get_running_loop().time
    stages = [clock()]
    await asyncio.to_thread(cluster.wait_ready)
    await asyncio.sleep(HEALTHY_SECONDS)
    stages.append(clock())

    cut_off = await _leader(cluster, cluster.names)
    links = [cluster.link(name) for name in around(cut_off, cluster.names)]
    await asyncio.to_thread(cluster.proxies.cut_silent, *links)
    await _leader(cluster, [name for name in cluster.names if name != cut_off])
    await asyncio.sleep(HEALTHY_SECONDS)
    stages.append(clock())
    await asyncio.to_thread(cluster.proxies.heal, *links)
    await asyncio.to_thread(cluster.wait_ready)
    stages.append(clock())

    await asyncio.sleep(HEALTHY_SECONDS)
    killed = await _leader(cluster, cluster.names)
    await asyncio.to_thread(cluster.kill, killed)
    await _leader(cluster, [name for name in cluster.names if name != killed])
    cluster.start(killed)
    await asyncio.sleep(HEALTHY_SECONDS)
    stages.append(clock())
    return Faults(cut_off, killed, tuple(b - a for a, b in pairwise(stages)))


async def _leader(cluster: ChaosCluster, among: Sequence[str]) -> str:
    """Wait until one of these leads."""
    found: list[str] = []

    def leads() -> bool:
        leader = cluster.leader(among)
        if leader is not None and leader in among:
            found.append(leader)
        return bool(found)

    await asyncio.to_thread(cluster.wait, leads, ELECTION_SECONDS, "somebody leads")
    return found[0]
