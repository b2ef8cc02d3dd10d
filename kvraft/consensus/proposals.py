"""Proposals of this leader: each is answered exactly once.

Gap row 17: SyncObj's callbacks hang or lie, so it gets none. What it appends is seen in the
journal, in the order proposed, and what it applies is matched by index. A deposed leader answers at
once: definitely not applied where nothing was appended, unknown where it was.
"""

from collections import deque

from kvraft.consensus import envelope
from kvraft.consensus.port import Applied, Failure, ProposeDone
from kvraft.consensus.records import Entry
from kvraft.consensus.shared import Shared


class Proposals:
    """Proposed, appended, applied."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._held: list[tuple[bytes, ProposeDone]] = []
        self._queued: deque[tuple[bytes, ProposeDone]] = deque()
        self._appended: dict[int, ProposeDone] = {}
        self.holding = False
        """A leadership transfer is under way: new proposals wait for its end."""

    def propose(self, payload: bytes, done: ProposeDone) -> None:
        limit = self._shared.flow.append_bytes - envelope.OVERHEAD
        if len(payload) > limit:
            raise ValueError(f"entry of {len(payload)} bytes; at most {limit} (append_bytes)")
        if self.holding:
            self._held.append((payload, done))
            return
        self._queued.append((self._shared.core.propose(payload), done))

    def release(self) -> None:
        """The transfer came to nothing: go on."""
        self.holding = False
        held, self._held = self._held, []
        for payload, done in held:
            self.propose(payload, done)

    def on_add(self, entry: Entry) -> None:
        """The journal grew: while this node leads, by its own proposals, in their order."""
        if not self._shared.leads or entry.command == envelope.NO_OP:
            return
        command, done = self._queued.popleft() if self._queued else (b"", None)
        if done is None or command is not entry.command:
            self._shared.fatal(
                f"SyncObj appends entry {entry.log_index}, which nobody proposed now"
            )
        self._appended[entry.log_index] = done

    def on_applied(self, index: int, result: object) -> None:
        done = self._appended.pop(index, None)
        if done is not None:
            done(Applied(index, result))

    def fail(self) -> None:
        """Not the leader any more."""
        if not self._shared.switches.single_callback:
            return
        self.holding = False
        held, self._held = self._held, []
        queued, self._queued = self._queued, deque()
        appended, self._appended = self._appended, {}
        for _, done in held:
            done(Failure.NOT_LEADER)
        for _, done in queued:  # SyncObj drops them before it could lead again; `on_add` checks
            done(Failure.NOT_LEADER)
        for done in appended.values():
            done(Failure.LEADERSHIP_LOST)
