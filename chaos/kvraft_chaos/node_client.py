"""Blocking calls to one node, each a single attempt: what this node says is what is recorded.

The official client follows the leader and retries; a history needs to know who said what.
"""

from dataclasses import dataclass
from typing import Any, Self

import grpc

from kvraft.v1 import cluster_pb2, kv_pb2, lease_pb2
from kvraft_client import rpc
from kvraft_client.policy.failure import Effect, Failure, Outcome
from kvraft_client.wire import failure_from

CHANNEL_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # ten clients are ten connections
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 200),  # a healed link is used at once
    ("grpc.enable_http_proxy", 0),
)


class NodeError(Exception):
    """A call that this node did not answer; `outcome` says what that means for its effect."""

    def __init__(self, failure: Failure, effect: Effect) -> None:
        super().__init__(f"{failure.reason or failure.code}: {failure.message}")
        self.failure = failure
        self.outcome: Outcome = failure.outcome_of(effect)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a node says of itself."""

    node: str
    leads: bool
    term: int
    leader: str | None
    revision: int
    applied: int
    rejoining: bool = False
    """Catching up on a new disk; counts towards nothing yet."""


class NodeClient:
    """A connection of its own to one node; safe to use from one thread at a time."""

    def __init__(self, node: str, endpoint: str) -> None:
        self.node = node
        self._endpoint = endpoint
        self._channel = grpc.insecure_channel(endpoint, options=CHANNEL_OPTIONS)

    def get(self, key: str, timeout_s: float) -> dict[str, Any]:
        """Read linearizably; as a register's result."""
        answer = self._unary(rpc.GET, kv_pb2.GetRequest(key=key.encode()), timeout_s)
        return entry_json(answer.entry if answer.HasField("entry") else None)

    def put(self, key: str, value: str, timeout_s: float) -> dict[str, Any]:
        request = kv_pb2.PutRequest(key=key.encode(), value=value.encode())
        answer = self._unary(rpc.PUT, request, timeout_s)
        return {"mod_revision": answer.entry.mod_revision}

    def cas(self, key: str, value: str, expect: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """Compare and set; `expect` as in a register's argument."""
        wanted = dict(expect)
        if "value" in wanted:
            wanted["value"] = wanted["value"].encode()
        request = kv_pb2.CompareAndSetRequest(
            key=key.encode(), value=value.encode(), expect=kv_pb2.Expect(**wanted)
        )
        answer = self._unary(rpc.COMPARE_AND_SET, request, timeout_s)
        if answer.succeeded:
            return {"succeeded": True, "mod_revision": answer.entry.mod_revision}
        current = entry_json(answer.entry) if answer.HasField("entry") else None
        return {"succeeded": False, "current": current}

    def delete(self, key: str, timeout_s: float) -> dict[str, Any]:
        answer = self._unary(rpc.DELETE, kv_pb2.DeleteRequest(key=key.encode()), timeout_s)
        return {"deleted": answer.deleted > 0, "revision": answer.header.revision}

    def grant(self, ttl_ms: int, timeout_s: float) -> int:
        """Grant a lease; its id."""
        request = lease_pb2.GrantRequest(ttl_ms=ttl_ms)
        return int(self._unary(rpc.GRANT, request, timeout_s).lease_id)

    def keep_alive(self, lease_id: int, timeout_s: float) -> int:
        """Renew a lease on a stream of its own; the TTL counted anew, 0: it is gone."""
        method = rpc.KEEP_ALIVE
        call = self._channel.stream_stream(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.response.FromString,
        )(iter([lease_pb2.KeepAliveRequest(lease_id=lease_id)]), timeout=timeout_s)
        try:
            return int(next(call).ttl_ms)
        except grpc.RpcError as error:
            raise self._error(error, method.effect) from error

    def standing(self, timeout_s: float) -> Standing:
        answer = self._unary(rpc.STATUS, cluster_pb2.StatusRequest(), timeout_s)
        return Standing(
            node=self.node,
            leads=answer.role == cluster_pb2.ROLE_LEADER,
            term=answer.header.raft_term,
            leader=answer.leader if answer.HasField("leader") else None,
            revision=answer.header.revision,
            applied=answer.applied_index,
            rejoining=answer.role == cluster_pb2.ROLE_REJOINING,
        )

    def state_hashes(self, timeout_s: float) -> tuple[dict[str, str], list[str]]:
        """Digest a node at one log index, and the nodes that did not report."""
        answer = self._unary(rpc.STATE_HASH, cluster_pb2.StateHashRequest(), timeout_s)
        return {each.node: each.digest for each in answer.hashes}, list(answer.missing)

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _unary(self, method: rpc.Method[Any, Any], request: Any, timeout_s: float) -> Any:
        call = self._channel.unary_unary(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.response.FromString,
        )
        try:
            return call(request, timeout=timeout_s)
        except grpc.RpcError as error:
            raise self._error(error, method.effect) from error

    def _error(self, error: grpc.RpcError, effect: Effect) -> NodeError:
        return NodeError(failure_from(error, self._endpoint, sent=True), effect)


def entry_json(entry: Any) -> dict[str, Any]:
    """An entry as a register's `value` and `mod_revision`."""
    if entry is None:
        return {"value": None}
    return {"value": entry.value.decode(), "mod_revision": entry.mod_revision}
