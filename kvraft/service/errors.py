"""Why a call failed, in gRPC's words: a status, and exactly one ErrorInfo that says the outcome.

The table below is the one of docs/guarantees.md. A refusal of the state machine is NOT_APPLIED;
what the node says of a lost call is passed on as it is.
"""

from collections.abc import Mapping
from typing import Any, Final, Never

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage

from kvraft.core.errors import Outcome, Reason
from kvraft.core.results import Refused
from kvraft.replica.outcomes import Denied
from kvraft.v1 import error_pb2

DOMAIN: Final = "kvraft"
DETAILS_KEY: Final = "grpc-status-details-bin"
ERROR_INFO_URL: Final = "type.googleapis.com/google.rpc.ErrorInfo"

_Code = grpc.StatusCode
STATUS: Final[Mapping[Reason, grpc.StatusCode]] = {
    Reason.INVALID: _Code.INVALID_ARGUMENT,
    Reason.TOO_LARGE: _Code.INVALID_ARGUMENT,
    Reason.TTL_OUT_OF_RANGE: _Code.INVALID_ARGUMENT,
    Reason.TOO_MANY_ENTRIES: _Code.INVALID_ARGUMENT,
    Reason.KEY_REUSED: _Code.INVALID_ARGUMENT,
    Reason.INVARIANT: _Code.FAILED_PRECONDITION,
    Reason.WRONG_TYPE: _Code.FAILED_PRECONDITION,
    Reason.STALE_FENCE: _Code.FAILED_PRECONDITION,
    Reason.FENCE_REQUIRED: _Code.FAILED_PRECONDITION,
    Reason.ALREADY_HELD: _Code.FAILED_PRECONDITION,
    Reason.LOCK_MODE: _Code.FAILED_PRECONDITION,
    Reason.SESSION_EXPIRED: _Code.FAILED_PRECONDITION,
    Reason.ABANDONED: _Code.FAILED_PRECONDITION,
    Reason.LEASE_NOT_FOUND: _Code.NOT_FOUND,
    Reason.MEMBER_UNKNOWN: _Code.NOT_FOUND,
    Reason.LOCK_NOT_FOUND: _Code.NOT_FOUND,
    Reason.DEADLOCK: _Code.ABORTED,
    Reason.LEASE_EXISTS: _Code.ALREADY_EXISTS,
    Reason.LEASE_FULL: _Code.RESOURCE_EXHAUSTED,
    Reason.TOO_MANY_LEASES: _Code.RESOURCE_EXHAUSTED,
    Reason.TOO_MANY_INVARIANTS: _Code.RESOURCE_EXHAUSTED,
    Reason.TOO_MANY_WAITERS: _Code.RESOURCE_EXHAUSTED,
    Reason.TOO_MANY_LOCKS: _Code.RESOURCE_EXHAUSTED,
    Reason.TOO_MANY_GUARDS: _Code.RESOURCE_EXHAUSTED,
    Reason.NO_SPACE: _Code.RESOURCE_EXHAUSTED,
    Reason.OVERLOAD: _Code.RESOURCE_EXHAUSTED,
    Reason.NO_QUORUM: _Code.UNAVAILABLE,
    Reason.NOT_LEADER: _Code.UNAVAILABLE,
    Reason.SHUTTING_DOWN: _Code.UNAVAILABLE,
    Reason.UNKNOWN_RESULT: _Code.UNAVAILABLE,
    Reason.DEADLINE: _Code.DEADLINE_EXCEEDED,
    Reason.COMPACTED: _Code.OUT_OF_RANGE,
    Reason.FUTURE: _Code.OUT_OF_RANGE,
    Reason.CORRUPT: _Code.DATA_LOSS,
}
MESSAGE_CHARACTERS: Final = 1_000
"""Of a message: it travels twice in the trailer, which gRPC bounds at 8 KiB."""
RETRY_AFTER_MS: Final[Mapping[Reason, int]] = {Reason.OVERLOAD: 100, Reason.NO_SPACE: 1_000}
"""When to try again where the node does not say: a queue empties in a moment, a disk does not."""


class CallError(Exception):
    """A call that ends without an answer; carries what its ErrorInfo will say."""

    def __init__(
        self,
        reason: Reason,
        outcome: Outcome,
        message: str,
        *,
        leader: str | None = None,
        retry_after_ms: int | None = None,
        limit: int | None = None,
        actual: int | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        """`more`: further metadata, for programs."""
        super().__init__(message)
        self.reason = reason
        self.outcome = outcome
        self.message = message[:MESSAGE_CHARACTERS]
        self.leader = leader
        self.retry_after_ms = retry_after_ms
        self.limit = limit
        self.actual = actual
        self.more = more or {}

    def at(self, place: str) -> "CallError":
        """Return the same error, said of a place inside the request."""
        return CallError(
            self.reason,
            self.outcome,
            f"{place}: {self.message}",
            limit=self.limit,
            actual=self.actual,
        )


def denied_error(denied: Denied) -> CallError:
    """Return the error for a call that the node did not answer."""
    return CallError(
        denied.reason,
        denied.outcome,
        denied.message,
        leader=denied.leader,
        retry_after_ms=denied.retry_after_ms,
    )


def refused_error(refused: Refused, *, replayed: bool = False) -> CallError:
    """Return the error for a command that changed nothing; `replayed`: it was told so before.

    An ended session knows nothing of its mutations: this one may have been applied before.
    """
    is_unknown = refused.reason is Reason.SESSION_EXPIRED
    outcome = Outcome.UNKNOWN if is_unknown else Outcome.NOT_APPLIED
    more = {"replayed": "true"} if replayed else None
    return CallError(refused.reason, outcome, refused.message, more=more)


def status_of(error: CallError, endpoints: Mapping[str, str]) -> error_pb2.ErrorStatus:
    """Return what travels in the trailer: the code and one ErrorInfo."""
    reason = error.reason
    if reason is Reason.DEADLINE and error.outcome is Outcome.UNKNOWN:
        reason = Reason.UNKNOWN_RESULT  # time was lost after proposing; the code still says so
    metadata = {"outcome": error.outcome.value, **error.more}
    if error.leader is not None:
        metadata["leader"] = error.leader
        if error.leader in endpoints:
            metadata["leader_endpoint"] = endpoints[error.leader]
    retry_after_ms = error.retry_after_ms or RETRY_AFTER_MS.get(reason)
    for name, number in (
        ("retry_after_ms", retry_after_ms),
        ("limit", error.limit),
        ("actual", error.actual),
    ):
        if number is not None:
            metadata[name] = str(number)
    info = error_pb2.ErrorInfo(reason=reason.value, domain=DOMAIN, metadata=metadata)
    packed = AnyMessage(type_url=ERROR_INFO_URL, value=info.SerializeToString())
    code: int = STATUS[error.reason].value[0]
    return error_pb2.ErrorStatus(code=code, message=error.message, details=[packed])


async def abort(
    context: grpc.aio.ServicerContext[Any, Any], error: CallError, endpoints: Mapping[str, str]
) -> Never:
    """End the call with the error's status; does not return."""
    details = status_of(error, endpoints).SerializeToString()
    await context.abort(STATUS[error.reason], error.message, ((DETAILS_KEY, details),))
