"""Every time limit of consensus, in milliseconds, each with its reason (one place, one unit)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Defaults suit a LAN; they keep "answers within one election timeout" at 1.1 s."""

    heartbeat_ms: int = 100
    """A fifth of the shortest election timeout, so that two may be lost."""
    election_min_ms: int = 500
    """Below it a leader counts as alive (stickiness, thesis 4.2.3); also a question's limit."""
    election_max_ms: int = 1_000
    """Timeouts are drawn from [min, max]; a leader unheard so long steps down (CheckQuorum)."""
    split_vote_min_ms: int = 100
    """A split vote is retried after this ..."""
    split_vote_max_ms: int = 200
    """... to this, not after a full timeout: nobody leads meanwhile."""
    redial_grace_ms: int = 50
    """The leader's connection was lost: it has this long to answer a new dial before a pre-vote."""
    rank_delay_ms: int = 25
    """Followers campaign one rank after another, so that two do not split the vote."""
    fast_retry_ms: int = 50
    """A refused fast pre-vote is repeated this often until the ordinary deadline."""
    transfer_contact_ms: int = 300
    """Leadership is handed only to a peer that answered a heartbeat sent within this time, three of
    them: proposals wait while it is handed over."""
    disk_stall_ms: int = 2_000
    """A leader whose fsync takes longer goes silent, so that others take over."""
    tick_ms: int = 20
    """How often the engine is polled when nothing else happens."""
    redial_ms: int = 50
    """Pause between two dials of a peer (plus jitter up to half): a healed link is used soon."""
    tell_commit_ms: int = 5
    """A commit that no append carries is told on its own after this, or twice that while others
    follow it: longer than the pause between two writes of one caller, shorter than a watcher at a
    follower would mind."""
    rejoin_report_ms: int = 5_000
    """How often a rejoining node says whom it waits for."""
    handshake_ms: int = 1_000
    """Dial to HELLO-ACK; a proxy accepts connections for a dead node (Toxiproxy #123)."""
    refused_redial_ms: int = 1_000
    """Pause after a refused HELLO: only people can change the reason."""
    unacknowledged_ms: int = 3_000
    """TCP_USER_TIMEOUT: bytes unacknowledged for this long close a connection, so that a healed
    link is dialled anew instead of waiting for TCP's growing retransmission pauses."""
    keepalive_ms: int = 1_000
    """Idle time before, and pause between, keepalives: an inbound connection writes nothing."""
    close_ms: int = 250
    """A stopping node gives what it has sent this long to leave."""
    event_repeat_ms: int = 10_000
    """Lines about one recurring trouble of a link are at least this far apart."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Bounds of what is in flight or held in memory, a peer or a node."""

    piece_bytes: int = 64 << 10
    """Larger messages travel in pieces with control messages between: heartbeats stay on time."""
    message_bytes: int = 6 << 20
    """Largest message; above it the connection is closed."""
    send_buffer_bytes: int = 4 << 20
    """Bulk a peer's link may hold unsent; beyond it appends and chunks are not handed over."""
    control_buffer_bytes: int = 8 << 20
    """Control messages a link may hold unsent (one of the largest always fits); beyond it the peer
    is not reading, and the connection is closed, because a lost control message must show."""
    handshakes: int = 64
    """Inbound connections that have not said HELLO yet; one more closes the oldest of them."""
    append_bytes: int = 4 << 20
    """Largest append; entries are cut below it before they are proposed."""
    window_appends: int = 64
    """Appends in flight a follower."""
    log_tail_bytes: int = 16 << 20
    """Log kept in memory behind the newest snapshot, so that a slow follower needs no snapshot."""
    snapshot_chunk_bytes: int = 256 << 10
    """One chunk of a snapshot on the wire; each is acknowledged."""
    snapshot_window: int = 4
    """Snapshot chunks in flight a follower."""
    apply_batch: int = 256
    """Log entries applied a tick, so that a restart does not stall the loop."""
    apply_bytes: int = 128 << 10
    """Payload applied a tick (one entry at least): about 5 ms of small commands."""
