"""One direction of one proxied connection: a chain of stages between two sockets."""

import asyncio
from collections.abc import Callable, Iterable
from random import Random

from kvraft_chaos.toxiproxy.settings import Toxic
from kvraft_chaos.toxiproxy.stages import LimitData, Sink, Stage, make_stage

HELD_BYTES = 4 << 20
"""What the stages of one direction may hold before its source is no longer read."""


class _Socket:
    """The last sink: writes to the destination and closes it at the end of the stream."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def feed(self, data: bytes, _arrived: float, /) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    def end(self) -> None:
        self.transport.close()


class Pipe:
    """Reads `source`, writes `destination`; toxics may be added, changed and removed meanwhile."""

    def __init__(
        self,
        source: asyncio.Transport,
        destination: asyncio.Transport,
        toxics: Iterable[Toxic],
        *,
        random: Random,
        reset: Callable[[], None],
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.random = random
        self.reset = reset
        self._source = source
        self._socket = _Socket(destination)
        self._stages: list[Stage] = []
        self._held_bytes = 0
        self._blocked = False
        for toxic in toxics:
            self.add(toxic)

    def feed(self, data: bytes) -> None:
        self._head().feed(data, self.loop.time())

    def end(self) -> None:
        """The source sends no more, or is gone."""
        self._head().end()

    def add(self, toxic: Toxic) -> None:
        stage = make_stage(toxic, self, self._socket)
        if self._stages:
            self._stages[-1].output = stage
        self._stages.append(stage)

    def update(self, toxic: Toxic) -> None:
        """Draw the toxicity again; what the stage held goes through it anew."""
        place = self._place(toxic)
        old = self._stages[place]
        if old.closed:
            return
        items = old.drain()
        stage = make_stage(toxic, self, old.output)
        if isinstance(stage, LimitData) and isinstance(old, LimitData):
            stage.passed = old.passed
        if place > 0:
            self._stages[place - 1].output = stage
        self._stages[place] = stage
        for data, arrived in items:
            if data is None:
                stage.end()
            else:
                stage.feed(data, arrived)

    def remove(self, toxic: Toxic) -> None:
        """Take the stage out; what it held is passed on at once.

        Bytes that a black hole swallowed are gone, so its connection is closed, as the real server
        does: healing never delivers a stream with a hole in it.
        """
        place = self._place(toxic)
        stage = self._stages.pop(place)
        if place > 0:
            self._stages[place - 1].output = stage.output
        if stage.closed:
            return
        for data, arrived in stage.drain():
            if data is None:
                stage.output.end()
            else:
                stage.output.feed(data, arrived)
        if toxic.type == "timeout":
            stage.output.end()

    def discard(self) -> None:
        """The connection is over: no timer of it may fire."""
        for stage in self._stages:
            stage.drain()
            stage.closed = True

    def held(self, change: int) -> None:
        self._held_bytes += change
        self._throttle()

    def block(self, *, blocked: bool) -> None:
        """The destination's buffer is full, or has room again."""
        self._blocked = blocked
        self._throttle()

    def _throttle(self) -> None:
        if self._source.is_closing():
            return
        if self._blocked or self._held_bytes > HELD_BYTES:
            self._source.pause_reading()
        else:
            self._source.resume_reading()

    def _head(self) -> Sink:
        return self._stages[0] if self._stages else self._socket

    def _place(self, toxic: Toxic) -> int:
        return next(i for i, stage in enumerate(self._stages) if stage.toxic is toxic)
