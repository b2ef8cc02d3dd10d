"""Acquisitions whose stream was given up while they waited: released, unless somebody goes on.

Imports: core. A broken connection and a cancelled call look the same from here. So a place is kept
for a moment, in which its client can ask for it again, here or at another node; every node sees
that in the log. This node may be behind, so what was confirmed meanwhile is not released. What
cannot be released leaves by itself (RULES B8): this only makes it sooner.
"""

from collections.abc import Callable

from kvraft.core.commands import Command, Release
from kvraft.core.machine import StateMachine
from kvraft.core.results import Standing
from kvraft.replica.deadlines import Deadlines
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.lock_waiter import Waiter
from kvraft.replica.outcomes import Answer, Denied, Done

Submit = Callable[[Command, float, Done], None]


class _Parting:
    """One place to be released."""

    __slots__ = ("command", "deadline", "give_up_at", "index")

    def __init__(self, command: Release, index: int, deadline: float, give_up_at: float) -> None:
        self.command = command
        self.index = index
        self.deadline = deadline
        """When to try (again)."""
        self.give_up_at = give_up_at


class Partings:
    """All places of a node that are to be released."""

    def __init__(
        self, limits: ReplicaLimits, machine: Callable[[], StateMachine], submit: Submit
    ) -> None:
        self._limits = limits
        self._machine = machine
        self._submit = submit
        self.by_key: dict[bytes, _Parting] = {}
        self._deadlines: Deadlines[_Parting] = Deadlines()

    def add(self, waiter: Waiter, now: float) -> None:
        """Release the place of a stream in a moment; its own lease has no use any more."""
        end_lease = waiter.command.ttl_ms is not None
        command = Release(key=waiter.key, end_lease=end_lease, unless_confirmed=True)
        give_up_at = now + self._machine().limits.attach_ms / 1000
        parting = _Parting(
            command, waiter.index, now + self._limits.lock_grace_ms / 1000, give_up_at
        )
        self._drop(waiter.key)
        self.by_key[waiter.key] = parting
        self._deadlines.add(parting)

    def on_asked_again(self, key: bytes, index: int) -> None:
        """Somebody has asked for the acquisition since: it is theirs."""
        parting = self.by_key.get(key)
        if parting is not None and index > parting.index:
            self._drop(key)

    def step(self, now: float) -> None:
        """Release whose moment is over."""
        for parting in self._deadlines.take_due(now):
            key = parting.command.key
            assert key is not None, "made with a key"
            found = self._machine().acquisition(key)
            is_over = found is not None and found.standing is Standing.ENDED
            if is_over or now >= parting.give_up_at:
                del self.by_key[key]
            else:
                self._release(key, parting, now)

    def clear(self) -> None:
        """Forget them: this node does not know who asked meanwhile."""
        for key in list(self.by_key):
            self._drop(key)

    def _release(self, key: bytes, parting: _Parting, now: float) -> None:
        retry_at = now + self._limits.lock_retry_ms / 1000

        def done(outcome: Answer | Denied) -> None:
            if self.by_key.get(key) is not parting:
                return
            if isinstance(outcome, Answer):
                del self.by_key[key]
            else:
                parting.deadline = retry_at
                self._deadlines.add(parting)

        self._submit(parting.command, parting.give_up_at, done)

    def _drop(self, key: bytes) -> None:
        parting = self.by_key.pop(key, None)
        if parting is not None:
            self._deadlines.discard(parting)
