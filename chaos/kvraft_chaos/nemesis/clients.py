"""Clients that stop in the middle of what they do, and go on later as if nothing had happened.

The cluster does not know who its clients are: whoever runs them puts them in `cluster.clients`.
"""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Mapping
from typing import Any

from kvraft_chaos.nemesis.argument import Number, taking
from kvraft_chaos.nemesis.processes import PAUSE_MS
from kvraft_chaos.nemesis.stroke import Stroke
from kvraft_chaos.nemesis.target import Pausable, Target

LONGEST_PAUSE_SECONDS = 60.0
"""A loop goes on by itself after this, so that a run that fails can still end."""


class ProcessClient:
    """A client that is a process of its own: SIGSTOP and SIGCONT."""

    def __init__(self, name: str, pid: int) -> None:
        self.name = name
        self._pid = pid

    def pause(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def resume(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGCONT)


class LoopClient:
    """A client on an event loop of its own thread: the loop is held, its code runs no further.

    To that client it is what SIGSTOP is to a process: no keepalive, no timer, no answer read, and
    time has passed when it goes on. Never for the loop that records a history or strikes.
    """

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self.name = name
        self._loop = loop
        self._go_on = threading.Event()

    def pause(self) -> None:
        self._go_on.clear()
        self._loop.call_soon_threadsafe(self._go_on.wait, LONGEST_PAUSE_SECONDS)

    def resume(self) -> None:
        self._go_on.set()


class PauseClient(Stroke):
    name = "pause-client"
    sentence = "a client stops for longer than its lease, and goes on as if nothing had happened"
    takes = taking(client=Number(0, 99))
    shortest_ms = PAUSE_MS

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        clients = list(cluster.clients)
        if not clients:
            return "nobody: this run has no client that can be paused"
        client = clients[int(arguments["client"]) % len(clients)]
        thing = f"paused client {client.name}"
        cluster.holds.take(thing, self)
        self.undo(self._resume, cluster, thing, client)
        client.pause()
        return client.name

    def _resume(self, cluster: Target, thing: str, client: Pausable) -> None:
        if cluster.holds.let_go(thing, self):
            client.resume()
