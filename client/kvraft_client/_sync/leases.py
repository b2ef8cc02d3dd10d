# Generated from _async/leases.py by scripts/generate_sync_client.py: do not edit.
"""Leases by id, for tools: programs use `kv.lease(ttl=...)`, which keeps itself alive."""
# ruff: noqa: ASYNC109 - `timeout` spans all attempts and travels to the server

from collections.abc import Iterator

from kvraft.v1 import lease_pb2
from kvraft_client._sync.caller import Caller
from kvraft_client._sync.mutations import Mutations
from kvraft_client.errors import LeaseNotFound
from kvraft_client.fences import FenceLike
from kvraft_client.requests import Data, as_int64, as_ttl_ms
from kvraft_client.rpc import DESCRIBE, GRANT, KEEP_ALIVE, LIST_LEASES, REVOKE
from kvraft_client.values import LeaseDescription, LeaseGrant, LeaseSummary


class Leases:
    """Grant, renew, revoke and look at leases by their ids (`kv.leases`)."""

    def __init__(self, caller: Caller, mutations: Mutations) -> None:
        """Use the connections and sessions of one client."""
        self._caller, self._mutations = caller, mutations

    def grant(
        self,
        ttl: float,
        *,
        lease_id: int | None = None,
        fence: FenceLike | None = None,
        idempotency_key: Data | None = None,
        timeout: float | None = None,
    ) -> LeaseGrant:
        """Grant a lease of `ttl` seconds that nobody renews by itself.

        NotApplied: none was granted; OutcomeUnknown: one may have been, and ends by its TTL.
        """
        request = lease_pb2.GrantRequest(
            ttl_ms=as_ttl_ms(ttl), lease_id=as_int64("lease_id", lease_id)
        )
        answer = self._mutations.send(
            GRANT, request, timeout=timeout, idempotency_key=idempotency_key, fence=fence
        )
        return LeaseGrant(answer.result.lease_id, answer.result.ttl_ms)

    def keep_alive(self, lease_id: int, *, timeout: float | None = None) -> LeaseGrant:
        """Renew a lease once: its TTL counts anew. LeaseNotFound: it is over."""
        request = lease_pb2.KeepAliveRequest(lease_id=as_int64("lease_id", lease_id))
        renewed = (self._caller.call(KEEP_ALIVE, request, timeout=timeout)).result
        if renewed.ttl_ms == 0:
            raise LeaseNotFound(f"lease {lease_id} does not exist: it expired or was revoked")
        return LeaseGrant(renewed.lease_id, renewed.ttl_ms)

    def revoke(
        self,
        lease_id: int,
        *,
        fence: FenceLike | None = None,
        idempotency_key: Data | None = None,
        timeout: float | None = None,
    ) -> int:
        """End a lease; its keys are deleted in the same revision. Return their number.

        NotApplied (LeaseNotFound among them): nothing changed; OutcomeUnknown: it may have.
        """
        request = lease_pb2.RevokeRequest(lease_id=as_int64("lease_id", lease_id))
        answer = self._mutations.send(
            REVOKE, request, timeout=timeout, idempotency_key=idempotency_key, fence=fence
        )
        return answer.result.deleted

    def describe(self, lease_id: int, *, timeout: float | None = None) -> LeaseDescription:
        """Return a lease's TTL, what remains of it, and its keys. LeaseNotFound: it is over."""
        request = lease_pb2.DescribeRequest(lease_id=as_int64("lease_id", lease_id))
        found = (self._caller.call(DESCRIBE, request, timeout=timeout)).result
        return LeaseDescription(found.lease_id, found.ttl_ms, found.remaining_ms, tuple(found.keys))

    def list(self, *, timeout: float | None = None) -> Iterator[LeaseSummary]:
        """Yield all leases in order of their ids; `timeout` is for each page."""
        request = lease_pb2.LeaseServiceListRequest()
        while True:
            page = (self._caller.call(LIST_LEASES, request, timeout=timeout)).result
            for lease in page.leases:
                yield LeaseSummary(lease.lease_id, lease.ttl_ms, lease.remaining_ms, lease.keys)
            if not page.more or not page.leases:
                return
            request.after = page.leases[-1].lease_id
