"""The seven toxics as stages of a pipe: each takes chunks and passes on what it lets through.

Stages are driven by the loop's callbacks and never block. A chunk carries the time it came in, so
that latency is pipelined: a hundred chunks of one moment are late by one latency, not a hundred.
"""

import asyncio
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Protocol

from kvraft_chaos.toxiproxy.settings import Toxic


class Sink(Protocol):
    """Where a stage's output goes: the next stage, or the socket."""

    def feed(self, data: bytes, arrived: float, /) -> None: ...
    def end(self) -> None: ...


Item = tuple[bytes | None, float]
"""A chunk and when it came in; None: the end of the stream."""


class Flow(Protocol):
    """What a stage may ask of the pipe it stands in."""

    loop: asyncio.AbstractEventLoop
    random: Random

    def held(self, change: int) -> None:
        """So many more bytes wait in a stage (fewer where negative)."""
        ...

    def reset(self) -> None:
        """Close both sockets with RST."""
        ...


class Stage:
    """Passes everything on; also what a toxic is on a connection that its toxicity spares."""

    def __init__(self, toxic: Toxic, flow: Flow, output: Sink) -> None:
        self.toxic = toxic
        self.flow = flow
        self.output = output
        self.closed = False

    def feed(self, data: bytes, arrived: float, /) -> None:
        if not self.closed:
            self.output.feed(data, arrived)

    def end(self) -> None:
        if not self.closed:
            self.closed = True
            self.output.end()

    def drain(self) -> list[Item]:
        """Stop, and hand over what has not been passed on."""
        return []

    def attribute(self, name: str) -> int:
        return self.toxic.attributes[name]


class Paced(Stage, ABC):
    """Holds items in order until their time; subclasses say when that is."""

    def __init__(self, toxic: Toxic, flow: Flow, output: Sink) -> None:
        super().__init__(toxic, flow, output)
        self.waiting: deque[Item] = deque()
        self.timer: asyncio.TimerHandle | None = None
        self.last_release = -math.inf

    @abstractmethod
    def due(self, data: bytes | None, arrived: float, now: float) -> float:
        """When the item at the head may go; asked once an item."""

    def feed(self, data: bytes, arrived: float, /) -> None:
        if not self.closed:
            self.enqueue(data, arrived)

    def end(self) -> None:
        if not self.closed:
            self.enqueue(None, self.flow.loop.time())

    def enqueue(self, data: bytes | None, arrived: float) -> None:
        self.waiting.append((data, arrived))
        self.flow.held(len(data or b""))
        if len(self.waiting) == 1:
            self._advance()

    def _advance(self) -> None:
        self.timer = None
        while self.waiting:
            now = self.flow.loop.time()
            data, arrived = self.waiting[0]
            due = self.due(data, arrived, now)
            if due > now:
                if due < math.inf:
                    self.timer = self.flow.loop.call_at(due, self._release_head)
                return
            self._release()

    def _release_head(self) -> None:
        self._release()
        self._advance()

    def _release(self) -> None:
        data, arrived = self.waiting.popleft()
        now = self.flow.loop.time()
        self.last_release = now
        if data is None:
            self.closed = True
            self.output.end()
            return
        self.output.feed(data, max(arrived, now))
        self.flow.held(-len(data))

    def drain(self) -> list[Item]:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        items = list(self.waiting)
        self.waiting.clear()
        self.flow.held(-sum(len(data or b"") for data, _ in items))
        return items


class Latency(Paced):
    def due(self, data: bytes | None, arrived: float, now: float) -> float:
        if data is None:
            return now
        jitter = self.attribute("jitter")
        spread = self.flow.random.randrange(2 * jitter) - jitter if jitter > 0 else 0
        return arrived + (self.attribute("latency") + spread) / 1_000


