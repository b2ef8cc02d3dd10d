"""What a leader refuses before proposing it, for want of space (RULES I18).

Imports: core. What frees space, or keeps what is held alive, always passes.
"""

from kvraft.core.actions import ActionKind
from kvraft.core.commands import (
    Command,
    CompareAndSet,
    GuardPrefix,
    LeaseGrant,
    Operation,
    Put,
    Request,
    SetInvariant,
    Txn,
    Update,
)
from kvraft.core.errors import Outcome, Reason
from kvraft.core.limits import RequestLimits
from kvraft.core.machine import StateMachine
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.outcomes import Denied

FREEING = {ActionKind.DELETE, ActionKind.JSON_REMOVE}
"""Actions that never leave a larger value."""


class Admission:
    """Soft limits on the bytes of the state and on the free disk of the leader."""

    def __init__(self, requests: RequestLimits, limits: ReplicaLimits) -> None:
        self._requests = requests
        self._limits = limits
        self.free_disk_bytes: int | None = None
        """Measured by the driver; None: unknown, does not refuse."""

    def check(self, command: Command, machine: StateMachine) -> Denied | None:
        """Return why `command` must wait for space, or None."""
        free, least = self.free_disk_bytes, self._limits.free_disk_bytes
        has_disk = free is None or free >= least
        has_room = machine.state_bytes < self._requests.state_bytes
        if (has_room and has_disk) or not takes_space(command):
            return None
        if not has_room:
            text = (
                f"the store holds {machine.state_bytes} bytes of keys and values, "
                f"the limit is {self._requests.state_bytes}: delete something"
            )
            return Denied(Reason.NO_SPACE, Outcome.NOT_APPLIED, text)
        text = f"the leader's disk has {free} bytes left, it keeps {least} free: make room there"
        return Denied(Reason.NO_SPACE, Outcome.NOT_APPLIED, text)


def takes_space(command: Command | Operation) -> bool:
    """Return whether a command may leave more behind than it found.

    Sessions, stored outcomes and places have bounds of their own: who deletes may do it exactly
    once, and under a lock.
    """
    match command:
        case Put() | CompareAndSet() | LeaseGrant():
            return True
        case Request():
            return takes_space(command.mutation)
        case Update():
            return any(action.kind not in FREEING for action in command.actions)
        case Txn():
            return any(map(takes_space, (*command.then, *command.orelse)))
        case GuardPrefix():
            return command.per_key or command.lock is not None
        case _:
            return isinstance(command, SetInvariant) and demands_something(command)


def demands_something(command: SetInvariant) -> bool:
    """Return whether an invariant is set, and not removed."""
    return command.immutable or (command.minimum, command.maximum) != (None, None)
