"""Puts of 256 bytes, as many as it takes: by a process that does next to nothing for each of them.

A client library takes as long for a call as a node does, so it cannot offer four times what the
nodes can do. Here calls are encoded beforehand, a message is joined bytes, what waits is a list.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from benchmarks.writers import VALUE, key
from kvraft.v1 import kv_pb2

METHOD = "/kvraft.v1.KVService/Pipeline"
STREAMS = 4
"""Each on a connection of its own, as of four clients."""
IDS = 1 << 15
"""Calls of a stream that can be unanswered: beyond what it sends in `TIMEOUT_S`."""
KEYS = 4_096
BATCH = 256
TICK_S = 0.02
TIMEOUT_S = 2.0


@dataclass(slots=True)
class Flooded:
    """What became of the calls that were due, or answered, while it was measured."""

    seconds: float
    offered: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    """`put`, else the code of the error; `late` where the client had given up, `unsent` where it
    could not even send it in time."""
    took_ms: list[float] = field(default_factory=list)
    """Of the acknowledged, since they were due."""

    @property
    def rate(self) -> float:
        """Acknowledged puts a second."""
        return self.outcomes["put"] / self.seconds

    @property
    def p99_ms(self) -> float:
        """What 99 of 100 acknowledged puts took at most."""
        took = sorted(self.took_ms)
        return took[int(len(took) * 0.99)] if took else 0.0

    @property
    def refused(self) -> float:
        """The share of the offered calls that was refused."""
        return self.outcomes["RESOURCE_EXHAUSTED"] / max(1, self.offered)


def _encoded() -> list[bytes]:
    """Return each call as a message of its own; joined they are one message with all of them."""
    timeout_ms = int(TIMEOUT_S * 1000)
    puts = [kv_pb2.PutRequest(key=key(number).encode(), value=VALUE) for number in range(KEYS)]
    calls = (
        kv_pb2.PipelineCall(id=number, timeout_ms=timeout_ms, put=puts[number % KEYS])
        for number in range(IDS)
    )
    return [kv_pb2.PipelineRequest(calls=[call]).SerializeToString() for call in calls]


class _Stream:
    """One stream, and when each of its unanswered calls was due."""

    def __init__(self, call: Any, frames: list[bytes], begin: float, into: Flooded) -> None:
        self._call = call
        self._frames = frames
        self._begin = begin
        self._into = into
        self._due = [0.0] * IDS
        self._next = 0

    async def send(self, count: int, due: float) -> None:
        """Send so many calls that are due at that moment; those that find no id are `unsent`."""
        numbers = (number % IDS for number in range(self._next, self._next + count))
        fresh = [number for number in numbers if not self._due[number]]
        self._next = (self._next + count) % IDS
        if due >= self._begin:
            self._into.offered += count
            self._into.outcomes["unsent"] += count - len(fresh)
        for number in fresh:
            self._due[number] = due
        if fresh:
            await self._call.write(b"".join([self._frames[number] for number in fresh]))

    async def offer(self, rate: float, end: float) -> None:
        """Send at this rate, whatever is answered."""
        begun = time.monotonic()
        sent = 0
        while (now := time.monotonic()) < end:
            while sent < int((now - begun) * rate):
                count, due = min(BATCH, int((now - begun) * rate) - sent), begun + sent / rate
                sent += count
                if time.monotonic() - due < TIMEOUT_S:
                    await self.send(count, due)
                elif due >= self._begin:
                    self._into.offered += count
                    self._into.outcomes["unsent"] += count
            await asyncio.sleep(TICK_S)
        await self._call.done_writing()

    async def read(self, end: float, *, again: bool) -> None:
        """Take replies until all are had; `again`: for each one, the next call is sent."""
        into = self._into
        while (raw := await self._call.read()) is not grpc.aio.EOF:
            replies = kv_pb2.PipelineResponse.FromString(raw).replies
            now = time.monotonic()
            is_counted = self._begin <= now < end
            for reply in replies:
                due, self._due[reply.id] = self._due[reply.id], 0.0
                if not is_counted:
                    continue
                if reply.HasField("error"):
                    into.outcomes[_CODES[reply.error.code]] += 1
                elif now - due > TIMEOUT_S:
                    into.outcomes["late"] += 1
                else:
                    into.outcomes["put"] += 1
                    into.took_ms.append((now - due) * 1000)
            if again and now < end:
                await self.send(len(replies), now)
            elif again:
                await self._call.done_writing()


_CODES = {code.value[0]: code.name for code in grpc.StatusCode}


async def _flood(target: str, seconds: float, run: Callable[[_Stream, float], Any]) -> Flooded:
    frames = _encoded()
    begun = time.monotonic()
    begin, end = begun + seconds / 4, begun + seconds * 5 / 4
    into = Flooded(seconds)
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(target, options) for _ in range(STREAMS)]
    try:
        async with asyncio.TaskGroup() as group:
            for channel in channels:
                call = channel.stream_stream(METHOD)()
                group.create_task(run(_Stream(call, frames, begin, into), end))
    finally:
        for channel in channels:
            await channel.close()
    return into


def saturate(target: str, callers: int, seconds: float) -> Flooded:
    """Keep so many puts unanswered for so long, a quarter of that before it is measured."""

    async def run(stream: _Stream, end: float) -> None:
        await stream.send(callers // STREAMS, time.monotonic())
        await stream.read(end, again=True)

    return asyncio.run(_flood(target, seconds, run))


def overload(target: str, rate: float, seconds: float) -> Flooded:
    """Offer so many puts a second for so long, whether they are answered or not."""

    async def run(stream: _Stream, end: float) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(stream.offer(rate / STREAMS, end))
            group.create_task(stream.read(end, again=False))

    return asyncio.run(_flood(target, seconds, run))
