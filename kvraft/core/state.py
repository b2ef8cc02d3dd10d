"""What the replicated state consists of, how it is read, and how it is held still.

Imports: core only. Nothing here changes the state; that is `machine`'s business alone.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Self

from kvraft.core.commands import Member, SetInvariant
from kvraft.core.frozen import FrozenState
from kvraft.core.history import History, Revision
from kvraft.core.identities import Identities
from kvraft.core.invariants import Invariants
from kvraft.core.keyspace import Keyspace
from kvraft.core.layout import Counters
from kvraft.core.leases import Leases
from kvraft.core.limits import PAST_READ_STEPS, ApplyLimits
from kvraft.core.past_page import PastPage
from kvraft.core.results import KeyValue, LeaseDescription, Page

EMPTY_REVISION = 1
"""The revision of a store that was never written (precedent: etcd)."""


class State:
    """The whole replicated state, for reading."""

    __slots__ = (
        "_history",
        "_identities",
        "_invariants",
        "_keyspace",
        "_leases",
        "_members",
        "changes",
        "cluster_id",
        "cluster_time_ms",
        "index",
        "limits",
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
    ) -> None:
        """Make an empty state, or one of parts that a snapshot held."""
        counters = counters or Counters(0, EMPTY_REVISION, 0, 1, 1, 1, EMPTY_REVISION)
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
        self._members: dict[str, Member] = dict(members or {})
        self._leases = leases or Leases(counters.next_lease_id)
        self._keyspace = Keyspace() if keyspace is None else keyspace
        self._identities = identities or Identities(counters.next_session_id)
        self._invariants = Invariants(invariants)
        self._history = History(counters.compacted_revision) if history is None else history

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

    def describe_lease(self, lease_id: int) -> LeaseDescription | None:
        """Return a lease with its keys; None if there is none. Costs its keys."""
        if self._leases.get(lease_id) is None:
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
        """Return the cluster time at which the next entry has something to end; None: never."""
        return self._leases.next_deadline_ms()

    def smallest_ttl_ms(self) -> int | None:
        """Return the smallest TTL of a live lease; None without leases."""
        return self._leases.smallest_ttl_ms()

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
        )

    def successor(self, *, index: int, leap: int) -> Self:
        """Return the first state of a new cluster, with the same content; this one must go.

        It has no cluster id and no members, and all that hands out numbers continues `leap` higher.
        Sessions end, and history begins anew, so that watchers are told of the break. What was done
        under idempotency keys stays known: their callers cannot tell that anything happened.
        """
        old = self._counters()
        self._leases.next_id += leap
        counters = old._replace(
            applied_index=index,
            revision=old.revision + leap,
            next_token=old.next_token + leap,
            compacted_revision=old.revision + leap,
        )
        return type(self)(
            counters,
            limits=self.limits,
            leases=self._leases,
            keyspace=self._keyspace,
            identities=self._identities.successor(leap),
            invariants=self._invariants.rows(),
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
        )
