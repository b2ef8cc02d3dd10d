from kvraft.v1 import kv_messages_pb2 as _kv_messages_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GrantRequest(_message.Message):
    __slots__ = ("ttl_ms", "lease_id", "must_understand", "fences", "identity")
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    MUST_UNDERSTAND_FIELD_NUMBER: _ClassVar[int]
    FENCES_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    ttl_ms: int
    lease_id: int
    must_understand: _containers.RepeatedScalarFieldContainer[str]
    fences: _containers.RepeatedCompositeFieldContainer[_kv_messages_pb2.Fence]
    identity: _kv_messages_pb2.Identity
    def __init__(self, ttl_ms: _Optional[int] = ..., lease_id: _Optional[int] = ..., must_understand: _Optional[_Iterable[str]] = ..., fences: _Optional[_Iterable[_Union[_kv_messages_pb2.Fence, _Mapping]]] = ..., identity: _Optional[_Union[_kv_messages_pb2.Identity, _Mapping]] = ...) -> None: ...

class GrantResponse(_message.Message):
    __slots__ = ("header", "lease_id", "ttl_ms")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    lease_id: int
    ttl_ms: int
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., lease_id: _Optional[int] = ..., ttl_ms: _Optional[int] = ...) -> None: ...

class KeepAliveRequest(_message.Message):
    __slots__ = ("lease_id",)
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    lease_id: int
    def __init__(self, lease_id: _Optional[int] = ...) -> None: ...

class KeepAliveResponse(_message.Message):
    __slots__ = ("header", "lease_id", "ttl_ms")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    lease_id: int
    ttl_ms: int
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., lease_id: _Optional[int] = ..., ttl_ms: _Optional[int] = ...) -> None: ...

class RevokeRequest(_message.Message):
    __slots__ = ("lease_id", "must_understand", "fences", "identity")
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    MUST_UNDERSTAND_FIELD_NUMBER: _ClassVar[int]
    FENCES_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    lease_id: int
    must_understand: _containers.RepeatedScalarFieldContainer[str]
    fences: _containers.RepeatedCompositeFieldContainer[_kv_messages_pb2.Fence]
    identity: _kv_messages_pb2.Identity
    def __init__(self, lease_id: _Optional[int] = ..., must_understand: _Optional[_Iterable[str]] = ..., fences: _Optional[_Iterable[_Union[_kv_messages_pb2.Fence, _Mapping]]] = ..., identity: _Optional[_Union[_kv_messages_pb2.Identity, _Mapping]] = ...) -> None: ...

class RevokeResponse(_message.Message):
    __slots__ = ("header", "deleted")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    deleted: int
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., deleted: _Optional[int] = ...) -> None: ...

class DescribeRequest(_message.Message):
    __slots__ = ("lease_id",)
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    lease_id: int
    def __init__(self, lease_id: _Optional[int] = ...) -> None: ...

class DescribeResponse(_message.Message):
    __slots__ = ("header", "lease_id", "ttl_ms", "remaining_ms", "keys", "key_count")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    REMAINING_MS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    KEY_COUNT_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    lease_id: int
    ttl_ms: int
    remaining_ms: int
    keys: _containers.RepeatedScalarFieldContainer[bytes]
    key_count: int
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., lease_id: _Optional[int] = ..., ttl_ms: _Optional[int] = ..., remaining_ms: _Optional[int] = ..., keys: _Optional[_Iterable[bytes]] = ..., key_count: _Optional[int] = ...) -> None: ...

class LeaseServiceListRequest(_message.Message):
    __slots__ = ("after", "limit")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    after: int
    limit: int
    def __init__(self, after: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class LeaseServiceListResponse(_message.Message):
    __slots__ = ("header", "leases", "more")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    LEASES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    leases: _containers.RepeatedCompositeFieldContainer[LeaseSummary]
    more: bool
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., leases: _Optional[_Iterable[_Union[LeaseSummary, _Mapping]]] = ..., more: bool = ...) -> None: ...

class LeaseSummary(_message.Message):
    __slots__ = ("lease_id", "ttl_ms", "remaining_ms", "keys")
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    REMAINING_MS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    lease_id: int
    ttl_ms: int
    remaining_ms: int
    keys: int
    def __init__(self, lease_id: _Optional[int] = ..., ttl_ms: _Optional[int] = ..., remaining_ms: _Optional[int] = ..., keys: _Optional[int] = ...) -> None: ...
