"""Unary calls are accepted many at a time, where gRPC's asyncio server would take one by one.

It asks for the next call of a method once it has the last one, several turns of the loop and two
changes of thread later. On a busy leader that was one call a millisecond, so entries held two
commands of 64 callers: 660 puts a second, and 2,100 with this (measured).

The server's own bound on calls does not see these, so they are bounded here: from the moment they
are accepted, for the request of a call may never come.

gRPC has no public way to say so (1.85), so its own parts are used: only if they take the parameters
that were tested, else the server accepts as it always did.
"""

import asyncio
import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import grpc.aio
from grpc._cython import cygrpc  # type: ignore[attr-defined]

from kvraft.service.calls import Calls
from kvraft.service.unreadable import Handler

logger = logging.getLogger("kvraft")

_TESTED: Final[Mapping[str, tuple[str, ...]]] = {
    "AioServer._request_registered_call": ("self", "method"),
    "AioServer.is_running": ("self",),
    "_handle_stream_unary_rpc": ("method_handler", "rpc_state", "loop"),
    "_handle_unary_unary_rpc": ("method_handler", "rpc_state", "loop"),
    "_schedule_rpc_coro": ("rpc_coro", "rpc_state", "loop", "method_name"),
}
"""What is called of gRPC's insides, by its parameters."""
_RAISED: Final = ("_RequestCallError", "InternalError")
"""... and what that raises."""


def is_possible() -> bool:
    """Whether the gRPC that is installed has the parts that this was tested with."""
    tested = all(_parameters(path) == expected for path, expected in _TESTED.items())
    return tested and all(hasattr(cygrpc, name) for name in _RAISED)


def _parameters(path: str) -> tuple[str, ...] | None:
    part: Any = cygrpc
    for name in path.split("."):
        part = getattr(part, name, None)
    try:
        return tuple(inspect.signature(part).parameters)
    except (TypeError, ValueError):  # not there, or it does not say
        return None


class Acceptors:
    """Ask for calls of every unary method, many at a time, beside the server's own asking."""

    def __init__(
        self, server: grpc.aio.Server, methods: Mapping[str, Handler], calls: Calls
    ) -> None:
        """`methods` by full name, as they are registered with the server."""
        self._core: Any = server._server  # type: ignore[attr-defined]  # noqa: SLF001 - see above
        self._methods = methods
        self._limits = calls.limits
        # As a stream's, it does not wait for the request.
        self._refusing: Handler = grpc.stream_unary_rpc_method_handler(calls.refuse)
        self._answering: set[asyncio.Task[None]] = set()
        self._others: set[asyncio.Task[None]] = set()
        """Who asks, and who refuses: that does not count, or callers that insist would leave no
        room to others."""

    def start(self) -> None:
        """Ask, where that is possible, until the server stops; once, when it has started."""
        if not is_possible():
            return
        for name, handler in self._methods.items():
            if not handler.request_streaming and not handler.response_streaming:
                for _ in range(self._limits.accepts):
                    self._begin(self._accept(name, handler), self._others)

    def _begin(self, work: Any, tasks: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)  # the loop itself keeps no reference
        task.add_done_callback(tasks.discard)

    async def _accept(self, name: str, handler: Handler) -> None:
        """Accept calls of one method until the server stops; what fails leaves it to the server."""
        core, method, loop = self._core, name.encode(), asyncio.get_running_loop()
        request: Callable[[bytes], Any] = core._request_registered_call  # noqa: SLF001
        while core.is_running():
            try:
                state = await request(method)
            except cygrpc._RequestCallError:  # noqa: SLF001 - this request; or the server stops
                continue
            except cygrpc.InternalError:
                logger.exception("%s: calls are accepted one at a time from now on", name)
                return
            if len(self._answering) < self._limits.calls:
                tasks = self._answering
                work = cygrpc._handle_unary_unary_rpc(handler, state, loop)  # noqa: SLF001
            else:
                tasks = self._others
                work = cygrpc._handle_stream_unary_rpc(self._refusing, state, loop)  # noqa: SLF001
            scheduled = cygrpc._schedule_rpc_coro(work, state, loop, name)  # noqa: SLF001
            self._begin(scheduled, tasks)
