"""Sessions: requests to work, answers to responses."""

from kvraft.core.commands import Resolve, SessionClose, SessionOpen
from kvraft.core.results import (
    CasResult,
    DeleteResult,
    GuardResult,
    InvariantResult,
    LeaseResult,
    PutResult,
    Refused,
    ReleaseResult,
    Resolved,
    Result,
    RevokeResult,
    SessionResult,
    TxnResult,
    Unmet,
    UpdateResult,
)
from kvraft.replica.outcomes import Answer, Denied
from kvraft.service.calls import Calls
from kvraft.service.convert.answers import (
    fill_cas,
    fill_delete,
    fill_put,
    fill_unmet,
    fill_update,
)
from kvraft.service.convert.checks import checked_from, invalid
from kvraft.service.convert.identities import identity_of
from kvraft.service.convert.transactions import fill_txn
from kvraft.service.replies import expect_result
from kvraft.service.work import Change
from kvraft.v1 import session_pb2


class SessionOperations:
    """One method a call; CallError for a request that is malformed."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def open(self, request: session_pb2.OpenRequest) -> Change[session_pb2.OpenResponse]:
        """Open a session."""
        del request
        return Change(SessionOpen(), self._write_open)

    def close(self, request: session_pb2.CloseRequest) -> Change[session_pb2.CloseResponse]:
        """End a session."""
        session_id = checked_from(request.session_id, 1, "session_id")
        return Change(SessionClose(session_id), self._write_close)

    def resolve(self, request: session_pb2.ResolveRequest) -> Change[session_pb2.ResolveResponse]:
        """Say for good what became of a mutation."""
        if not request.HasField("identity"):
            raise invalid("identity: must be set, got none")
        identity = identity_of(request.identity, self._calls.requests)
        return Change(Resolve(identity), self._write_resolve)

    def _write_open(self, response: session_pb2.OpenResponse, answer: Answer | Denied) -> None:
        result, revision = expect_result(answer, SessionResult)
        limits = self._calls.node.machine.limits
        response.session_id = result.session_id
        response.idle_ms = limits.session_idle_ms
        response.window = limits.session_window
        self._calls.fill_header(response.header, revision)

    def _write_close(self, response: session_pb2.CloseResponse, answer: Answer | Denied) -> None:
        _, revision = expect_result(answer, SessionResult)
        self._calls.fill_header(response.header, revision)

    def _write_resolve(
        self, response: session_pb2.ResolveResponse, answer: Answer | Denied
    ) -> None:
        resolved, revision = expect_result(answer, Resolved)
        self._calls.fill_header(response.header, revision)
        if resolved.result is not None:
            response.answered = True
            response.revision = resolved.revision
            response.reply_omitted = resolved.omitted
            fill_reply(response, resolved.result, self._calls.limits.reply_bytes)


def fill_reply(  # noqa: C901, PLR0912 - one case for each result
    response: session_pb2.ResolveResponse, result: Result, reply_bytes: int
) -> None:
    """Write the stored reply, in the shape in which it was told then."""
    match result:
        case PutResult():
            fill_put(response.put, result, reply_bytes)
        case DeleteResult():
            response.delete.SetInParent()
            fill_delete(response.delete, result)
        case CasResult():
            response.compare_and_set.SetInParent()
            fill_cas(response.compare_and_set, result)
        case UpdateResult():
            response.update.SetInParent()
            fill_update(response.update, result, reply_bytes)
        case TxnResult():
            fill_txn(response.txn, result, reply_bytes)
        case Unmet():
            fill_unmet(response.unmet, result)
        case LeaseResult():
            response.grant.lease_id, response.grant.ttl_ms = result.lease_id, result.ttl_ms
        case RevokeResult():
            response.revoke.SetInParent()
            response.revoke.deleted = result.deleted
        case InvariantResult():
            response.invariant.SetInParent()
        case ReleaseResult():
            response.release.SetInParent()
            response.release.released = result.released
        case GuardResult():
            response.guard.SetInParent()
        case Refused():
            response.refused.reason, response.refused.message = result.reason, result.message
        case _:
            raise AssertionError(f"no mutation is answered by {result!r}")
