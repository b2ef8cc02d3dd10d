"""What can go wrong, and what each error says about the effect of the call.

KvraftError                  .outcome, .reason, .endpoint
├── NotApplied               outcome NOT_APPLIED: the call changed nothing
│   ├── Conflict             the condition was false; .current is the entry as it is now
│   ├── InvalidRequest       the request itself is wrong (a ValueError too)
│   │   └── TooLarge         a size bound was exceeded; .limit and .actual
│   ├── LeaseNotFound        no such lease: it expired or was revoked
│   ├── LeaseExists          the lease id asked for is taken
│   ├── LeaseLost            this process's lease is over; raised without asking the store
│   ├── Exhausted            a quota is full or the node is overloaded
│   │   └── NoSpace          the store accepts only what frees space
│   ├── RevisionUnavailable  the revision asked for is compacted, or not reached yet
│   ├── AccessDenied         no valid credentials, or not allowed
│   ├── ClientClosed         the client was closed
│   └── Unavailable          no node did it in time
│       ├── NoQuorum         nodes answered, but none has a leader with a quorum
│       ├── Unreachable      no endpoint could be reached
│       └── DeadlineExceeded time ran out before anything was proposed, or on a read
└── OutcomeUnknown           outcome UNKNOWN: it was applied once, or never will be, or still may be

Catch `NotApplied` to try again safely; on `OutcomeUnknown` read first, then decide.
Imports: policy and values only.
"""
# ruff: noqa: N818 - the public names say what happened, and `except Conflict` reads as such

from kvraft_client.policy.failure import Failure, Outcome
from kvraft_client.values import Entry

__all__ = [
    "AccessDenied",
    "ClientClosed",
    "Conflict",
    "DeadlineExceeded",
    "Exhausted",
    "InvalidRequest",
    "KvraftError",
    "LeaseExists",
    "LeaseLost",
    "LeaseNotFound",
    "NoQuorum",
    "NoSpace",
    "NotApplied",
    "Outcome",
    "OutcomeUnknown",
    "RevisionUnavailable",
    "TooLarge",
    "Unavailable",
    "Unreachable",
    "error_for",
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


class InvalidRequest(NotApplied, ValueError):
    """The request itself is wrong; sending it again cannot help."""

    reason = "INVALID"


class TooLarge(InvalidRequest):
    """A size bound was exceeded; `limit` and `actual` where they are known."""

    reason = "TOO_LARGE"
    limit: str | None = None
    actual: str | None = None


class LeaseNotFound(NotApplied):
    """No such lease: it expired or was revoked."""

    reason = "LEASE_NOT_FOUND"


class LeaseExists(NotApplied):
    """The lease id asked for is taken."""

    reason = "LEASE_EXISTS"


class LeaseLost(NotApplied):
    """This process's lease is over, by its own clock or by the store's word."""

    reason = "LEASE_LOST"


class Exhausted(NotApplied):
    """A quota is full, or the node is overloaded."""


class NoSpace(Exhausted):
    """The store accepts only what frees space."""

    reason = "NO_SPACE"


class RevisionUnavailable(NotApplied):
    """The revision asked for is compacted, or not reached yet."""


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
    """The mutation was applied once, or never will be, or still may be: read, then decide."""

    outcome = Outcome.UNKNOWN


_BY_REASON: dict[str, type[NotApplied]] = {
    "INVALID": InvalidRequest,
    "TTL_OUT_OF_RANGE": InvalidRequest,
    "TOO_MANY_ENTRIES": InvalidRequest,
    "MEMBER_UNKNOWN": InvalidRequest,
    "TOO_LARGE": TooLarge,
    "LEASE_NOT_FOUND": LeaseNotFound,
    "LEASE_EXISTS": LeaseExists,
    "LEASE_FULL": Exhausted,
    "TOO_MANY_LEASES": Exhausted,
    "OVERLOAD": Exhausted,
    "NO_SPACE": NoSpace,
    "COMPACTED": RevisionUnavailable,
    "FUTURE": RevisionUnavailable,
    "NO_QUORUM": NoQuorum,
    "NOT_LEADER": NoQuorum,
    "SHUTTING_DOWN": Unavailable,
    "CORRUPT": Unavailable,
    "DEADLINE": DeadlineExceeded,
}
_BY_CODE: dict[str, type[NotApplied]] = {
    "INVALID_ARGUMENT": InvalidRequest,
    "UNAUTHENTICATED": AccessDenied,
    "PERMISSION_DENIED": AccessDenied,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "UNAVAILABLE": Unavailable,
}


def error_for(failure: Failure, outcome: Outcome) -> KvraftError:
    """Make the exception for the failure that ended a call, given what it means for the effect."""
    text = f"{failure.message} [{failure.reason or failure.code}, endpoint {failure.endpoint}]"
    kind: type[KvraftError]
    if outcome is Outcome.UNKNOWN:
        kind = OutcomeUnknown
    elif failure.reason is not None:
        kind = _BY_REASON.get(failure.reason, _BY_CODE.get(failure.code, NotApplied))
    elif not failure.sent:
        kind = Unreachable
    else:
        kind = _BY_CODE.get(failure.code, Unavailable)
    error = kind(text, reason=failure.reason, endpoint=failure.endpoint)
    if isinstance(error, TooLarge):
        error.limit, error.actual = failure.limit, failure.actual
    return error
