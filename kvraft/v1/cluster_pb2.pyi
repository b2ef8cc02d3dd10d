from kvraft.v1 import kv_messages_pb2 as _kv_messages_pb2
from kvraft.v1 import lock_pb2 as _lock_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_LEADER: _ClassVar[Role]
    ROLE_FOLLOWER: _ClassVar[Role]
    ROLE_CANDIDATE: _ClassVar[Role]
    ROLE_REJOINING: _ClassVar[Role]
ROLE_UNSPECIFIED: Role
ROLE_LEADER: Role
ROLE_FOLLOWER: Role
ROLE_CANDIDATE: Role
ROLE_REJOINING: Role

class StatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StatusResponse(_message.Message):
    __slots__ = ("header", "role", "leader", "leader_endpoint", "commit_index", "applied_index", "last_index", "durable_index", "snapshot_index", "cluster_time_ms", "keys", "leases", "state_bytes", "version", "disk_id", "peers", "counters", "quorum_reachable")
    class CountersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    LEADER_FIELD_NUMBER: _ClassVar[int]
    LEADER_ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    COMMIT_INDEX_FIELD_NUMBER: _ClassVar[int]
    APPLIED_INDEX_FIELD_NUMBER: _ClassVar[int]
    LAST_INDEX_FIELD_NUMBER: _ClassVar[int]
    DURABLE_INDEX_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_INDEX_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    LEASES_FIELD_NUMBER: _ClassVar[int]
    STATE_BYTES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DISK_ID_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    QUORUM_REACHABLE_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    role: Role
    leader: str
    leader_endpoint: str
    commit_index: int
    applied_index: int
    last_index: int
    durable_index: int
    snapshot_index: int
    cluster_time_ms: int
    keys: int
    leases: int
    state_bytes: int
    version: str
    disk_id: str
    peers: _containers.RepeatedCompositeFieldContainer[PeerStatus]
    counters: _containers.ScalarMap[str, int]
    quorum_reachable: bool
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., role: _Optional[_Union[Role, str]] = ..., leader: _Optional[str] = ..., leader_endpoint: _Optional[str] = ..., commit_index: _Optional[int] = ..., applied_index: _Optional[int] = ..., last_index: _Optional[int] = ..., durable_index: _Optional[int] = ..., snapshot_index: _Optional[int] = ..., cluster_time_ms: _Optional[int] = ..., keys: _Optional[int] = ..., leases: _Optional[int] = ..., state_bytes: _Optional[int] = ..., version: _Optional[str] = ..., disk_id: _Optional[str] = ..., peers: _Optional[_Iterable[_Union[PeerStatus, _Mapping]]] = ..., counters: _Optional[_Mapping[str, int]] = ..., quorum_reachable: bool = ...) -> None: ...

class PeerStatus(_message.Message):
    __slots__ = ("name", "connected", "match_index", "contact_age_ms")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    MATCH_INDEX_FIELD_NUMBER: _ClassVar[int]
    CONTACT_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    name: str
    connected: bool
    match_index: int
    contact_age_ms: int
    def __init__(self, name: _Optional[str] = ..., connected: bool = ..., match_index: _Optional[int] = ..., contact_age_ms: _Optional[int] = ...) -> None: ...

class MembersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MembersResponse(_message.Message):
    __slots__ = ("header", "members")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    members: _containers.RepeatedCompositeFieldContainer[Member]
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., members: _Optional[_Iterable[_Union[Member, _Mapping]]] = ...) -> None: ...

class Member(_message.Message):
    __slots__ = ("name", "disk_id", "endpoint", "command_version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DISK_ID_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    COMMAND_VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    disk_id: str
    endpoint: str
    command_version: int
    def __init__(self, name: _Optional[str] = ..., disk_id: _Optional[str] = ..., endpoint: _Optional[str] = ..., command_version: _Optional[int] = ...) -> None: ...

class TransferLeadershipRequest(_message.Message):
    __slots__ = ("to",)
    TO_FIELD_NUMBER: _ClassVar[int]
    to: str
    def __init__(self, to: _Optional[str] = ...) -> None: ...

class TransferLeadershipResponse(_message.Message):
    __slots__ = ("header", "leader")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    LEADER_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    leader: str
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., leader: _Optional[str] = ...) -> None: ...

class SnapshotRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SnapshotResponse(_message.Message):
    __slots__ = ("index", "revision", "total_bytes", "chunk")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    index: int
    revision: int
    total_bytes: int
    chunk: bytes
    def __init__(self, index: _Optional[int] = ..., revision: _Optional[int] = ..., total_bytes: _Optional[int] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class StateHashRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StateHashResponse(_message.Message):
    __slots__ = ("header", "hashes", "missing")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    HASHES_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    hashes: _containers.RepeatedCompositeFieldContainer[NodeHash]
    missing: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., hashes: _Optional[_Iterable[_Union[NodeHash, _Mapping]]] = ..., missing: _Optional[_Iterable[str]] = ...) -> None: ...

class NodeHash(_message.Message):
    __slots__ = ("node", "index", "revision", "digest")
    NODE_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    node: str
    index: int
    revision: int
    digest: str
    def __init__(self, node: _Optional[str] = ..., index: _Optional[int] = ..., revision: _Optional[int] = ..., digest: _Optional[str] = ...) -> None: ...

class Invariant(_message.Message):
    __slots__ = ("key", "is_prefix", "min", "max", "immutable")
    KEY_FIELD_NUMBER: _ClassVar[int]
    IS_PREFIX_FIELD_NUMBER: _ClassVar[int]
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    IMMUTABLE_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    is_prefix: bool
    min: int
    max: int
    immutable: bool
    def __init__(self, key: _Optional[bytes] = ..., is_prefix: bool = ..., min: _Optional[int] = ..., max: _Optional[int] = ..., immutable: bool = ...) -> None: ...

class SetInvariantRequest(_message.Message):
    __slots__ = ("invariant", "must_understand", "fences", "identity")
    INVARIANT_FIELD_NUMBER: _ClassVar[int]
    MUST_UNDERSTAND_FIELD_NUMBER: _ClassVar[int]
    FENCES_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    invariant: Invariant
    must_understand: _containers.RepeatedScalarFieldContainer[str]
    fences: _containers.RepeatedCompositeFieldContainer[_kv_messages_pb2.Fence]
    identity: _kv_messages_pb2.Identity
    def __init__(self, invariant: _Optional[_Union[Invariant, _Mapping]] = ..., must_understand: _Optional[_Iterable[str]] = ..., fences: _Optional[_Iterable[_Union[_kv_messages_pb2.Fence, _Mapping]]] = ..., identity: _Optional[_Union[_kv_messages_pb2.Identity, _Mapping]] = ...) -> None: ...

class SetInvariantResponse(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ...) -> None: ...

class ListInvariantsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListInvariantsResponse(_message.Message):
    __slots__ = ("header", "invariants")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    INVARIANTS_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    invariants: _containers.RepeatedCompositeFieldContainer[Invariant]
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., invariants: _Optional[_Iterable[_Union[Invariant, _Mapping]]] = ...) -> None: ...

class Guard(_message.Message):
    __slots__ = ("prefix", "lock", "per_key")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    LOCK_FIELD_NUMBER: _ClassVar[int]
    PER_KEY_FIELD_NUMBER: _ClassVar[int]
    prefix: bytes
    lock: bytes
    per_key: bool
    def __init__(self, prefix: _Optional[bytes] = ..., lock: _Optional[bytes] = ..., per_key: bool = ...) -> None: ...

