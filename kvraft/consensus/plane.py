"""What all peer connections of one node share: settings, counters, and lines for people."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from kvraft.consensus.port import Consensus
from kvraft.consensus.timing import Flow, Timing

COUNTERS = (
    "dials",
    "dial_failures",
    "hellos_refused",
    "inbound_accepted",
    "inbound_replaced",
    "handshakes_timed_out",
    "handshakes_evicted",
    "handshakes_failed",
    "malformed_frames",
    "control_overflows",
    "messages_sent",
    "messages_received",
    "bytes_sent",
    "bytes_received",
)


class EventLimiter:
    """Passes lines on, those about one subject at most once per `repeat_ms`."""

    def __init__(
        self, event: Callable[[str], None], now: Callable[[], float], repeat_ms: int
    ) -> None:
        self._event = event
        self._now = now
        self._repeat_s = repeat_ms / 1_000
        self._said: dict[str, tuple[float, int]] = {}  # subject: when, how many were left out since

    def say(self, subject: str, text: str) -> None:
        """Report `text`. Subjects are a closed set (kinds, peer names), never a stranger's text."""
        now = self._now()
        last, left_out = self._said.get(subject, (-self._repeat_s, 0))
        if now - last < self._repeat_s:
            self._said[subject] = (last, left_out + 1)
            return
        self._said[subject] = (now, 0)
        self._event(f"{text} ({left_out} more like it before)" if left_out else text)


@dataclass(frozen=True, slots=True)
class Plane:
    """Shared by every connection; made once a node."""

    consensus: Consensus
    peers: frozenset[str]
    timing: Timing
    flow: Flow
    events: EventLimiter
    random: Callable[[], float]
    server_tls: ssl.SSLContext | None
    client_tls: ssl.SSLContext | None
    counters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))

    def count(self, name: str, amount: int = 1) -> None:
        """Add to one of `COUNTERS`."""
        self.counters[name] += amount

    def malformed(self, peer: str, error: Exception) -> None:
        """Account for bytes that are not of the protocol."""
        self.count("malformed_frames")
        self.events.say("malformed", f"closed a connection of {peer}: {error}")
