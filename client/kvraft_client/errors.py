"""What can go wrong, and what each error says about the effect of the call.

KvraftError                  .outcome, .reason, .endpoint
├── NotApplied               outcome NOT_APPLIED: the call changed nothing
│   ├── Conflict             the condition was false; .current is the entry as it is now
│   │   ├── ConditionFailed  the one given by when=; .clause, .mismatched and .entries
│   │   └── TransactionConflict  what a transaction read was changed; .keys
│   ├── InvalidRequest       the request itself is wrong (a ValueError too)
│   │   ├── TooLarge         a size bound was exceeded; .limit and .actual
│   │   └── KeyReused        the idempotency key belongs to another request
│   ├── WrongType            an action met a value of another type
│   ├── InvariantViolated    an invariant forbids the new value, or a number overflows
│   ├── LeaseNotFound        no such lease: it expired or was revoked
│   ├── LeaseExists          the lease id asked for is taken
│   ├── LeaseLost            this process's lease is over; raised without asking the store
│   ├── LockTimeout          the lock was not had within `wait`
│   ├── Deadlock             waiting would close a cycle; the message names it
│   ├── AlreadyHeld          this owner holds the lock, or waits for it, already
│   ├── LockModeConflict     the lock is in use in another mode, or with another capacity
│   ├── LockNotFound         no such lock, or nobody holds it
│   ├── LockLost             this process holds the lock no more
│   │   └── StaleFence       the store's word: the fence is not that of a current holder
│   ├── FenceRequired        a guard demands the fence of its lock's exclusive holder
│   ├── Exhausted            a quota is full or the node is overloaded
│   │   └── NoSpace          the store accepts only what frees space
│   ├── RevisionUnavailable  the revision asked for is not reached yet, or
│   │   └── Compacted        kept no more; .oldest_revision
│   ├── SessionExpired       the session ended before the request came, again and again
│   ├── Abandoned            `outcome()` settled that this was never applied
│   ├── AccessDenied         no valid credentials, or not allowed
│   ├── ClientClosed         the client was closed
│   └── Unavailable          no node did it in time
│       ├── NoQuorum         nodes answered, but none has a leader with a quorum
│       ├── Unreachable      no endpoint could be reached
│       └── DeadlineExceeded time ran out before anything was proposed, or on a read
└── OutcomeUnknown           outcome UNKNOWN: applied once, or never, or not yet; .identity

Catch `NotApplied` to try again safely; on `OutcomeUnknown`, `kv.outcome(error.identity)` says what
became of it, for good.
Imports: policy and values only.
"""
# ruff: noqa: N818 - the public names say what happened, and `except Conflict` reads as such

from collections.abc import Sequence

from kvraft_client.policy.failure import Outcome
from kvraft_client.policy.identity import Identity
from kvraft_client.values import Entry, Unmet

__all__ = [
    "Abandoned",
    "AccessDenied",
    "AlreadyHeld",
    "ClientClosed",
    "Compacted",
    "ConditionFailed",
    "Conflict",
    "DeadlineExceeded",
    "Deadlock",
    "Exhausted",
    "FenceRequired",
    "InvalidRequest",
    "InvariantViolated",
    "KeyReused",
    "KvraftError",
    "LeaseExists",
    "LeaseLost",
    "LeaseNotFound",
    "LockLost",
    "LockModeConflict",
    "LockNotFound",
    "LockTimeout",
    "NoQuorum",
    "NoSpace",
    "NotApplied",
    "Outcome",
    "OutcomeUnknown",
    "RevisionUnavailable",
    "StaleFence",
    "TooLarge",
    "Unavailable",
    "Unreachable",
]


class KvraftError(Exception):
    """Base of every error of this package."""

    outcome: Outcome = Outcome.UNKNOWN
    reason: str = ""
    """The store's machine-readable reason (UPPER_SNAKE_CASE); empty where none was given."""
    endpoint: str | None = None
    """Who said so, where one endpoint did."""

    def __init__(
        self, message: str, *, reason: str | None = None, endpoint: str | None = None
    ) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason
        self.endpoint = endpoint


class NotApplied(KvraftError):
    """The call changed nothing."""

    outcome = Outcome.NOT_APPLIED


class Conflict(NotApplied):
    """The condition of a compare-and-set was false; `current` is the entry now (None: absent)."""

    reason = "CONFLICT"

    def __init__(self, message: str, *, current: Entry | None) -> None:
        super().__init__(message)
        self.current = current


