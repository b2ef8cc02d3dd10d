"""The client of kvraft: `Client`, and `AsyncClient` with the same names, awaited.

Keys and values are bytes, or str, which is sent as UTF-8. Every error says by `outcome` whether
the call changed nothing (NOT_APPLIED) or may have (UNKNOWN); see `kvraft_client.errors`.
`kvraft_client.conditions`, `.actions` and `.operations` build what writes and transactions take.
"""

from kvraft_client._async.client import AsyncClient
from kvraft_client._async.election import AsyncElection
from kvraft_client._async.lease import AsyncLease
from kvraft_client._async.lock import AsyncLock
from kvraft_client._async.once import AsyncOnce
from kvraft_client._async.transaction import AsyncTransaction
from kvraft_client._async.watching import AsyncWatch
from kvraft_client._sync.client import Client
from kvraft_client._sync.election import Election
from kvraft_client._sync.lease import Lease
from kvraft_client._sync.lock import Lock
from kvraft_client._sync.once import Once
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
    AlreadyHeld,
    ClientClosed,
    Compacted,
    ConditionFailed,
    Conflict,
    DeadlineExceeded,
    Deadlock,
    Exhausted,
    FenceRequired,
    InvalidRequest,
    InvariantViolated,
    KeyReused,
    KvraftError,
    LeaseExists,
    LeaseLost,
    LeaseNotFound,
    LockLost,
    LockModeConflict,
    LockNotFound,
    LockTimeout,
    NoQuorum,
    NoSpace,
    NotApplied,
    Outcome,
    OutcomeUnknown,
    RevisionUnavailable,
    SessionExpired,
    StaleFence,
    TooLarge,
    TransactionConflict,
    Unavailable,
    Unreachable,
    WrongType,
)
from kvraft_client.fences import Fence, FenceLike
from kvraft_client.lock_values import (
    Contention,
    Guard,
    Histogram,
    KeyContention,
    Leader,
    LockContention,
    LockDescription,
    LockPlace,
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
    "AlreadyHeld",
    "Applied",
    "AsyncClient",
    "AsyncElection",
    "AsyncLease",
    "AsyncLock",
    "AsyncOnce",
    "AsyncTransaction",
    "AsyncWatch",
    "CasResult",
    "Client",
    "ClientClosed",
    "Compacted",
    "Condition",
    "ConditionFailed",
    "Conflict",
    "Contention",
    "DeadlineExceeded",
    "Deadlock",
    "DeleteResult",
    "Election",
    "Entry",
    "Event",
    "Exhausted",
    "Fence",
    "FenceLike",
    "FenceRequired",
    "Guard",
    "Histogram",
    "Identity",
    "InvalidRequest",
    "Invariant",
    "InvariantViolated",
    "KeyContention",
    "KeyIdentity",
    "KeyReused",
    "KvraftError",
    "Leader",
    "Lease",
    "LeaseDescription",
    "LeaseExists",
    "LeaseGrant",
    "LeaseLost",
    "LeaseNotFound",
    "LeaseState",
    "LeaseSummary",
    "ListResult",
    "Lock",
    "LockContention",
    "LockDescription",
    "LockLost",
    "LockModeConflict",
    "LockNotFound",
    "LockPlace",
    "LockTimeout",
    "Metrics",
    "ModifyResult",
    "NeverApplied",
    "NoQuorum",
    "NoSpace",
    "NodeHash",
    "NodeStatus",
    "NotApplied",
    "Once",
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
    "StaleFence",
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
