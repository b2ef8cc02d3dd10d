"""What a log entry can ask of the state machine: immutable values, no behaviour.

An entry of the log is a batch: one stamp of cluster time and the commands that arrived while the
previous batch was being written. `codec` turns it into bytes; each command carries its version
there, so that an old node refuses what it does not know instead of guessing.
"""

from dataclasses import field
from enum import IntEnum

from kvraft.core.actions import Action
from kvraft.core.conditions import Condition
from kvraft.core.limits import ApplyLimits
from kvraft.core.values import value

EMPTY_SLOT = 0
"""The disk id of a member whose disk nobody has seen yet."""
COMMAND_VERSION = 2
"""The newest command version this code can apply; members record theirs (`Member`)."""


@value
class Put:
    """Write a key. The lease attachment is replaced unless `keep_lease`."""

    key: bytes
    value: bytes
    lease_id: int | None = None
    ttl_ms: int | None = None
    keep_lease: bool = False
    return_previous: bool = False


@value
class Delete:
    """Delete one key; an absent key is no error and takes no revision."""

    key: bytes
    return_previous: bool = False


@value
class DeleteRange:
    """Delete start <= key < end (no upper bound where `end` is None), all in one revision."""

    start: bytes
    end: bytes | None


@value
class Expect:
    """What a compare-and-set demands of the current entry; every part that is set must hold."""

    absent: bool = False
    value: bytes | None = None
    version: int | None = None
    mod_revision: int | None = None
    create_revision: int | None = None


ABSENT = Expect(absent=True)


@value
class CompareAndSet:
    """Write a key if, and only if, `expect` holds for its current entry."""

    key: bytes
    value: bytes
    expect: Expect
    lease_id: int | None = None
    ttl_ms: int | None = None
    keep_lease: bool = False


@value
class Update:
    """Apply actions to one key, in order, in one step; the lease attachment is kept unless set."""

    key: bytes
    actions: tuple[Action, ...]
    lease_id: int | None = None
    ttl_ms: int | None = None


@value
class Get:
    """Read one key inside a transaction; it sees the writes before it."""

    key: bytes


@value
class GetRange:
    """Read start <= key < end inside a transaction, at most `limit` entries."""

    start: bytes
    end: bytes | None
    limit: int
    keys_only: bool = False


@value
class Txn:
    """Evaluate `condition` (None: true), then do `then` or `orelse`, in order, at one revision.

    All of it or, where one operation is refused, nothing. A Txn inside holds none itself.
    """

    condition: Condition | None
    then: tuple["Operation", ...]
    orelse: tuple["Operation", ...] = ()


Operation = Put | Delete | DeleteRange | Update | Get | GetRange | Txn


@value
class LeaseGrant:
    """Grant a lease; `lease_id` None lets the store choose."""

    ttl_ms: int
    lease_id: int | None = None


@value
class LeaseKeepAlive:
    """Move the deadline of a live lease to cluster time + its TTL."""

    lease_id: int


@value
class LeaseRevoke:
    """End a lease now; its keys go in the same revision."""

    lease_id: int


@value
class SetInvariant:
    """Demand something of every later value of a key, or (`is_prefix`) of all keys under one.

    All three unset removes the invariant. `minimum` and `maximum` are of int64 values.
    """

    key: bytes
    is_prefix: bool
    minimum: int | None = None
    maximum: int | None = None
    immutable: bool = False


class LockMode(IntEnum):
    """Who may hold a lock together. Places of different kinds never stand in one lock's queue."""

    EXCLUSIVE = 1
    SHARED = 2
    """With other shared holders; behind any exclusive place that was there first."""
    COUNTED = 3
    """Up to `capacity` holders, on which all places of the lock agree."""


