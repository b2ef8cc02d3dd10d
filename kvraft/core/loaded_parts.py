"""Parts of a state while they arrive from its encoding: each item is checked, then kept.

Imports: core only. Whatever the items, CodecError and nothing else. Each costs the same, so that a
loader's work is in proportion to the bytes it was fed.
"""

from kvraft.core.commands import SetInvariant
from kvraft.core.errors import CodecError
from kvraft.core.history import Cause, Event, History
from kvraft.core.history_chunks import Chunk
from kvraft.core.identities import Identities
from kvraft.core.keyspace import Keyspace, Record
from kvraft.core.layout import Counters
from kvraft.core.leases import Leases
from kvraft.core.outcomes import sequence_number, unpack_outcome

_CAUSES = frozenset(Cause)


class LoadedLeases:
    """The leases of a state whose keys are still to come: an implicit lease waits for its own."""

    def __init__(self, counters: Counters) -> None:
        self.leases = Leases(counters.next_lease_id)
        self._waiting: dict[int, tuple[int, int]] = {}
        self._last = 0

    def load(self, lease_id: int, ttl_ms: int, deadline_ms: int, implicit: int) -> None:
        """Take the next lease."""
        if lease_id <= self._last or ttl_ms <= 0 or deadline_ms < 0 or implicit > 1:
            raise CodecError(f"state: lease {lease_id} behind {self._last}, or impossible")
        self._last = lease_id
        if implicit:
            self._waiting[lease_id] = (ttl_ms, deadline_ms)
        else:
            self.leases.add(lease_id, ttl_ms, deadline_ms)

    def attach(self, lease_id: int, key: bytes) -> None:
        """Take a key that is attached to a lease."""
        implicit = self._waiting.pop(lease_id, None)
        if implicit is not None:
            self.leases.add(lease_id, *implicit, key)
            return
        lease = self.leases.get(lease_id)
        if lease is None or lease[2] is not None:
            raise CodecError(
                f"state: key {key!r} is attached to lease {lease_id}, which is not there"
            )
        self.leases.attach(lease_id, key)

    def finish(self) -> None:
        """Demand that no lease waits for its key."""
        if self._waiting:
            raise CodecError(f"state: lease {min(self._waiting)} misses its key")


class LoadedIdentities:
    """The sessions and outcomes of a state."""

    def __init__(self, counters: Counters) -> None:
        self.identities = Identities(counters.next_session_id)
        self._counters = counters
        self._last_session = 0
        self._last_number = 0
        self._last_ms = 0

    def load_session(self, session_id: int, first_unacked: int, used_ms: int) -> None:
        """Take the next session."""
        known = self._last_session < session_id < self._counters.next_session_id
        if not (known and first_unacked > 0 and 0 <= used_ms <= self._counters.cluster_time_ms):
            raise CodecError(f"state: session {session_id} behind {self._last_session}, or odd")
        self._last_session = session_id
        self.identities.sessions.add(session_id, first_unacked, used_ms)

    def load_sequence(self, session_id: int, sequence: int, revision: int, packed: bytes) -> None:
        """Take the next outcome of a session."""
        if not (0 < session_id < self._counters.next_session_id and sequence > 0):
            raise CodecError(f"state: an outcome of sequence {sequence} of session {session_id}")
        number = sequence_number(session_id, sequence)
        if number <= self._last_number:
            raise CodecError(f"state: sequence {sequence} of session {session_id} is out of order")
        self._last_number = number
        self._check(revision, packed)
        outcomes = self.identities.outcomes
        outcomes.add_sequence(session_id, sequence, revision, packed)
        session = self.identities.sessions.get(session_id)
        if session is None:
            outcomes.drop_below(session_id)
        elif sequence < session[0]:
            outcomes.drop_below(session_id, session[0])

    def load_key(self, completed_ms: int, revision: int, key: bytes, packed: bytes) -> None:
        """Take the next outcome of a key."""
        if not self._last_ms <= completed_ms <= self._counters.cluster_time_ms:
            raise CodecError(f"state: an outcome at {completed_ms} ms behind {self._last_ms} ms")
        self._last_ms = completed_ms
        if not key or self.identities.outcomes.of_key(key) is not None:
            raise CodecError(f"state: a second outcome of {key!r}")
        self._check(revision, packed)
        self.identities.outcomes.add_key(key, completed_ms, revision, packed)

    def _check(self, revision: int, packed: bytes) -> None:
        if not 0 <= revision <= self._counters.revision:
            raise CodecError(f"state: an outcome at revision {revision}")
        unpack_outcome(revision, packed)


