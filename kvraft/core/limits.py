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
    """Leases that may expire before one log entry; the leader proposes the next at once. The same
    number of sessions, keys and obsolete outcomes may go, besides twice the entry's commands."""
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
    value_bytes: int = 1 << 20
    """Of a value that an action makes (append, JSON): the same bound as for one that is given."""
    reply_bytes: int = 3 << 19
    """Keys and values in one reply: further values are left out and flagged."""
    json_bytes: int = 1 << 19
    """JSON one command may parse or write: about 30 ms, 110 ms where it is nested 60 deep; further
    JSON clauses are mismatches, further JSON actions are refused."""
    written_bytes: int = 4 << 20
    """Bytes of the values that the updates of one command write: few bytes of a request can append
    to many large values, and copying 256 MiB takes 50 ms."""
    invariants: int = 1_000
    """Memory, and the work of one delete of a range that holds immutable ones."""
    prefix_lengths: int = 32
    """Different lengths of the prefixes among them: each write looks up each length."""
    guards: int = 1_000
    """Guarded prefixes, of at most `prefix_lengths` different lengths: as for invariants."""
    waiters_per_lock: int = 10_000
    """Places queued for one lock."""
    holders_per_lock: int = 1_000
    """Shared or counted holders: so many grants one release can bring."""
    locks_per_lease: int = 1_000
    """Held or waited for: so that the end of one lease is bounded work."""
    grants_per_entry: int = 1_000
    """Grants one entry makes besides one for each of its commands; the next entry goes on."""
    deadlock_steps: int = 20_000
    """Places one search for a cycle looks at, about 50 ms: a full queue (`waiters_per_lock`) and
    what its owners have besides; beyond that the wait is refused."""
    attach_ms: int = 10_000
    """How long a waiter stays without a sign of life, and a grant without its confirmation."""
    ended_places: int = 500_000
    """Ended acquisitions that are remembered, about 200 bytes each; a full table refuses."""
    ended_ms: int = 600_000
    """Ten minutes: as long as idempotency keys."""
    released_ms: int = 60_000
    """Of those that their holder released itself, and of tries: longer than a copy of the request
    can travel. There are thousands of them a second."""
    sessions: int = 10_000
    """Open sessions; a client process needs one."""
    session_window: int = 1_024
    """Sequences a session may have unacknowledged: 256 callers and their retries, with room."""
    session_idle_ms: int = 3_600_000
    """An hour: longer than any client's retries, so that an end is never a surprise."""
    key_retention_ms: int = 600_000
    """Ten minutes after completion; the client never re-sends later than half of it."""
    outcome_records: int = 1_000_000
    """Stored outcomes of idempotency keys and sessions, however small."""
    outcome_bytes: int = 128 << 20
    """Memory for them, about 300,000 small ones: 500 keyed mutations a second. Never evicted
    early: a full table refuses."""
    outcome_reply_bytes: int = 4_096
    """Of one stored reply; of a longer one the outline is kept, and the revision to read at. At
    least one key (`key_bytes`) and 400 bytes, so that any outline fits."""
    history_revisions: int = 100_000
    """Kept at least, like the last hour, as far as `history_bytes` allows."""
    history_ms: int = 3_600_000
    """An hour, of cluster time."""
    history_bytes: int = 64 << 20
    """Memory for old values and events: the bound that decides under heavy writing."""
    history_removals: int = 1_000
    """Events one entry may forget besides as many as it adds, and as many again up to this number:
    forgetting keeps up with writing and never stalls an apply."""


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
    clauses: int = 256
    """Clauses of all conditions of one command."""
    condition_depth: int = 8
    """Levels of AND, OR, NOT above a clause."""
    txn_operations: int = 256
    """Operations of one transaction, those of both branches and of nested ones included."""
    actions: int = 64
    """Actions of one update."""
    pointer_bytes: int = 1_024
    """Of a JSON pointer."""
    idempotency_key_bytes: int = 128
    """Of an identity that the caller makes up."""
    lock_name_bytes: int = 512
    """Of a lock's name, as of Kubernetes' names twice over; they are in every fence."""
    owner_bytes: int = 64
    """Of an owner id: a UUID with room."""
    acquisition_key_bytes: int = 64
    """Of the key an acquisition is known by."""
    acquired_locks: int = 64
    """Names of one acquisition."""
    fences: int = 64
    """Of one mutation: as many as one acquisition can bring."""
    lock_capacity: int = 1_000
    """Of a counted lock, at most `holders_per_lock`."""
    attached_places: int = 1_000
    """Places one Attach speaks for: 5 ms."""
    lease_id_max: int = (1 << 63) - 1
    """Lease ids are positive int64."""


PLACE_ENTRIES = 4
"""What the end of an acquisition counts for in `touched_entries`, besides one for each of its
locks: 12 us, where a key takes 3."""

JSON_DEPTH = 64
"""Levels of arrays and objects in a JSON value; a deeper one is none to conditions and actions."""

TABLE_CHUNK_RECORDS = 512
"""Records a frozen view looks at between two blocks: well under a millisecond."""

SNAPSHOT_BLOCK_BYTES = 1 << 16
"""Largest block of a state's encoding: one piece on a peer link."""

DISCARDED_PER_APPLY = 1_024
"""Before-images of a released view freed in one `apply`, besides twice what it wrote: no pause."""

ENCODED_VALUE_BYTES = 1 << 26
"""Largest value a decoder accepts, 64 times the default `value_bytes`: above it is damage."""

ENCODED_DEPTH = 64
"""Deepest condition that is encoded or decoded, 8 times the default `condition_depth`."""

HISTORY_CHUNK_BYTES = 1 << 19
"""History (as it is accounted) that is kept and freed as one piece: 2,600 events, 0.4 ms. A read of
the past looks a key up in each behind its revision, 128 of them at most."""

HISTORY_EXTEND_EVENTS = 512
"""Events of one revision that go into one chunk however large they are."""

PAST_KEY_STEPS = 20
"""What a read of the past spends on a key, in look-ups of about 0.1 us; one more for each chunk."""

PAST_READ_STEPS = 10_000
"""Look-ups, and events that are indexed, in one turn of a read of the past: 1 to 2 ms."""