@value
class Acquire:
    """Take a place in the queue of each lock; held once it heads them all, each with its token.

    The acquisition is known by `key`: whoever asks with it again is told of this same place (I6).
    """

    key: bytes
    names: tuple[bytes, ...]
    """Sorted and distinct; several only where the mode is exclusive."""
    mode: LockMode = LockMode.EXCLUSIVE
    capacity: int = 1
    lease_id: int | None = None
    ttl_ms: int | None = None
    """Instead of `lease_id`: grant a lease for this acquisition. It ends if the wait does."""
    owner: bytes = b""
    """Who would wait for itself: a task, the same for all its locks (B6). Empty: nobody knows."""
    wait_ms: int | None = None
    """Leave the queue after so long, in cluster time; 0: do not queue; None: no limit."""
    max_hold_ms: int | None = None
    """Report it when it is held for longer; nothing else happens."""


@value
class Attach:
    """Say that somebody still waits at these places; the others leave (B8)."""

    places: tuple[int, ...]


@value
class Confirm:
    """Say that the caller knows that it holds: a grant that nobody confirms is taken back (B8)."""

    key: bytes


@value
class Fence:
    """A claim: the current holder of `lock` has exactly this token."""

    lock: bytes
    token: int


@value
class Release:
    """End an acquisition, by its key or by the fence of one of its locks; it may still be queued.

    `end_lease` ends its lease too, with all that hangs on it, in the same revision.
    `unless_confirmed` is a node's, that saw a stream break: a grant that its client has confirmed
    stays.
    """

    key: bytes | None = None
    fence: Fence | None = None
    end_lease: bool = False
    unless_confirmed: bool = False


@value
class GuardPrefix:
    """Refuse mutations under a prefix without the fence of a lock's exclusive holder (I4).

    The lock is `lock`, or (`per_key`) the one named like the key. Neither: the guard is removed.
    """

    prefix: bytes
    lock: bytes | None = None
    per_key: bool = False


@value
class SessionOpen:
    """Open a session; its id is never given again."""


@value
class SessionClose:
    """End a session: what is not acknowledged in it can be asked about no more."""

    session_id: int


@value
class SessionIdentity:
    """The `sequence`-th mutation of a session; all below `first_unacked` were answered."""

    session_id: int
    sequence: int
    first_unacked: int


@value
class KeyIdentity:
    """An identity of the caller's own, kept `key_retention_ms` after the mutation."""

    key: bytes


Identity = SessionIdentity | KeyIdentity


@value
class Resolve:
    """Ask for good what became of an identity: its stored reply, or it is burned."""

    identity: Identity


@value
class Member:
    """A node as the replicated state knows it: the disk that may vote under its name."""

    name: str
    disk_id: int
    command_version: int = COMMAND_VERSION


@value
class Bootstrap:
    """Give the cluster its identity, members and limits; the first wins, later ones do nothing."""

    cluster_id: int
    members: tuple[Member, ...]
    limits: ApplyLimits


@value
class MemberDisk:
    """Bind a member's name to another disk (rejoin after a lost disk)."""

    member: Member


@value
class HashMarker:
    """Make every node hash its state at this entry's index; `nonce` tells markers apart."""

    nonce: int


Mutation = (
    Put
    | Delete
    | DeleteRange
    | CompareAndSet
    | Update
    | Txn
    | LeaseGrant
    | LeaseRevoke
    | SetInvariant
    | GuardPrefix
    | Release
)
"""What can carry an identity and fences; what writes keys, a condition too."""


@value
class Request:
    """A mutation with what decides whether it is done: who asked before, fences, a condition."""

    mutation: Mutation
    condition: Condition | None = None
    identity: Identity | None = None
    fences: tuple[Fence, ...] = ()
    """All must hold where the command begins."""
    digest: bytes | None = field(default=None, compare=False, repr=False)
    """The request's hash, where decoding has computed it (`command_codec.request_hash`)."""


BareCommand = (
    Mutation
    | LeaseKeepAlive
    | Acquire
    | Attach
    | Confirm
    | SessionOpen
    | SessionClose
    | Resolve
    | Bootstrap
    | MemberDisk
    | HashMarker
)
Command = BareCommand | Request


@value
class Entry:
    """One log entry: a stamp of cluster time (None: time stands) and commands; none is a tick."""

    stamp_ms: int | None
    commands: tuple[Command, ...]
