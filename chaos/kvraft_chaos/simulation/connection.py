"""One directed connection: a TCP stream from the node that dialled to the one that accepted.

Both ends run the real framing of `kvraft.consensus.link`. Bytes arrive in order, are held while the
link is cut, and what is in flight when the connection breaks is lost but for a prefix.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto

from kvraft.consensus.link import LinkReceiver, LinkSender
from kvraft.consensus.timing import Flow

SOCKET_BYTES = 256 << 10
"""What the two kernels hold of a stream: beyond it the sender's own queue fills."""

UNLIMITED = float("inf")


class Phase(Enum):
    """How far the handshake is, for the side that dialled."""

    DIALLING = auto()
    UP = auto()
    CLOSED = auto()


@dataclass(slots=True)
class Link:
    """The way from one node to another, whatever connection uses it at the moment."""

    source: str
    target: str
    delay: tuple[float, float]
    """Seconds, shortest and longest."""
    bytes_per_second: float = UNLIMITED
    cut: bool = False


@dataclass(slots=True)
class Connection:
    """State of one connection as both its ends see it."""

    link: Link
    flow: Flow
    sender: LinkSender = field(init=False)
    receiver: LinkReceiver = field(init=False)
    phase: Phase = Phase.DIALLING
    source_open: bool = True
    target_open: bool = False
    """The acceptor has accepted the HELLO and has not seen the end."""
    pipe: deque[bytes] = field(default_factory=deque)
    """In flight, in order."""
    pipe_bytes: int = 0
    last_due: float = 0.0
    """Nothing overtakes: what is sent next arrives no earlier than this."""
    busy_until: float = 0.0
    """When what was handed over has left, on a link of limited bandwidth."""
    stalled: int = 0
    """Arrivals that found the link cut."""
    pumping: bool = False
    up_since: float = 0.0

    def __post_init__(self) -> None:
        self.sender = LinkSender(self.flow)
        self.receiver = LinkReceiver(self.flow)

    def next_departure(self, now: float, delay: float) -> float | None:
        """Move one portion of what waits into the pipe; return when it arrives, None: no room."""
        if self.pipe_bytes >= SOCKET_BYTES:
            return None
        data = self.sender.next_bytes(self.flow.piece_bytes)
        size = len(data)
        begins = max(self.busy_until, now)
        self.busy_until = leaves = begins + size / self.link.bytes_per_second
        self.last_due = due = max(leaves + delay, self.last_due)
        self.pipe.append(data)
        self.pipe_bytes += size
        return due

    def take(self) -> bytes | None:
        """Remove and return what arrives next; None if nothing is in flight."""
        if not self.pipe:
            return None
        data = self.pipe.popleft()
        self.pipe_bytes -= len(data)
        return data

    def clear(self) -> None:
        """Lose what is in flight."""
        self.pipe.clear()
        self.pipe_bytes = 0
        self.stalled = 0

    def messages_in_flight(self) -> list[bytes]:
        """Whole messages sent and not arrived; only where the next one to arrive begins one."""
        reader = LinkReceiver(self.flow)
        reader.pieces = self.receiver.pieces
        return [message for data in self.pipe for message in reader.feed(data)]
