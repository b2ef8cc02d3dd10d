"""SyncObj's journal on the write-ahead log: the log in memory, every change of it recorded.

SyncObj's own has no fsync and no checksum, and is rewritten in place (gap rows 5 to 9). This one
never blocks: each change is appended to the write-ahead log, which gives it a sequence; what is
durable is learned later, through `on_durable`. The commit index is never stored (row 6).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from kvraft.consensus import records
from kvraft.consensus.envelope import NO_OP
from kvraft.consensus.records import FIRST_INDEX, Entry, Members, Stored, Vote
from kvraft.consensus.timing import Flow


class Log(Protocol):
    """The part of `storage.wal.WriteAheadLog` that is used here."""

    sequence: int
    preamble: Callable[[], Sequence[tuple[int, int, bytes]]]

    @property
    def recovered(self) -> Iterable[Stored]:
        """What was in the log, oldest first; durable."""
        ...

    def append(self, kind: int, version: int, payload: bytes) -> int:
        """Buffer one record; return its sequence."""
        ...


class JournalError(Exception):
    """The log contradicts the snapshot, or SyncObj asks for what it must never ask for."""


class Journal:
    """SyncObj's view comes first (its names, its list indexes), then ours (log indexes)."""

    def __init__(
        self, log: Log, flow: Flow | None = None, *, distrust_stored_commit: bool = True
    ) -> None:
        state = records.replay(log.recovered)
        self._log = log
        self._flow = flow or Flow()
        self._distrust_stored_commit = distrust_stored_commit
        self.entries = state.entries or [Entry(NO_OP, FIRST_INDEX, 0)]
        self._sequences = state.sequences or [0]
        self.vote = state.vote
        self.members = state.members
        self.durable_sequence = log.sequence
        self.durable_index = self.entries[-1].log_index
        self.commit = self.getRaftCommitIndex()
        """What SyncObj has committed: it says so at each change. Never stored (gap row 6)."""
        self.on_add: Callable[[Entry], None] | None = None
        self.on_cut: Callable[[int], None] | None = None
        self._adopting = False
        log.preamble = self._preamble

    # -- what SyncObj calls
    def add(self, command: bytes, index: int, term: int) -> None:
        """Append an entry."""
        if self._adopting:
            return
        entry = Entry(command, index, term)
        if index != self.entries[-1].log_index + 1:
            raise JournalError(f"entry {index} behind entry {self.entries[-1].log_index}")
        self._sequences.append(self._append(records.ADD, records.pack_add(entry)))
        self.entries.append(entry)
        if self.on_add is not None:
            self.on_add(entry)

    def clear(self) -> None:
        """Allowed only around a snapshot, where `reset` has done it already."""
        if not self._adopting:
            raise JournalError("SyncObj cleared the log on its own")

    def deleteEntriesFrom(self, at: int) -> None:  # noqa: N802 (SyncObj's name)
        """Drop the list tail from position `at`: a conflict with a newer leader."""
        index = self.entries[0].log_index + at
        if self.on_cut is not None:
            self.on_cut(index)
        self._append(records.CUT, records.pack_cut(index))
        del self.entries[at:], self._sequences[at:]
        self.durable_index = min(self.durable_index, self.entries[-1].log_index)

    def deleteEntriesTo(self, at: int) -> None:  # noqa: N802 (SyncObj's name)
        """Refuse: SyncObj's compaction is off (gap row 7)."""
        raise JournalError(f"SyncObj compacted its log at {at}")

    def __getitem__(self, key: int | slice) -> Entry | list[Entry]:
        """Return an entry, or the beginning of a slice.

        SyncObj slices to send (the whole tail, each time) and to apply (all that is committed, in
        one tick: gap row 24). It goes on from where it got to, so it gets a bounded part.
        """
        if key.__class__ is int:  # by far the most, a dozen for each entry
            return self.entries[key]
        assert isinstance(key, slice)
        found = self.entries[key.start : key.start + self._flow.apply_batch][: self._span(key)]
        size = 0
        for at, entry in enumerate(found):
            size += len(entry.command)
            if at and size > self._flow.apply_bytes:
                return found[:at]
        return found

    @staticmethod
    def _span(key: slice) -> int | None:
        return None if key.stop is None else max(key.stop - key.start, 0)

    def __len__(self) -> int:
        return len(self.entries)

    def setRaftCommitIndex(self, index: int) -> None:  # noqa: N802 (SyncObj's name)
        """Note it, in memory: a stored one may outlive the entries it covers (gap row 6)."""
        self.commit = index

    def getRaftCommitIndex(self) -> int:  # noqa: N802 (SyncObj's name)
        """Return the first index: what is committed is learned again."""
        return FIRST_INDEX if self._distrust_stored_commit else self.last_index

    def setCurrentTerm(self, term: int, voted_for: str | None) -> None:  # noqa: N802
        """Record term and vote."""
        if term < self.vote.term:
            raise JournalError(f"term {term} after term {self.vote.term}")
        spent = self.vote.spent and term == self.vote.term
        self._set_vote(Vote(term, voted_for, spent, self.vote.rejoined))

    def getCurrentTerm(self) -> int:  # noqa: N802 (SyncObj's name)
        """Return the newest term known."""
        return self.vote.term

    def getVotedForNodeId(self) -> str | None:  # noqa: N802 (SyncObj's name)
        """Return whom this node voted for in it."""
        return self.vote.voted_for

    def onOneSecondTimer(self) -> None:  # noqa: N802 (SyncObj's name)
        """Nothing waits for a timer here."""

    def _destroy(self) -> None:
        """Nothing to close: the write-ahead log is its opener's."""

    # -- what the guards call
    @property
    def first_index(self) -> int:
        return self.entries[0].log_index

    @property
    def last_index(self) -> int:
        return self.entries[-1].log_index

    @property
    def last_term(self) -> int:
        return self.entries[-1].term

    @property
    def sequence(self) -> int:
        """Of the newest change; it is durable once `durable_sequence` has reached it."""
        return self._log.sequence

    @property
    def durable(self) -> bool:
        """Everything said so far survives a power loss."""
        return self.durable_sequence >= self._log.sequence

    def term_at(self, index: int) -> int | None:
        """Return the term of entry `index`; None outside the log kept here."""
        at = index - self.entries[0].log_index
        return self.entries[at].term if 0 <= at < len(self.entries) else None

    def on_durable(self, sequence: int) -> None:
        """Everything up to `sequence` is on disk."""
        self.durable_sequence = max(self.durable_sequence, sequence)
        at = max(self.durable_index - self.entries[0].log_index, -1) + 1
        while at < len(self.entries) and self._sequences[at] <= self.durable_sequence:
            at += 1
        self.durable_index = self.entries[0].log_index + at - 1

    def spend_vote(self) -> int:
        """Make a rejoined node a voter, without a vote in the present term; return the sequence."""
        spent = replace(self.vote, spent=True, rejoined=True)
        return self._set_vote(spent)

    def set_members(self, members: Members) -> None:
        """Record the member table."""
        self._append(records.MEMBERS, records.pack_members(members))
        self.members = members

    def align(self, index: int, term: int, *, keep_suffix: bool = True) -> None:
        """Make the log continue a snapshot that ends at (index, term). JournalError: a hole.

        What extends the snapshot is kept (gap row 4); a log that ends before it, or differs there
        and so was never committed, starts again from it.
        """
        if keep_suffix and self.term_at(index) == term:
            return
        if self.first_index > index and self.first_index > FIRST_INDEX:
            raise JournalError(
                f"the log begins at entry {self.first_index}, the snapshot ends at {index}: "
                "entries between are missing; restore the directory, or start with --rejoin"
            )
        if term > self.vote.term:
            # A crash kept the snapshot, but not yet the log's word of its term: no vote of that
            # term was durable, so none was ever sent.
            self._set_vote(Vote(term, None, spent=False, rejoined=self.vote.rejoined))
        self.reset(index, term)

    def reset(self, index: int, term: int) -> None:
        """Start again behind a snapshot that ends at (index, term)."""
        sequence = self._append(records.RESET, records.pack_reset(index, term))
        self.entries = [Entry(NO_OP, index, term)]
        self._sequences = [sequence]
        self.durable_index = 0  # known again once the record is durable

    @contextmanager
    def adopting(self) -> Iterator[None]:
        """While SyncObj loads a snapshot: its clear and adds change nothing, `reset` has."""
        self._adopting = True
        try:
            yield
        finally:
            self._adopting = False

    def trim(self, index: int, keep_bytes: int) -> int:
        """Forget entries covered by the snapshot at `index` beyond `keep_bytes` of them.

        Returns the sequence from which on the log on disk is still needed.
        """
        at = min(index, self.last_index) - self.first_index
        kept = 0
        while at > 0 and kept + len(self.entries[at].command) <= keep_bytes:
            kept += len(self.entries[at].command)
            at -= 1
        if at > 0:
            del self.entries[:at], self._sequences[:at]
        return self._sequences[0]

    def _set_vote(self, vote: Vote) -> int:
        sequence = self._append(records.TERM, records.pack_vote(vote))
        self.vote = vote
        return sequence

    def _append(self, kind: int, payload: bytes) -> int:
        return self._log.append(kind, records.VERSION, payload)

    def _preamble(self) -> list[tuple[int, int, bytes]]:
        return [
            (records.TERM, records.VERSION, records.pack_vote(self.vote)),
            (records.MEMBERS, records.VERSION, records.pack_members(self.members)),
        ]
