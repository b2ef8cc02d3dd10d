from kvraft.v1 import error_pb2 as _error_pb2
from kvraft.v1 import kv_messages_pb2 as _kv_messages_pb2
from kvraft.v1 import lease_pb2 as _lease_pb2
from kvraft.v1 import lock_pb2 as _lock_pb2
from kvraft.v1 import session_pb2 as _session_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union
from kvraft.v1.kv_messages_pb2 import ResponseHeader as ResponseHeader
from kvraft.v1.kv_messages_pb2 import Entry as Entry
from kvraft.v1.kv_messages_pb2 import Literal as Literal
from kvraft.v1.kv_messages_pb2 import Clause as Clause
from kvraft.v1.kv_messages_pb2 import Condition as Condition
from kvraft.v1.kv_messages_pb2 import ConditionList as ConditionList
from kvraft.v1.kv_messages_pb2 import Unmet as Unmet
from kvraft.v1.kv_messages_pb2 import Identity as Identity
from kvraft.v1.kv_messages_pb2 import Fence as Fence
from kvraft.v1.kv_messages_pb2 import SessionIdentity as SessionIdentity
from kvraft.v1.kv_messages_pb2 import KeyRange as KeyRange
from kvraft.v1.kv_messages_pb2 import GetRequest as GetRequest
from kvraft.v1.kv_messages_pb2 import GetResponse as GetResponse
from kvraft.v1.kv_messages_pb2 import ListRequest as ListRequest
from kvraft.v1.kv_messages_pb2 import ListResponse as ListResponse
from kvraft.v1.kv_messages_pb2 import PutRequest as PutRequest
from kvraft.v1.kv_messages_pb2 import PutResponse as PutResponse
from kvraft.v1.kv_messages_pb2 import DeleteRequest as DeleteRequest
from kvraft.v1.kv_messages_pb2 import DeleteResponse as DeleteResponse
from kvraft.v1.kv_messages_pb2 import Expect as Expect
from kvraft.v1.kv_messages_pb2 import CompareAndSetRequest as CompareAndSetRequest
from kvraft.v1.kv_messages_pb2 import CompareAndSetResponse as CompareAndSetResponse
from kvraft.v1.kv_messages_pb2 import UpdateRequest as UpdateRequest
from kvraft.v1.kv_messages_pb2 import Action as Action
from kvraft.v1.kv_messages_pb2 import DeleteAction as DeleteAction
from kvraft.v1.kv_messages_pb2 import JsonSet as JsonSet
from kvraft.v1.kv_messages_pb2 import JsonAdd as JsonAdd
from kvraft.v1.kv_messages_pb2 import JsonRemove as JsonRemove
from kvraft.v1.kv_messages_pb2 import UpdateResponse as UpdateResponse
from kvraft.v1.kv_messages_pb2 import TxnRequest as TxnRequest
from kvraft.v1.kv_messages_pb2 import Operation as Operation
from kvraft.v1.kv_messages_pb2 import OperationGet as OperationGet
from kvraft.v1.kv_messages_pb2 import OperationList as OperationList
from kvraft.v1.kv_messages_pb2 import OperationPut as OperationPut
from kvraft.v1.kv_messages_pb2 import OperationDelete as OperationDelete
from kvraft.v1.kv_messages_pb2 import OperationUpdate as OperationUpdate
from kvraft.v1.kv_messages_pb2 import OperationTxn as OperationTxn
from kvraft.v1.kv_messages_pb2 import TxnResponse as TxnResponse
from kvraft.v1.kv_messages_pb2 import OperationResult as OperationResult
from kvraft.v1.kv_messages_pb2 import GetResult as GetResult
from kvraft.v1.kv_messages_pb2 import ListResult as ListResult
from kvraft.v1.kv_messages_pb2 import PutResult as PutResult
from kvraft.v1.kv_messages_pb2 import DeleteResult as DeleteResult
from kvraft.v1.kv_messages_pb2 import UpdateResult as UpdateResult
from kvraft.v1.kv_messages_pb2 import TxnResult as TxnResult
from kvraft.v1.kv_messages_pb2 import Target as Target
from kvraft.v1.kv_messages_pb2 import Operator as Operator
from kvraft.v1.kv_messages_pb2 import Consistency as Consistency

