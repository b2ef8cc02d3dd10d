"""Leader: appends on their way to each follower, and what their answers allow.

SyncObj decides what to send; this decides whether it may go now. A follower is *paused* (not
connected, in SyncObj's eyes) while its position is being probed (gap row 13), while its window or
its link is full, and while it gets a snapshot. Entries on the way are not sent twice (row 1).
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from kvraft.consensus import wire
from kvraft.consensus.links import Links
from kvraft.consensus.membership import Membership
from kvraft.consensus.messages import Append, AppendAck, Heartbeat, LogEntry, Progress
from kvraft.consensus.shared import Shared


class Pause(Enum):
    """Why SyncObj must not send to a follower now."""

    PROBE = "its position is being asked"
    WINDOW = "too many appends without an answer"
    LINK = "its link is full"
    SNAPSHOT = "it gets a snapshot"


@dataclass(slots=True)
class Follower:
    """What the leader knows of one follower, in one term."""

    match: int = 0
    """Its log is ours up to here, on its disk; counts towards commit."""
    resume_at: int = 1
    """Where to go on once nothing on the way can be relied on."""
    fed: int = 0
    """The match SyncObj was told."""
    told: int = 0
    """The commit index it was told."""
    known: bool = False
    """Its position is known: stream."""
    probe: int = 0
    """Sequence of the append that asks for it; 0: none is out."""
    asked_at: float = 0.0
    floor: int = 0
    """Refusals of appends up to this sequence are of an older burst."""
    sent_upto: int | None = None
    in_flight: deque[tuple[int, float]] = field(default_factory=deque)
    paused: Pause | None = None


class Replication:
    """One node's followers, while it leads."""

    def __init__(
        self,
        shared: Shared,
        links: Links,
        membership: Membership,
        start_snapshot: Callable[[str], None],
    ) -> None:
        self._shared = shared
        self._links = links
        self._membership = membership
        self._start_snapshot = start_snapshot
        self.followers = {peer: Follower() for peer in shared.peers}
        self._sequence = 0
        self._fed_upto = 0
        self.muted = False

    # -- life
    def begin(self) -> None:
        """A new term as leader: nothing is known of anybody."""
        self._fed_upto = 0
        for peer in self._shared.peers:
            self.followers[peer] = Follower(
                floor=self._sequence, resume_at=self._shared.journal.last_index + 1
            )
            self.refresh(peer)

    def end(self) -> None:
        """Not the leader any more: SyncObj sees connections as they are."""
        for peer in self._shared.peers:
            self.followers[peer].paused = None
            self.refresh(peer)

    def restart(self, peer: str) -> None:
        """The link's epoch ended: what was on the way may be lost, and so may its answers."""
        follower = self.followers[peer]
        if follower.paused is Pause.LINK:
            follower.paused = None
        if self._shared.switches.link_epochs and self._shared.leads:
            follower.paused = None
            self._go_back(peer, follower, follower.resume_at)
        else:
            self.refresh(peer)

    def forget_match(self, peer: str) -> None:
        """What the peer's former disk acknowledged counts for nothing from now on."""
        self.followers[peer].match = 0

    def refresh(self, peer: str) -> None:
        """Make SyncObj's idea of the connection true."""
        if self._links[peer].outbound and self.followers[peer].paused is None:
            self._shared.core.connected(peer)
        else:
            self._shared.core.disconnected(peer)

    # -- SyncObj sends
    def on_append(self, peer: str, message: dict[str, Any]) -> bool:
        """SyncObj wants these entries sent; it takes them for sent whatever happens here."""
        shared, follower = self._shared, self.followers[peer]
        if not shared.leads or message["term"] != shared.term or self.muted:
            return False
        if follower.paused is not None or not self._links[peer].outbound:
            return False
        if "serialized" in message:
            self._send_snapshot(peer)
            return True
        previous, entries = message["prevLogIdx"], message["entries"]
        if previous is None:  # beyond our log: cannot be, but SyncObj would send it
            shared.core.next_index(peer, shared.journal.last_index + 1)
            return True
        if entries and follower.sent_upto is not None and follower.sent_upto > previous:
            skip = min(len(entries), follower.sent_upto - previous)
            shared.counters["resends_trimmed"] += skip
            previous, entries = previous + skip, entries[skip:]
        if entries or not follower.known:
            self._send(peer, follower, previous, entries)
        return True

    def _send(
        self, peer: str, follower: Follower, previous: int, entries: Sequence[tuple[Any, ...]]
    ) -> None:
        now = self._shared.doors.now()
        for part in self._parts(entries):
            pause = self._send_part(peer, follower, previous, part, now)
            if pause is not None:
                self._pause(peer, pause)
                return
            previous += len(part)

    def _send_part(
        self,
        peer: str,
        follower: Follower,
        previous: int,
        part: tuple[LogEntry, ...],
        now: float,
    ) -> Pause | None:
        shared = self._shared
        previous_term = shared.journal.term_at(previous)
        assert previous_term is not None, f"entry {previous} is sent and not in the log"
        self._sequence += 1
        append = Append(
            shared.term, self._sequence, previous, previous_term, shared.core.commit, part
        )
        if not self._links.send_bulk(peer, append):
            follower.sent_upto = previous
            return Pause.LINK
        follower.sent_upto = previous + len(part)
        follower.told = append.commit
        follower.in_flight.append((self._sequence, now))
        if not follower.known and shared.switches.probe:
            follower.probe, follower.asked_at = self._sequence, now
            return Pause.PROBE
        follower.known = True
        return Pause.WINDOW if len(follower.in_flight) >= shared.flow.window_appends else None

    def _parts(self, entries: Sequence[tuple[Any, ...]]) -> list[tuple[LogEntry, ...]]:
        """Cut entries into appends of bounded size; one entry alone is always below the bound."""
        if len(entries) == 1:  # the hot path; one alone always fits
            command, _, term = entries[0]
            return [(LogEntry(term, command),)]
        limit, parts = self._shared.flow.append_bytes, []
        part: list[LogEntry] = []
        size = 0
        for command, _, term in entries:
            needs = wire.entry_bytes(command)
            if part and size + needs > limit:
                parts.append(tuple(part))
                part, size = [], 0
            part.append(LogEntry(term, command))
            size += needs
        parts.append(tuple(part))
        return parts

    # -- answers
    def on_answer(self, peer: str, message: AppendAck | Progress) -> None:
        """An append of the present term was answered."""
        shared, follower = self._shared, self.followers[peer]
        in_flight = follower.in_flight
        while in_flight and in_flight[0][0] <= message.sequence:
            in_flight.popleft()
        if message.success:
            self._accepted(peer, follower, message)
        else:
            self._refused(peer, follower, message)
        if follower.paused is Pause.WINDOW and len(in_flight) <= shared.flow.window_appends // 2:
            self._resume(peer, follower)

    def _accepted(self, peer: str, follower: Follower, message: AppendAck | Progress) -> None:
        shared = self._shared
        if message.index > shared.journal.last_index:
            if shared.switches.term_on_acks:
                shared.fatal(
                    f"{peer} acknowledges entry {message.index}, our log ends at "
                    f"{shared.journal.last_index}: one of the two logs is not what it claims"
                )
            return
        self.note_position(peer, message.index, counts=isinstance(message, AppendAck))
        if follower.probe and follower.probe == message.sequence:
            follower.probe, follower.known = 0, True
            follower.sent_upto = message.index
            self._resume(peer, follower)

    def note_position(self, peer: str, index: int, *, counts: bool) -> None:
        """The peer's log is ours up to `index`; `counts`: on the disk of a voter."""
        follower = self.followers[peer]
        follower.resume_at = max(follower.resume_at, index + 1)
        if counts and self._membership.counts(peer):
            follower.match = max(follower.match, index)
            if self._feed(peer, follower):
                self._shared.doors.wake()

    def _refused(self, peer: str, follower: Follower, message: AppendAck | Progress) -> None:
        asked = follower.probe == message.sequence != 0
        in_stream = follower.known and message.sequence > follower.floor
        if not asked and not in_stream and self._shared.switches.probe:
            return
        self._shared.counters["refusals"] += 1
        self._go_back(peer, follower, message.index)

    def _go_back(self, peer: str, follower: Follower, index: int) -> None:
        """Ask again from `index`; never from what the peer acknowledged."""
        index = max(min(index, self._shared.journal.last_index + 1), follower.match + 1)
        follower.resume_at = index
        follower.known, follower.probe, follower.floor = False, 0, self._sequence
        follower.in_flight.clear()
        follower.sent_upto = index - 1
        if follower.paused is not Pause.SNAPSHOT:
            self._resume(peer, follower)

    # -- pausing
    def _pause(self, peer: str, why: Pause) -> None:
        self.followers[peer].paused = why
        self._shared.core.disconnected(peer)

    def _resume(self, peer: str, follower: Follower) -> None:
        shared = self._shared
        follower.paused = None
        following = (follower.sent_upto or 0) + 1
        if following <= shared.journal.first_index:
            self._send_snapshot(peer)
            return
        shared.core.next_index(peer, following)
        self.refresh(peer)
        shared.doors.wake()

    def _send_snapshot(self, peer: str) -> None:
        self._pause(peer, Pause.SNAPSHOT)
        self._start_snapshot(peer)

    def snapshot_done(self, peer: str, index: int) -> None:
        """The peer has installed a snapshot that ends at `index`: stream behind it."""
        follower = self.followers[peer]
        follower.paused = None
        self._go_back(peer, follower, index + 1)

    def on_writable(self, peer: str) -> None:
        follower = self.followers[peer]
        if self._shared.leads and follower.paused is Pause.LINK:
            self._resume(peer, follower)

    # -- commit
    def feed(self) -> bool:
        """Tell SyncObj what counts by now, when more is durable here; True if it may commit."""
        durable, fed = self._shared.journal.durable_index, False
        if durable != self._fed_upto:
            self._fed_upto = durable
            for peer, follower in self.followers.items():
                fed = self._feed(peer, follower) or fed
        return fed

    def _feed(self, peer: str, follower: Follower) -> bool:
        """Gap row 5: SyncObj counts its own node always, so let nothing ahead of our own disk."""
        match = follower.match
        if self._shared.switches.leader_counts_own_disk:
            match = min(match, self._shared.journal.durable_index)
        if match <= follower.fed:
            return False
        follower.fed = match
        commits = match > self._shared.core.commit
        self._shared.core.matched(peer, match)
        if follower.sent_upto is not None and follower.sent_upto > match:
            # SyncObj goes back to match + 1 for this; what is on the way stays there.
            self._shared.core.next_index(peer, follower.sent_upto + 1)
        return commits

    def tell_commit(self, least: int) -> None:
        """Tell those that no append has told of `least` what is committed; asks for no answer."""
        shared, commit = self._shared, self._shared.core.commit
        for peer, follower in self.followers.items():
            if follower.told < least and not self.muted:
                follower.told = commit
                self._links.send(peer, Heartbeat(shared.term, 0, 0, commit))

    # -- time passes
    def poll(self, now: float) -> None:
        """Ask again what was not answered in time (RULES B1)."""
        if not self._shared.switches.ask_again:
            return
        timing = self._shared.timing
        for peer, follower in self.followers.items():
            if follower.probe:
                overdue = now - follower.asked_at > timing.election_min_ms / 1000
            else:
                # A slow disk delays acks too, so these get longer, and one append asks again.
                oldest = follower.in_flight[0][1] if follower.in_flight else now
                overdue = now - oldest > 2 * timing.election_max_ms / 1000
            if overdue and follower.paused is not Pause.SNAPSHOT:
                self._shared.counters["asked_again"] += 1
                self._go_back(peer, follower, follower.resume_at)