class LoadedInvariants:
    """The invariants of a state."""

    def __init__(self) -> None:
        self.invariants: list[SetInvariant] = []

    def load(self, invariant: SetInvariant) -> None:
        """Take the next invariant."""
        if self.invariants and _place(invariant) <= _place(self.invariants[-1]):
            raise CodecError(f"state: the invariant of {invariant.key!r} is out of order")
        if invariant.minimum is None and invariant.maximum is None and not invariant.immutable:
            raise CodecError(f"state: the invariant of {invariant.key!r} demands nothing")
        self.invariants.append(invariant)


class LoadedHistory:
    """The events of a state whose keys are there.

    What an event wrote is what the key's next event replaced or, behind the last one, the live
    record. That all of them fit together shows in two counts, so `finish` costs nothing.
    """

    def __init__(self, counters: Counters, keyspace: Keyspace, recent: int) -> None:
        """`recent`: how many of the keys were written above the compacted revision."""
        self.history = History(counters.compacted_revision)
        self._counters = counters
        self._keyspace = keyspace
        self._recent = recent
        self._open = 0  # keys whose latest event leads to something else than what is live
        self._reached = 0  # live keys whose latest event wrote what is live
        self._last = (counters.compacted_revision, 0)
        self._latest: dict[bytes, tuple[Chunk, int]] = {}  # where each key's latest event is

    def load(
        self, revision: int, time_ms: int, cause: int, key: bytes, before: Record | None
    ) -> None:
        """Take the next event."""
        if cause not in _CAUSES:
            raise CodecError(f"state: an event of cause {cause}")
        self._check_time(revision, time_ms)
        live = self._keyspace.get(key)
        latest = self._latest.get(key)
        if latest is None:
            fits = before is None or before[2] <= self._counters.compacted_revision
        else:
            chunk, offset = latest
            last, replaced = chunk.revisions[offset], chunk.befores[offset]
            fits = revision > last and _leads_to(last, replaced, before)
            self._count(last, replaced, live, -1)
        if not fits:
            raise CodecError(f"state: the event of {key!r} at revision {revision} does not fit")
        self._count(revision, before, live, 1)
        event = Event(key, live, before, Cause(cause))
        self._latest[key] = self.history.load(revision, time_ms, event, latest)

    def finish(self) -> None:
        """Demand that the events lead to the live keys."""
        if self._open or self._reached != self._recent:
            raise CodecError(
                f"state: the history of {self._open} keys ends elsewhere, that of"
                f" {self._recent - self._reached} is missing"
            )

    def _count(self, revision: int, before: Record | None, live: Record | None, by: int) -> None:
        if not _leads_to(revision, before, live):
            self._open += by
        elif live is not None:
            self._reached += by

    def _check_time(self, revision: int, time_ms: int) -> None:
        last_revision, last_ms = self._last
        same = revision == last_revision and time_ms == last_ms and len(self.history)
        later = last_revision < revision <= self._counters.revision
        if not same and not (later and last_ms <= time_ms <= self._counters.cluster_time_ms):
            raise CodecError(f"state: an event at revision {revision} behind {last_revision}")
        self._last = (revision, time_ms)


def _leads_to(revision: int, before: Record | None, after: Record | None) -> bool:
    """Tell whether an event can have left `after`: it wrote that, or deleted what was there."""
    return before is not None if after is None else after[2] == revision


def _place(invariant: SetInvariant) -> tuple[bytes, bool]:
    return invariant.key, invariant.is_prefix
