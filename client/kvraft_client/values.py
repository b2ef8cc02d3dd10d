"""What the client hands out: frozen values, and nothing that talks to the network.

Imports: the standard library only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Entry:
    """One key as it was at the answer."""

    key: bytes
    value: bytes
    version: int
    """1 at creation, +1 a write, 1 again after a delete."""
    mod_revision: int
    """The store's revision of the last write: the only figure that is safe against ABA."""
    create_revision: int
    lease_id: int = 0
    """0: no lease attached."""
    value_omitted: bool = False
    """The value was left out: the response would have been too large, or, where it was given
    again, it was too large to keep."""


@dataclass(frozen=True, slots=True)
class Unmet:
    """Why a condition was false, and what stands now."""

    clause: int
    """Index, in reading order, of the first clause that made it false."""
    mismatched: tuple[int, ...]
    """Clauses that could not be compared, for the type of what they met."""
    entries: tuple[Entry, ...]
    """The entries of the keys that the condition names; absent ones are missing."""
    entries_omitted: bool = False
    """All are missing: they were too large to keep for a copy of the request."""

    def entry(self, key: bytes) -> Entry | None:
        """Return what stands at one of those keys; None: absent, or `entries_omitted`."""
        return next((each for each in self.entries if each.key == key), None)


@dataclass(frozen=True, slots=True)
class CasResult:
    """The answer of `try_cas`; falsy if it did not swap."""

    swapped: bool
    entry: Entry | None
    """The new entry, or, where it did not swap, the current one (None: absent)."""
    unmet: Unmet | None = None
    """Set where `when=` was false; `entry` is then as far as the condition names the key."""

    def __bool__(self) -> bool:
        return self.swapped


@dataclass(frozen=True, slots=True)
class LeaseGrant:
    """A lease as granted or renewed: its id, and the TTL the store counts from that moment."""

    lease_id: int
    ttl_ms: int


@dataclass(frozen=True, slots=True)
class LeaseDescription:
    """A lease as the store sees it; `remaining_ms` is a lower bound, in cluster time."""

    lease_id: int
    ttl_ms: int
    remaining_ms: int
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class LeaseSummary:
    """A lease in a list; `keys` is their number."""

    lease_id: int
    ttl_ms: int
    remaining_ms: int
    keys: int


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """A peer as one node sees it."""

    name: str
    connected: bool
    match_index: int
    contact_age_ms: int | None


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What the node behind one endpoint says of itself; only `error` where it did not answer."""

    endpoint: str
    error: str | None = None
    name: str | None = None
    role: str | None = None
    """leader, follower, candidate or rejoining."""
    leader: str | None = None
    cluster_id: int = 0
    term: int = 0
    commit_index: int = 0
    applied_index: int = 0
    last_index: int = 0
    durable_index: int = 0
    snapshot_index: int = 0
    revision: int = 0
    cluster_time_ms: int = 0
    keys: int = 0
    leases: int = 0
    state_bytes: int = 0
    quorum_reachable: bool = False
    version: str = ""
    disk_id: str = ""
    peers: tuple[PeerStatus, ...] = ()
    counters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeHash:
    """One node's hash of the whole state (hex of blake2b-256) at a log index."""

    node: str
    index: int
    revision: int
    digest: str


@dataclass(frozen=True, slots=True)
class StateHash:
    """The hashes of the nodes that reported in time, and the names of those that did not."""

    hashes: tuple[NodeHash, ...]
    missing: tuple[str, ...]

    @property
    def is_equal(self) -> bool:
        """Whether all reports agree: two digests at one index differ only by divergence."""
        by_index: dict[int, set[str]] = {}
        for each in self.hashes:
            by_index.setdefault(each.index, set()).add(each.digest)
        return all(len(digests) == 1 for digests in by_index.values())


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """A backup that was written completely and synced."""

    path: str
    index: int
    revision: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Invariant:
    """What is demanded of every later value of a key, or of all keys that begin with it."""

    key: bytes
    is_prefix: bool
    minimum: int | None
    maximum: int | None
    immutable: bool
    """Written once: neither changed nor deleted."""
