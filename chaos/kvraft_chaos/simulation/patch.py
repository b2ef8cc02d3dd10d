"""The two globals of PySyncObj that reach for the world: clock and chance (nothing else does).

Everything of ours gets the world through doors. PySyncObj reads `syncobj.monotonicTime` and
`syncobj.random`, so both are replaced by those of the node whose code runs at the moment.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from pysyncobj import syncobj


class Running(Protocol):
    """The node whose code runs."""

    local_time: Callable[[], float]
    """Monotonic seconds of this node."""
    random: Callable[[], float]
    """This node's next random number in [0, 1)."""


def _nobody() -> float:
    raise AssertionError("PySyncObj asks for time or chance outside any node's step")


class _Nobody:
    """Between the steps of the nodes."""

    def __init__(self) -> None:
        self.local_time: Callable[[], float] = _nobody
        self.random: Callable[[], float] = _nobody


_globals = vars(syncobj)
"""Written to at every step of a node: a module's attribute takes longer to set."""
_running: Running = _Nobody()


@contextmanager
def world_of_nodes() -> Iterator[None]:
    """Inside, PySyncObj sees the running node's clock and chance; restored at the end."""
    before = syncobj.monotonicTime, syncobj.random
    enter(_running)
    try:
        yield
    finally:
        syncobj.monotonicTime, syncobj.random = before


def enter(node: Running) -> Running:
    """`node`'s code runs from here on; return whose did before: it is entered again at the end."""
    global _running
    before, _running = _running, node
    _globals["monotonicTime"], _globals["random"] = node.local_time, node
    return before
