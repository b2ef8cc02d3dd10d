"""From protobuf to values, and from a gRPC error to a `Failure`."""

from collections.abc import Iterable
from typing import Any, cast

import grpc
from google.protobuf.message import DecodeError

from kvraft.v1 import cluster_pb2, error_pb2, kv_pb2
from kvraft_client.policy.failure import Failure, Outcome
from kvraft_client.values import Entry, Invariant, NodeStatus, PeerStatus

_DETAILS_KEY = "grpc-status-details-bin"
_ERROR_INFO_TYPE = "google.rpc.ErrorInfo"
_DOMAIN = "kvraft"


def failure_from(error: grpc.RpcError, endpoint: str, *, sent: bool) -> Failure:
    """Read what a failed call says; only ErrorInfo of our domain is the store's own word."""
    code = error.code().name
    message = error.details() or code
    info = _error_info(error)
    if info is None:
        return Failure(code, message, endpoint, sent)
    try:
        outcome = Outcome(info.metadata["outcome"]) if "outcome" in info.metadata else None
    except ValueError:
        outcome = None
    data = info.metadata
    retry_after = data.get("retry_after_ms", "")
    oldest = data.get("oldest_revision", "")
    return Failure(
        code,
        message,
        endpoint,
        sent,
        reason=info.reason,
        outcome=outcome,
        leader=data.get("leader") or None,
        retry_after_ms=int(retry_after) if retry_after.isdecimal() else None,
        limit=data.get("limit"),
        actual=data.get("actual"),
        oldest_revision=int(oldest) if oldest.isdecimal() else None,
    )


def _error_info(error: grpc.RpcError) -> error_pb2.ErrorInfo | None:
    trailer: Iterable[tuple[str, str | bytes]] = cast("Any", error.trailing_metadata()) or ()
    for key, value in trailer:
        if key != _DETAILS_KEY or not isinstance(value, bytes):
            continue
        try:
            status = error_pb2.ErrorStatus.FromString(value)
            for detail in status.details:
                if detail.type_url.rpartition("/")[2] == _ERROR_INFO_TYPE:
                    info = error_pb2.ErrorInfo.FromString(detail.value)
                    if info.domain == _DOMAIN and info.reason:
                        return info
        except DecodeError:
            continue
    return None


def entry_from(message: kv_pb2.Entry) -> Entry:
    """Convert one entry."""
    return Entry(
        message.key,
        message.value,
        message.version,
        message.mod_revision,
        message.create_revision,
        message.lease_id,
        message.value_omitted,
    )


_ROLES = {
    cluster_pb2.ROLE_LEADER: "leader",
    cluster_pb2.ROLE_FOLLOWER: "follower",
    cluster_pb2.ROLE_CANDIDATE: "candidate",
    cluster_pb2.ROLE_REJOINING: "rejoining",
}


def status_from(endpoint: str, message: cluster_pb2.StatusResponse) -> NodeStatus:
    """Convert what one node says of itself."""
    return NodeStatus(
        endpoint=endpoint,
        name=message.header.node or None,
        role=_ROLES.get(message.role, "unknown"),
        leader=message.leader if message.HasField("leader") else None,
        cluster_id=message.header.cluster_id,
        term=message.header.raft_term,
        commit_index=message.commit_index,
        applied_index=message.applied_index,
        last_index=message.last_index,
        durable_index=message.durable_index,
        snapshot_index=message.snapshot_index,
        revision=message.header.revision,
        cluster_time_ms=message.cluster_time_ms,
        keys=message.keys,
        leases=message.leases,
        state_bytes=message.state_bytes,
        quorum_reachable=message.quorum_reachable,
        version=message.version,
        disk_id=message.disk_id,
        peers=tuple(_peer_from(peer) for peer in message.peers),
        counters=dict(message.counters),
    )


def _peer_from(peer: cluster_pb2.PeerStatus) -> PeerStatus:
    age = peer.contact_age_ms if peer.HasField("contact_age_ms") else None
    return PeerStatus(peer.name, peer.connected, peer.match_index, age)


def invariant_from(message: cluster_pb2.Invariant) -> Invariant:
    """Convert what is demanded of a key or a prefix."""
    return Invariant(
        message.key,
        message.is_prefix,
        message.min if message.HasField("min") else None,
        message.max if message.HasField("max") else None,
        message.immutable,
    )
