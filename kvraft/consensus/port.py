"""What the rest of the node asks of consensus, and what consensus asks of it: two protocols.

Everything here runs on one thread and never blocks. Consensus calls back through `Application`; the
world (clock, chance, peers, the log's disk) reaches it through `Doors`, which have twins in the
simulator.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import NoReturn, Protocol


class Role(StrEnum):
    """The part a node plays, in Raft's words; REJOINING counts for nothing yet (RULES B2)."""

    LEADER = "leader"
    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    REJOINING = "rejoining"


class Failure(Enum):
    """Why a proposal or a barrier has no result; the first two mean not applied."""

    NOT_LEADER = "not the leader"
    NO_QUORUM = "no quorum"
    LEADERSHIP_LOST = "leadership lost after proposing"
    """The entry may still commit: the outcome is unknown."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A proposal that committed: its log index and what `Application.apply` returned."""

    index: int
    result: object


ProposeDone = Callable[[Applied | Failure], None]
BarrierDone = Callable[[Failure | None], None]
"""Called with None once this node has applied what was committed before the barrier was asked."""


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """One peer as this node sees it."""

    name: str
    connected: bool
    """Both directions: our connection is acknowledged and theirs is accepted."""
    match_index: int
    """Leader only, else 0."""
    contact_age_ms: int | None
    """Since the newest heartbeat that it answered was sent; None: never. Leader only."""


@dataclass(frozen=True, slots=True)
class ConsensusStatus:
    """A snapshot of consensus for `status`, health and metrics; `counters` only grow."""

    name: str
    role: Role
    term: int
    leader: str | None
    commit_index: int
    applied_index: int
    last_index: int
    durable_index: int
    snapshot_index: int
    peers: tuple[PeerStatus, ...]
    counters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hello:
    """What a dialler says of itself, and an acceptor answers, before anything else travels.

    `cluster_id` is 0 before the bootstrap is applied; `origin` is the digest of the backup that the
    first state was restored from (0: empty). `boot_id` is random for each process start.
    """

    cluster_id: int
    origin: int
    name: str
    disk_id: int
    boot_id: int
    protocol_min: int
    protocol_max: int
    command_version: int
    endpoint: str
    """Where clients reach this node; for hints and `Members` only."""
    rejoining: bool = False
    """It comes with an empty disk and counts for nothing until its `MemberDisk` is committed."""
    members_index: int = 0
    """Log index at which its member table last changed: whose table is newer, when two differ."""


@dataclass(frozen=True, slots=True)
class HelloRefused:
    """Why a peer may not join the conversation; the text is for people, on both sides."""

    reason: str


class SnapshotSource(Protocol):
    """A verified, durable snapshot to load from."""

    @property
    def index(self) -> int:
        """Log index of the last entry it holds."""
        ...

    @property
    def term(self) -> int:
        """Term of that entry."""
        ...

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes of the state's encoding; empty at the end."""
        ...


class SnapshotSink(Protocol):
    """A snapshot being written by another thread; never blocks the caller."""

    def write(self, block: bytes) -> None:
        """Queue one block of the state's encoding."""
        ...

    def backlog_bytes(self) -> int:
        """Bytes queued and not yet written, so that the encoder can pause."""
        ...

    def commit(self, done: Callable[[], None]) -> None:
        """Fsync, make it CURRENT, trim the log behind it, then call `done`.

        Where a newer one is CURRENT or on its way, drop it instead and call `done` at once: the
        status says which is CURRENT then.
        """
        ...

    def abort(self) -> None:
        """Drop what was written."""
        ...


class Loading(Protocol):
    """A state being built from a snapshot in slices, beside the live one."""

    def step(self) -> bool:
        """Do about a millisecond of work; True once complete. Raises on a malformed state."""
        ...


class Application(Protocol):
    """What consensus asks of the node above it; none of it may raise for a user's mistake."""

    def apply(self, index: int, payload: bytes) -> object:
        """Apply one committed entry; called once an index, in order. A raise stops the node."""
        ...

    def begin_load(self, source: SnapshotSource) -> Loading:
        """Start to build a state from `source`; the live state stays in use."""
        ...

    def adopt(self, loading: Loading, index: int) -> None:
        """Replace the state by the loaded one, which holds everything up to `index`."""
        ...

    def on_leading(self, term: int) -> None:
        """The node leads and has applied an entry of its own term: it may propose from now on."""
        ...

    def on_following(self, leader: str | None, term: int, reason: str) -> None:
        """The node does not lead (any more); `leader` is known and heard from, or None."""
        ...

    def on_join_request(self, name: str, disk_id: int, command_version: int) -> None:
        """Leader only: `name` comes with another disk; propose `MemberDisk`. May be repeated."""
        ...

    def on_peer_message(self, peer: str, payload: bytes) -> None:
        """A message of the application from a peer (forwarding)."""
        ...

    def on_peer_lost(self, peer: str) -> None:
        """Messages sent to, or awaited from, this peer since its link came up may be lost."""
        ...


