"""ZooKeeper driven by one session of kazoo, on which many calls are under way."""

import asyncio
import contextlib
import importlib
import logging
import socket
from collections.abc import AsyncIterator
from typing import Any

from benchmarks.peers.servers import Servers

ROOT = "/bench"
READY_S = 60.0
WORD_S = 5.0


class PipelinedZooKeeper:
    """kazoo's own asynchronous calls, awaited."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, servers: Servers) -> "AsyncIterator[PipelinedZooKeeper]":
        """Yield a client once the servers answer."""
        logging.getLogger("kazoo").setLevel(logging.ERROR)  # the servers are starting
        kazoo = importlib.import_module("kazoo.client")
        session = kazoo.KazooClient(",".join(servers.endpoints), randomize_hosts=False)
        await asyncio.to_thread(session.start, READY_S)
        try:
            await asyncio.to_thread(session.ensure_path, ROOT)
            yield cls(session)
        finally:
            await asyncio.to_thread(session.stop)
            await asyncio.to_thread(session.close)

    async def _answer(self, asked: Any) -> Any:
        """Await a call of kazoo, which settles it in a thread of its own."""
        answer = self._loop.create_future()

        def settle() -> None:
            if answer.done():
                return
            if asked.exception is None:
                answer.set_result(asked.value)
            else:
                answer.set_exception(asked.exception)

        asked.rawlink(lambda _: self._loop.call_soon_threadsafe(settle))
        return await answer

    async def create(self, name: str, value: bytes) -> None:
        """Write a node that is not there."""
        await self._answer(self._session.create_async(f"{ROOT}/{name}", value))

    async def cas(self, name: str, value: bytes, version: int) -> int:
        """Write a node if its version is as given, else raise; return the new version."""
        stat = await self._answer(self._session.set_async(f"{ROOT}/{name}", value, version))
        return int(stat.version)

    async def get(self, name: str) -> bytes:
        """Return a value linearizably: the server catches up before it reads, in one round trip."""
        caught_up = self._session.sync_async(f"{ROOT}/{name}")
        found = self._session.get_async(f"{ROOT}/{name}")
        await self._answer(caught_up)
        value, _ = await self._answer(found)
        return bytes(value)


def _told(endpoint: str) -> dict[str, str]:
    """Return what a server says of itself by the word `srvr`; nothing while it is starting."""
    host, port = endpoint.split(":")
    try:
        with socket.create_connection((host, int(port)), WORD_S) as connection:
            connection.sendall(b"srvr")
            text = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.splitlines())
    return {name: rest.strip() for name, _, rest in lines}


def version_and_leader(endpoints: list[str]) -> tuple[str, int]:
    """Return e.g. "ZooKeeper 3.8.0", and the number of the server that leads; once they serve."""
    words = [_told(each) for each in endpoints]
    leader = [each.get("Mode") for each in words].index("leader")
    number = words[leader]["Zookeeper version"].split("-")[0].split(",")[0]
    return f"ZooKeeper {number}", leader
