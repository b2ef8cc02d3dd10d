# Generated from _async/invariants.py by scripts/generate_sync_client.py: do not edit.
"""Invariants: what the store itself demands of later values."""
# ruff: noqa: ASYNC109 - `timeout` spans all attempts and travels to the server

from kvraft.v1 import cluster_pb2
from kvraft_client._sync.caller import Caller
from kvraft_client._sync.mutations import Mutations
from kvraft_client.errors import InvalidRequest
from kvraft_client.fences import FenceLike
from kvraft_client.requests import Data, as_bytes, as_key
from kvraft_client.rpc import LIST_INVARIANTS, SET_INVARIANT
from kvraft_client.values import Invariant
from kvraft_client.wire import invariant_from


class Invariants:
    """Demands on a key, or (`prefix=`, "": all keys) on every key that begins so."""

    _caller: Caller
    _mutations: Mutations

    def set_invariant(
        self,
        key: Data | None = None,
        *,
        prefix: Data | None = None,
        minimum: int | None = None,
        maximum: int | None = None,
        immutable: bool = False,
        fence: FenceLike | None = None,
        idempotency_key: Data | None = None,
        timeout: float | None = None,
    ) -> None:
        """Demand int64 values within the bounds, or (`immutable`) no change once written.

        It takes the place of what was demanded there. Values that stand already are not looked
        at; a later write that breaks it is refused with InvariantViolated.
        """
        wanted = _invariant(key, prefix)
        wanted.immutable = immutable
        if minimum is not None:
            wanted.min = minimum
        if maximum is not None:
            wanted.max = maximum
        if minimum is None and maximum is None and not immutable:
            raise InvalidRequest("say what to demand: minimum=, maximum= or immutable=True")
        self._set(wanted, fence, idempotency_key, timeout)

    def remove_invariant(
        self,
        key: Data | None = None,
        *,
        prefix: Data | None = None,
        fence: FenceLike | None = None,
        idempotency_key: Data | None = None,
        timeout: float | None = None,
    ) -> None:
        """Demand nothing any more of that key or prefix."""
        self._set(_invariant(key, prefix), fence, idempotency_key, timeout)

    def _set(
        self,
        wanted: cluster_pb2.Invariant,
        fence: FenceLike | None,
        idempotency_key: Data | None,
        timeout: float | None,
    ) -> None:
        request = cluster_pb2.SetInvariantRequest(invariant=wanted)
        self._mutations.send(
            SET_INVARIANT, request, timeout=timeout, idempotency_key=idempotency_key, fence=fence
        )

    def invariants(self, *, timeout: float | None = None) -> list[Invariant]:
        """Return all invariants."""
        request = cluster_pb2.ListInvariantsRequest()
        answer = self._caller.call(LIST_INVARIANTS, request, timeout=timeout)
        return [invariant_from(each) for each in answer.result.invariants]


def _invariant(key: Data | None, prefix: Data | None) -> cluster_pb2.Invariant:
    if (key is None) == (prefix is None):
        raise InvalidRequest("give a key or prefix=")
    if key is not None:
        return cluster_pb2.Invariant(key=as_key(key))
    return cluster_pb2.Invariant(key=as_bytes("prefix", prefix or b""), is_prefix=True)
