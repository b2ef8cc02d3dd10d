"""Which error a failure is: from the store's reason, or gRPC's code, to the exception.

Imports: policy and errors only.
"""

from kvraft_client.errors import (
    Abandoned,
    AccessDenied,
    AlreadyHeld,
    Compacted,
    DeadlineExceeded,
    Deadlock,
    Exhausted,
    FenceRequired,
    InvalidRequest,
    InvariantViolated,
    KeyReused,
    KvraftError,
    LeaseExists,
    LeaseNotFound,
    LockModeConflict,
    LockNotFound,
    NoQuorum,
    NoSpace,
    NotApplied,
    OutcomeUnknown,
    RevisionUnavailable,
    SessionExpired,
    StaleFence,
    TooLarge,
    Unavailable,
    Unreachable,
    WrongType,
)
from kvraft_client.policy.failure import Failure, Outcome

_BY_REASON: dict[str, type[NotApplied]] = {
    "INVALID": InvalidRequest,
    "TTL_OUT_OF_RANGE": InvalidRequest,
    "TOO_MANY_ENTRIES": InvalidRequest,
    "MEMBER_UNKNOWN": InvalidRequest,
    "TOO_LARGE": TooLarge,
    "KEY_REUSED": KeyReused,
    "INVARIANT": InvariantViolated,
    "WRONG_TYPE": WrongType,
    "SESSION_EXPIRED": SessionExpired,
    "ABANDONED": Abandoned,
    "LEASE_NOT_FOUND": LeaseNotFound,
    "LEASE_EXISTS": LeaseExists,
    "LEASE_FULL": Exhausted,
    "TOO_MANY_LEASES": Exhausted,
    "TOO_MANY_INVARIANTS": Exhausted,
    "TOO_MANY_WAITERS": Exhausted,
    "TOO_MANY_LOCKS": Exhausted,
    "TOO_MANY_GUARDS": Exhausted,
    "STALE_FENCE": StaleFence,
    "FENCE_REQUIRED": FenceRequired,
    "DEADLOCK": Deadlock,
    "ALREADY_HELD": AlreadyHeld,
    "LOCK_MODE": LockModeConflict,
    "LOCK_NOT_FOUND": LockNotFound,
    "OVERLOAD": Exhausted,
    "NO_SPACE": NoSpace,
    "COMPACTED": Compacted,
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
    if isinstance(error, Compacted):
        error.oldest_revision = failure.oldest_revision
    return error


def not_had(error: OutcomeUnknown) -> Unavailable:
    """Say of an acquisition whose answer was lost that it is not had: its place is given up."""
    known = NoQuorum if error.reason == "UNKNOWN_RESULT" else _BY_REASON.get(error.reason)
    kind = known if known is not None and issubclass(known, Unavailable) else Unavailable
    return kind(str(error), reason=error.reason or None, endpoint=error.endpoint)
