"""Bounds of one node's behaviour, each with its unit and reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplicaLimits:
    """Queues, batches and periods of the replica."""

    batch_commands: int = 256
    """Commands in one log entry: beyond it the cost of an entry no longer matters (measured)."""
    batch_bytes: int = 1 << 20
    """Bytes in one entry; one larger command still goes alone (request limit 1.5 MiB)."""
    batch_cost: int = 256
    """Estimated apply cost of one entry, in ordinary commands; keeps apply under 50 ms."""
    wide_cost: int = 256
    """Cost of a command that may touch 10,000 entries (range delete, revoke: 23 ms): one an
    entry."""
    entries_in_flight: int = 1
    """One more where that is of a single command. What arrives meanwhile shares the next entry.
    With 2 there were half as many commands an entry, and a third fewer a second: an entry costs
    CPU on every node, whatever it holds."""
    gather_ms: int = 20
    """Signs of life, and wishes for a lock that is taken, wait so long for others where nothing
    else is in the queue: those come seconds early, these wait anyhow, an entry costs what a dozen
    of them cost, and thousands of leases that are renewed evenly would have one each."""
    queue_wait_ms: int = 300
    """New work that would wait longer to be proposed is OVERLOAD, NOT_APPLIED, at once: several
    entries' worth, so that none goes half empty, and far less than a client's patience."""
    queue_burst: int = 4_096
    """... unless the queue was empty so long ago at most: what one stream may have unanswered."""
    command_ms: float = 0.2
    """What a command is taken to need before any was seen to: about a put, on one core."""
    queue_commands: int = 20_000
    """Commands waiting to be proposed, however fast they leave: bounds memory."""
    queue_bytes: int = 64 << 20
    """Bytes waiting to be proposed."""
    queue_spare_commands: int = 5_000
    """On top, for what keeps alive or gives back (`replica/congestion.py`) ..."""
    queue_spare_bytes: int = 4 << 20
    """... and its bytes: it is small."""
    retry_ms: int = 100
    """What a caller is asked to wait where there is no quorum ..."""
    retry_soon_ms: int = 20
    """... and where the leader was lost less than `soon_ms` ago: when its process ends, another
    leads 30 to 50 ms later (measured), and nobody should sleep through that."""
    soon_ms: int = 300
    """Beyond it the leader has not ended, but fell silent, and timeouts decide."""
    forwarded: int = 10_000
    """Requests of this node's clients that the leader has not answered yet."""
    readers: int = 50_000
    """Reads waiting for a barrier."""
    tick_max_ms: int = 10_000
    """Longest pause between stamps while something timed exists (the published lateness bound)."""
    snapshot_log_bytes: int = 16 << 20
    """Log since the last snapshot that makes the next one due (or half the state, if more):
    bounds memory and the time of a restart, and keeps write amplification under three."""
    snapshot_slice_ms: float = 1.0
    """Work on a snapshot or a hash in one turn of the loop: no request waits longer for it."""
    slice_pause: float = 2.0
    """Pause after a slice, in times of what it took: a third of the loop at most is for slices."""
    snapshot_askers: int = 64
    """Callers waiting for a snapshot (backups); the service allows fewer at a time."""
    snapshot_backlog_bytes: int = 4 << 20
    """Encoded and not yet written; beyond it the encoder pauses."""
    entry_overhead_bytes: int = 200
    """What an entry costs besides its payload, for the accounting of the log."""
    free_disk_bytes: int = 256 << 20
    """Below it the leader accepts only what frees space (RULES I18)."""
    bootstrap_wait_ms: int = 1_000
    """A first leader waits this long for every disk to introduce itself: one that comes later
    counts for nothing until its `MemberDisk` is committed."""
    join_retry_ms: int = 500
    """A join request is not proposed again sooner."""
    hash_wait_ms: int = 10_000
    """A state hash that is asked for waits at most this long for the other nodes."""
    hash_requests: int = 64
    """State hashes asked of this node at a time; each is an entry in the log."""
    hash_views: int = 3
    """Hashes in progress on one node; each holds a frozen view of the state."""
    watches: int = 10_000
    """Open watches of a node. One message may wait in each: 1.25 GB where all of them stall."""
    watch_message_bytes: int = 128 << 10
    """Of events in one message; one larger event still goes alone."""
    watch_buffer_revisions: int = 4_096
    """Buffered for watches of the same keys, for the slowest of them; then it reads history."""
    watch_buffer_bytes: int = 4 << 20
    """... and so many bytes; about as many again for their encoding."""
    watch_total_bytes: int = 64 << 20
    """Buffered for all watches of a node, as much as its history holds."""
    watch_slice_revisions: int = 256
    """Of history looked at for one watch in one turn of the loop: under a millisecond ..."""
    watch_slice_events: int = 1_000
    """... and so many events, by whole revisions: 4 ms, or as long as one revision takes."""
    watch_wakes: int = 32
    """Watches woken in one turn of the loop; each sends a message, about 0.1 ms."""
    watch_pause_ms: float = 1.0
    """Pause before the next news for each watch told: a tenth of the loop at most, until ..."""
    watch_gather_ms: float = 200.0
    """... this, the longest that news are gathered."""
    watch_leaderless_ms: int = 3_000
    """Without a leader for so long, watches end: elsewhere there may be one (RULES I9)."""
    lock_streams: int = 10_000
    """Acquisitions that wait on a node, as many as wait for one lock; one of a free lock passes."""
    lock_wakes: int = 32
    """Of them told in one turn of the loop; each sends a message, about 0.1 ms."""
    lock_position_ms: int = 1_000
    """Between two looks at where a stream is in its queue: people read no faster ..."""
    lock_pause_ms: float = 1.0
    """... and so long for each stream: a tenth of the loop at most."""
    lock_grace_ms: int = 1_000
    """A stream that broke may be opened again before its place is given up: a reconnect."""
    lock_retry_ms: int = 500
    """Before what a node proposes for its streams is proposed again: about an election."""
