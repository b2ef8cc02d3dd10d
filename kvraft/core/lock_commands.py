"""What the commands of locks do to the state: take a place, keep it, give it up.

Imports: core only. An acquisition is known by its key: asked again, it is answered how it stands
now (I6), and what has ended is remembered for longer than a copy of its request can travel.
"""

from kvraft.core.bounds import invalid, shown
from kvraft.core.commands import Acquire, Attach, Confirm, LockMode, Release
from kvraft.core.deadlock import refuse_deadlock
from kvraft.core.errors import Reason
from kvraft.core.history import Cause
from kvraft.core.lease_commands import LeaseCommands
from kvraft.core.leases import lease_not_found
from kvraft.core.lock_reading import standing
from kvraft.core.places import PlaceRecord
from kvraft.core.queues import admits
from kvraft.core.results import (
    AcquireResult,
    AttachResult,
    Ending,
    Refused,
    ReleaseResult,
    Standing,
)


class LockCommands(LeaseCommands):
    """The state, with what is asked of its locks."""

    __slots__ = ()

    # -- beginning

    def _acquire(self, command: Acquire) -> AcquireResult | Refused:
        place_id = self._places.id_of(command.key)
        if place_id is not None:
            return self._acquire_again(place_id, command)
        ended = self.acquisition(command.key)
        if ended is not None:
            return ended
        refused = (
            self._refuse_memory() or self._refuse_lease(command) or self._refuse_locks(command)
        )
        if refused is not None:
            return refused
        record = self._wanted(command)
        if self._is_free(record):
            return self._grant_at_once(command, record)
        if command.wait_ms == 0:
            place_id = self._places.choose_id()
            self._remember(place_id, command.key, Ending.TIMED_OUT, short=True)
            return AcquireResult(place_id, Standing.ENDED, ending=Ending.TIMED_OUT)
        refused = self._refuse_queue(record) or refuse_deadlock(self._places, record, self.limits)
        return self._enqueue(command, record) if refused is None else refused

    def _acquire_again(self, place_id: int, command: Acquire) -> AcquireResult | Refused:
        record = self._places.live(place_id)
        asked = (command.names, command.mode, command.capacity, command.owner)
        same = asked == (record.names, record.mode, record.capacity, record.owner)
        if command.lease_id is None:
            same = same and record.own_lease
        else:
            same = same and command.lease_id == record.lease_id
        if not same:
            message = f"key {shown(command.key)} was used for another acquisition"
            return Refused(Reason.KEY_REUSED, message)
        self._attach_place(place_id)
        return self._standing(place_id)

    def _wanted(self, command: Acquire) -> PlaceRecord:
        """Return the place as it would be queued; its own lease is still to be granted."""
        now_ms = self.cluster_time_ms
        return PlaceRecord(
            command.key,
            command.names,
            int(command.mode),
            command.capacity,
            command.lease_id or 0,
            command.lease_id is None,
            command.owner,
            None if command.wait_ms is None else now_ms + command.wait_ms,
            now_ms + self.limits.attach_ms,
            command.max_hold_ms,
            now_ms,
            (),
        )

    def would_wait(self, command: Acquire) -> bool:
        """Tell whether it would be queued, or find its place in a queue, as things stand."""
        place_id = self._places.id_of(command.key)
        if place_id is not None:
            return not self._places.live(place_id).tokens
        return self._ended.get(command.key) is None and not self._is_free(self._wanted(command))

    def _is_free(self, record: PlaceRecord) -> bool:
        """Tell whether nobody waits for any of the locks, and no holder is in the way."""
        locks = [self._places.locks.get(name) for name in record.names]
        return all(
            lock is None or (not lock.queue and admits(lock, record, self.limits)) for lock in locks
        )

    def _grant_at_once(self, command: Acquire, record: PlaceRecord) -> AcquireResult:
        """Grant outside of the entry's budget: a command brings one such grant at most."""
        record = self._with_tokens(self._with_lease(command, record))
        return self._enter(record, Standing.GRANTED)

    def _enqueue(self, command: Acquire, record: PlaceRecord) -> AcquireResult:
        return self._enter(self._with_lease(command, record), Standing.QUEUED)

    def _with_lease(self, command: Acquire, record: PlaceRecord) -> PlaceRecord:
        if command.ttl_ms is None:
            return record
        lease_id = self._leases.choose_id()
        self._leases.add(lease_id, command.ttl_ms, self.cluster_time_ms + command.ttl_ms)
        return record._replace(lease_id=lease_id)

    def _enter(self, record: PlaceRecord, kind: Standing) -> AcquireResult:
        place_id = self._places.choose_id()
        self._places.add(place_id, record)
        self._note(kind, place_id, record, record.since_ms)
        self._finish(self.revision + 1, [])
        return self._standing(place_id)

    # -- refusing

    def _refuse_memory(self) -> Refused | None:
        """Every place leaves an ending behind: both together must fit."""
        count, limit = len(self._places) + len(self._ended), self.limits.ended_places
        if count < limit:
            return None
        message = f"{count} acquisitions are remembered, the limit ended_places is {limit}"
        return Refused(Reason.OVERLOAD, message)

    def _refuse_lease(self, command: Acquire) -> Refused | None:
        lease_id, ttl_ms = command.lease_id, command.ttl_ms
        if (lease_id is None) == (ttl_ms is None):
            return invalid("one of lease_id and ttl_ms must be set")
        if ttl_ms is not None:
            return self._leases.refuse_grant(None, ttl_ms, self.limits)
        assert lease_id is not None
        lease = self._leases.get(lease_id)
        if lease is None:
            return lease_not_found(lease_id)
        if lease[2] is not None:
            message = f"lease {lease_id} was made by ttl_ms and carries its own key only"
            return Refused(Reason.LEASE_FULL, message)
        count, limit = self._places.lock_count(lease_id), self.limits.locks_per_lease
        if count + len(command.names) <= limit:
            return None
        message = f"lease {lease_id} has {count} locks, the limit locks_per_lease is {limit}"
        return Refused(Reason.TOO_MANY_LOCKS, message)

    def _refuse_locks(self, command: Acquire) -> Refused | None:
        """Refuse what its owner has already, and what is in use in another mode."""
        for name in command.names:
            place_id = self._places.owned(command.owner, name)
            if place_id is not None:
                does = "holds" if self._places.live(place_id).tokens else "waits for"
                message = f"owner {shown(command.owner)} {does} lock {shown(name)} already"
                return Refused(Reason.ALREADY_HELD, message)
        counted = command.mode == LockMode.COUNTED
        for name in command.names:
            lock = self._places.locks.get(name)
            if lock is None:
                continue
            if counted != (lock.mode == LockMode.COUNTED) or lock.capacity != command.capacity:
                if lock.mode == LockMode.COUNTED:
                    use = f"as counted, with a capacity of {lock.capacity}"
                else:
                    use = "as exclusive or shared"
                return Refused(Reason.LOCK_MODE, f"lock {shown(name)} is in use {use}")
        return None

    def _refuse_queue(self, record: PlaceRecord) -> Refused | None:
        limit = self.limits.waiters_per_lock
        for name in record.names:
            lock = self._places.locks.get(name)
            count = 0 if lock is None else len(lock.queue)
            if count >= limit:
                message = (
                    f"{count} wait for lock {shown(name)}, the limit waiters_per_lock is {limit}"
                )
                return Refused(Reason.TOO_MANY_WAITERS, message)
        return None

    # -- keeping

    def _attach(self, command: Attach) -> AttachResult:
        return AttachResult(sum(self._attach_place(place_id) for place_id in command.places))

    def _confirm(self, command: Confirm) -> AcquireResult | Refused:
        place_id = self._places.id_of(command.key)
        if place_id is not None:
            self._confirm_place(place_id)
            return self._standing(place_id)
        ended = self.acquisition(command.key)
        if ended is not None:
            return ended
        message = f"no acquisition has the key {shown(command.key)}"
        return Refused(Reason.LOCK_NOT_FOUND, message)

    def _standing(self, place_id: int) -> AcquireResult:
        return standing(self._places, place_id)

    # -- ending

    def _release(self, command: Release) -> ReleaseResult | Refused:
        place_id: int | None = None
        if command.key is not None:
            place_id = self._places.id_of(command.key)
            if place_id is None:
                return self._release_absent(command.key)
        elif command.fence is not None:
            place_id = self._places.holder(command.fence)
        if place_id is None:
            return ReleaseResult(False)
        if command.unless_confirmed and self._places.live(place_id).attach_deadline_ms is None:
            return ReleaseResult(False)
        self._end_place(place_id, Ending.RELEASED, Cause.REVOKED, with_lease=command.end_lease)
        return ReleaseResult(True)

    def _release_absent(self, key: bytes) -> ReleaseResult | Refused:
        """Remember it, so that the Acquire that this one overtook does not begin a ghost."""
        if self._ended.get(key) is None:
            refused = self._refuse_memory()
            if refused is not None:
                return refused
            self._remember(self._places.choose_id(), key, Ending.RELEASED)
        return ReleaseResult(False)
