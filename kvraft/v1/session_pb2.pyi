from kvraft.v1 import kv_messages_pb2 as _kv_messages_pb2
from kvraft.v1 import lease_pb2 as _lease_pb2
from kvraft.v1 import lock_pb2 as _lock_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OpenRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class OpenResponse(_message.Message):
    __slots__ = ("header", "session_id", "idle_ms", "window")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    IDLE_MS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    session_id: int
    idle_ms: int
    window: int
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., session_id: _Optional[int] = ..., idle_ms: _Optional[int] = ..., window: _Optional[int] = ...) -> None: ...

class CloseRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: int
    def __init__(self, session_id: _Optional[int] = ...) -> None: ...

class CloseResponse(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ...) -> None: ...

class ResolveRequest(_message.Message):
    __slots__ = ("identity",)
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    identity: _kv_messages_pb2.Identity
    def __init__(self, identity: _Optional[_Union[_kv_messages_pb2.Identity, _Mapping]] = ...) -> None: ...

class ResolveResponse(_message.Message):
    __slots__ = ("header", "answered", "revision", "reply_omitted", "put", "delete", "compare_and_set", "update", "txn", "grant", "revoke", "refused", "invariant", "unmet", "release", "guard")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    REPLY_OMITTED_FIELD_NUMBER: _ClassVar[int]
    PUT_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    COMPARE_AND_SET_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    TXN_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    REVOKE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    INVARIANT_FIELD_NUMBER: _ClassVar[int]
    UNMET_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    GUARD_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    answered: bool
    revision: int
    reply_omitted: bool
    put: _kv_messages_pb2.PutResponse
    delete: _kv_messages_pb2.DeleteResponse
    compare_and_set: _kv_messages_pb2.CompareAndSetResponse
    update: _kv_messages_pb2.UpdateResponse
    txn: _kv_messages_pb2.TxnResponse
    grant: _lease_pb2.GrantResponse
    revoke: _lease_pb2.RevokeResponse
    refused: RefusedReply
    invariant: InvariantReply
    unmet: _kv_messages_pb2.Unmet
    release: _lock_pb2.ReleaseResponse
    guard: GuardReply
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., answered: bool = ..., revision: _Optional[int] = ..., reply_omitted: bool = ..., put: _Optional[_Union[_kv_messages_pb2.PutResponse, _Mapping]] = ..., delete: _Optional[_Union[_kv_messages_pb2.DeleteResponse, _Mapping]] = ..., compare_and_set: _Optional[_Union[_kv_messages_pb2.CompareAndSetResponse, _Mapping]] = ..., update: _Optional[_Union[_kv_messages_pb2.UpdateResponse, _Mapping]] = ..., txn: _Optional[_Union[_kv_messages_pb2.TxnResponse, _Mapping]] = ..., grant: _Optional[_Union[_lease_pb2.GrantResponse, _Mapping]] = ..., revoke: _Optional[_Union[_lease_pb2.RevokeResponse, _Mapping]] = ..., refused: _Optional[_Union[RefusedReply, _Mapping]] = ..., invariant: _Optional[_Union[InvariantReply, _Mapping]] = ..., unmet: _Optional[_Union[_kv_messages_pb2.Unmet, _Mapping]] = ..., release: _Optional[_Union[_lock_pb2.ReleaseResponse, _Mapping]] = ..., guard: _Optional[_Union[GuardReply, _Mapping]] = ...) -> None: ...

class RefusedReply(_message.Message):
    __slots__ = ("reason", "message")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class InvariantReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GuardReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
