from kvraft.v1 import kv_messages_pb2 as _kv_messages_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LockMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOCK_MODE_UNSPECIFIED: _ClassVar[LockMode]
    LOCK_MODE_EXCLUSIVE: _ClassVar[LockMode]
    LOCK_MODE_SHARED: _ClassVar[LockMode]
    LOCK_MODE_COUNTED: _ClassVar[LockMode]

class AcquisitionEnd(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACQUISITION_END_UNSPECIFIED: _ClassVar[AcquisitionEnd]
    ACQUISITION_END_RELEASED: _ClassVar[AcquisitionEnd]
    ACQUISITION_END_TIMED_OUT: _ClassVar[AcquisitionEnd]
    ACQUISITION_END_UNATTENDED: _ClassVar[AcquisitionEnd]
    ACQUISITION_END_LEASE_EXPIRED: _ClassVar[AcquisitionEnd]
    ACQUISITION_END_LEASE_REVOKED: _ClassVar[AcquisitionEnd]
LOCK_MODE_UNSPECIFIED: LockMode
LOCK_MODE_EXCLUSIVE: LockMode
LOCK_MODE_SHARED: LockMode
LOCK_MODE_COUNTED: LockMode
ACQUISITION_END_UNSPECIFIED: AcquisitionEnd
ACQUISITION_END_RELEASED: AcquisitionEnd
ACQUISITION_END_TIMED_OUT: AcquisitionEnd
ACQUISITION_END_UNATTENDED: AcquisitionEnd
ACQUISITION_END_LEASE_EXPIRED: AcquisitionEnd
ACQUISITION_END_LEASE_REVOKED: AcquisitionEnd

class AcquireRequest(_message.Message):
    __slots__ = ("key", "names", "mode", "capacity", "lease_id", "ttl_ms", "owner", "wait_ms", "max_hold_ms", "must_understand")
    KEY_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_HOLD_MS_FIELD_NUMBER: _ClassVar[int]
    MUST_UNDERSTAND_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    names: _containers.RepeatedScalarFieldContainer[bytes]
    mode: LockMode
    capacity: int
    lease_id: int
    ttl_ms: int
    owner: bytes
    wait_ms: int
    max_hold_ms: int
    must_understand: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key: _Optional[bytes] = ..., names: _Optional[_Iterable[bytes]] = ..., mode: _Optional[_Union[LockMode, str]] = ..., capacity: _Optional[int] = ..., lease_id: _Optional[int] = ..., ttl_ms: _Optional[int] = ..., owner: _Optional[bytes] = ..., wait_ms: _Optional[int] = ..., max_hold_ms: _Optional[int] = ..., must_understand: _Optional[_Iterable[str]] = ...) -> None: ...

class AcquireResponse(_message.Message):
    __slots__ = ("header", "queued", "granted", "ended")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    queued: Queued
    granted: Granted
    ended: AcquisitionEnd
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., queued: _Optional[_Union[Queued, _Mapping]] = ..., granted: _Optional[_Union[Granted, _Mapping]] = ..., ended: _Optional[_Union[AcquisitionEnd, str]] = ...) -> None: ...

class Queued(_message.Message):
    __slots__ = ("place", "position", "holders", "lease_id")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    HOLDERS_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    place: int
    position: int
    holders: _containers.RepeatedScalarFieldContainer[int]
    lease_id: int
    def __init__(self, place: _Optional[int] = ..., position: _Optional[int] = ..., holders: _Optional[_Iterable[int]] = ..., lease_id: _Optional[int] = ...) -> None: ...

class Granted(_message.Message):
    __slots__ = ("place", "fences", "lease_id")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    FENCES_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    place: int
    fences: _containers.RepeatedCompositeFieldContainer[_kv_messages_pb2.Fence]
    lease_id: int
    def __init__(self, place: _Optional[int] = ..., fences: _Optional[_Iterable[_Union[_kv_messages_pb2.Fence, _Mapping]]] = ..., lease_id: _Optional[int] = ...) -> None: ...

class ConfirmRequest(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    def __init__(self, key: _Optional[bytes] = ...) -> None: ...

class ConfirmResponse(_message.Message):
    __slots__ = ("header", "held")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    held: bool
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., held: bool = ...) -> None: ...