DESCRIPTOR: _descriptor.FileDescriptor
TARGET_UNSPECIFIED: _kv_messages_pb2.Target
TARGET_EXISTS: _kv_messages_pb2.Target
TARGET_VERSION: _kv_messages_pb2.Target
TARGET_CREATE_REVISION: _kv_messages_pb2.Target
TARGET_MOD_REVISION: _kv_messages_pb2.Target
TARGET_LEASE_ID: _kv_messages_pb2.Target
TARGET_VALUE: _kv_messages_pb2.Target
TARGET_NUMBER: _kv_messages_pb2.Target
TARGET_JSON: _kv_messages_pb2.Target
TARGET_COUNT: _kv_messages_pb2.Target
TARGET_FENCE: _kv_messages_pb2.Target
OPERATOR_UNSPECIFIED: _kv_messages_pb2.Operator
OPERATOR_EQUAL: _kv_messages_pb2.Operator
OPERATOR_NOT_EQUAL: _kv_messages_pb2.Operator
OPERATOR_LESS: _kv_messages_pb2.Operator
OPERATOR_LESS_OR_EQUAL: _kv_messages_pb2.Operator
OPERATOR_GREATER: _kv_messages_pb2.Operator
OPERATOR_GREATER_OR_EQUAL: _kv_messages_pb2.Operator
OPERATOR_IN: _kv_messages_pb2.Operator
OPERATOR_BETWEEN: _kv_messages_pb2.Operator
OPERATOR_BEGINS_WITH: _kv_messages_pb2.Operator
CONSISTENCY_UNSPECIFIED: _kv_messages_pb2.Consistency
CONSISTENCY_LINEARIZABLE: _kv_messages_pb2.Consistency
CONSISTENCY_SERIALIZABLE: _kv_messages_pb2.Consistency

class PipelineRequest(_message.Message):
    __slots__ = ("calls",)
    CALLS_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[PipelineCall]
    def __init__(self, calls: _Optional[_Iterable[_Union[PipelineCall, _Mapping]]] = ...) -> None: ...

class PipelineCall(_message.Message):
    __slots__ = ("id", "timeout_ms", "get", "list", "put", "delete", "compare_and_set", "update", "txn", "grant", "revoke", "keep_alive", "open", "close", "resolve", "acquire", "confirm", "release", "check_fence")
    ID_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    GET_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    PUT_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    COMPARE_AND_SET_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    TXN_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    REVOKE_FIELD_NUMBER: _ClassVar[int]
    KEEP_ALIVE_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    RESOLVE_FIELD_NUMBER: _ClassVar[int]
    ACQUIRE_FIELD_NUMBER: _ClassVar[int]
    CONFIRM_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    CHECK_FENCE_FIELD_NUMBER: _ClassVar[int]
    id: int
    timeout_ms: int
    get: _kv_messages_pb2.GetRequest
    list: _kv_messages_pb2.ListRequest
    put: _kv_messages_pb2.PutRequest
    delete: _kv_messages_pb2.DeleteRequest
    compare_and_set: _kv_messages_pb2.CompareAndSetRequest
    update: _kv_messages_pb2.UpdateRequest
    txn: _kv_messages_pb2.TxnRequest
    grant: _lease_pb2.GrantRequest
    revoke: _lease_pb2.RevokeRequest
    keep_alive: _lease_pb2.KeepAliveRequest
    open: _session_pb2.OpenRequest
    close: _session_pb2.CloseRequest
    resolve: _session_pb2.ResolveRequest
    acquire: _lock_pb2.AcquireRequest
    confirm: _lock_pb2.ConfirmRequest
    release: _lock_pb2.ReleaseRequest
    check_fence: _lock_pb2.CheckFenceRequest
    def __init__(self, id: _Optional[int] = ..., timeout_ms: _Optional[int] = ..., get: _Optional[_Union[_kv_messages_pb2.GetRequest, _Mapping]] = ..., list: _Optional[_Union[_kv_messages_pb2.ListRequest, _Mapping]] = ..., put: _Optional[_Union[_kv_messages_pb2.PutRequest, _Mapping]] = ..., delete: _Optional[_Union[_kv_messages_pb2.DeleteRequest, _Mapping]] = ..., compare_and_set: _Optional[_Union[_kv_messages_pb2.CompareAndSetRequest, _Mapping]] = ..., update: _Optional[_Union[_kv_messages_pb2.UpdateRequest, _Mapping]] = ..., txn: _Optional[_Union[_kv_messages_pb2.TxnRequest, _Mapping]] = ..., grant: _Optional[_Union[_lease_pb2.GrantRequest, _Mapping]] = ..., revoke: _Optional[_Union[_lease_pb2.RevokeRequest, _Mapping]] = ..., keep_alive: _Optional[_Union[_lease_pb2.KeepAliveRequest, _Mapping]] = ..., open: _Optional[_Union[_session_pb2.OpenRequest, _Mapping]] = ..., close: _Optional[_Union[_session_pb2.CloseRequest, _Mapping]] = ..., resolve: _Optional[_Union[_session_pb2.ResolveRequest, _Mapping]] = ..., acquire: _Optional[_Union[_lock_pb2.AcquireRequest, _Mapping]] = ..., confirm: _Optional[_Union[_lock_pb2.ConfirmRequest, _Mapping]] = ..., release: _Optional[_Union[_lock_pb2.ReleaseRequest, _Mapping]] = ..., check_fence: _Optional[_Union[_lock_pb2.CheckFenceRequest, _Mapping]] = ...) -> None: ...

