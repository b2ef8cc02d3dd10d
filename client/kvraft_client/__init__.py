"""The client of kvraft: `Client`, and `AsyncClient` with the same names, awaited.

Keys and values are bytes, or str, which is sent as UTF-8. Every error says by `outcome` whether
the call changed nothing (NOT_APPLIED) or may have (UNKNOWN); see `kvraft_client.errors`.
`kvraft_client.conditions`, `.actions` and `.operations` build what writes and transactions take.
"""

from kvraft_client._async.client import AsyncClient
from kvraft_client._async.lease import AsyncLease
from kvraft_client._async.transaction import AsyncTransaction
from kvraft_client._async.watching import AsyncWatch
from kvraft_client._sync.client import Client
from kvraft_client._sync.lease import Lease
from kvraft_client._sync.transaction import Transaction
from kvraft_client._sync.watching import Watch
from kvraft_client.actions import Action
from kvraft_client.answers import (
    Applied,
    DeleteResult,
    Event,
    ListResult,
    Metrics,
    ModifyResult,
    NeverApplied,
    PutResult,
    Refused,
    TxnResult,
    UpdateResult,
)
from kvraft_client.conditions import Condition
from kvraft_client.errors import (
    Abandoned,
    AccessDenied,
    ClientClosed,
    Compacted,
    ConditionFailed,
    Conflict,
    DeadlineExceeded,
    Exhausted,
    InvalidRequest,
    InvariantViolated,
    KeyReused,
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
    SessionExpired,
    TooLarge,
    TransactionConflict,
    Unavailable,
    Unreachable,
    WrongType,
)
from kvraft_client.operations import Operation
from kvraft_client.policy.identity import Identity, KeyIdentity, SessionIdentity
from kvraft_client.policy.lease_state import LeaseState
from kvraft_client.values import (
    CasResult,
    Entry,
    Invariant,
    LeaseDescription,
    LeaseGrant,
    LeaseSummary,
    NodeHash,
    NodeStatus,
    PeerStatus,
    SnapshotInfo,
    StateHash,
    Unmet,
)

__all__ = [
    "Abandoned",
    "AccessDenied",
    "Action",
    "Applied",
    "AsyncClient",
    "AsyncLease",
    "AsyncTransaction",
    "AsyncWatch",
    "CasResult",
    "Client",
    "ClientClosed",
    "Compacted",
    "Condition",
    "ConditionFailed",
    "Conflict",
    "DeadlineExceeded",
    "DeleteResult",
    "Entry",
    "Event",
    "Exhausted",
    "Identity",
    "InvalidRequest",
    "Invariant",
    "InvariantViolated",
    "KeyIdentity",
    "KeyReused",
    "KvraftError",
    "Lease",
    "LeaseDescription",
    "LeaseExists",
    "LeaseGrant",
    "LeaseLost",
    "LeaseNotFound",
    "LeaseState",
    "LeaseSummary",
    "ListResult",
    "Metrics",
    "ModifyResult",
    "NeverApplied",
    "NoQuorum",
    "NoSpace",
    "NodeHash",
    "NodeStatus",
    "NotApplied",
    "Operation",
    "Outcome",
    "OutcomeUnknown",
    "PeerStatus",
    "PutResult",
    "Refused",
    "RevisionUnavailable",
    "SessionExpired",
    "SessionIdentity",
    "SnapshotInfo",
    "StateHash",
    "TooLarge",
    "Transaction",
    "TransactionConflict",
    "TxnResult",
    "Unavailable",
    "Unmet",
    "Unreachable",
    "UpdateResult",
    "Watch",
    "WrongType",
]