class ReleaseRequest(_message.Message):
    __slots__ = ("key", "fence", "end_lease", "must_understand", "fences", "identity")
    KEY_FIELD_NUMBER: _ClassVar[int]
    FENCE_FIELD_NUMBER: _ClassVar[int]
    END_LEASE_FIELD_NUMBER: _ClassVar[int]
    MUST_UNDERSTAND_FIELD_NUMBER: _ClassVar[int]
    FENCES_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    fence: _kv_messages_pb2.Fence
    end_lease: bool
    must_understand: _containers.RepeatedScalarFieldContainer[str]
    fences: _containers.RepeatedCompositeFieldContainer[_kv_messages_pb2.Fence]
    identity: _kv_messages_pb2.Identity
    def __init__(self, key: _Optional[bytes] = ..., fence: _Optional[_Union[_kv_messages_pb2.Fence, _Mapping]] = ..., end_lease: bool = ..., must_understand: _Optional[_Iterable[str]] = ..., fences: _Optional[_Iterable[_Union[_kv_messages_pb2.Fence, _Mapping]]] = ..., identity: _Optional[_Union[_kv_messages_pb2.Identity, _Mapping]] = ...) -> None: ...

class ReleaseResponse(_message.Message):
    __slots__ = ("header", "released")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    released: bool
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., released: bool = ...) -> None: ...

class CheckFenceRequest(_message.Message):
    __slots__ = ("fence",)
    FENCE_FIELD_NUMBER: _ClassVar[int]
    fence: _kv_messages_pb2.Fence
    def __init__(self, fence: _Optional[_Union[_kv_messages_pb2.Fence, _Mapping]] = ...) -> None: ...

class CheckFenceResponse(_message.Message):
    __slots__ = ("header", "held")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    held: bool
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., held: bool = ...) -> None: ...

class LockServiceDescribeRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: bytes
    def __init__(self, name: _Optional[bytes] = ...) -> None: ...

class LockServiceDescribeResponse(_message.Message):
    __slots__ = ("header", "lock")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    LOCK_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    lock: LockDescription
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., lock: _Optional[_Union[LockDescription, _Mapping]] = ...) -> None: ...

class LockServiceListRequest(_message.Message):
    __slots__ = ("prefix", "after", "limit")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    prefix: bytes
    after: bytes
    limit: int
    def __init__(self, prefix: _Optional[bytes] = ..., after: _Optional[bytes] = ..., limit: _Optional[int] = ...) -> None: ...

class LockServiceListResponse(_message.Message):
    __slots__ = ("header", "locks", "more")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    LOCKS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    locks: _containers.RepeatedCompositeFieldContainer[LockDescription]
    more: bool
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., locks: _Optional[_Iterable[_Union[LockDescription, _Mapping]]] = ..., more: bool = ...) -> None: ...

class LockDescription(_message.Message):
    __slots__ = ("name", "capacity", "holders", "waiters", "holder_count", "waiter_count")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    HOLDERS_FIELD_NUMBER: _ClassVar[int]
    WAITERS_FIELD_NUMBER: _ClassVar[int]
    HOLDER_COUNT_FIELD_NUMBER: _ClassVar[int]
    WAITER_COUNT_FIELD_NUMBER: _ClassVar[int]
    name: bytes
    capacity: int
    holders: _containers.RepeatedCompositeFieldContainer[Place]
    waiters: _containers.RepeatedCompositeFieldContainer[Place]
    holder_count: int
    waiter_count: int
    def __init__(self, name: _Optional[bytes] = ..., capacity: _Optional[int] = ..., holders: _Optional[_Iterable[_Union[Place, _Mapping]]] = ..., waiters: _Optional[_Iterable[_Union[Place, _Mapping]]] = ..., holder_count: _Optional[int] = ..., waiter_count: _Optional[int] = ...) -> None: ...

class Place(_message.Message):
    __slots__ = ("place", "owner", "lease_id", "mode", "token", "age_ms")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    AGE_MS_FIELD_NUMBER: _ClassVar[int]
    place: int
    owner: bytes
    lease_id: int
    mode: LockMode
    token: int
    age_ms: int
    def __init__(self, place: _Optional[int] = ..., owner: _Optional[bytes] = ..., lease_id: _Optional[int] = ..., mode: _Optional[_Union[LockMode, str]] = ..., token: _Optional[int] = ..., age_ms: _Optional[int] = ...) -> None: ...
