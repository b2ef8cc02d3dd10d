"""kill -9 of one node, of all, at random moments: every acknowledged write is there."""

import asyncio
import os
import random
import signal

import pytest
from integration.processes import kill, start

from kvraft.cli.local_cluster import LocalCluster, LocalNode
from kvraft_client import AsyncClient, KvraftError

CALLERS = 32


class Writers:
    """Callers that write numbered keys for ever; what was acknowledged, and what is unknown."""

    def __init__(self, endpoints: str) -> None:
        self._endpoints = endpoints
        self.acknowledged: dict[str, bytes] = {}
        self.stopping = False

    async def run(self) -> None:
        async with AsyncClient(self._endpoints, timeout=10.0) as client:
            await asyncio.gather(*(self._write(client, caller) for caller in range(CALLERS)))

    async def _write(self, client: AsyncClient, caller: int) -> None:
        number = 0
        while not self.stopping:
            number += 1
            key, value = f"{caller}/{number}", f"value of {caller}/{number}".encode()
            try:
                await client.put(key, value)
            except KvraftError:
                continue
            self.acknowledged[key] = value


async def write_while(endpoints: str, disturb) -> dict[str, bytes]:
    """Write while `disturb` does its worst; return what was acknowledged."""
    writers = Writers(endpoints)
    task = asyncio.create_task(writers.run())
    try:
        await disturb(writers)
    finally:
        writers.stopping = True
        await task
    return writers.acknowledged


async def missing(endpoints: str, acknowledged: dict[str, bytes]) -> list[str]:
    async with AsyncClient(endpoints, timeout=10.0) as client:
        found = {}
        async for entry in client.list(""):
            found[entry.key.decode()] = entry.value
    return [key for key, value in acknowledged.items() if found.get(key) != value]


async def until(condition, limit_s: float = 30.0) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.slow
def test_every_acknowledged_write_survives_kills_of_single_nodes(cluster: LocalCluster) -> None:
    rng = random.Random(11)

    async def disturb(writers: Writers) -> None:
        for _ in range(8):
            seen = len(writers.acknowledged)
            await until(
                lambda seen=seen: len(writers.acknowledged) >= seen + rng.randrange(50, 400)
            )
            await asyncio.to_thread(kill, [rng.choice(cluster.nodes)])
            await asyncio.to_thread(start, cluster)

    acknowledged = asyncio.run(write_while(cluster.endpoints, disturb))

    assert len(acknowledged) >= 1000
    assert asyncio.run(missing(cluster.endpoints, acknowledged)) == []


@pytest.mark.slow
def test_every_acknowledged_write_survives_kills_of_all(cluster: LocalCluster) -> None:
    rng = random.Random(12)

    async def disturb(writers: Writers) -> None:
        for _ in range(4):
            seen = len(writers.acknowledged)
            await until(
                lambda seen=seen: len(writers.acknowledged) >= seen + rng.randrange(50, 900)
            )
            await asyncio.to_thread(kill, list(cluster.nodes))
            await asyncio.to_thread(tear_last_record, rng, cluster.nodes[rng.randrange(3)])
            await asyncio.to_thread(start, cluster)

    acknowledged = asyncio.run(write_while(cluster.endpoints, disturb))

    assert len(acknowledged) >= 500
    assert asyncio.run(missing(cluster.endpoints, acknowledged)) == []


def tear_last_record(rng: random.Random, node: LocalNode) -> None:
    """Leave half a record behind the end of one log, as a crash within a write does."""
    segment = max((node.directory / "data/wal").iterdir())
    with segment.open("ab") as file:
        file.write(rng.randbytes(rng.randrange(1, 200)))


def test_a_graceful_stop_hands_over_and_exits_with_0(cluster: LocalCluster) -> None:
    acknowledged: dict[str, bytes] = {}

    async def disturb(writers: Writers) -> None:
        for node in cluster.nodes:
            await until(lambda: len(writers.acknowledged) >= 50)
            pid = node.pid()
            os.kill(pid, signal.SIGTERM)
            _, status = await asyncio.to_thread(os.waitpid, pid, 0)
            assert os.waitstatus_to_exitcode(status) == 0, node.last_words()
            await asyncio.to_thread(start, cluster)

    acknowledged = asyncio.run(write_while(cluster.endpoints, disturb))

    assert asyncio.run(missing(cluster.endpoints, acknowledged)) == []
