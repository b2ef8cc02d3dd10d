"""The reasons a request can be refused for, and what each says about its effect."""

from enum import StrEnum


class Outcome(StrEnum):
    """What an error says about the mutation it answers."""

    NOT_APPLIED = "NOT_APPLIED"
    UNKNOWN = "UNKNOWN"


class Reason(StrEnum):
    """Machine-readable reasons, the `reason` of ErrorInfo (SEMANTICS, table of errors)."""

    # Refused by the request's own content.
    INVALID = "INVALID"
    TOO_LARGE = "TOO_LARGE"
    TTL_OUT_OF_RANGE = "TTL_OUT_OF_RANGE"
    TOO_MANY_ENTRIES = "TOO_MANY_ENTRIES"
    # Refused by the state.
    LEASE_NOT_FOUND = "LEASE_NOT_FOUND"
    LEASE_EXISTS = "LEASE_EXISTS"
    LEASE_FULL = "LEASE_FULL"
    TOO_MANY_LEASES = "TOO_MANY_LEASES"
    MEMBER_UNKNOWN = "MEMBER_UNKNOWN"
    NO_SPACE = "NO_SPACE"
    OVERLOAD = "OVERLOAD"
    INVARIANT = "INVARIANT"
    WRONG_TYPE = "WRONG_TYPE"
    TOO_MANY_INVARIANTS = "TOO_MANY_INVARIANTS"
    STALE_FENCE = "STALE_FENCE"
    FENCE_REQUIRED = "FENCE_REQUIRED"
    DEADLOCK = "DEADLOCK"
    ALREADY_HELD = "ALREADY_HELD"
    LOCK_MODE = "LOCK_MODE"
    """The lock is in use in another mode, or with another capacity."""
    TOO_MANY_WAITERS = "TOO_MANY_WAITERS"
    TOO_MANY_LOCKS = "TOO_MANY_LOCKS"
    TOO_MANY_GUARDS = "TOO_MANY_GUARDS"
    LOCK_NOT_FOUND = "LOCK_NOT_FOUND"
    # Refused for the identity of the request.
    KEY_REUSED = "KEY_REUSED"
    SESSION_EXPIRED = "SESSION_EXPIRED"
    ABANDONED = "ABANDONED"
    # Refused, or lost, by the cluster's condition.
    NO_QUORUM = "NO_QUORUM"
    NOT_LEADER = "NOT_LEADER"
    DEADLINE = "DEADLINE"
    UNKNOWN_RESULT = "UNKNOWN_RESULT"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    # Reads.
    COMPACTED = "COMPACTED"
    FUTURE = "FUTURE"
    # The node itself.
    CORRUPT = "CORRUPT"


class CodecError(ValueError):
    """Bytes that are nothing this code can read; the message names what was found."""


class UnknownCommandError(CodecError):
    """A command or version from newer code: the node must stop and say which version it needs."""