class Doors(Protocol):
    """Everything consensus needs of the world."""

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def random(self) -> float:
        """Uniform in [0, 1)."""
        ...

    def send(self, peer: str, message: bytes, *, bulk: bool) -> bool:
        """Hand one message to the outbound connection; False if it is down or, for bulk, full.

        Messages that are not bulk overtake bulk at piece boundaries.
        """
        ...

    def flush(self) -> None:
        """Let what was sent leave now: the caller is about to wait for the disk."""
        ...

    def dial_now(self, peer: str) -> None:
        """Dial this peer without waiting for the pause between dials."""
        ...

    def reset(self, peer: str, reason: str) -> None:
        """Close both connections of this peer."""
        ...

    def wake(self) -> None:
        """Call `tick` soon (once, after what runs now)."""
        ...

    def wake_in(self, seconds: float) -> None:
        """Call `tick` about so much later."""
        ...

    def event(self, text: str) -> None:
        """A line for people: role changes with the reason, refused peers, conflicts."""
        ...

    def fatal(self, reason: str) -> NoReturn:
        """Stop the node at once; nothing it has not yet sent may leave it."""
        ...


class Consensus(Protocol):
    """One node's consensus: proposals, barriers, snapshots, and its place among the peers."""

    # -- what the node above asks
    def propose(self, payload: bytes, done: ProposeDone) -> None:
        """Leader only; `done` is called exactly once. It leaves in the next tick, see `tick`."""
        ...

    @property
    def term(self) -> int:
        """The present term, together with `role`; cheap, for the head of every answer."""
        ...

    @property
    def role(self) -> Role:
        """The part this node plays now; cheap, for the hot path."""
        ...

    def read_barrier(self, done: BarrierDone) -> None:
        """ReadIndex (thesis 6.4) on any node; a follower asks the leader. `done` is called once.

        It begins in the next tick, see `tick`.
        """
        ...

    def status(self) -> ConsensusStatus:
        """Return the present state; cheap."""
        ...

    def transfer_leadership(self, to: str | None, done: Callable[[str | None], None]) -> None:
        """Hand leadership to `to` (None: the furthest peer); `done(None)` or `done(why not)`."""
        ...

    def set_members(self, cluster_id: int, disks: Mapping[str, int]) -> None:
        """The replicated member table changed (or was loaded): which disk counts for each name."""
        ...

    def known_peers(self) -> Mapping[str, Hello]:
        """The newest HELLO of every peer heard from in this boot, and this node's own."""
        ...

    def quorum_reachable(self) -> bool:
        """Return False where requests must be answered NO_QUORUM now.

        That is a leader out of contact with a majority, and a follower that hears no leader or that
        the leader has not heard for one election timeout: it must not accept what it cannot
        forward.
        """
        ...

    def begin_snapshot(self) -> tuple[int, SnapshotSink]:
        """Start a snapshot of the state as applied right now; returns its index."""
        ...

    def send_to_peer(self, peer: str, payload: bytes) -> bool:
        """Send an application message; False: not handed over."""
        ...

    # -- what the driver and the links call
    def tick(self) -> None:
        """Let time pass: timers, elections, apply; after each batch of events and `tick_ms`."""
        ...

    def hello(self) -> Hello:
        """What this node says of itself now."""
        ...

    def check_hello(self, hello: Hello) -> HelloRefused | None:
        """May this peer's connection be accepted (or, for an answer, kept)?"""
        ...

    def on_outbound_up(self, peer: str, ack: Hello) -> None:
        """Our dial was acknowledged; messages may be sent."""
        ...

    def on_outbound_down(self, peer: str) -> None:
        """Our connection is lost; what was sent may be too."""
        ...

    def on_inbound_up(self, peer: str, hello: Hello) -> None:
        """The peer's dial was accepted by us."""
        ...

    def on_inbound_down(self, peer: str) -> None:
        """The peer's connection is lost."""
        ...

    def on_message(self, peer: str, message: bytes, *, more: bool = False) -> None:
        """One whole message arrived, and `more` with it.

        A malformed one raises `ProtocolError`, which closes the connection.
        """
        ...

    def on_piece(self, peer: str) -> None:
        """Part of a message arrived: the peer lives (a slow link must not look dead)."""
        ...

    def on_writable(self, peer: str) -> None:
        """A link that was full has room for bulk again."""
        ...

    def on_dial_failed(self, peer: str) -> None:
        """A dial was refused, closed or timed out (the fast path of an election waits for this)."""
        ...


class ProtocolError(Exception):
    """Bytes from a peer that are not of the protocol: its connection is closed and counted."""
