"""Whatever goes wrong inside the engine stops the node (gap rows 10, 18: SyncObj goes on)."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from kvraft.consensus.port import ProtocolError
from kvraft.consensus.shared import Shared

P = ParamSpec("P")
R = TypeVar("R")


class Guarded(Protocol):
    """An object whose entry points are guarded."""

    _shared: Shared


G = TypeVar("G", bound=Guarded)


def entry_point(method: Callable[Concatenate[G, P], R]) -> Callable[Concatenate[G, P], R]:
    """Turn any exception but ProtocolError (the peer's fault, not ours) into the node's end."""

    @wraps(method)
    def guarded(self: G, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except ProtocolError:
            self._shared.counters["malformed"] += 1
            raise
        except Exception as error:
            if self._shared.dead:
                raise
            reason = f"consensus failed in {method.__name__}: {type(error).__name__}: {error}"
            self._shared.fatal(reason)

    return guarded
