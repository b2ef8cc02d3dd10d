"""Anything that the encodings of the core can hold, for property tests; not all makes sense."""

from dataclasses import fields

from hypothesis import strategies as st

from kvraft.core.actions import Action, ActionKind
from kvraft.core.commands import (
    Acquire,
    Attach,
    Bootstrap,
    CompareAndSet,
    Confirm,
    Delete,
    DeleteRange,
    Entry,
    Expect,
    Fence,
    Get,
    GetRange,
    GuardPrefix,
    HashMarker,
    KeyIdentity,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    LockMode,
    Member,
    MemberDisk,
    Put,
    Release,
    Request,
    Resolve,
    SessionClose,
    SessionIdentity,
    SessionOpen,
    SetInvariant,
    Txn,
    Update,
)
from kvraft.core.conditions import All, AnyOf, Clause, Not, Operator, Target
from kvraft.core.errors import Reason
from kvraft.core.limits import ApplyLimits
from kvraft.core.results import (
    AcquireResult,
    AttachResult,
    CasResult,
    DeleteResult,
    Ending,
    GetResult,
    GuardResult,
    InvariantResult,
    KeyValue,
    LeaseResult,
    MarkerResult,
    MemberResult,
    Page,
    PutResult,
    Refused,
    ReleaseResult,
    Replayed,
    Resolved,
    RevokeResult,
    SessionResult,
    Standing,
    TxnResult,
    Unmet,
    UpdateResult,
)

int64 = st.integers(-(1 << 63), (1 << 63) - 1)
maybe_int64 = st.none() | int64
data = st.binary(max_size=40)
names = st.text(max_size=20)
floats = st.floats(allow_nan=False, allow_infinity=False)


def tuples(strategy, max_size=3):
    return st.lists(strategy, max_size=max_size).map(tuple)


any_limits = st.builds(ApplyLimits, *[int64] * len(fields(ApplyLimits)))
any_members = st.builds(Member, names, int64, st.integers(0, 65_535))

any_literal = st.none() | st.booleans() | int64 | floats | names | data
any_clause = st.builds(
    Clause, data, st.sampled_from(Target), st.sampled_from(Operator), tuples(any_literal), names
)
any_condition = st.recursive(
    any_clause,
    lambda part: (
        st.builds(All, tuples(part)) | st.builds(AnyOf, tuples(part)) | st.builds(Not, part)
    ),
    max_leaves=8,
)
any_action = st.builds(
    Action, st.sampled_from(ActionKind), st.none() | data | int64 | floats, names
)
any_identity = st.builds(SessionIdentity, int64, int64, int64) | st.builds(KeyIdentity, data)

any_fence = st.builds(Fence, data, int64)
any_fences = tuples(any_fence)
any_acquire = st.builds(
    Acquire,
    data,
    tuples(data),
    st.sampled_from(LockMode),
    int64,
    lease_id=maybe_int64,
    ttl_ms=maybe_int64,
    owner=data,
    wait_ms=maybe_int64,
    max_hold_ms=maybe_int64,
)

any_put = st.builds(Put, data, data, maybe_int64, maybe_int64, st.booleans(), st.booleans())
any_delete = st.builds(Delete, data, st.booleans())
any_delete_range = st.builds(DeleteRange, data, st.none() | data)
any_update = st.builds(Update, data, tuples(any_action), maybe_int64, maybe_int64)
any_operation = st.one_of(
    any_put,
    any_delete,
    any_delete_range,
    any_update,
    st.builds(Get, data),
    st.builds(GetRange, data, st.none() | data, int64, st.booleans()),
)


def transactions(operation):
    return st.builds(Txn, st.none() | any_condition, tuples(operation), tuples(operation))


any_txn = transactions(any_operation | transactions(any_operation))
any_mutation = st.one_of(
    any_put,
    any_delete,
    any_delete_range,
    any_update,
    any_txn,
    st.builds(
        CompareAndSet,
        data,
        data,
        st.builds(Expect, st.booleans(), st.none() | data, *[maybe_int64] * 3),
        maybe_int64,
        maybe_int64,
        st.booleans(),
    ),
    st.builds(LeaseGrant, int64, maybe_int64),
    st.builds(LeaseRevoke, int64),
    st.builds(SetInvariant, data, st.booleans(), maybe_int64, maybe_int64, st.booleans()),
    st.builds(Release, st.none() | data, st.none() | any_fence, st.booleans()),
    st.builds(GuardPrefix, data, st.none() | data, st.booleans()),
)
any_command = st.one_of(
    any_mutation,
    st.builds(
        Request, any_mutation, st.none() | any_condition, st.none() | any_identity, any_fences
    ),
    any_acquire,
    st.builds(Attach, tuples(int64)),
    st.builds(Confirm, data),
    st.builds(LeaseKeepAlive, int64),
    st.just(SessionOpen()),
    st.builds(SessionClose, int64),
    st.builds(Resolve, any_identity),
    st.builds(Bootstrap, int64, tuples(any_members, 4), any_limits),
    st.builds(MemberDisk, any_members),
    st.builds(HashMarker, int64),
)
any_entry = st.builds(Entry, maybe_int64, tuples(any_command, 5))

any_key_value = st.builds(KeyValue, data, data, *[int64] * 4, st.booleans())
maybe_key_value = st.none() | any_key_value
any_index = st.integers(0, (1 << 32) - 1)
any_unmet = st.builds(Unmet, any_index, tuples(any_index), tuples(any_key_value))
any_put_result = st.builds(PutResult, any_key_value, maybe_key_value)
any_delete_result = st.builds(DeleteResult, int64, maybe_key_value)
any_update_result = st.builds(UpdateResult, maybe_key_value, maybe_key_value)
any_operation_result = st.one_of(
    any_put_result,
    any_delete_result,
    any_update_result,
    st.builds(GetResult, maybe_key_value),
    st.builds(Page, tuples(any_key_value), st.booleans()),
)


def transaction_results(part):
    return st.builds(TxnResult, st.none() | any_unmet, tuples(part))


any_kept_result = st.one_of(
    any_put_result,
    any_delete_result,
    any_update_result,
    transaction_results(any_operation_result | transaction_results(any_operation_result)),
    any_unmet,
    st.builds(CasResult, st.booleans(), maybe_key_value),
    st.builds(InvariantResult, data, st.booleans()),
    st.builds(SessionResult, int64),
    st.builds(LeaseResult, int64, int64, int64),
    st.builds(RevokeResult, int64, int64),
    st.builds(MemberResult, int64, names, int64),
    st.builds(MarkerResult, int64, int64),
    st.builds(Refused, st.sampled_from(Reason), names),
    st.builds(ReleaseResult, st.booleans()),
    st.builds(GuardResult, data),
)
any_acquire_result = st.builds(
    AcquireResult,
    int64,
    st.sampled_from(Standing),
    int64,
    any_fences,
    int64,
    tuples(int64),
    st.none() | st.sampled_from(Ending),
)
any_result = st.one_of(
    any_kept_result,
    any_acquire_result,
    st.builds(AttachResult, int64),
    st.builds(Replayed, any_kept_result, int64, st.booleans()),
    st.builds(Resolved, st.none() | any_kept_result, int64, st.booleans()),
)
