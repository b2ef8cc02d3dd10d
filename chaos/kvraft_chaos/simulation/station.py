"""What the simulated network asks of a node."""

from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

from kvraft.consensus.port import Consensus


class Reach(Enum):
    """What a dial meets at a node."""

    SERVING = auto()
    REFUSING = auto()
    """The process is gone, the machine answers for it."""
    SILENT = auto()
    """The machine is gone."""


class Station(Protocol):
    """A node, running or not."""

    name: str

    def reach(self) -> Reach:
        """Return what a dial meets now."""
        ...

    def engine(self) -> Consensus:
        """Return the consensus of the running process."""
        ...

    def post(self, action: Callable[[], object]) -> None:
        """Run `action` on the node's loop: later if paused, never if the process ends first."""
        ...

    def note(self, text: str) -> None:
        """Add a line to the trace."""
        ...