class Bandwidth(Paced):
    """A rate of 0 lets nothing through and drops nothing, as in the real server."""

    SLICE_MS = 100

    def enqueue(self, data: bytes | None, arrived: float) -> None:
        step = self.attribute("rate") * self.SLICE_MS
        if data is None or step <= 0 or len(data) <= step:
            super().enqueue(data, arrived)
            return
        for start in range(0, len(data), step):
            super().enqueue(data[start : start + step], arrived)

    def due(self, data: bytes | None, arrived: float, now: float) -> float:
        if data is None:
            return now
        rate = self.attribute("rate")
        if rate <= 0:
            return math.inf
        return max(arrived, self.last_release) + len(data) / rate / 1_000


class SlowClose(Paced):
    def due(self, data: bytes | None, arrived: float, now: float) -> float:
        return now if data is not None else arrived + self.attribute("delay") / 1_000


class Slicer(Paced):
    def enqueue(self, data: bytes | None, arrived: float) -> None:
        for part in [None] if data is None else self.sliced(data):
            super().enqueue(part, arrived)

    def sliced(self, data: bytes) -> list[bytes]:
        """Halve at about the middle until a part is at most average + variation."""
        variation = max(self.attribute("size_variation"), 0)
        if len(data) <= max(self.attribute("average_size"), 1) + variation:
            return [data]
        middle = len(data) // 2
        if variation > 0:
            middle += self.flow.random.randrange(2 * variation) - variation
        middle = min(max(middle, 1), len(data) - 1)
        return self.sliced(data[:middle]) + self.sliced(data[middle:])

    def due(self, data: bytes | None, arrived: float, now: float) -> float:
        if data is None:
            return now
        return max(arrived, self.last_release + self.attribute("delay") / 1_000_000)


class Timed(Stage):
    """A stage that ends the connection after a while."""

    timer: asyncio.TimerHandle | None = None

    def arm(self, delay_ms: int, then: Callable[[], None]) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.timer = self.flow.loop.call_later(max(delay_ms, 0) / 1_000, then)

    def drain(self) -> list[Item]:
        if self.timer is not None:
            self.timer.cancel()
        return []


class Timeout(Timed):
    """A black hole: data is lost, the end of the stream is not; 0 keeps the connection open."""

    def __init__(self, toxic: Toxic, flow: Flow, output: Sink) -> None:
        super().__init__(toxic, flow, output)
        self.rearm()

    def rearm(self) -> None:
        if self.attribute("timeout") > 0:
            self.arm(self.attribute("timeout"), self.end)

    def feed(self, _data: bytes, _arrived: float, /) -> None:
        if not self.closed:
            self.rearm()  # the real server counts from the last chunk that it dropped


class ResetPeer(Timed):
    """Resets at the first byte or at the end of the stream, after the timeout."""

    armed = False

    def feed(self, _data: bytes, _arrived: float, /) -> None:
        self.end()

    def end(self) -> None:
        if not self.closed and not self.armed:
            self.armed = True
            self.arm(self.attribute("timeout"), self._reset)

    def _reset(self) -> None:
        self.closed = True
        self.flow.reset()


class LimitData(Stage):
    passed = 0

    def feed(self, data: bytes, arrived: float, /) -> None:
        if self.closed:
            return
        data = data[: max(self.attribute("bytes") - self.passed, 0)]
        if data:
            self.passed += len(data)
            self.output.feed(data, arrived)
        if self.passed >= self.attribute("bytes"):
            self.end()


STAGES: dict[str, type[Stage]] = {
    "latency": Latency,
    "bandwidth": Bandwidth,
    "slow_close": SlowClose,
    "timeout": Timeout,
    "reset_peer": ResetPeer,
    "slicer": Slicer,
    "limit_data": LimitData,
}


def make_stage(toxic: Toxic, flow: Flow, output: Sink) -> Stage:
    """The toxic's stage, or one that does nothing where its toxicity spares this connection."""
    kind = STAGES[toxic.type] if flow.random.random() < toxic.toxicity else Stage
    return kind(toxic, flow, output)
