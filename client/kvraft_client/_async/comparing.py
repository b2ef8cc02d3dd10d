"""Keys: compare and set."""
# ruff: noqa: ASYNC109 - `timeout` spans all attempts and travels to the server

from kvraft.v1 import kv_pb2
from kvraft_client._async.lease import AsyncLease
from kvraft_client._async.writing import Writing, tell
from kvraft_client.conditions import Condition
from kvraft_client.encoding import condition_proto
from kvraft_client.errors import Conflict, LeaseNotFound
from kvraft_client.fences import FenceLike
from kvraft_client.operations import attach
from kvraft_client.replies import condition_failed, optional_entry, unmet_from, written
from kvraft_client.requests import (
    NOT_GIVEN,
    Data,
    NotGiven,
    as_bytes,
    as_key,
    expectation,
)
from kvraft_client.rpc import COMPARE_AND_SET
from kvraft_client.values import CasResult, Entry


class Comparing(Writing):
    """Compare-and-set, of one key."""

    async def cas(
        self,
        key: Data,
        value: Data,
        *,
        expect: Entry | NotGiven | None = NOT_GIVEN,
        expect_absent: bool = False,
        expect_value: Data | None = None,
        expect_version: int | None = None,
        expect_revision: int | None = None,
        lease: AsyncLease | int | None = None,
        ttl: float | None = None,
        keep_lease: bool = False,
        when: Condition | str | None = None,
        fence: FenceLike | None = None,
        idempotency_key: Data | None = None,
        timeout: float | None = None,
    ) -> Entry:
        """Like `try_cas`, but raise Conflict (with `current`) where it did not swap."""
        result = await self.try_cas(
            key,
            value,
            expect=expect,
            expect_absent=expect_absent,
            expect_value=expect_value,
            expect_version=expect_version,
            expect_revision=expect_revision,
            lease=lease,
            ttl=ttl,
            keep_lease=keep_lease,
            when=when,
            fence=fence,
            idempotency_key=idempotency_key,
            timeout=timeout,
        )
        if result.unmet is not None:
            raise condition_failed(result.unmet, as_key(key))
        if not result.swapped or result.entry is None:
            raise Conflict(f"{key!r} is not as expected", current=result.entry)
        return result.entry

    async def try_cas(
        self,
        key: Data,
        value: Data,
        *,
        expect: Entry | NotGiven | None = NOT_GIVEN,
        expect_absent: bool = False,
        expect_value: Data | None = None,
        expect_version: int | None = None,
        expect_revision: int | None = None,
        lease: AsyncLease | int | None = None,
        ttl: float | None = None,
        keep_lease: bool = False,
        when: Condition | str | None = None,
        fence: FenceLike | None = None,
        idempotency_key: Data | None = None,
        timeout: float | None = None,
    ) -> CasResult:
        """Write a key if, and only if, it is as expected and `when` holds; falsy if not.

        `expect=ENTRY`, as `get` returned it: not written since; `expect=None`: absent. All that
        is given must hold. NotApplied: nothing changed; OutcomeUnknown: it may have. The value of
        the entry that it met instead may be left out (`value_omitted`) where it is large.
        """
        encoded, content = as_key(key), as_bytes("value", value)
        wanted = expectation(
            encoded,
            expect=expect,
            absent=expect_absent,
            value=expect_value,
            version=expect_version,
            revision=expect_revision,
        )
        request = kv_pb2.CompareAndSetRequest(
            key=encoded, value=content, expect=wanted, condition=condition_proto(when, encoded)
        )
        attach(request, lease, ttl, keep_lease=keep_lease)
        try:
            answer = await self._mutations.send(
                COMPARE_AND_SET,
                request,
                timeout=timeout,
                idempotency_key=idempotency_key,
                fence=fence,
            )
        except LeaseNotFound:
            tell(lease)
            raise
        return _result(answer.result, encoded, content)


def _result(response: kv_pb2.CompareAndSetResponse, key: bytes, value: bytes) -> CasResult:
    if response.HasField("unmet"):
        unmet = unmet_from(response.unmet, response.header)
        return CasResult(False, unmet.entry(key), unmet)
    if response.succeeded:
        return CasResult(True, written(response.entry, value))
    return CasResult(False, optional_entry(response))
