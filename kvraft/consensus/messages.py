"""What nodes say to each other: frozen values, no behaviour. `wire` gives them their bytes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """What all have: the sender's term when it spoke."""

    term: int


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry as it travels; its index follows from its place in the append."""

    term: int
    command: bytes
    """In SyncObj's form, see `envelope`; only the payload travels."""


@dataclass(frozen=True, slots=True)
class Append(Message):
    """Entries to store behind (previous_index, previous_term); `sequence` numbers the question."""

    sequence: int
    previous_index: int
    previous_term: int
    commit: int
    entries: tuple[LogEntry, ...]


@dataclass(frozen=True, slots=True)
class _AppendAnswer(Message):
    request_term: int
    sequence: int
    success: bool
    index: int
    """Success: the log matches the leader's up to here. Else: where to go on from."""


@dataclass(frozen=True, slots=True)
class AppendAck(_AppendAnswer):
    """It is on my disk: counts towards commit."""


@dataclass(frozen=True, slots=True)
class Progress(_AppendAnswer):
    """How far a rejoining node is: steers the flow, counts for nothing (RULES B2)."""


@dataclass(frozen=True, slots=True)
class VoteRequest(Message):
    """A campaign in `term`; `forced` by a leadership transfer, past stickiness."""

    last_index: int
    last_term: int
    forced: bool


@dataclass(frozen=True, slots=True)
class VoteAnswer(Message):
    """The vote of `term`, or its refusal, so that a split vote is known at once."""

    granted: bool


@dataclass(frozen=True, slots=True)
class PreVoteRequest(Message):
    """Would you vote for me in `term` + 1? Changes nothing anywhere."""

    round: int
    last_index: int
    last_term: int


@dataclass(frozen=True, slots=True)
class PreVoteAnswer(Message):
    """The answer of pre-vote `round`."""

    round: int
    granted: bool


@dataclass(frozen=True, slots=True)
class HigherTerm(Message):
    """You speak in an old term."""


@dataclass(frozen=True, slots=True)
class Heartbeat(Message):
    """Proof of life and question of a read round; `heard` is the newest number heard from you."""

    number: int
    heard: int
    commit: int


@dataclass(frozen=True, slots=True)
class HeartbeatAck(Message):
    """I am in your term and heard `number`."""

    number: int


@dataclass(frozen=True, slots=True)
class TimeoutNow(Message):
    """Campaign now: leadership is being handed to you (thesis 3.10)."""


@dataclass(frozen=True, slots=True)
class SnapshotChunk(Message):
    """Bytes of the snapshot (index, snapshot_term) from `offset`; `total` in all."""

    index: int
    snapshot_term: int
    offset: int
    total: int
    commit: int
    data: bytes


@dataclass(frozen=True, slots=True)
class SnapshotAck(Message):
    """Received up to `offset`; `installed`: durable and in use."""

    request_term: int
    index: int
    offset: int
    installed: bool


@dataclass(frozen=True, slots=True)
class Join(Message):
    """My disk is new: propose `MemberDisk` for it (RULES B2, B3)."""

    disk_id: int
    command_version: int


@dataclass(frozen=True, slots=True)
class ReadAsk(Message):
    """Which index must I have applied? `nonce` is used once."""

    nonce: int


@dataclass(frozen=True, slots=True)
class ReadAnswer(Message):
    """The read index for `nonce`."""

    nonce: int
    index: int


@dataclass(frozen=True, slots=True)
class ApplicationMessage(Message):
    """Bytes of the node above (forwarding)."""

    payload: bytes
