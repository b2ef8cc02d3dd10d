"""Requests that protobuf cannot read: refused with an ErrorInfo like all that is malformed.

gRPC itself would answer UNKNOWN and log an exception: no client could know that nothing happened.
Protobuf reads messages at most 100 deep: a condition of that depth ends here, without recursion.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from kvraft.service.convert.checks import invalid

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Unreadable:
    """Stands for the request, until somebody can refuse it."""

    def __init__(self, data: bytes) -> None:
        self._size = len(data)

    def refuse(self) -> None:
        """Raise the CallError."""
        text = f"request: its {self._size} bytes cannot be read: damaged, or nested too deep"
        raise invalid(text)


def require_readable(request: object) -> None:
    """CallError where there is no request to look at."""
    if isinstance(request, Unreadable):
        request.refuse()


class Registrar:
    """Stands for the server where generated code registers a servicer."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server
        self.methods: dict[str, Handler] = {}
        """What was registered, by full name."""

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Ignore it: the same handlers come, by name, to the next method."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Register the methods of one service."""
        tolerant: dict[str, Handler] = {
            name: handler._replace(  # type: ignore[attr-defined]  # a named tuple
                request_deserializer=reading(handler.request_deserializer)
            )
            for name, handler in handlers.items()
        }
        generic = grpc.method_handlers_generic_handler(service, tolerant)
        self._server.add_generic_rpc_handlers((generic,))
        self._server.add_registered_method_handlers(service, tolerant)
        self.methods |= {f"/{service}/{name}": handler for name, handler in tolerant.items()}


def reading(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    """Return a deserializer that never raises: `require_readable` does."""
    assert deserialize is not None, "requests are messages"

    def read(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            return Unreadable(data)

    return read
