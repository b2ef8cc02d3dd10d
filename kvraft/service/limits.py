"""Every bound of the client plane, each with its unit and its reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """Deadlines, sizes and counts of the gRPC services."""

    deadline_ms: int = 5_000
    """For a call that brings no deadline: every wait is bounded."""
    deadline_max_ms: int = 30_000
    """A longer deadline is cut to this: nothing here takes longer, so it would only hold memory."""
    answer_early_ms: int = 50
    """The answer leaves this long before the deadline, so that its word arrives (RULES I12) ..."""
    answer_early_part: float = 0.1
    """... or this part of the deadline, where that is less."""
    wire_rounding_part: float = 0.01
    """gRPC rounds a timeout up on its way (to 10 ms above 1 s, to 100 ms above 10 s; measured), so
    the server sees up to this part more than the client has."""
    message_bytes: int = 4 << 20
    """gRPC's own bound, above `request_bytes` so that a definite answer names the limit."""
    reply_bytes: int = 3 << 19
    """1.5 MiB; values and keys beyond it are left out of a reply, and the reply says so."""
    txn_reply_bytes: int = 7 << 19
    """3.5 MiB on the wire, keys and all: a longer reply of a transaction leaves all values out, for
    it must fit into a message, besides what is in that already."""
    lease_page: int = 1_000
    """Leases in one page of `LeaseService.List`."""
    lock_page: int = 500
    """Locks in one page of `LockService.List`, with 8 places each: 0.7 MB."""
    lock_places: int = 1_000
    """Holders, and waiters, of one lock in `LockService.Describe`: 0.2 MB."""
    contended: int = 1_000
    """Keys, and locks, in one report of contention: as many as a node keeps figures of."""
    contended_shown: int = 20
    """... where the caller does not say."""
    keepalives_in_flight: int = 1_024
    """Unanswered keepalives of one stream; beyond it the stream is not read."""
    pipeline_batch: int = 1_024
    """Calls in one message of a pipeline: beginning ordinary ones takes 10 ms."""
    pipeline_slice_ms: float = 5.0
    """Of beginning them in one turn of the loop: 1,024 large transactions take seconds."""
    pipeline_calls: int = 4_096
    """Unanswered calls of one stream, as many as a connection may have on their own; beyond it the
    stream is not read. One message more may be on top."""
    pipeline_bytes: int = 16 << 20
    """... and bytes of their requests: a quarter of what waits to be proposed on a node."""
    pipeline_reply_bytes: int = 256 << 10
    """Of replies in one message, beyond which it takes no further one: the longest is 3.5 MiB."""
    pipeline_stall_ms: int = 10_000
    """A client that reads no reply for so long is cut off: nobody waits longer for one."""
    watches: int = 1_000
    """Health watches on a node; beyond it OVERLOAD."""
    watch_progress_ms: int = 10_000
    """Idle time between two marks of progress, where the client does not say."""
    watch_progress_min_ms: int = 100
    """Shortest that a client may ask for: 10,000 watches would be 100,000 marks a second below."""
    watch_progress_max_ms: int = 3_600_000
    """Longest; an hour without a mark is as good as none."""
    backup_chunk_bytes: int = 256 << 10
    """Part of a backup in one message."""
    backups: int = 2
    """Backups streaming at one time: each reads the disk that the log is written to."""
    backup_ms: int = 600_000
    """For a backup that brings no deadline: a snapshot of the largest state and its transfer."""
    health_ms: int = 100
    """How often the health of a watched node is looked at (one heartbeat)."""
    streams: int = 4_096
    """Concurrent calls of one connection; HTTP/2 makes the client wait beyond it."""
    calls: int = 20_000
    """Concurrent calls of a node, as many as its queue holds; unary ones are counted apart too,
    from when they are accepted (accepting) and from when their request is here (calls)."""
    accepts: int = 16
    """Unary calls of one method that are accepted in one turn of the loop: with 8 to 64 an entry
    holds about 18 commands of 64 callers (measured), with 1 two or three."""
    keepalive_ms: int = 10_000
    """A connection that is silent for this long is pinged ..."""
    keepalive_timeout_ms: int = 3_000
    """... and closed after this: a dead peer is seen in seconds."""
    client_ping_min_ms: int = 5_000
    """Clients may ping this often; they do every 10 s, and gRPC's own 5 min would punish that."""
    handshake_ms: int = 10_000
    """For TLS and HTTP/2 to begin: a stranger that says nothing is dropped."""
