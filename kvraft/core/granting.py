"""Who may hold a lock: queues are served from their heads, in one pass over the locks that changed.

Imports: core only. A place is granted where it heads the queues of all its locks and none of their
holders is in its way; the first that is not stops its queue, so nobody is overtaken (FIFO) and no
writer starves. One pass is a fixpoint: a place with several names is exclusive, so that granting it
frees nobody.

An entry hands over at most `grants_per_entry` locks. What it did not reach is pending, and the next
entry goes on with it. The invariant: between two entries, pending are exactly the queues whose head
could be granted, each named once, so that follows from the places too.
"""

from kvraft.core.commit import Committing
from kvraft.core.places import LockChange, PlaceRecord
from kvraft.core.queues import heads_all, pending_locks
from kvraft.core.results import Ending, Standing


class Granting(Committing):
    """The state, with the ways a place can go."""

    __slots__ = ()

    def _resume_grants(self) -> None:
        """Go on with what the entry before did not reach, at a revision of its own."""
        if not self._unsettled:
            return
        before = self.next_token
        self._settle()
        if self.next_token != before:
            self._finish(self.revision + 1, [])

    def _settle(self) -> None:
        """Grant what the changes since the last time made possible, locks in name order."""
        if self._grants_left <= 0:
            return
        names, self._unsettled = self._unsettled, set()
        for name in sorted(names):
            self._admit(name)

    def _park_grants(self) -> None:
        """End an entry: of what it did not reach, keep what could be granted."""
        self._unsettled = pending_locks(self._places, self._unsettled, self.limits)

    def _admit(self, name: bytes) -> None:
        places = self._places
        lock = places.locks.get(name)
        while lock is not None and lock.queue:
            if self._grants_left <= 0:
                self._unsettled.add(name)
                return
            place_id = lock.queue[0]
            record = places.live(place_id)
            # What ends in this entry is not granted to; its end looks at its locks again.
            ending = place_id in self._ending_places or record.lease_id in self._ending_leases
            if ending or not heads_all(places, place_id, record, self.limits):
                return
            self._grants_left -= len(record.names)
            held = self._with_tokens(record)
            places.grant(place_id, held)
            self._note(Standing.GRANTED, place_id, held, record.since_ms)

    def _with_tokens(self, record: PlaceRecord) -> PlaceRecord:
        """Return a place as it is once granted, with the next tokens."""
        first = self.next_token
        self.next_token = first + len(record.names)
        now_ms = self.cluster_time_ms
        return record._replace(
            wait_deadline_ms=None,
            attach_deadline_ms=now_ms + self.limits.attach_ms,
            since_ms=now_ms,
            tokens=tuple(range(first, self.next_token)),
        )

    def _attach_place(self, place_id: int) -> bool:
        """Note that somebody still waits at a place; tells whether it is there."""
        record = self._places.table.get(place_id)
        if record is None:
            return False
        if not record.tokens:
            until_ms = self.cluster_time_ms + self.limits.attach_ms
            self._places.replace(place_id, record._replace(attach_deadline_ms=until_ms))
        return True

    def _confirm_place(self, place_id: int) -> None:
        """Note that somebody knows that a place holds or, while it is queued, still waits there."""
        record = self._places.live(place_id)
        if record.tokens:
            self._places.replace(place_id, record._replace(attach_deadline_ms=None))
        else:
            self._attach_place(place_id)

    def _leave(self, place_id: int, ending: Ending) -> None:
        """Take a place away, and remember how it ended; its locks are to be settled."""
        record = self._places.remove(place_id)
        self._unsettled.update(record.names)
        released = bool(record.tokens) and ending is Ending.RELEASED
        self._remember(place_id, record.key, ending, short=released)
        self._note(Standing.ENDED, place_id, record, record.since_ms, ending)

    def _remember(self, place_id: int, key: bytes, ending: Ending, *, short: bool = False) -> None:
        """Remember an ending; `short`: of one that its caller has heard of and asks for no more."""
        kept_ms = self.limits.released_ms if short else self.limits.ended_ms
        self._ended.add(self.cluster_time_ms + kept_ms, place_id, key, ending)

    def _note(
        self,
        kind: Standing,
        place_id: int,
        record: PlaceRecord,
        since_ms: int,
        ending: Ending | None = None,
    ) -> None:
        change = LockChange(
            self.revision + 1,
            kind,
            record.key,
            place_id,
            record.names,
            record.tokens,
            ending,
            record.lease_id,
            record.owner,
            since_ms,
            self.cluster_time_ms,
            record.max_hold_ms,
        )
        self.lock_changes.append(change)
