"""The client of kvraft: `Client`, and `AsyncClient` with the same names, awaited.

Keys and values are bytes, or str, which is sent as UTF-8. Every error says by `outcome` whether
the call changed nothing (NOT_APPLIED) or may have (UNKNOWN); see `kvraft_client.errors`.
"""

from kvraft_client._async.client import AsyncClient
from kvraft_client._async.lease import AsyncLease
from kvraft_client._sync.client import Client
from kvraft_client._sync.lease import Lease
from kvraft_client.errors import (
    AccessDenied,
    ClientClosed,
    Conflict,
    DeadlineExceeded,
    Exhausted,
    InvalidRequest,
    KvraftError,
    LeaseExists,
    LeaseLost,
    LeaseNotFound,
    NoQuorum,
    NoSpace,
    NotApplied,
    Outcome,
    OutcomeUnknown,
    RevisionUnavailable,
    TooLarge,
    Unavailable,
    Unreachable,
)
from kvraft_client.policy.lease_state import LeaseState
from kvraft_client.values import (
    CasResult,
    Entry,
    LeaseDescription,
    LeaseGrant,
    LeaseSummary,
    NodeHash,
    NodeStatus,
    PeerStatus,
    SnapshotInfo,
    StateHash,
)

__all__ = [
    "AccessDenied",
    "AsyncClient",
    "AsyncLease",
    "CasResult",
    "Client",
    "ClientClosed",
    "Conflict",
    "DeadlineExceeded",
    "Entry",
    "Exhausted",
    "InvalidRequest",
    "KvraftError",
    "Lease",
    "LeaseDescription",
    "LeaseExists",
    "LeaseGrant",
    "LeaseLost",
    "LeaseNotFound",
    "LeaseState",
    "LeaseSummary",
    "NoQuorum",
    "NoSpace",
    "NodeHash",
    "NodeStatus",
    "NotApplied",
    "Outcome",
    "OutcomeUnknown",
    "PeerStatus",
    "RevisionUnavailable",
    "SnapshotInfo",
    "StateHash",
    "TooLarge",
    "Unavailable",
    "Unreachable",
]
