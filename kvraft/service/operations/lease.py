"""Leases: requests to work, answers to responses."""

from kvraft.core.commands import LeaseKeepAlive, LeaseRevoke
from kvraft.core.errors import Outcome, Reason
from kvraft.core.machine import StateMachine
from kvraft.core.results import LeaseResult, Refused, Result, RevokeResult
from kvraft.replica.outcomes import Answer, Denied
from kvraft.service.calls import Calls
from kvraft.service.convert.answers import keys_within
from kvraft.service.convert.checks import checked_from, checked_lease_id, checked_limit
from kvraft.service.convert.identities import identified
from kvraft.service.convert.writes import grant_command
from kvraft.service.errors import CallError
from kvraft.service.replies import expect_reply, expect_result
from kvraft.service.work import Change, View
from kvraft.v1 import lease_pb2


class LeaseOperations:
    """One method a call; CallError for a request that is malformed."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._limits = calls.requests

    def grant(self, request: lease_pb2.GrantRequest) -> Change[lease_pb2.GrantResponse]:
        """Grant a lease."""
        command = grant_command(request, self._limits)
        return Change(identified(command, request, self._limits), self._write_grant)

    def keep_alive(
        self, request: lease_pb2.KeepAliveRequest
    ) -> Change[lease_pb2.KeepAliveResponse]:
        """Begin a lease's time anew. A lease that is gone is an answer."""
        lease_id = checked_lease_id(request.lease_id, self._limits)

        def write(response: lease_pb2.KeepAliveResponse, answer: Answer | Denied) -> None:
            if isinstance(answer, Answer) and _is_gone(answer.result):
                revision = answer.revision
            else:
                result, revision = expect_result(answer, LeaseResult)
                response.ttl_ms = result.ttl_ms
            response.lease_id = lease_id
            self._calls.fill_header(response.header, revision)

        return Change(LeaseKeepAlive(lease_id), write)

    def revoke(self, request: lease_pb2.RevokeRequest) -> Change[lease_pb2.RevokeResponse]:
        """End a lease and delete its keys."""
        lease_id = checked_lease_id(request.lease_id, self._limits)
        return Change(identified(LeaseRevoke(lease_id), request, self._limits), self._write_revoke)

    def describe(self, request: lease_pb2.DescribeRequest) -> View[lease_pb2.DescribeResponse]:
        """Show one lease, with as many of its keys as a reply holds."""
        lease_id = checked_lease_id(request.lease_id, self._limits)

        def write(response: lease_pb2.DescribeResponse, machine: StateMachine) -> None:
            lease = machine.describe_lease(lease_id)
            if lease is None:
                text = f"there is no lease {lease_id}: it expired, was revoked, or never was"
                raise CallError(Reason.LEASE_NOT_FOUND, Outcome.NOT_APPLIED, text)
            self._calls.fill_header(response.header, machine.revision)
            response.lease_id = lease.lease_id
            response.ttl_ms = lease.ttl_ms
            response.remaining_ms = lease.remaining_ms
            response.keys.extend(keys_within(lease.keys, self._calls.limits.reply_bytes))
            response.key_count = len(lease.keys)

        return View(write)

    def list(
        self, request: lease_pb2.LeaseServiceListRequest
    ) -> View[lease_pb2.LeaseServiceListResponse]:
        """List leases by id, a page at a time."""
        after = checked_from(request.after, 0, "after")
        limit = checked_limit(request.limit, self._calls.limits.lease_page)

        def write(response: lease_pb2.LeaseServiceListResponse, machine: StateMachine) -> None:
            leases, response.more = machine.list_leases(after, limit)
            self._calls.fill_header(response.header, machine.revision)
            for lease in leases:
                response.leases.add(
                    lease_id=lease.lease_id,
                    ttl_ms=lease.ttl_ms,
                    remaining_ms=lease.remaining_ms,
                    keys=lease.key_count,
                )

        return View(write)

    def _write_grant(self, response: lease_pb2.GrantResponse, answer: Answer | Denied) -> None:
        reply = expect_reply(answer, LeaseResult)
        if reply.result is not None:
            response.lease_id, response.ttl_ms = reply.result.lease_id, reply.result.ttl_ms
        self._calls.fill_reply_header(response.header, reply)

    def _write_revoke(self, response: lease_pb2.RevokeResponse, answer: Answer | Denied) -> None:
        reply = expect_reply(answer, RevokeResult)
        if reply.result is not None:
            response.deleted = reply.result.deleted
        self._calls.fill_reply_header(response.header, reply)


def _is_gone(result: Result) -> bool:
    return isinstance(result, Refused) and result.reason is Reason.LEASE_NOT_FOUND