class ConditionFailed(Conflict):
    """The condition given by `when=` was false; `unmet` says which clause, and what stands now."""

    reason = "CONDITION"

    def __init__(self, message: str, *, current: Entry | None, unmet: Unmet) -> None:
        super().__init__(message, current=current)
        self.unmet = unmet

    @property
    def clause(self) -> int:
        """Index, in reading order, of the first clause that made it false."""
        return self.unmet.clause

    @property
    def mismatched(self) -> tuple[int, ...]:
        """Clauses that could not be compared, for the type of what they met."""
        return self.unmet.mismatched

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What stands now at the keys that the condition names, see `unmet.entries_omitted`."""
        return self.unmet.entries


class TransactionConflict(Conflict):
    """What a transaction read was changed before its commit; `keys` names what changed.

    All that it read, where the answer to a copy of the request does not say any more which.
    """

    def __init__(self, message: str, *, keys: Sequence[bytes]) -> None:
        super().__init__(message, current=None)
        self.keys = tuple(keys)


class InvalidRequest(NotApplied, ValueError):
    """The request itself is wrong; sending it again cannot help."""

    reason = "INVALID"


class TooLarge(InvalidRequest):
    """A size bound was exceeded; `limit` and `actual` where they are known."""

    reason = "TOO_LARGE"
    limit: str | None = None
    actual: str | None = None


class KeyReused(InvalidRequest):
    """The idempotency key belongs to another request."""

    reason = "KEY_REUSED"


class WrongType(NotApplied):
    """An action met a value of another type."""

    reason = "WRONG_TYPE"


class InvariantViolated(NotApplied):
    """An invariant forbids the new value, or a number would overflow."""

    reason = "INVARIANT"


class LeaseNotFound(NotApplied):
    """No such lease: it expired or was revoked."""

    reason = "LEASE_NOT_FOUND"


class LeaseExists(NotApplied):
    """The lease id asked for is taken."""

    reason = "LEASE_EXISTS"


class LeaseLost(NotApplied):
    """This process's lease is over, by its own clock or by the store's word."""

    reason = "LEASE_LOST"


class LockTimeout(NotApplied):
    """The lock was not had within `wait`; nobody waits for it any more."""

    reason = "LOCK_TIMEOUT"


class Deadlock(NotApplied):
    """Waiting would close a cycle, which the message names: release what you hold, begin anew."""

    reason = "DEADLOCK"


class AlreadyHeld(NotApplied):
    """This owner holds the lock, or waits for it, already: locks are not reentrant."""

    reason = "ALREADY_HELD"


class LockModeConflict(NotApplied):
    """The lock is in use in another mode, or with another capacity."""

    reason = "LOCK_MODE"


class LockNotFound(NotApplied):
    """No such lock, or nobody holds it."""

    reason = "LOCK_NOT_FOUND"


class LockLost(NotApplied):
    """This process holds the lock no more, by its own clock or by the store's word."""

    reason = "LOCK_LOST"


class StaleFence(LockLost):
    """A fence is not that of a current holder; the message names lock, token and holder."""

    reason = "STALE_FENCE"


class FenceRequired(NotApplied):
    """A guard demands the fence of its lock's exclusive holder; the message names both."""

    reason = "FENCE_REQUIRED"


class Exhausted(NotApplied):
    """A quota is full, or the node is overloaded."""


class NoSpace(Exhausted):
    """The store accepts only what frees space."""

    reason = "NO_SPACE"


class RevisionUnavailable(NotApplied):
    """The revision asked for is compacted, or not reached yet."""


class Compacted(RevisionUnavailable):
    """The revision asked for is kept no more; `oldest_revision` is, where the store said so."""

    reason = "COMPACTED"
    oldest_revision: int | None = None


class SessionExpired(NotApplied):
    """The session ended before the request came."""

    reason = "SESSION_EXPIRED"


class Abandoned(NotApplied):
    """This was never applied, and `outcome()` settled that it never will be."""

    reason = "ABANDONED"


class AccessDenied(NotApplied):
    """No valid credentials, or not allowed."""


class ClientClosed(NotApplied):
    """The client was closed before the call was sent."""

    reason = "CLIENT_CLOSED"


class Unavailable(NotApplied):
    """No node did it in time; nothing changed."""


class NoQuorum(Unavailable):
    """Nodes answered, but none of them has a leader with a quorum."""

    reason = "NO_QUORUM"


class Unreachable(Unavailable):
    """No endpoint could be reached; nothing was sent."""

    reason = "UNREACHABLE"


class DeadlineExceeded(Unavailable):
    """Time ran out before anything was proposed, or on a read."""

    reason = "DEADLINE"


class OutcomeUnknown(KvraftError):
    """The mutation was applied once, or never will be, or still may be.

    `identity` is for `kv.outcome(identity)`; None: it had none, so read, then decide.
    """

    outcome = Outcome.UNKNOWN
    identity: Identity | None = None
