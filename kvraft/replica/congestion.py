"""Who may still queue on the leader: by how long the wait will be, not by how many wait.

Imports: core. A queue that takes seconds to drain is worse than none: what waits in it is answered
late or never, and the work is done all the same. So new work is refused while what stands before it
takes longer than `queue_wait_ms`, by the pace at which the last entries were done (Little's law).
A burst is no congestion (Nichols and Jacobson 2012, "Controlling Queue Delay"): while the queue was
emptied a moment ago, `queue_burst` may wait in it.
"""

from collections.abc import Sized
from math import inf

from kvraft.core.commands import (
    Acquire,
    Attach,
    Command,
    Confirm,
    LeaseKeepAlive,
    LeaseRevoke,
    Release,
    Request,
    SessionClose,
)
from kvraft.core.machine import StateMachine
from kvraft.replica.limits import ReplicaLimits

SIGNS_OF_LIFE = frozenset({LeaseKeepAlive, Attach})
"""They go before all others, where that changes nothing of what was sent before them."""
PASSING = (LeaseKeepAlive, Attach, Confirm, Release, LeaseRevoke, SessionClose)
"""Who lives, and what gives back, is not refused for what wants more. Most keep their place: what
stands under a lock or a lease, or asks for it, may be before them."""
MEMORY = 0.875
"""Of what is known of the pace, at each entry: the last eight count."""


def may_pass(command: Command) -> bool:
    """Return whether a command may queue where new work is refused."""
    mutation = command.mutation if isinstance(command, Request) else command
    return isinstance(mutation, PASSING)


def goes_first(command: Command, machine: StateMachine) -> bool:
    """Return whether a sign of life may go first: the grant of its lease may still be waiting."""
    return not isinstance(command, LeaseKeepAlive) or machine.has_lease(command.lease_id)


def will_queue(command: Command, machine: StateMachine) -> bool:
    """Return whether it is for a place in the queue of a lock that is taken: it waits anyhow, and
    shares the entry of the release that it waits for.
    """
    return isinstance(command, Acquire) and command.wait_ms != 0 and machine.would_wait(command)


class Congestion:
    """How fast the queue drains: looked at once an entry, so that a command costs no call."""

    def __init__(self, limits: ReplicaLimits) -> None:
        self._limits = limits
        self._wait_s = limits.queue_wait_ms / 1000
        self.command_s = limits.command_ms / 1000
        """What a command that waits adds to the wait of those behind it."""
        self._count = float(limits.batch_commands)
        self._spent_s = self._count * self.command_s
        self.at = -inf
        """When the last entry was proposed."""
        self.behind = 0
        """Commands of that entry, where others were left behind; else 0."""
        self._standing_since = inf
        """Since when every entry left some behind."""
        self.room = 0
        """So many may wait; beyond it new work is refused."""
        self._make_room()

    def proposed(self, now: float, batch: Sized, *, more: bool) -> None:
        """Learn from an entry with these commands; `more`: it leaves some waiting.

        Where neither it nor the one before does, `at` is all there is to learn.
        """
        if self.behind:  # a stall counts, but is not taken for the pace of what comes
            self._spent_s = self._spent_s * MEMORY + min(now - self.at, self._wait_s)
            self._count = self._count * MEMORY + self.behind
            self.command_s = self._spent_s / self._count
        self.at = now
        if more:
            self.behind = len(batch)
            self._standing_since = min(self._standing_since, now)
            self._make_room()
        else:
            self.cleared()

    def cleared(self) -> None:
        """Nobody waits any more: the queue was refused, and who comes is the first."""
        self.behind = 0
        self._standing_since = inf
        self._make_room()

    def _make_room(self) -> None:
        limits = self._limits
        room = int(self._wait_s / self.command_s) if self.command_s > 0 else limits.queue_commands
        if self.at - self._standing_since < self._wait_s:
            room = max(room, limits.queue_burst)
        self.room = min(room, limits.queue_commands)
