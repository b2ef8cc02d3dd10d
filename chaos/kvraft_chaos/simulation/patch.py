"""The two globals of PySyncObj that reach for the world: clock and chance (nothing else does).

Everything of ours gets the world through doors. PySyncObj reads `syncobj.monotonicTime` and
`syncobj.random`, so both are replaced by ones that ask the node whose code runs at the moment.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from pysyncobj import syncobj


class Running(Protocol):
    """The node whose code runs."""

    def local_time(self) -> float:
        """Monotonic seconds of this node."""
        ...

    def local_random(self) -> float:
        """Return this node's next random number in [0, 1)."""
        ...


_stack: list[Running] = []


class _Chance:
    @staticmethod
    def random() -> float:
        return _stack[-1].local_random()


def _clock() -> float:
    return _stack[-1].local_time()


@contextmanager
def world_of_nodes() -> Iterator[None]:
    """Inside, PySyncObj sees the running node's clock and chance; restored at the end."""
    before = syncobj.monotonicTime, syncobj.random
    syncobj.monotonicTime, syncobj.random = _clock, _Chance
    try:
        yield
    finally:
        syncobj.monotonicTime, syncobj.random = before


def enter(node: Running) -> None:
    """`node`'s code runs from here ..."""
    _stack.append(node)


def leave() -> None:
    """... to here."""
    _stack.pop()
