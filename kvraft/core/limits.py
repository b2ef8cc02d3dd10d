"""Every bound of the state machine and of requests, each with its unit and its reason."""

from dataclasses import dataclass

REVISION_LEAP = 1 << 32
"""Added to revisions and token counters by a restore, so that nothing handed out before the
backup was taken, or after it, can ever be handed out again."""


@dataclass(frozen=True, slots=True)
class ApplyLimits:
    """Bounds that decide what `apply` answers.

    They are part of the replicated state (set by `Bootstrap`), because nodes that disagreed about
    one of them would diverge.
    """

    touched_entries: int = 10_000
    """Entries one command may write or delete: keeps one `apply` under 50 ms."""
    expiries_per_entry: int = 1_000
    """Leases that may expire before one log entry; the leader proposes the next at once."""
    leases: int = 20_000
    """Granted leases alive at one time (each is kept alive about every TTL/3)."""
    ttl_leases: int = 200_000
    """Implicit leases of `ttl_ms` on a write; each ends with its key."""
    keys_per_lease: int = 10_000
    """So that the end of one lease is bounded work."""
    ttl_min_ms: int = 1_000
    """Below a second, an election would end the lease."""
    ttl_max_ms: int = 24 * 3_600_000
    """A day: longer ownership should be a key, not a lease."""


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Bounds checked before a command is proposed, so that a refusal means NOT_APPLIED."""

    key_bytes: int = 2_048
    """Keys are kept in memory on every node and travel in every event."""
    value_bytes: int = 1 << 20
    """1 MiB, etcd's order of magnitude (1.5 MiB a request): larger things belong elsewhere."""
    request_bytes: int = 3 << 19
    """1.5 MiB, etcd's default."""
    page_entries: int = 10_000
    """Entries in one page of a list."""
    page_bytes: int = 1 << 20
    """Bytes of keys and values in one page; a page always holds at least one entry."""
    state_bytes: int = 512 << 20
    """Keys and values of the whole store; above it only what frees space is accepted."""
    lease_id_max: int = (1 << 63) - 1
    """Lease ids are positive int64."""


TABLE_CHUNK_RECORDS = 512
"""Records a frozen view looks at between two blocks: well under a millisecond."""

SNAPSHOT_BLOCK_BYTES = 1 << 16
"""Largest block of a state's encoding: one piece on a peer link."""

DISCARDED_PER_APPLY = 1_024
"""Before-images of a released view freed in one `apply`, besides twice what it wrote: no pause."""

ENCODED_VALUE_BYTES = 1 << 26
"""Largest value a decoder accepts, 64 times the default `value_bytes`: above it is damage."""
