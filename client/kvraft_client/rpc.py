"""The methods this client calls: path, types, and what each does as far as retries go.

A table instead of the generated stubs, because both backends, and the retry policy, need the same
facts about a method, and because the stubs are untyped.
"""

import math
from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message

from kvraft.v1 import cluster_pb2, kv_pb2, lease_pb2, lock_pb2, session_pb2, watch_pb2
from kvraft_client.policy.failure import Effect

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


@dataclass(frozen=True, slots=True)
class Method(Generic[Request, Response]):
    """One RPC."""

    path: str
    request: type[Request]
    response: type[Response]
    effect: Effect
    requests_stream: bool = False
    responses_stream: bool = False
    field: str = ""
    """Of its kind in the messages of a pipeline; empty: it only goes on its own."""


WIRE_STEP = 1.04
"""Ratio between neighbouring timeouts on the wire; see `transmittable`."""


def transmittable(timeout_s: float) -> float:
    """Round a timeout down to one that the server will see as it is.

    gRPC sends, for a timeout up to 3 % below one that it sent before on the connection, that
    longer one (it is in the compression table), and rounds up to three digits. The server's
    word, given just before the deadline as the server sees it, would come too late to be heard,
    and a definite answer would become an unknown one. Steps of 4 % are never confused.
    """
    if timeout_s <= 0:
        return timeout_s
    step = math.floor(math.log(timeout_s, WIRE_STEP))
    on_grid_s = WIRE_STEP**step
    digits = 3 if on_grid_s < 1 else 2 - math.floor(math.log10(on_grid_s))
    unit = 10.0**-digits
    return max(math.floor(on_grid_s / unit) * unit, min(timeout_s, 0.001))


_KV = "/kvraft.v1.KVService/"
_LEASE = "/kvraft.v1.LeaseService/"
_LOCK = "/kvraft.v1.LockService/"
_CLUSTER = "/kvraft.v1.ClusterService/"
_SESSION = "/kvraft.v1.SessionService/"

PIPELINE = Method(
    _KV + "Pipeline",
    kv_pb2.PipelineRequest,
    kv_pb2.PipelineResponse,
    Effect.MUTATION,
    requests_stream=True,
    responses_stream=True,
)
GET = Method(_KV + "Get", kv_pb2.GetRequest, kv_pb2.GetResponse, Effect.READ, field="get")
LIST = Method(_KV + "List", kv_pb2.ListRequest, kv_pb2.ListResponse, Effect.READ, field="list")
PUT = Method(_KV + "Put", kv_pb2.PutRequest, kv_pb2.PutResponse, Effect.MUTATION, field="put")
DELETE = Method(
    _KV + "Delete", kv_pb2.DeleteRequest, kv_pb2.DeleteResponse, Effect.MUTATION, field="delete"
)
COMPARE_AND_SET = Method(
    _KV + "CompareAndSet",
    kv_pb2.CompareAndSetRequest,
    kv_pb2.CompareAndSetResponse,
    Effect.MUTATION,
    field="compare_and_set",
)
UPDATE = Method(
    _KV + "Update", kv_pb2.UpdateRequest, kv_pb2.UpdateResponse, Effect.MUTATION, field="update"
)
TXN = Method(_KV + "Txn", kv_pb2.TxnRequest, kv_pb2.TxnResponse, Effect.MUTATION, field="txn")
WATCH = Method(
    "/kvraft.v1.WatchService/Watch",
    watch_pb2.WatchRequest,
    watch_pb2.WatchResponse,
    Effect.READ,
    responses_stream=True,
)

# A session too many harms nobody, and ends by itself: for the caller nothing has happened.
OPEN_SESSION = Method(
    _SESSION + "Open", session_pb2.OpenRequest, session_pb2.OpenResponse, Effect.READ, field="open"
)
CLOSE_SESSION = Method(
    _SESSION + "Close",
    session_pb2.CloseRequest,
    session_pb2.CloseResponse,
    Effect.REPEATABLE,
    field="close",
)
RESOLVE = Method(
    _SESSION + "Resolve",
    session_pb2.ResolveRequest,
    session_pb2.ResolveResponse,
    Effect.REPEATABLE,
    field="resolve",
)

