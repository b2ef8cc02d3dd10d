"""Leader: its CURRENT snapshot on the way to a follower that the log does not reach any more.

Chunks go out in a window, each answered with how far the receiver is; writes go on meanwhile. What
is on the way dies with the link's epoch, and a window without an answer is sent again (RULES B1).
"""

from dataclasses import dataclass
from typing import Protocol

from kvraft.consensus.links import Links
from kvraft.consensus.messages import SnapshotAck, SnapshotChunk
from kvraft.consensus.shared import Shared, StoredSnapshot


@dataclass(slots=True)
class _Outgoing:
    snapshot: StoredSnapshot
    acked: int = 0
    sent: int = 0
    asked_at: float = 0.0


class Installed(Protocol):
    """What is called once a peer holds the snapshot that ends at `index`."""

    def __call__(self, peer: str, index: int, *, counts: bool) -> None: ...


class SnapshotSender:
    """At most one snapshot on the way to each follower."""

    def __init__(self, shared: Shared, links: Links, installed: Installed) -> None:
        self._shared = shared
        self._links = links
        self._installed = installed
        self._to: dict[str, _Outgoing] = {}

    def start(self, peer: str) -> None:
        """Send the CURRENT snapshot; there is one wherever the log was ever trimmed."""
        self.stop(peer)
        snapshot = self._shared.disk.pin()
        if snapshot is None:
            self._shared.fatal(f"{peer} needs entries below the log, and no snapshot is here")
        self._shared.counters["snapshots_sent"] += 1
        self._shared.doors.event(f"sends snapshot {snapshot.index} to {peer}")
        self._to[peer] = _Outgoing(snapshot)
        self.pump(peer)

    def stop(self, peer: str) -> None:
        out = self._to.pop(peer, None)
        if out is not None:
            self._shared.disk.unpin(out.snapshot)

    def stop_all(self) -> None:
        for peer in list(self._to):
            self.stop(peer)

    def pump(self, peer: str) -> None:
        """Fill the window."""
        out = self._to.get(peer)
        if out is None:
            return
        flow = self._shared.flow
        limit = out.acked + flow.snapshot_window * flow.snapshot_chunk_bytes
        total = out.snapshot.state_bytes
        while out.sent < min(limit, total) or out.sent == total == 0:
            data = out.snapshot.read(out.sent, flow.snapshot_chunk_bytes)
            if not self._send(peer, out, data):
                return  # on_writable, or the time limit, goes on
            if total == 0:
                return
            out.sent += len(data)

    def _send(self, peer: str, out: _Outgoing, data: bytes) -> bool:
        out.asked_at = self._shared.doors.now()
        snapshot, shared = out.snapshot, self._shared
        return self._links.send_bulk(
            peer,
            SnapshotChunk(
                shared.term,
                snapshot.index,
                snapshot.term,
                out.sent,
                snapshot.state_bytes,
                shared.core.commit,
                data,
            ),
        )

    def on_ack(self, peer: str, message: SnapshotAck) -> None:
        """The receiver is at `offset`, maybe behind what was sent; or it has installed all."""
        out = self._to.get(peer)
        if out is None or message.index != out.snapshot.index:
            return
        if message.installed:
            self.done(peer, message.index, counts=True)
            return
        out.asked_at = self._shared.doors.now()
        if message.offset < out.acked:
            out.sent = message.offset  # it lost what it had
        out.acked = min(message.offset, out.snapshot.state_bytes)
        out.sent = max(out.sent, out.acked)
        self.pump(peer)

    def done(self, peer: str, index: int, *, counts: bool) -> None:
        """The peer holds everything up to `index`."""
        out = self._to.get(peer)
        if out is not None and index >= out.snapshot.index:
            self.stop(peer)
            self._installed(peer, out.snapshot.index, counts=counts)

    def poll(self, now: float) -> None:
        """Ask again where a window stays unanswered."""
        if not self._shared.switches.ask_again:
            return
        limit = self._shared.timing.election_min_ms / 1000
        for peer, out in list(self._to.items()):
            if now - out.asked_at > limit:
                self._shared.counters["asked_again"] += 1
                out.asked_at = now
                out.sent = min(out.acked, max(out.snapshot.state_bytes - 1, 0))
                self.pump(peer)
