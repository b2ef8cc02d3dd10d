"""Follower: what the leader sends, put into the only form in which SyncObj handles it safely.

Gap row 1: SyncObj truncates behind prevLogIdx even where entries match. So what is there already is
trimmed off, a real conflict is delivered from the first conflicting entry on, and a conflict with
anything committed stops the node. Acks wait for the disk (row 5).
"""

from kvraft.consensus.links import Links
from kvraft.consensus.membership import Membership
from kvraft.consensus.messages import Append, AppendAck, Progress
from kvraft.consensus.shared import Shared


class Reception:
    """One node's log, as leaders extend it."""

    def __init__(self, shared: Shared, links: Links, membership: Membership) -> None:
        self._shared = shared
        self._links = links
        self._membership = membership
        self._leader = ""
        self._matched = (0, 0)  # in this term, our log is the leader's up to this index
        self._target = 0  # what may be committed, as far as we know

    # -- commit
    def note_commit(self, peer: str, term: int, commit: int) -> None:
        """The leader of `term` has committed so far; it counts as far as our log is its own."""
        self._leader = peer
        if self._matched[0] == term:
            self._target = max(self._target, min(commit, self._matched[1]))
        self.follow(peer, term)

    def follow(self, peer: str, term: int) -> None:
        """Tell SyncObj who leads and what is committed, where that is news."""
        core = self._shared.core
        if term > core.term or core.is_candidate or self._target > core.commit:
            self._deliver(peer, term, [], self._last)

    # -- appends
    def on_append(self, peer: str, message: Append) -> None:
        """Store, refuse, or find that it is here already; then answer."""
        if not self._shared.switches.normalise_appends:
            self._as_it_came(peer, message)
            return
        journal = self._shared.journal
        end = message.previous_index + len(message.entries)
        skip = max(journal.first_index - message.previous_index, 0)
        if skip > len(message.entries):
            # All of it lies below our snapshot: committed, hence equal.
            self._accept(peer, message, end)
            return
        previous = message.previous_index + skip
        term = message.entries[skip - 1].term if skip else message.previous_term
        ours = journal.term_at(previous)
        if ours is None:
            self._refuse(peer, message, journal.last_index + 1)
        elif ours != term:
            self._conflict(peer, message, previous, ours)
        else:
            self._store(peer, message, skip)
            self._accept(peer, message, end)

    def _store(self, peer: str, message: Append, skip: int) -> None:
        """Everything up to entry `skip` of the message is here; keep what matches, add the rest."""
        journal, entries = self._shared.journal, message.entries
        base = message.previous_index
        first_given = skip
        while skip < len(entries) and journal.term_at(base + skip + 1) == entries[skip].term:
            skip += 1
        self._shared.counters["duplicates_trimmed"] += skip - first_given
        if skip == len(entries):
            return
        previous = base + skip
        if previous < journal.last_index and previous + 1 <= self._settled:
            self._shared.fatal(
                f"{peer} would overwrite entry {previous + 1}, which is committed here"
            )
        term = journal.term_at(previous)
        assert term is not None
        new = [
            (entry.command, base + 1 + at, entry.term)
            for at, entry in enumerate(entries[skip:], skip)
        ]
        self._deliver(peer, message.term, new, (previous, term))
        if journal.last_index != base + len(entries):
            self._shared.fatal("SyncObj refused a normalised append")

    def _conflict(self, peer: str, message: Append, previous: int, ours: int) -> None:
        """Our entry at `previous` is another: say where its whole term begins (row 14)."""
        floor, journal = self._settled, self._shared.journal
        if previous <= floor:
            self._shared.fatal(
                f"{peer} contradicts entry {previous} (its term {message.previous_term}, "
                f"ours {ours}), which is committed here"
            )
        self._shared.counters["conflicts"] += 1
        retry = previous
        if self._shared.switches.fast_backtracking:
            while retry - 1 > floor and journal.term_at(retry - 1) == ours:
                retry -= 1
        self._refuse(peer, message, retry)

    def _accept(self, peer: str, message: Append, end: int) -> None:
        matched = self._matched[1] if self._matched[0] == message.term else 0
        self._matched = (message.term, max(matched, end))
        self.note_commit(peer, message.term, message.commit)
        self._answer(peer, message, index=end, success=True)

    def _refuse(self, peer: str, message: Append, index: int) -> None:
        self.follow(peer, message.term)
        self._answer(peer, message, index=index, success=False)

    def _answer(self, peer: str, message: Append, *, index: int, success: bool) -> None:
        term, request = self._shared.term, message.term
        kind = Progress if self._membership.silent else AppendAck
        answer = kind(term, request, message.sequence, success, index)
        self._links.send_durable(peer, answer, hold=self._shared.switches.hold_acks_for_disk)

    def announce(self) -> None:
        """This node counts from now on: say what it holds of the leader's log."""
        term, end = self._matched
        if term == self._shared.term and self._leader:
            ack = AppendAck(term, term, 0, True, end)
            self._links.send_durable(self._leader, ack)

    def _as_it_came(self, peer: str, message: Append) -> None:
        """The mutant: what SyncObj would do with it."""
        journal = self._shared.journal
        base = message.previous_index
        new = [
            (entry.command, base + 1 + at, entry.term) for at, entry in enumerate(message.entries)
        ]
        previous = (message.previous_index, message.previous_term)
        self._shared.core.append(peer, message.term, previous, new, message.commit)
        if journal.term_at(base) != message.previous_term:
            self._answer(peer, message, index=min(base, journal.last_index + 1), success=False)
        else:
            self._matched = (message.term, base + len(new))
            self._answer(peer, message, index=base + len(new), success=True)

    # -- SyncObj
    def _deliver(
        self,
        peer: str,
        term: int,
        entries: list[tuple[bytes, int, int]],
        previous: tuple[int, int],
    ) -> None:
        self._shared.core.append(peer, term, previous, entries, self._target)

    @property
    def _last(self) -> tuple[int, int]:
        return self._shared.journal.last_index, self._shared.journal.last_term

    @property
    def _settled(self) -> int:
        """What can never change any more."""
        core = self._shared.core
        return max(core.commit, core.applied, self._shared.journal.first_index)