class PipelineResponse(_message.Message):
    __slots__ = ("replies",)
    REPLIES_FIELD_NUMBER: _ClassVar[int]
    replies: _containers.RepeatedCompositeFieldContainer[PipelineReply]
    def __init__(self, replies: _Optional[_Iterable[_Union[PipelineReply, _Mapping]]] = ...) -> None: ...

class PipelineReply(_message.Message):
    __slots__ = ("id", "more", "error", "get", "list", "put", "delete", "compare_and_set", "update", "txn", "grant", "revoke", "keep_alive", "open", "close", "resolve", "acquire", "confirm", "release", "check_fence")
    ID_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    GET_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    PUT_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    COMPARE_AND_SET_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    TXN_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    REVOKE_FIELD_NUMBER: _ClassVar[int]
    KEEP_ALIVE_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    RESOLVE_FIELD_NUMBER: _ClassVar[int]
    ACQUIRE_FIELD_NUMBER: _ClassVar[int]
    CONFIRM_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    CHECK_FENCE_FIELD_NUMBER: _ClassVar[int]
    id: int
    more: bool
    error: _error_pb2.ErrorStatus
    get: _kv_messages_pb2.GetResponse
    list: _kv_messages_pb2.ListResponse
    put: _kv_messages_pb2.PutResponse
    delete: _kv_messages_pb2.DeleteResponse
    compare_and_set: _kv_messages_pb2.CompareAndSetResponse
    update: _kv_messages_pb2.UpdateResponse
    txn: _kv_messages_pb2.TxnResponse
    grant: _lease_pb2.GrantResponse
    revoke: _lease_pb2.RevokeResponse
    keep_alive: _lease_pb2.KeepAliveResponse
    open: _session_pb2.OpenResponse
    close: _session_pb2.CloseResponse
    resolve: _session_pb2.ResolveResponse
    acquire: _lock_pb2.AcquireResponse
    confirm: _lock_pb2.ConfirmResponse
    release: _lock_pb2.ReleaseResponse
    check_fence: _lock_pb2.CheckFenceResponse
    def __init__(self, id: _Optional[int] = ..., more: bool = ..., error: _Optional[_Union[_error_pb2.ErrorStatus, _Mapping]] = ..., get: _Optional[_Union[_kv_messages_pb2.GetResponse, _Mapping]] = ..., list: _Optional[_Union[_kv_messages_pb2.ListResponse, _Mapping]] = ..., put: _Optional[_Union[_kv_messages_pb2.PutResponse, _Mapping]] = ..., delete: _Optional[_Union[_kv_messages_pb2.DeleteResponse, _Mapping]] = ..., compare_and_set: _Optional[_Union[_kv_messages_pb2.CompareAndSetResponse, _Mapping]] = ..., update: _Optional[_Union[_kv_messages_pb2.UpdateResponse, _Mapping]] = ..., txn: _Optional[_Union[_kv_messages_pb2.TxnResponse, _Mapping]] = ..., grant: _Optional[_Union[_lease_pb2.GrantResponse, _Mapping]] = ..., revoke: _Optional[_Union[_lease_pb2.RevokeResponse, _Mapping]] = ..., keep_alive: _Optional[_Union[_lease_pb2.KeepAliveResponse, _Mapping]] = ..., open: _Optional[_Union[_session_pb2.OpenResponse, _Mapping]] = ..., close: _Optional[_Union[_session_pb2.CloseResponse, _Mapping]] = ..., resolve: _Optional[_Union[_session_pb2.ResolveResponse, _Mapping]] = ..., acquire: _Optional[_Union[_lock_pb2.AcquireResponse, _Mapping]] = ..., confirm: _Optional[_Union[_lock_pb2.ConfirmResponse, _Mapping]] = ..., release: _Optional[_Union[_lock_pb2.ReleaseResponse, _Mapping]] = ..., check_fence: _Optional[_Union[_lock_pb2.CheckFenceResponse, _Mapping]] = ...) -> None: ...
