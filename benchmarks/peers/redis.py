"""One Redis that fsyncs each write, and two ways for a Python process to drive it.

`PipelinedRedis` speaks the protocol on one connection, on which what many callers want goes
together: the least that a client in Python can cost. `RedisPy` is what people install.
"""

import asyncio
import contextlib
import importlib
import importlib.util
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from benchmarks.peers.servers import Servers
from kvraft_chaos.ports import free_ports

HOST = "127.0.0.1"
READY_S = 30.0
POLL_S = 0.02
CONNECTIONS_MAX = 1_024
"""More than callers: `redis-py` refuses a call that would need one more."""
SWAP = b"""\
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2])
  return 1
end
return 0
"""
"""Compare-and-set, which Redis has only as a script."""


def find_redis() -> str | None:
    """Return the server's binary; None if there is none."""
    return shutil.which("redis-server")


def has_redis_py() -> bool:
    """Whether its usual client is installed."""
    return importlib.util.find_spec("redis") is not None


def version(binary: str) -> str:
    """Return what the binary calls itself, e.g. "Redis 7.0.15"."""
    told = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True)
    return "Redis " + told.stdout.split("v=")[1].split()[0]


@contextlib.contextmanager
def redis_server(binary: str) -> Iterator[Servers]:
    """Yield a server that fsyncs its log before it answers; stop and remove it afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="redis-bench-"))
    (port,) = free_ports(1)
    command = [binary, "--bind", HOST, "--port", str(port), "--dir", str(directory)]
    command += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    try:
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield Servers([f"{HOST}:{port}"], [process.pid])
        finally:
            process.kill()
            process.wait()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class PipelinedRedis(asyncio.Protocol):
    """Commands on one connection, those of one turn of the loop in one write."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._unsent: list[bytes] = []
        self._received = b""
        self._script = b""

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, servers: Servers) -> "AsyncIterator[PipelinedRedis]":
        """Yield a client once the server answers."""
        host, port = servers.endpoints[0].split(":")
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(READY_S):
            while True:
                try:
                    _, client = await loop.create_connection(cls, host, int(port))
                    break
                except OSError:
                    await asyncio.sleep(POLL_S)
        try:
            await client.load()
            yield client
        finally:
            client.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    async def load(self) -> None:
        """Give the server the script of `cas`."""
        self._script = await self.call(b"SCRIPT", b"LOAD", SWAP)

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    async def call(self, *words: bytes) -> Any:
        """Send a command and return its answer; RuntimeError where that is an error."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        parts = [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
        self._unsent.append(b"*%d\r\n%b" % (len(words), b"".join(parts)))
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        return await answer

    def _flush(self) -> None:
        assert self._transport is not None
        self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        buffer, position = self._received + data, 0
        while (end := buffer.find(b"\r\n", position)) >= 0:
            kind, word = buffer[position : position + 1], buffer[position + 1 : end]
            after = end + 2
            found: Any = word
            if kind == b"$":
                size = int(word)
                found = buffer[after : after + size] if size >= 0 else None
                after += size + 2 if size >= 0 else 0
                if after > len(buffer):
                    break
            position = after
            self._settle(kind, found)
        self._received = buffer[position:]

    def connection_lost(self, exc: Exception | None) -> None:
        for answer in self._waiting:
            if not answer.done():
                answer.set_exception(exc or ConnectionError("the server has ended the connection"))

    def _settle(self, kind: bytes, found: Any) -> None:
        answer = self._waiting.popleft()
        if answer.done():
            return
        if kind == b"-":
            answer.set_exception(RuntimeError(found.decode()))
        else:
            answer.set_result(int(found) if kind == b":" else found)

    async def set(self, key: bytes, value: bytes) -> None:
        """Write a key."""
        await self.call(b"SET", key, value)

    async def get(self, key: bytes) -> bytes | None:
        """Return a key's value."""
        found: bytes | None = await self.call(b"GET", key)
        return found

    async def cas(self, key: bytes, value: bytes, expected: bytes) -> bool:
        """Write a key if its value is as expected; say whether it was."""
        return bool(await self.call(b"EVALSHA", self._script, b"1", key, expected, value))


class RedisPy:
    """The client of the package `redis`: a connection for each call under way."""

    def __init__(self, client: Any, script: str) -> None:
        self._client = client
        self._script = script

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, servers: Servers) -> "AsyncIterator[RedisPy]":
        """Yield a client once the server answers."""
        async with PipelinedRedis.connected(servers):
            pass
        host, port = servers.endpoints[0].split(":")
        client = importlib.import_module("redis.asyncio").Redis(
            host=host, port=int(port), max_connections=CONNECTIONS_MAX
        )
        try:
            yield cls(client, await client.script_load(SWAP))
        finally:
            await client.aclose()

    async def set(self, key: bytes, value: bytes) -> None:
        """Write a key."""
        await self._client.set(key, value)

    async def get(self, key: bytes) -> bytes | None:
        """Return a key's value."""
        found: bytes | None = await self._client.get(key)
        return found

    async def cas(self, key: bytes, value: bytes, expected: bytes) -> bool:
        """Write a key if its value is as expected; say whether it was."""
        return bool(await self._client.evalsha(self._script, 1, key, expected, value))
