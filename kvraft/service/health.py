"""The standard health service: SERVING only while this node can serve what needs a quorum.

The reference servicer (grpcio-health-checking 1.71 to 1.85, `_async.py`) forgets the other watchers
of a service when one of them leaves, so this is our own.
"""

import asyncio
from collections.abc import Iterable

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kvraft.core.errors import Outcome, Reason
from kvraft.replica.port import Node
from kvraft.service.calls import Calls, Context
from kvraft.service.errors import CallError, abort

SERVICE_NAME = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
OVERALL = ""
"""The name under which health checks ask for the server as a whole."""
SHOWN_CHARACTERS = 100
"""Of a name nobody knows, in an error's text."""

_Response = health_pb2.HealthCheckResponse


class HealthService(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # untyped package
    """The servicer of `grpc.health.v1.Health`; each service of a node is as healthy as the node."""

    def __init__(self, calls: Calls, services: Iterable[str]) -> None:
        self._calls = calls
        self._services = frozenset((OVERALL, *services))
        self._watches = 0
        self._serving = False
        self._changed = asyncio.Event()
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """Say whether the named service can serve now; NOT_FOUND where there is none."""
        if request.service not in self._services:
            name = request.service[:SHOWN_CHARACTERS]
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no service {name!r}")
        self.refresh()
        return self._response(request.service)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:
        """Send the status of the named service now and whenever it changes."""
        limit = self._calls.limits.watches
        if self._watches >= limit:
            text = f"{limit} health watches are open"
            error = CallError(Reason.OVERLOAD, Outcome.NOT_APPLIED, text, limit=limit)
            await abort(context, error, {})
        self._watches += 1
        if self._timer is None:
            self._look()
        try:
            while True:
                # Taken before the write: what happens during it is the next round's news.
                changed, is_last = self._changed, self._closed
                await context.write(self._response(request.service))
                if is_last:
                    return
                await changed.wait()
        finally:
            self._watches -= 1

    def refresh(self) -> None:
        """Look at the node now and tell the watchers of a change; otherwise that is periodic."""
        serving = not self._closed and can_serve(self._calls.node)
        if serving != self._serving:
            self._serving = serving
            self._tell()

    def close(self) -> None:
        """Say NOT_SERVING and end the watches: the node is stopping."""
        self._closed, self._serving = True, False
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _look(self) -> None:
        """Contact with a quorum is lost by the passing of time, so somebody must look."""
        self.refresh()
        self._timer = None
        if self._watches and not self._closed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._calls.limits.health_ms / 1000, self._look)

    def _response(self, service: str) -> health_pb2.HealthCheckResponse:
        if service not in self._services:
            return _Response(status=_Response.SERVICE_UNKNOWN)
        return _Response(status=_Response.SERVING if self._serving else _Response.NOT_SERVING)


def can_serve(node: Node) -> bool:
    """Return whether what needs a quorum has a chance here: formed, led, in contact."""
    return bool(node.machine.cluster_id and node.leader is not None and node.quorum_reachable())
