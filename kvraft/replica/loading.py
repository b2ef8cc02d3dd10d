"""Builds a state from a snapshot in slices, so that a node that catches up still hears its leader.

Imports: core, the consensus port.
"""

from kvraft.consensus.port import SnapshotSource
from kvraft.core.errors import CodecError
from kvraft.core.machine import StateMachine
from kvraft.core.snapshot import StateLoader

SLICE_BYTES = 16 << 10
"""Bytes of encoding fed a step: 1 to 2 ms of work where they are 300 events of the history."""


class StateLoading:
    """A `Loading`: reads, feeds, and holds the machine once it is complete."""

    def __init__(self, source: SnapshotSource) -> None:
        self._source = source
        self._loader = StateLoader()
        self._offset = 0
        self._machine: StateMachine | None = None

    def step(self) -> bool:
        """Feed one slice; True once the state is complete. `CodecError` if it is malformed."""
        if self._machine is None:
            data = self._source.read(self._offset, SLICE_BYTES)
            if data:
                self._loader.feed(data)
                self._offset += len(data)
                return False
            self._machine = self._loader.finish()
        return True

    def machine(self) -> StateMachine:
        """Return the complete state."""
        if self._machine is None:
            raise CodecError(f"the snapshot at {self._source.index} is not loaded yet")
        return self._machine
