"""Locks: requests to work, answers to responses."""

from kvraft.core.commands import Confirm
from kvraft.core.machine import StateMachine
from kvraft.core.results import AcquireResult, ReleaseResult, Standing
from kvraft.replica.lock_waiter import Waiter
from kvraft.replica.outcomes import Answer, Denied
from kvraft.service.calls import Calls
from kvraft.service.convert.checks import checked_bound, checked_limit
from kvraft.service.convert.identities import identified
from kvraft.service.convert.locks import (
    acquire_command,
    checked_acquisition,
    checked_lock_name,
    fence_of,
    fill_acquisition,
    fill_lock,
    release_command,
)
from kvraft.service.replies import expect_reply, expect_result
from kvraft.service.work import Change, Following, View
from kvraft.v1 import lock_pb2


class LockOperations:
    """One method a call; CallError for a request that is malformed."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._limits = calls.requests

    def acquire(self, request: lock_pb2.AcquireRequest) -> Following[lock_pb2.AcquireResponse]:
        """Take a place in each queue, until it is granted or has ended."""
        return Following(acquire_command(request, self._limits), self._write_standing)

    def confirm(self, request: lock_pb2.ConfirmRequest) -> Change[lock_pb2.ConfirmResponse]:
        """Say that the caller knows that it holds."""
        key = checked_acquisition(request.key, self._limits)
        return Change(Confirm(key), self._write_confirm)

    def release(self, request: lock_pb2.ReleaseRequest) -> Change[lock_pb2.ReleaseResponse]:
        """Give up a place, held or still queued."""
        command = release_command(request, self._limits)
        return Change(identified(command, request, self._limits), self._write_release)

    def check_fence(self, request: lock_pb2.CheckFenceRequest) -> View[lock_pb2.CheckFenceResponse]:
        """Tell whether this is the token of a current holder."""
        fence = fence_of(request.fence, "fence", self._limits)

        def write(response: lock_pb2.CheckFenceResponse, machine: StateMachine) -> None:
            self._calls.fill_header(response.header, machine.revision)
            response.held = machine.holds(fence.lock, fence.token)

        return View(write)

    def describe(
        self, request: lock_pb2.LockServiceDescribeRequest
    ) -> View[lock_pb2.LockServiceDescribeResponse]:
        """Show one lock, with its first holders and waiters."""
        name = checked_lock_name(request.name, "name", self._limits)

        def write(response: lock_pb2.LockServiceDescribeResponse, machine: StateMachine) -> None:
            self._calls.fill_header(response.header, machine.revision)
            found = machine.describe_lock(name, self._calls.limits.lock_places)
            if found is not None:
                fill_lock(response.lock, found, machine.cluster_time_ms)

        return View(write)

    def list(
        self, request: lock_pb2.LockServiceListRequest
    ) -> View[lock_pb2.LockServiceListResponse]:
        """List the locks in use by name, a page at a time."""
        limits = self._limits
        prefix = checked_bound(request.prefix, "prefix", limits)
        after = checked_bound(request.after, "after", limits) if request.HasField("after") else None
        limit = checked_limit(request.limit, self._calls.limits.lock_page)

        def write(response: lock_pb2.LockServiceListResponse, machine: StateMachine) -> None:
            self._calls.fill_header(response.header, machine.revision)
            found, response.more = machine.list_locks(after, prefix, limit)
            for each in found:
                fill_lock(response.locks.add(), each, machine.cluster_time_ms)

        return View(write)

    def _write_standing(self, response: lock_pb2.AcquireResponse, waiter: Waiter) -> bool:
        if waiter.ended is not None:
            expect_result(waiter.ended, AcquireResult)  # raises: there are no results in it
        standing = waiter.take()
        assert standing is not None, "it is written when there is news"
        revision = max(waiter.revision, self._calls.node.machine.revision)
        self._calls.fill_header(response.header, revision)
        fill_acquisition(response, standing)
        is_last = standing.standing is not Standing.QUEUED
        if is_last:
            waiter.finish()  # before it is sent: however that ends, it may arrive
        return is_last

    def _write_confirm(self, response: lock_pb2.ConfirmResponse, answer: Answer | Denied) -> None:
        result, revision = expect_result(answer, AcquireResult)
        self._calls.fill_header(response.header, revision)
        response.held = result.standing is Standing.GRANTED

    def _write_release(self, response: lock_pb2.ReleaseResponse, answer: Answer | Denied) -> None:
        reply = expect_reply(answer, ReleaseResult)
        if reply.result is not None:
            response.released = reply.result.released
        self._calls.fill_reply_header(response.header, reply)