GRANT = Method(
    _LEASE + "Grant",
    lease_pb2.GrantRequest,
    lease_pb2.GrantResponse,
    Effect.MUTATION,
    field="grant",
)
KEEP_ALIVE = Method(
    _LEASE + "KeepAlive",
    lease_pb2.KeepAliveRequest,
    lease_pb2.KeepAliveResponse,
    Effect.REPEATABLE,
    requests_stream=True,
    responses_stream=True,
    field="keep_alive",
)
REVOKE = Method(
    _LEASE + "Revoke",
    lease_pb2.RevokeRequest,
    lease_pb2.RevokeResponse,
    Effect.MUTATION,
    field="revoke",
)
DESCRIBE = Method(
    _LEASE + "Describe", lease_pb2.DescribeRequest, lease_pb2.DescribeResponse, Effect.READ
)
LIST_LEASES = Method(
    _LEASE + "List",
    lease_pb2.LeaseServiceListRequest,
    lease_pb2.LeaseServiceListResponse,
    Effect.READ,
)

# The key makes a second copy the same acquisition, and the same place gone is gone.
ACQUIRE = Method(
    _LOCK + "Acquire",
    lock_pb2.AcquireRequest,
    lock_pb2.AcquireResponse,
    Effect.IDENTIFIED,
    responses_stream=True,
    field="acquire",
)
CONFIRM = Method(
    _LOCK + "Confirm",
    lock_pb2.ConfirmRequest,
    lock_pb2.ConfirmResponse,
    Effect.REPEATABLE,
    field="confirm",
)
RELEASE = Method(
    _LOCK + "Release",
    lock_pb2.ReleaseRequest,
    lock_pb2.ReleaseResponse,
    Effect.REPEATABLE,
    field="release",
)
CHECK_FENCE = Method(
    _LOCK + "CheckFence",
    lock_pb2.CheckFenceRequest,
    lock_pb2.CheckFenceResponse,
    Effect.READ,
    field="check_fence",
)
DESCRIBE_LOCK = Method(
    _LOCK + "Describe",
    lock_pb2.LockServiceDescribeRequest,
    lock_pb2.LockServiceDescribeResponse,
    Effect.READ,
)
LIST_LOCKS = Method(
    _LOCK + "List",
    lock_pb2.LockServiceListRequest,
    lock_pb2.LockServiceListResponse,
    Effect.READ,
)

STATUS = Method(
    _CLUSTER + "Status", cluster_pb2.StatusRequest, cluster_pb2.StatusResponse, Effect.READ
)
TRANSFER_LEADERSHIP = Method(
    _CLUSTER + "TransferLeadership",
    cluster_pb2.TransferLeadershipRequest,
    cluster_pb2.TransferLeadershipResponse,
    Effect.MUTATION,
)
SNAPSHOT = Method(
    _CLUSTER + "Snapshot",
    cluster_pb2.SnapshotRequest,
    cluster_pb2.SnapshotResponse,
    Effect.READ,
    responses_stream=True,
)
STATE_HASH = Method(
    _CLUSTER + "StateHash",
    cluster_pb2.StateHashRequest,
    cluster_pb2.StateHashResponse,
    Effect.READ,
)
SET_INVARIANT = Method(
    _CLUSTER + "SetInvariant",
    cluster_pb2.SetInvariantRequest,
    cluster_pb2.SetInvariantResponse,
    Effect.MUTATION,
)
LIST_INVARIANTS = Method(
    _CLUSTER + "ListInvariants",
    cluster_pb2.ListInvariantsRequest,
    cluster_pb2.ListInvariantsResponse,
    Effect.READ,
)
GUARD_PREFIX = Method(
    _CLUSTER + "GuardPrefix",
    cluster_pb2.GuardPrefixRequest,
    cluster_pb2.GuardPrefixResponse,
    Effect.MUTATION,
)
LIST_GUARDS = Method(
    _CLUSTER + "ListGuards",
    cluster_pb2.ListGuardsRequest,
    cluster_pb2.ListGuardsResponse,
    Effect.READ,
)
CONTENTION = Method(
    _CLUSTER + "Contention",
    cluster_pb2.ContentionRequest,
    cluster_pb2.ContentionResponse,
    Effect.READ,
)
