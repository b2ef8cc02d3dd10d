"""What one mutation would change: planned against the state, which stays as it is meanwhile.

Imports: core only. A plan that ends in a refusal is dropped, and nothing of it remains; one that
does not is committed as a whole. Within a plan a key is written once at most.
"""

from kvraft.core.attachments import Attachments
from kvraft.core.bounds import shown
from kvraft.core.commands import CompareAndSet, Put, Update
from kvraft.core.errors import Reason
from kvraft.core.guards import Guards
from kvraft.core.history import Cause, Event
from kvraft.core.invariants import Invariants
from kvraft.core.json_value import JsonBudget
from kvraft.core.keyspace import Keyspace, Record
from kvraft.core.leases import Leases
from kvraft.core.limits import ApplyLimits
from kvraft.core.overlay import Overlay
from kvraft.core.places import Places
from kvraft.core.results import Refused
from kvraft.core.validation_writes import attachment_conflict


class Plan:
    """The steps of one mutation, in the order of its actions."""

    # No __slots__: what only transactions and leases need stays with the class until it is set.
    attachments: Attachments | None = None
    overlay: Overlay | None = None
    """Of a transaction; a single mutation reads nothing that it wrote."""
    touched = 0
    """Entries written, deleted and looked at by ranges."""
    read_bytes = 0
    """Of keys that ranges have read."""
    written_bytes = 0
    """Of values that updates have made."""
    places: Places
    """Who holds locks: for conditions."""
    guards: Guards | None = None
    """Where there are some."""
    held: frozenset[bytes] = frozenset()
    """Locks that the request's fences hold exclusively."""
    cause = Cause.REQUEST
    _json: JsonBudget | None = None

    def __init__(
        self,
        keyspace: Keyspace,
        leases: Leases,
        invariants: Invariants,
        limits: ApplyLimits,
        revision: int,
    ) -> None:
        self.keyspace = keyspace
        self.leases = leases
        self.invariants = invariants
        self.limits = limits
        self.revision = revision
        """What is written would be of this revision."""
        self.steps: list[Event] = []
        """A key at most once."""

    # -- reading

    def get(self, key: bytes) -> Record | None:
        """Return a key's record, as planned so far; None if absent."""
        overlay = self.overlay
        return self.keyspace.get(key) if overlay is None else overlay.get(key)

    def count(self, start: bytes, end: bytes | None) -> int:
        """Count the keys start <= key < end, as planned so far."""
        overlay = self.overlay or self.keyspace
        return overlay.count(start, end)

    @property
    def json(self) -> JsonBudget:
        """The JSON this command may still parse and write."""
        if self._json is None:
            self._json = JsonBudget(self.limits.json_bytes)
        return self._json

    # -- writing

    def write(
        self,
        command: Put | CompareAndSet | Update,
        value: bytes,
        old: Record | None,
        *,
        keep_lease: bool,
    ) -> Record | Refused:
        """Plan to write a key whose live record is `old`, or say why not."""
        lease_id = 0 if old is None else old[4]
        if lease_id or command.lease_id is not None or command.ttl_ms is not None:
            chosen = self._attach(command, lease_id, keep_lease=keep_lease)
            if isinstance(chosen, Refused):
                return chosen
            lease_id = chosen
        key = command.key
        if self.guards is not None:
            refused = self.guards.refuse(key, self.held)
            if refused is not None:
                return refused
        if self.invariants.count:
            refused = self.invariants.refuse_write(key, value, exists=old is not None)
            if refused is not None:
                return refused
        revision = self.revision
        record: Record
        if old is None:
            record = (value, revision, revision, 1, lease_id)
        else:
            record = (value, old[1], revision, old[3] + 1, lease_id)
        if self.overlay is None:
            self.steps.append(Event(key, record, old, self.cause))
            return record
        return self._add(key, record, old) or record

    def make(self, value: bytes) -> Refused | None:
        """Count a value that an update makes; says why it is too much, or None."""
        self.written_bytes += len(value)
        limit = self.limits.written_bytes
        if self.written_bytes <= limit:
            return None
        message = (
            f"the updates write {self.written_bytes} bytes, the limit written_bytes is {limit}"
        )
        return Refused(Reason.TOO_LARGE, message)

    def _attach(
        self, command: Put | CompareAndSet | Update, attached: int, *, keep_lease: bool
    ) -> int | Refused:
        if command.lease_id is None and command.ttl_ms is None:
            if keep_lease:
                return attached
            self._attachments().detach(attached)
            return 0
        return attachment_conflict(command) or self._attachments().attach(
            command.lease_id, command.ttl_ms, attached
        )

    def _attachments(self) -> Attachments:
        if self.attachments is None:
            self.attachments = Attachments(self.leases, self.limits)
        return self.attachments

    def _add(self, key: bytes, record: Record | None, old: Record | None) -> Refused | None:
        if self.overlay is not None:
            if self.overlay.is_written(key):
                return Refused(Reason.INVALID, f"key {shown(key)} is written twice")
            self.overlay.stage(key, record, old)
            refused = self.touch(1)
            if refused is not None:
                return refused
        self.steps.append(Event(key, record, old, self.cause))
        return None

    def delete(self, key: bytes, old: Record) -> Refused | None:
        """Plan to delete a key whose live record is `old`, or say why not."""
        if self.guards is not None:
            refused = self.guards.refuse(key, self.held)
            if refused is not None:
                return refused
        if self.invariants.count:
            refused = self.invariants.refuse_delete(key)
            if refused is not None:
                return refused
        if old[4]:
            self._attachments().detach(old[4])
        return self._add(key, None, old)

    def delete_range(self, start: bytes, end: bytes | None) -> int | Refused:
        """Plan to delete start <= key < end; returns how many keys that is, or says why not."""
        refused = self._refuse_range(start, end)
        if refused is not None:
            return refused
        keys = list(self.keyspace.between(start, end))
        if self.overlay is not None:
            overlay = self.overlay
            keys = [key for key in keys if not overlay.is_written(key)]
            overlay.stage_removed(keys)
        removed = [Event(key, None, self.keyspace.get(key), self.cause) for key in keys]
        for _, _, old, _ in removed:
            if old is not None and old[4]:
                self._attachments().detach(old[4])
        self.steps += removed
        return len(keys)

    def _refuse_range(self, start: bytes, end: bytes | None) -> Refused | None:
        count = self.keyspace.count(start, end)
        if self.touched + count > self.limits.touched_entries:
            before = f" after {self.touched} that the transaction touched" if self.touched else ""
            limit = f"the limit touched_entries is {self.limits.touched_entries}"
            message = f"the range holds {count} entries{before}, {limit}"
            return Refused(Reason.TOO_MANY_ENTRIES, message)
        self.touched += count
        if self.overlay is not None and self.overlay.holds_written(start, end):
            message = f"the range from {shown(start)} holds a key that is written before"
            return Refused(Reason.INVALID, message)
        if self.guards is not None:
            refused = self.guards.refuse_range(start, end, self.held, self._next_key)
            if refused is not None:
                return refused
        if not self.invariants.count or not self.count(start, end):
            return None
        return self.invariants.refuse_delete_range(
            start, end, lambda low, high: self.count(low, high) > 0
        )

    def _next_key(self, start: bytes, end: bytes | None) -> bytes | None:
        """Return the first live key of a range; what a range before deleted was covered there."""
        return next(self.keyspace.between(start, end), None)

    def touch(self, count: int) -> Refused | None:
        """Count entries that are touched; says why it is too many, or None."""
        self.touched += count
        limit = self.limits.touched_entries
        if self.touched <= limit:
            return None
        message = f"the transaction touches more entries than the limit touched_entries, {limit}"
        return Refused(Reason.TOO_MANY_ENTRIES, message)
