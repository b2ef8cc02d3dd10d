"""What the state machine answers: immutable values, one kind for each command."""

from enum import IntEnum
from typing import NamedTuple

from kvraft.core.commands import Fence
from kvraft.core.errors import Reason
from kvraft.core.values import value


class KeyValue(NamedTuple):
    """One key with its value and revisions, as of the moment of the answer."""

    key: bytes
    value: bytes
    create_revision: int
    mod_revision: int
    version: int
    lease_id: int
    """0 where no lease is attached."""
    value_omitted: bool = False
    """The value was left out, because the reply would have been larger than `reply_bytes`."""


@value
class PutResult:
    """A write that was applied; `previous` only where it was asked for and there was one."""

    entry: KeyValue
    previous: KeyValue | None = None


@value
class DeleteResult:
    """How many entries went; 0 took no revision."""

    deleted: int
    previous: KeyValue | None = None


@value
class CasResult:
    """`succeeded` with the new entry, or not, with the current one (None: absent)."""

    succeeded: bool
    entry: KeyValue | None


@value
class UpdateResult:
    """An update that was applied: the entry after it and before it (None: absent)."""

    entry: KeyValue | None
    previous: KeyValue | None


@value
class Unmet:
    """The condition was false: an answer, nothing was applied."""

    clause: int
    """Index, in reading order, of the first clause that made it false."""
    mismatched: tuple[int, ...]
    """Clauses that could not be compared, for the type of what they met."""
    entries: tuple[KeyValue, ...]
    """What stands now at the keys that the condition names (once each; absent ones are missing)."""


@value
class GetResult:
    """What a transaction read; None: absent."""

    entry: KeyValue | None


@value
class TxnResult:
    """A transaction that was applied: `unmet` None where `then` was done, one result for each."""

    unmet: Unmet | None
    results: tuple["OperationResult", ...]


@value
class InvariantResult:
    """The invariant stands (or is gone, where nothing is demanded any more)."""

    key: bytes
    is_prefix: bool


@value
class SessionResult:
    """A session that was opened or closed."""

    session_id: int


@value
class Resolved:
    """For good: what an identity's mutation was answered (None: never applied, and never will be).

    `omitted`: part of it was too large to keep, see `outline`; read at `revision`.
    """

    result: "Result | None"
    revision: int = 0
    omitted: bool = False


@value
class Replayed:
    """The stored reply to an identity that was answered before, and the revision after it."""

    result: "Result"
    revision: int
    omitted: bool = False
    """Part of it was too large to keep, see `outline`; read at `revision`."""


@value
class LeaseResult:
    """A lease as it stands: granted TTL, and what remains of it in cluster time."""

    lease_id: int
    ttl_ms: int
    remaining_ms: int


@value
class RevokeResult:
    """A lease that ended on request, and how many keys went with it."""

    lease_id: int
    deleted: int


class Standing(IntEnum):
    """How an acquisition stands."""

    QUEUED = 1
    GRANTED = 2
    ENDED = 3


class Ending(IntEnum):
    """Why an acquisition ended."""

    RELEASED = 1
    """On request, or cancelled while it waited."""
    TIMED_OUT = 2
    """It waited for longer than `wait_ms`."""
    UNATTENDED = 3
    """Nobody waited any more, or nobody confirmed the grant."""
    LEASE_EXPIRED = 4
    LEASE_REVOKED = 5


@value
class AcquireResult:
    """How an acquisition stands, for good only where it ended."""

    place: int
    """Its number; lower ones were there first."""
    standing: Standing
    lease_id: int = 0
    fences: tuple[Fence, ...] = ()
    """Of a granted one: each lock with its token."""
    position: int = 0
    """Of a queued one: how many places are ahead of it, of all its queues the longest."""
    holders: tuple[int, ...] = ()
    """Of a queued one: tokens that are in its way, at most 16."""
    ending: Ending | None = None


@value
class ReleaseResult:
    """Whether there was such an acquisition; where there was none, nothing changed."""

    released: bool


@value
class AttachResult:
    """How many of the places were still there."""

    attached: int


@value
class GuardResult:
    """The guard stands (or is gone)."""

    prefix: bytes


@value
class MemberResult:
    """The member table took effect: which cluster, and which disk stands for the name.

    The answer to a `Bootstrap` is about no single name: "" and 0.
    """

    cluster_id: int
    name: str
    disk_id: int


@value
class MarkerResult:
    """The index at which every node hashes its state for this nonce."""

    index: int
    nonce: int


@value
class Refused:
    """The command changed nothing: why, in a word for programs and a sentence for people."""

    reason: Reason
    message: str


Result = (
    PutResult
    | DeleteResult
    | CasResult
    | UpdateResult
    | TxnResult
    | Unmet
    | InvariantResult
    | SessionResult
    | Resolved
    | Replayed
    | LeaseResult
    | RevokeResult
    | AcquireResult
    | ReleaseResult
    | AttachResult
    | GuardResult
    | MemberResult
    | MarkerResult
    | Refused
)


@value
class Page:
    """Part of a range in key order; `more` says that entries follow the last one."""

    entries: tuple[KeyValue, ...]
    more: bool


OperationResult = PutResult | DeleteResult | UpdateResult | GetResult | Page | TxnResult
"""Of one operation inside a transaction."""


@value
class LeaseDescription:
    """A lease with its keys, for people and for `lease show`; a list leaves the keys out."""

    lease_id: int
    ttl_ms: int
    remaining_ms: int
    keys: tuple[bytes, ...]
    key_count: int = 0
    """How many keys it has, also where `keys` is left out."""


@value
class PlaceDescription:
    """One acquisition of a lock, for people."""

    place: int
    owner: bytes
    lease_id: int
    mode: int
    token: int
    """0 where it is queued."""
    since_ms: int
    """Cluster time of the grant or, of a queued one, of its enqueueing."""


@value
class LockDescription:
    """A lock that somebody holds or waits for; holders by token, waiters in their order."""

    name: bytes
    capacity: int
    holders: tuple[PlaceDescription, ...]
    waiters: tuple[PlaceDescription, ...]
    holder_count: int
    waiter_count: int
