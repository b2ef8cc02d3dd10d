"""What a command costs `apply`, estimated before it is proposed: how much one entry may hold.

Imports: core.
"""

from collections.abc import Iterator

from kvraft.core.actions import ActionKind
from kvraft.core.commands import (
    Acquire,
    Attach,
    Command,
    CompareAndSet,
    DeleteRange,
    GetRange,
    LeaseRevoke,
    Operation,
    Put,
    Release,
    Request,
    Txn,
    Update,
)
from kvraft.core.conditions import All, AnyOf, Clause, Condition, Not, Target
from kvraft.core.machine import StateMachine

OVERHEAD_BYTES = 64
"""Of a command that waits, besides its encoding."""
JSON_BYTES_A_COST = 8_192
"""JSON that takes as long to read and write as an ordinary command takes to apply (0.2 ms)."""
COPIED_BYTES_A_COST = 65_536
"""Bytes that are copied into a new value in that time (a fresh megabyte takes 3 ms)."""
ENTRIES_A_COST = 40
"""Entries of a range that are read in that time."""
CLAUSES_A_COST = 4
"""Clauses that are decided in that time, JSON apart."""
NAMES_A_COST = 16
"""Locks that are entered, or left, in that time."""
PLACES_A_COST = 40
"""Places whose deadline is moved in that time."""
STEPS_A_COST = 200
"""Places that a search for a cycle looks at in that time."""
JSON_ACTIONS = {ActionKind.JSON_SET, ActionKind.JSON_ADD, ActionKind.JSON_REMOVE}


class EntryCosts:
    """What the commands of one entry take to apply, each behind those that were asked before it.

    In ordinary ones; `wide` for what may touch thousands of entries. A value counts with all that
    the entry gives to its key before, so that 255 updates of a document that comes with them are
    not taken for updates of nothing.
    """

    def __init__(self, machine: StateMachine, wide: int) -> None:
        self._machine = machine
        self._wide = wide
        self._given: dict[bytes, int] = {}
        """Bytes of values that came before in this entry."""

    def of(self, command: Command | Operation) -> int:  # noqa: C901, PLR0911 - one line a kind
        """Return about what `apply` takes for the entry's next command."""
        if isinstance(command, Request) and command.condition is None:
            command = command.mutation
        match command:
            case Put() | CompareAndSet():
                key = command.key
                self._given[key] = self._given.get(key, 0) + len(command.value)
                return 1
            case Request():
                return self._condition(command.condition) + self.of(command.mutation)
            case Txn():
                operations = (*command.then, *command.orelse)
                return self._condition(command.condition) + sum(map(self.of, operations))
            case Update():
                return 1 + self._update(command)
            case GetRange():
                return 1 + min(self._wide, command.limit // ENTRIES_A_COST)
            case DeleteRange() | LeaseRevoke():
                return self._wide
            case Acquire():
                return 1 + len(command.names) // NAMES_A_COST + self._search(command)
            case Attach():
                return 1 + len(command.places) // PLACES_A_COST
            case Release():
                return 1 + self._ending(command)
            case _:
                return 1

    def _search(self, command: Acquire) -> int:
        """Only who has something already can close a cycle; the search is bounded."""
        machine = self._machine
        if not command.owner or not machine.has_places(command.owner):
            return 0
        return min(machine.place_count, machine.limits.deadlock_steps) // STEPS_A_COST

    def _ending(self, command: Release) -> int:
        """What ends with the lease of a place; whom it lets in is bounded for the whole entry."""
        if not command.end_lease:
            return 0
        return min(self._wide, self._machine.lease_extent(command) // ENTRIES_A_COST)

    def _update(self, command: Update) -> int:
        given, is_json, copies = 0, False, False
        for action in command.actions:
            if isinstance(action.operand, bytes):
                given += len(action.operand)
            is_json |= action.kind in JSON_ACTIONS
            copies |= action.kind is ActionKind.APPEND
        if given:
            self._give(command.key, given)
        if is_json:
            return self._value_bytes(command.key) // JSON_BYTES_A_COST
        return self._value_bytes(command.key) // COPIED_BYTES_A_COST if copies else 0

    def _condition(self, condition: Condition | None) -> int:
        """Four clauses take about as long as a write; each value is read as JSON once."""
        clauses = list(clauses_of(condition))
        as_json = {each.key for each in clauses if each.pointer or each.target is Target.JSON}
        read = sum(self._value_bytes(key) // JSON_BYTES_A_COST for key in as_json)
        return len(clauses) // CLAUSES_A_COST + read

    def _give(self, key: bytes, size: int) -> None:
        self._given[key] = self._given.get(key, 0) + size

    def _value_bytes(self, key: bytes) -> int:
        found = self._machine.get(key)
        return self._given.get(key, 0) + (0 if found is None else len(found.value))


def clauses_of(condition: Condition | None) -> Iterator[Clause]:
    """Yield the clauses of a condition in reading order; validation bounds its depth."""
    match condition:
        case Clause():
            yield condition
        case All() | AnyOf():
            for part in condition.parts:
                yield from clauses_of(part)
        case Not():
            yield from clauses_of(condition.part)
