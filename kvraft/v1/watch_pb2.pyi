from kvraft.v1 import kv_messages_pb2 as _kv_messages_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_TYPE_UNSPECIFIED: _ClassVar[EventType]
    EVENT_TYPE_PUT: _ClassVar[EventType]
    EVENT_TYPE_DELETE: _ClassVar[EventType]

class Cause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAUSE_UNSPECIFIED: _ClassVar[Cause]
    CAUSE_REQUEST: _ClassVar[Cause]
    CAUSE_EXPIRED: _ClassVar[Cause]
    CAUSE_REVOKED: _ClassVar[Cause]
    CAUSE_FENCED: _ClassVar[Cause]
EVENT_TYPE_UNSPECIFIED: EventType
EVENT_TYPE_PUT: EventType
EVENT_TYPE_DELETE: EventType
CAUSE_UNSPECIFIED: Cause
CAUSE_REQUEST: Cause
CAUSE_EXPIRED: Cause
CAUSE_REVOKED: Cause
CAUSE_FENCED: Cause

class WatchRequest(_message.Message):
    __slots__ = ("key", "prefix", "range", "start_revision", "previous", "no_puts", "no_deletes", "progress_ms")
    KEY_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    START_REVISION_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    NO_PUTS_FIELD_NUMBER: _ClassVar[int]
    NO_DELETES_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_MS_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    prefix: bytes
    range: _kv_messages_pb2.KeyRange
    start_revision: int
    previous: bool
    no_puts: bool
    no_deletes: bool
    progress_ms: int
    def __init__(self, key: _Optional[bytes] = ..., prefix: _Optional[bytes] = ..., range: _Optional[_Union[_kv_messages_pb2.KeyRange, _Mapping]] = ..., start_revision: _Optional[int] = ..., previous: bool = ..., no_puts: bool = ..., no_deletes: bool = ..., progress_ms: _Optional[int] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("type", "cause", "entry", "previous")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    type: EventType
    cause: Cause
    entry: _kv_messages_pb2.Entry
    previous: _kv_messages_pb2.Entry
    def __init__(self, type: _Optional[_Union[EventType, str]] = ..., cause: _Optional[_Union[Cause, str]] = ..., entry: _Optional[_Union[_kv_messages_pb2.Entry, _Mapping]] = ..., previous: _Optional[_Union[_kv_messages_pb2.Entry, _Mapping]] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("header", "events", "revision")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    events: _containers.RepeatedCompositeFieldContainer[Event]
    revision: int
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., revision: _Optional[int] = ...) -> None: ...