class GuardPrefixRequest(_message.Message):
    __slots__ = ("guard", "must_understand", "fences", "identity")
    GUARD_FIELD_NUMBER: _ClassVar[int]
    MUST_UNDERSTAND_FIELD_NUMBER: _ClassVar[int]
    FENCES_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    guard: Guard
    must_understand: _containers.RepeatedScalarFieldContainer[str]
    fences: _containers.RepeatedCompositeFieldContainer[_kv_messages_pb2.Fence]
    identity: _kv_messages_pb2.Identity
    def __init__(self, guard: _Optional[_Union[Guard, _Mapping]] = ..., must_understand: _Optional[_Iterable[str]] = ..., fences: _Optional[_Iterable[_Union[_kv_messages_pb2.Fence, _Mapping]]] = ..., identity: _Optional[_Union[_kv_messages_pb2.Identity, _Mapping]] = ...) -> None: ...

class GuardPrefixResponse(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ...) -> None: ...

class ListGuardsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListGuardsResponse(_message.Message):
    __slots__ = ("header", "guards")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    GUARDS_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    guards: _containers.RepeatedCompositeFieldContainer[Guard]
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., guards: _Optional[_Iterable[_Union[Guard, _Mapping]]] = ...) -> None: ...

class ContentionRequest(_message.Message):
    __slots__ = ("limit",)
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    def __init__(self, limit: _Optional[int] = ...) -> None: ...

class ContentionResponse(_message.Message):
    __slots__ = ("header", "keys", "locks")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    LOCKS_FIELD_NUMBER: _ClassVar[int]
    header: _kv_messages_pb2.ResponseHeader
    keys: _containers.RepeatedCompositeFieldContainer[KeyContention]
    locks: _containers.RepeatedCompositeFieldContainer[LockContention]
    def __init__(self, header: _Optional[_Union[_kv_messages_pb2.ResponseHeader, _Mapping]] = ..., keys: _Optional[_Iterable[_Union[KeyContention, _Mapping]]] = ..., locks: _Optional[_Iterable[_Union[LockContention, _Mapping]]] = ...) -> None: ...

class KeyContention(_message.Message):
    __slots__ = ("key", "attempts", "conflicts", "error")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    attempts: int
    conflicts: int
    error: int
    def __init__(self, key: _Optional[bytes] = ..., attempts: _Optional[int] = ..., conflicts: _Optional[int] = ..., error: _Optional[int] = ...) -> None: ...

class LockContention(_message.Message):
    __slots__ = ("name", "grants", "waits", "abandoned", "wait_ms", "hold_ms", "queue_length", "overheld", "holders", "blockers", "error")
    NAME_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    WAITS_FIELD_NUMBER: _ClassVar[int]
    ABANDONED_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    HOLD_MS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_LENGTH_FIELD_NUMBER: _ClassVar[int]
    OVERHELD_FIELD_NUMBER: _ClassVar[int]
    HOLDERS_FIELD_NUMBER: _ClassVar[int]
    BLOCKERS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    name: bytes
    grants: int
    waits: int
    abandoned: int
    wait_ms: Histogram
    hold_ms: Histogram
    queue_length: int
    overheld: int
    holders: _containers.RepeatedCompositeFieldContainer[_lock_pb2.Place]
    blockers: _containers.RepeatedScalarFieldContainer[str]
    error: int
    def __init__(self, name: _Optional[bytes] = ..., grants: _Optional[int] = ..., waits: _Optional[int] = ..., abandoned: _Optional[int] = ..., wait_ms: _Optional[_Union[Histogram, _Mapping]] = ..., hold_ms: _Optional[_Union[Histogram, _Mapping]] = ..., queue_length: _Optional[int] = ..., overheld: _Optional[int] = ..., holders: _Optional[_Iterable[_Union[_lock_pb2.Place, _Mapping]]] = ..., blockers: _Optional[_Iterable[str]] = ..., error: _Optional[int] = ...) -> None: ...

class Histogram(_message.Message):
    __slots__ = ("bounds", "counts", "sum")
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    SUM_FIELD_NUMBER: _ClassVar[int]
    bounds: _containers.RepeatedScalarFieldContainer[int]
    counts: _containers.RepeatedScalarFieldContainer[int]
    sum: int
    def __init__(self, bounds: _Optional[_Iterable[int]] = ..., counts: _Optional[_Iterable[int]] = ..., sum: _Optional[int] = ...) -> None: ...
