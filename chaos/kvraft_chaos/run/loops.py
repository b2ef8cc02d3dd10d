"""Event loops in threads of their own, where clients are at work while others watch and strike."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STOP_SECONDS = 5.0
"""For what is left on a loop to be cancelled: it waits for nobody."""


class Loops:
    """One for all, or one for each: only a client on a loop of its own can be held as by SIGSTOP.

    One for each costs more: gRPC wakes all loops of a process for every message.
    """

    def __init__(self, *, own: bool) -> None:
        self._own = own
        self._running: list[tuple[asyncio.AbstractEventLoop, threading.Thread]] = []

    def get(self) -> asyncio.AbstractEventLoop:
        """A loop for the next client."""
        if self._own or not self._running:
            loop = asyncio.new_event_loop()
            loop.set_exception_handler(_told)
            thread = threading.Thread(target=loop.run_forever, name="clients", daemon=True)
            thread.start()
            self._running.append((loop, thread))
        return self._running[-1][0]

    def close(self) -> None:
        """Only when all have stopped: they share a queue of gRPC, whose messages cross over."""
        for loop, _ in self._running:
            asyncio.run_coroutine_threadsafe(_end(loop), loop)
        for _, thread in self._running:
            thread.join(STOP_SECONDS)
        for loop, thread in self._running:
            if not thread.is_alive():
                loop.close()
        self._running = []


@contextmanager
def loops(*, own: bool) -> Iterator[Loops]:
    made = Loops(own=own)
    try:
        yield made
    finally:
        made.close()


async def _end(loop: asyncio.AbstractEventLoop) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    loop.stop()


def _told(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What goes wrong on a loop, but for gRPC's reader that another loop was faster than."""
    if not isinstance(context.get("exception"), BlockingIOError):
        loop.default_exception_handler(context)
