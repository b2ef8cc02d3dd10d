"""Payloads of consensus' records in the write-ahead log, and their replay into a log.

Kinds: ADD one entry; CUT everything from an index on; TERM the vote; RESET to a snapshot's end;
MEMBERS which disk counts for each name. TERM and MEMBERS are absolute, so every new segment opens
with them and older segments can go.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from struct import Struct
from struct import error as struct_error
from typing import Final, NamedTuple, Protocol

from kvraft.consensus import envelope

VERSION: Final = 1
ADD, CUT, TERM, RESET, MEMBERS = 1, 2, 3, 4, 5
FIRST_INDEX: Final = 1
"""Every log begins with SyncObj's own no-op of term 0 here, the same on all nodes."""

_ADD: Final = Struct("<QQB")  # index, term, is a no-op
_CUT: Final = Struct("<Q")
_TERM: Final = Struct("<QBB")  # term, spent vote, finished rejoin; then the vote's name
_RESET: Final = Struct("<QQ")
_MEMBERS: Final = Struct("<QQB")  # cluster id, index of the change, members
_MEMBER: Final = Struct("<QB")  # disk id, bytes of the name that follows


class RecordError(ValueError):
    """A record that is whole but makes no sense: damage, or a newer version's log."""


class Entry(NamedTuple):
    """SyncObj's form of a log entry; it takes it for a plain tuple."""

    command: bytes
    log_index: int
    term: int


@dataclass(frozen=True, slots=True)
class Vote:
    """The durable part of an election: the term, and what this node did in it."""

    term: int = 0
    voted_for: str | None = None
    spent: bool = False
    """The vote of this term is gone, though nobody may have it (RULES B2)."""
    rejoined: bool = False
    """This disk came by a rejoin, and its node is a voter since."""


@dataclass(frozen=True, slots=True)
class Members:
    """The member table as last applied here, so that a restart knows who counts."""

    cluster_id: int = 0
    index: int = 0
    disks: Mapping[str, int] = field(default_factory=dict)


class Stored(Protocol):
    """A record of the write-ahead log."""

    @property
    def sequence(self) -> int: ...
    @property
    def kind(self) -> int: ...
    @property
    def version(self) -> int: ...
    @property
    def payload(self) -> bytes: ...


def pack_add(entry: Entry) -> bytes:
    """Return the payload of ADD; the payload of the command only, never a pickle."""
    head = _ADD.pack(entry.log_index, entry.term, entry.command == envelope.NO_OP)
    return b"".join((head, envelope.payload_of(entry.command)))


def pack_cut(index: int) -> bytes:
    """Return the payload of CUT: no entry from `index` on."""
    return _CUT.pack(index)


def pack_vote(vote: Vote) -> bytes:
    """Return the payload of TERM."""
    return _TERM.pack(vote.term, vote.spent, vote.rejoined) + (vote.voted_for or "").encode()


def pack_reset(index: int, term: int) -> bytes:
    """Return the payload of RESET: the log is what a snapshot ending here leaves of it."""
    return _RESET.pack(index, term)


def pack_members(members: Members) -> bytes:
    """Return the payload of MEMBERS."""
    parts = [_MEMBERS.pack(members.cluster_id, members.index, len(members.disks))]
    for name, disk_id in sorted(members.disks.items()):
        parts.append(_MEMBER.pack(disk_id, len(name.encode())) + name.encode())
    return b"".join(parts)


@dataclass(slots=True)
class Replay:
    """The log that the records describe. Entries below the first known one are in a snapshot."""

    entries: list[Entry] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    vote: Vote = field(default_factory=Vote)
    members: Members = field(default_factory=Members)

    def feed(self, record: Stored) -> None:
        """Apply one record; RecordError if it cannot follow what came before."""
        if record.version != VERSION:
            raise RecordError(
                f"log record {record.sequence} has version {record.version}, "
                f"this node knows {VERSION}: run the version that wrote it, or a newer one"
            )
        try:
            self._apply(record)
        except (struct_error, UnicodeDecodeError, IndexError) as error:
            raise RecordError(f"log record {record.sequence} is malformed: {error}") from error

    def _apply(self, record: Stored) -> None:
        data = record.payload
        if record.kind == ADD:
            index, term, is_no_op = _ADD.unpack_from(data)
            payload = memoryview(data)[_ADD.size :]
            command = envelope.NO_OP if is_no_op else envelope.wrap(payload)
            self._add(Entry(command, index, term), record.sequence)
        elif record.kind == CUT:
            (index,) = _CUT.unpack(data)
            self._cut(index)
        elif record.kind == TERM:
            term, spent, rejoined = _TERM.unpack_from(data)
            name = data[_TERM.size :].decode()
            self.vote = Vote(term, name or None, bool(spent), bool(rejoined))
        elif record.kind == RESET:
            index, term = _RESET.unpack(data)
            self.entries = [Entry(envelope.NO_OP, index, term)]
            self.sequences = [record.sequence]
        elif record.kind == MEMBERS:
            self.members = _members(data)
        else:
            raise RecordError(f"log record {record.sequence} has the unknown kind {record.kind}")

    def _add(self, entry: Entry, sequence: int) -> None:
        if not self.entries and entry.log_index == FIRST_INDEX + 1:
            self.entries = [Entry(envelope.NO_OP, FIRST_INDEX, 0)]
            self.sequences = [0]
        if self.entries and entry.log_index != self.entries[-1].log_index + 1:
            raise RecordError(
                f"log record {sequence} adds entry {entry.log_index} "
                f"behind entry {self.entries[-1].log_index}"
            )
        self.entries.append(entry)
        self.sequences.append(sequence)

    def _cut(self, index: int) -> None:
        if not self.entries:
            return
        keep = max(index - self.entries[0].log_index, 0)
        del self.entries[keep:], self.sequences[keep:]


def replay(records: Iterable[Stored]) -> Replay:
    """Return the log that `records` describe; RecordError on the first that cannot be."""
    state = Replay()
    for record in records:
        state.feed(record)
    return state


def _members(data: bytes) -> Members:
    cluster_id, index, count = _MEMBERS.unpack_from(data)
    at, disks = _MEMBERS.size, {}
    for _ in range(count):
        disk_id, size = _MEMBER.unpack_from(data, at)
        at += _MEMBER.size
        disks[data[at : at + size].decode()] = disk_id
        at += size
    if at != len(data):
        raise RecordError(f"a member table with {len(data) - at} bytes behind it")
    return Members(cluster_id, index, disks)
