"""One client of a run: performs what its script asks, and writes down what it asked and heard."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import AsyncExitStack
from typing import Protocol

from kvraft_chaos.history import Recorder
from kvraft_chaos.run.errors import RunError
from kvraft_chaos.workloads.script import Answer, Call, Script
from kvraft_client import AsyncClient, KvraftError

PAUSE_SECONDS = 0.005
"""Between two calls: the cluster, the proxies and the clients share the cores."""
END_SECONDS = 6.0
"""To finish the call that is under way: longer than one may take, and asking what became of it."""
DROP_SECONDS = 5.0
"""To let go of what is held, and to close; then the client is left to its fate."""


class Performs(Protocol):
    """Maps calls to the cluster."""

    async def perform(self, call: Call) -> Answer:
        """Ask, and say what became of it."""

    async def drop(self) -> None:
        """Let go of what is held."""


class Process:
    """What a client is in the history: after an unknown outcome it goes on as a new process, for
    the operation of the old one may still take effect.
    """

    def __init__(self, performer: Performs, recorder: Recorder) -> None:
        self._performer, self._recorder = performer, recorder
        self._number = recorder.process()

    async def call(self, call: Call) -> Answer:
        """One operation, between its invoke and its completion."""
        self._recorder.record(self._number, "invoke", call.f, key=call.key, value=call.argument)
        answer = Answer("info", error="it never came back")
        try:
            answer = await self._performer.perform(call)
        finally:  # cancelled at the end of a run, too: nobody knows then
            self._recorder.record(
                self._number,
                answer.type,
                call.f,
                key=call.key,
                value=answer.result,
                error=answer.error,
            )
            if answer.type == "info":
                self._number = self._recorder.process()
        return answer

    async def follow(self, script: Script, ended: Callable[[], bool]) -> None:
        """Perform it to its end, or until `ended` says so between two calls."""
        answer: Answer | None = None
        while not ended():
            try:
                call = next(script) if answer is None else script.send(answer)
            except StopIteration:
                return
            answer = await self.call(call)
            await asyncio.sleep(PAUSE_SECONDS)


class Client:
    """A process with a client of its own, at work on some event loop."""

    def __init__(
        self,
        name: str,
        script: Script,
        recorder: Recorder,
        connect: Callable[[], AsyncClient],
        performer: Callable[[AsyncClient], Performs],
    ) -> None:
        self.name = name
        self._script, self._recorder = script, recorder
        self._connect, self._performer = connect, performer
        self._ended = threading.Event()
        self._work: Future[None] | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._work = asyncio.run_coroutine_threadsafe(self._live(), loop)

    @property
    def broke(self) -> bool:
        """Whether an error ended it; `join` raises it."""
        work = self._work
        return work is not None and work.done() and work.exception() is not None

    def end(self) -> None:
        """After the call that is under way; does not wait for it."""
        self._ended.set()

    def join(self, within_s: float) -> bool:
        """Wait for its end; what is under way then is broken off. Whether it came by itself.

        RunError if it broke: nobody knows what it would have asked.
        """
        assert self._work is not None, "the client has not begun"
        done, _ = wait([self._work], within_s)
        if not done:
            self._work.cancel()
            return False
        if self.broke:
            error = self._work.exception()
            raise RunError(f"client {self.name} broke: {error!r}") from error
        return True

    async def _live(self) -> None:
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(self._connect())
            performer = self._performer(client)
            stack.push_async_callback(self._drop, performer)
            await Process(performer, self._recorder).follow(self._script, self._ended.is_set)

    @staticmethod
    async def _drop(performer: Performs) -> None:
        with contextlib.suppress(KvraftError, TimeoutError):  # what is left ends with its lease
            async with asyncio.timeout(DROP_SECONDS):
                await performer.drop()
