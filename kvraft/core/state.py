"""What the replicated state consists of, how it is read, and how it is held still.

Imports: core only. Nothing here changes the state; that is `machine`'s business alone.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Self

from kvraft.core.commands import Fence, GuardPrefix, Member, Release, SetInvariant
from kvraft.core.ended_places import EndedPlaces
from kvraft.core.frozen import FrozenState
from kvraft.core.guards import Guards
from kvraft.core.history import History, Revision
from kvraft.core.identities import Identities
from kvraft.core.invariants import Invariants
from kvraft.core.keyspace import Keyspace
from kvraft.core.layout import Counters
from kvraft.core.leases import Leases
from kvraft.core.limits import PAST_READ_STEPS, ApplyLimits
from kvraft.core.lock_reading import blockers, describe_lock, list_locks, standing
from kvraft.core.past_page import PastPage
from kvraft.core.places import LockChange, Places
from kvraft.core.queues import pending_locks
from kvraft.core.results import (
    AcquireResult,
    Ending,
    KeyValue,
    LeaseDescription,
    LockDescription,
    Page,
    Standing,
)

EMPTY_REVISION = 1
"""The revision of a store that was never written (precedent: etcd)."""


class State:
    """The whole replicated state, for reading."""

    __slots__ = (
        "_ended",
        "_ending_leases",
        "_ending_places",
        "_grants_left",
        "_guards",
        "_history",
        "_identities",
        "_invariants",
        "_keyspace",
        "_leases",
        "_members",
        "_places",
        "_unsettled",
        "changes",
        "cluster_id",
        "cluster_time_ms",
        "index",
        "limits",
        "lock_changes",
        "next_token",
        "revision",
        "revisions",
    )

    def __init__(
        self,
        counters: Counters | None = None,
        *,
        cluster_id: int = 0,
        members: Mapping[str, Member] | None = None,
        limits: ApplyLimits | None = None,
        leases: Leases | None = None,
        keyspace: Keyspace | None = None,
        identities: Identities | None = None,
        invariants: Sequence[SetInvariant] = (),
        history: History | None = None,
        places: Places | None = None,
        ended: EndedPlaces | None = None,
        guards: Sequence[GuardPrefix] = (),
    ) -> None:
        """Make an empty state, or one of parts that a snapshot held."""
        counters = counters or Counters(0, EMPTY_REVISION, 0, 1, 1, 1, EMPTY_REVISION, 1)
        self.index = counters.applied_index
        self.revision = counters.revision
        self.cluster_time_ms = counters.cluster_time_ms
        self.next_token = counters.next_token
        self.cluster_id = cluster_id
        self.limits = limits or ApplyLimits()
        self.revisions: list[int] = []
        """The store's revision right after each command of the entry applied last."""
        self.changes: list[Revision] = []
        """What the entry applied last changed: its revisions that have events."""
        self.lock_changes: list[LockChange] = []
        """What the entry applied last did to places, in order."""
        self._members: dict[str, Member] = dict(members or {})
        self._leases = leases or Leases(counters.next_lease_id)
        self._keyspace = Keyspace() if keyspace is None else keyspace
        self._identities = identities or Identities(counters.next_session_id)
        self._invariants = Invariants(invariants)
        self._history = History(counters.compacted_revision) if history is None else history
        self._places = Places(counters.next_place_id) if places is None else places
        self._ended = EndedPlaces() if ended is None else ended
        self._guards = Guards(guards)
        self._unsettled = pending_locks(self._places, self._places.locks, self.limits)
        """Locks whose queue is to be looked at: between two entries, see `granting`."""
        self._grants_left = 0
        self._ending_leases: set[int] = set()
        """What ends before the first command of the entry being applied; empty outside of that."""
        self._ending_places: frozenset[int] = frozenset()

    # -- reading

    @property
    def members(self) -> Mapping[str, Member]:
        """Which disk stands for each name; a change replaces the whole mapping."""
        return self._members

    @property
    def state_bytes(self) -> int:
        """Bytes of all keys and values."""
        return self._keyspace.size_bytes

    @property
    def key_count(self) -> int:
        """How many keys there are."""
        return len(self._keyspace)

    @property
    def lease_count(self) -> int:
        """How many granted leases are alive (those of `ttl_ms` on a write do not count)."""
        return self._leases.granted_count

    def get(self, key: bytes) -> KeyValue | None:
        """Return a key's entry; None if absent."""
        return self._keyspace.entry(key)

    def page(
        self,
        start: bytes,
        end: bytes | None,
        *,
        limit: int,
        max_bytes: int,
        keys_only: bool = False,
    ) -> Page:
        """Read start <= key < end: at most `limit` entries and `max_bytes`, but at least one."""
        return self._keyspace.page(
            start, end, limit=limit, max_bytes=max_bytes, keys_only=keys_only
        )

    @property
    def session_count(self) -> int:
        """How many sessions are open."""
        return self._identities.session_count

    def invariants(self) -> Sequence[SetInvariant]:
        """Return all invariants, by (key, is_prefix)."""
        return self._invariants.rows()

    # -- reading the past

    @property
    def compacted_revision(self) -> int:
        """The oldest revision that can still be read at."""
        return self._history.compacted_revision

    def read_past(self, page: PastPage, steps: int | None = PAST_READ_STEPS) -> bool:
        """Go on with a page as of a revision from `compacted_revision` to `revision`.

        True once it is complete. Meanwhile the state may change, up to be another machine's.
        """
        return page.read(self._history, self._keyspace, steps)

    def get_at(self, key: bytes, revision: int) -> KeyValue | None:
        """Return a key's entry as of a revision; in one go, however long that takes."""
        page = PastPage(key, key + b"\0", revision, limit=1, max_bytes=1)
        self.read_past(page, None)
        return page.entries[0] if page.entries else None

    def page_at(
        self,
        start: bytes,
        end: bytes | None,
        revision: int,
        *,
        limit: int,
        max_bytes: int,
        keys_only: bool = False,
    ) -> Page:
        """Read a page as of a revision; in one go, however long that takes."""
        page = PastPage(start, end, revision, limit=limit, max_bytes=max_bytes, keys_only=keys_only)
        self.read_past(page, None)
        return page.page()

    def history_after(self, revision: int, limit: int, events: int | None = None) -> list[Revision]:
        """Return the first revisions with events above one that is not compacted.

        At most `limit` of them, whole, and no further one where they hold `events` events.
        """
        return self._history.after(revision, limit, events)

    # -- leases

    def has_lease(self, lease_id: int) -> bool:
        """Whether there is such a lease."""
        return self._leases.get(lease_id) is not None

    def describe_lease(self, lease_id: int) -> LeaseDescription | None:
        """Return a lease with its keys; None if there is none. Costs its keys."""
        if not self.has_lease(lease_id):
            return None
        keys = tuple(self._leases.keys_of(lease_id))
        return self._describe(lease_id, keys)

    def list_leases(self, after: int, limit: int) -> tuple[list[LeaseDescription], bool]:
        """Return leases with an id above `after` (`key_count`, but no keys), and if more follow."""
        ids = list(islice(self._leases.ids_after(after), limit + 1))
        return [self._describe(lease_id, ()) for lease_id in ids[:limit]], len(ids) > limit

    def _describe(self, lease_id: int, keys: tuple[bytes, ...]) -> LeaseDescription:
        ttl_ms, deadline_ms, _ = self._leases.live(lease_id)
        remaining_ms = max(0, deadline_ms - self.cluster_time_ms)
        count = self._leases.key_count(lease_id)
        return LeaseDescription(lease_id, ttl_ms, remaining_ms, keys, count)

    def next_deadline_ms(self) -> int | None:
        """Return the cluster time at which the next entry has something to do; None: never."""
        if self._unsettled:
            return self.cluster_time_ms
        of_leases, of_places = self._leases.next_deadline_ms(), self._places.next_deadline_ms()
        if of_leases is None or of_places is None:
            return of_places if of_leases is None else of_leases
        return min(of_leases, of_places)

    def smallest_ttl_ms(self) -> int | None:
        """Return the smallest TTL of a live lease; None without leases."""
        return self._leases.smallest_ttl_ms()

    # -- locks

    @property
    def place_count(self) -> int:
        """How many acquisitions hold or wait."""
        return len(self._places)

    def holds(self, lock: bytes, token: int) -> bool:
        """Tell whether a current holder of a lock has exactly this token."""
        return self._places.holder(Fence(lock, token)) is not None

    def acquisition(self, key: bytes) -> AcquireResult | None:
        """Return how an acquisition stands, or how it ended; None: unknown, or forgotten."""
        place_id = self._places.id_of(key)
        if place_id is not None:
            return standing(self._places, place_id)
        ended = self._ended.get(key)
        if ended is None:
            return None
        return AcquireResult(ended[1], Standing.ENDED, ending=Ending(ended[3]))

    def describe_lock(self, name: bytes, limit: int) -> LockDescription | None:
        """Return a lock with its first holders and waiters; None: nobody holds or wants it."""
        return describe_lock(self._places, name, limit)

    def list_locks(
        self, after: bytes | None, prefix: bytes, limit: int
    ) -> tuple[list[LockDescription], bool]:
        """Return locks behind `after`, each with its first few places, and if more follow."""
        return list_locks(self._places, after, prefix, limit)

    def blockers(self, name: bytes) -> list[str]:
        """Name the first who waits for a lock, who is in its way, in whose way is who, ..."""
        return blockers(self._places, name)

    def has_places(self, owner: bytes) -> bool:
        """Tell whether an owner holds, or waits for, anything."""
        return bool(self._places.of_owner(owner))

    def lease_extent(self, command: Release) -> int:
        """Return how many keys and locks the lease of a place has; 0: no such place."""
        if command.key is not None:
            place_id = self._places.id_of(command.key)
        else:
            place_id = None if command.fence is None else self._places.holder(command.fence)
        if place_id is None:
            return 0
        lease_id = self._places.live(place_id).lease_id
        return self._leases.key_count(lease_id) + self._places.lock_count(lease_id)

    def guards(self) -> Sequence[GuardPrefix]:
        """Return all guards, by prefix."""
        return self._guards.rows()

    # -- freezing

    def freeze(self) -> FrozenState:
        """Return the state as it is now, in O(1); release it when done."""
        return FrozenState(
            self._counters(),
            cluster_id=self.cluster_id,
            members=self._members,
            limits=self.limits,
            leases=self._leases.table,
            keyspace=self._keyspace,
            identities=self._identities,
            invariants=self._invariants.rows(),
            history=self._history,
            places=self._places.table,
            ended=self._ended.table,
            guards=self._guards.rows(),
        )

    def successor(self, *, index: int, leap: int) -> Self:
        """Return the first state of a new cluster, with the same content; this one must go.

        It has no cluster id and no members, and all that hands out numbers continues `leap` higher.
        Sessions and places end, and history begins anew, so that watchers are told of the break.
        What was done under idempotency keys stays known: their callers cannot tell that anything
        happened. So do the endings of acquisitions.
        """
        old = self._counters()
        self._leases.next_id += leap
        counters = old._replace(
            applied_index=index,
            revision=old.revision + leap,
            next_token=old.next_token + leap,
            compacted_revision=old.revision + leap,
            next_place_id=old.next_place_id + leap,
        )
        return type(self)(
            counters,
            limits=self.limits,
            leases=self._leases,
            keyspace=self._keyspace,
            identities=self._identities.successor(leap),
            invariants=self._invariants.rows(),
            ended=self._ended,
            guards=self._guards.rows(),
        )

    def _counters(self) -> Counters:
        return Counters(
            self.index,
            self.revision,
            self.cluster_time_ms,
            self._leases.next_id,
            self.next_token,
            self._identities.sessions.next_id,
            self._history.compacted_revision,
            self._places.next_id,
        )
