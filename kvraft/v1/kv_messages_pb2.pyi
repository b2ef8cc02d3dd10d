from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Target(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TARGET_UNSPECIFIED: _ClassVar[Target]
    TARGET_EXISTS: _ClassVar[Target]
    TARGET_VERSION: _ClassVar[Target]
    TARGET_CREATE_REVISION: _ClassVar[Target]
    TARGET_MOD_REVISION: _ClassVar[Target]
    TARGET_LEASE_ID: _ClassVar[Target]
    TARGET_VALUE: _ClassVar[Target]
    TARGET_NUMBER: _ClassVar[Target]
    TARGET_JSON: _ClassVar[Target]
    TARGET_COUNT: _ClassVar[Target]
    TARGET_FENCE: _ClassVar[Target]

class Operator(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPERATOR_UNSPECIFIED: _ClassVar[Operator]
    OPERATOR_EQUAL: _ClassVar[Operator]
    OPERATOR_NOT_EQUAL: _ClassVar[Operator]
    OPERATOR_LESS: _ClassVar[Operator]
    OPERATOR_LESS_OR_EQUAL: _ClassVar[Operator]
    OPERATOR_GREATER: _ClassVar[Operator]
    OPERATOR_GREATER_OR_EQUAL: _ClassVar[Operator]
    OPERATOR_IN: _ClassVar[Operator]
    OPERATOR_BETWEEN: _ClassVar[Operator]
    OPERATOR_BEGINS_WITH: _ClassVar[Operator]

class Consistency(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONSISTENCY_UNSPECIFIED: _ClassVar[Consistency]
    CONSISTENCY_LINEARIZABLE: _ClassVar[Consistency]
    CONSISTENCY_SERIALIZABLE: _ClassVar[Consistency]
TARGET_UNSPECIFIED: Target
TARGET_EXISTS: Target
TARGET_VERSION: Target
TARGET_CREATE_REVISION: Target
TARGET_MOD_REVISION: Target
TARGET_LEASE_ID: Target
TARGET_VALUE: Target
TARGET_NUMBER: Target
TARGET_JSON: Target
TARGET_COUNT: Target
TARGET_FENCE: Target
OPERATOR_UNSPECIFIED: Operator
OPERATOR_EQUAL: Operator
OPERATOR_NOT_EQUAL: Operator
OPERATOR_LESS: Operator
OPERATOR_LESS_OR_EQUAL: Operator
OPERATOR_GREATER: Operator
OPERATOR_GREATER_OR_EQUAL: Operator
OPERATOR_IN: Operator
OPERATOR_BETWEEN: Operator
OPERATOR_BEGINS_WITH: Operator
CONSISTENCY_UNSPECIFIED: Consistency
CONSISTENCY_LINEARIZABLE: Consistency
CONSISTENCY_SERIALIZABLE: Consistency

class ResponseHeader(_message.Message):
    __slots__ = ("cluster_id", "node", "revision", "raft_term", "replayed", "reply_omitted")
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    RAFT_TERM_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    REPLY_OMITTED_FIELD_NUMBER: _ClassVar[int]
    cluster_id: int
    node: str
    revision: int
    raft_term: int
    replayed: bool
    reply_omitted: bool
    def __init__(self, cluster_id: _Optional[int] = ..., node: _Optional[str] = ..., revision: _Optional[int] = ..., raft_term: _Optional[int] = ..., replayed: bool = ..., reply_omitted: bool = ...) -> None: ...

class Entry(_message.Message):
    __slots__ = ("key", "value", "create_revision", "mod_revision", "version", "lease_id", "value_omitted")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    CREATE_REVISION_FIELD_NUMBER: _ClassVar[int]
    MOD_REVISION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    VALUE_OMITTED_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    value: bytes
    create_revision: int
    mod_revision: int
    version: int
    lease_id: int
    value_omitted: bool
    def __init__(self, key: _Optional[bytes] = ..., value: _Optional[bytes] = ..., create_revision: _Optional[int] = ..., mod_revision: _Optional[int] = ..., version: _Optional[int] = ..., lease_id: _Optional[int] = ..., value_omitted: bool = ...) -> None: ...

class Literal(_message.Message):
    __slots__ = ("raw", "integer", "number", "text", "flag", "null")
    RAW_FIELD_NUMBER: _ClassVar[int]
    INTEGER_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FLAG_FIELD_NUMBER: _ClassVar[int]
    NULL_FIELD_NUMBER: _ClassVar[int]
    raw: bytes
    integer: int
    number: float
    text: str
    flag: bool
    null: bool
    def __init__(self, raw: _Optional[bytes] = ..., integer: _Optional[int] = ..., number: _Optional[float] = ..., text: _Optional[str] = ..., flag: bool = ..., null: bool = ...) -> None: ...

class Clause(_message.Message):
    __slots__ = ("key", "target", "pointer", "operator", "operands")
    KEY_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    POINTER_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    OPERANDS_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    target: Target
    pointer: str
    operator: Operator
    operands: _containers.RepeatedCompositeFieldContainer[Literal]
    def __init__(self, key: _Optional[bytes] = ..., target: _Optional[_Union[Target, str]] = ..., pointer: _Optional[str] = ..., operator: _Optional[_Union[Operator, str]] = ..., operands: _Optional[_Iterable[_Union[Literal, _Mapping]]] = ...) -> None: ...

class Condition(_message.Message):
    __slots__ = ("clause", "all", "any")
    CLAUSE_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    ANY_FIELD_NUMBER: _ClassVar[int]
    NOT_FIELD_NUMBER: _ClassVar[int]
    clause: Clause
    all: ConditionList
    any: ConditionList
    def __init__(self, clause: _Optional[_Union[Clause, _Mapping]] = ..., all: _Optional[_Union[ConditionList, _Mapping]] = ..., any: _Optional[_Union[ConditionList, _Mapping]] = ..., **kwargs) -> None: ...

class ConditionList(_message.Message):
    __slots__ = ("parts",)
    PARTS_FIELD_NUMBER: _ClassVar[int]
    parts: _containers.RepeatedCompositeFieldContainer[Condition]
    def __init__(self, parts: _Optional[_Iterable[_Union[Condition, _Mapping]]] = ...) -> None: ...

class Unmet(_message.Message):
    __slots__ = ("clause", "mismatched", "entries")
    CLAUSE_FIELD_NUMBER: _ClassVar[int]
    MISMATCHED_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    clause: int
    mismatched: _containers.RepeatedScalarFieldContainer[int]
    entries: _containers.RepeatedCompositeFieldContainer[Entry]
    def __init__(self, clause: _Optional[int] = ..., mismatched: _Optional[_Iterable[int]] = ..., entries: _Optional[_Iterable[_Union[Entry, _Mapping]]] = ...) -> None: ...

class Identity(_message.Message):
    __slots__ = ("session", "idempotency_key")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    session: SessionIdentity
    idempotency_key: bytes
    def __init__(self, session: _Optional[_Union[SessionIdentity, _Mapping]] = ..., idempotency_key: _Optional[bytes] = ...) -> None: ...

class Fence(_message.Message):
    __slots__ = ("lock", "token")
    LOCK_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    lock: bytes
    token: int
    def __init__(self, lock: _Optional[bytes] = ..., token: _Optional[int] = ...) -> None: ...

class SessionIdentity(_message.Message):
    __slots__ = ("session_id", "sequence", "first_unacked")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FIRST_UNACKED_FIELD_NUMBER: _ClassVar[int]
    session_id: int
    sequence: int
    first_unacked: int
    def __init__(self, session_id: _Optional[int] = ..., sequence: _Optional[int] = ..., first_unacked: _Optional[int] = ...) -> None: ...

class KeyRange(_message.Message):
    __slots__ = ("start", "end")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    start: bytes
    end: bytes
    def __init__(self, start: _Optional[bytes] = ..., end: _Optional[bytes] = ...) -> None: ...

class GetRequest(_message.Message):
    __slots__ = ("key", "consistency", "min_revision", "revision", "max_age_ms")
    KEY_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    MIN_REVISION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    MAX_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    consistency: Consistency
    min_revision: int
    revision: int
    max_age_ms: int
    def __init__(self, key: _Optional[bytes] = ..., consistency: _Optional[_Union[Consistency, str]] = ..., min_revision: _Optional[int] = ..., revision: _Optional[int] = ..., max_age_ms: _Optional[int] = ...) -> None: ...

class GetResponse(_message.Message):
    __slots__ = ("header", "entry")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    header: ResponseHeader
    entry: Entry
    def __init__(self, header: _Optional[_Union[ResponseHeader, _Mapping]] = ..., entry: _Optional[_Union[Entry, _Mapping]] = ...) -> None: ...

class ListRequest(_message.Message):
    __slots__ = ("prefix", "range", "limit", "after", "keys_only", "consistency", "min_revision", "revision", "max_age_ms")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    KEYS_ONLY_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    MIN_REVISION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    MAX_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    prefix: bytes
    range: KeyRange
    limit: int
    after: bytes
    keys_only: bool
    consistency: Consistency
    min_revision: int
    revision: int
    max_age_ms: int
    def __init__(self, prefix: _Optional[bytes] = ..., range: _Optional[_Union[KeyRange, _Mapping]] = ..., limit: _Optional[int] = ..., after: _Optional[bytes] = ..., keys_only: bool = ..., consistency: _Optional[_Union[Consistency, str]] = ..., min_revision: _Optional[int] = ..., revision: _Optional[int] = ..., max_age_ms: _Optional[int] = ...) -> None: ...

class ListResponse(_message.Message):
    __slots__ = ("header", "entries", "more")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    header: ResponseHeader
    entries: _containers.RepeatedCompositeFieldContainer[Entry]
    more: bool
    def __init__(self, header: _Optional[_Union[ResponseHeader, _Mapping]] = ..., entries: _Optional[_Iterable[_Union[Entry, _Mapping]]] = ..., more: bool = ...) -> None: ...

class PutRequest(_message.Message):
    __slots__ = ("key", "value", "lease_id", "ttl_ms", "keep_lease", "return_previous", "condition", "must_understand", "fences", "identity")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    KEEP_LEASE_FIELD_NUMBER: _ClassVar[int]
    RETURN_PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    MUST_UNDERSTAND_FIELD_NUMBER: _ClassVar[int]
    FENCES_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    value: bytes
    lease_id: int
    ttl_ms: int
    keep_lease: bool
    return_previous: bool
    condition: Condition
    must_understand: _containers.RepeatedScalarFieldContainer[str]
    fences: _containers.RepeatedCompositeFieldContainer[Fence]
    identity: Identity
    def __init__(self, key: _Optional[bytes] = ..., value: _Optional[bytes] = ..., lease_id: _Optional[int] = ..., ttl_ms: _Optional[int] = ..., keep_lease: bool = ..., return_previous: bool = ..., condition: _Optional[_Union[Condition, _Mapping]] = ..., must_understand: _Optional[_Iterable[str]] = ..., fences: _Optional[_Iterable[_Union[Fence, _Mapping]]] = ..., identity: _Optional[_Union[Identity, _Mapping]] = ...) -> None: ...

class PutResponse(_message.Message):
    __slots__ = ("header", "entry", "previous", "unmet")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    UNMET_FIELD_NUMBER: _ClassVar[int]
    header: ResponseHeader
    entry: Entry
    previous: Entry
    unmet: Unmet
    def __init__(self, header: _Optional[_Union[ResponseHeader, _Mapping]] = ..., entry: _Optional[_Union[Entry, _Mapping]] = ..., previous: _Optional[_Union[Entry, _Mapping]] = ..., unmet: _Optional[_Union[Unmet, _Mapping]] = ...) -> None: ...

class DeleteRequest(_message.Message):
    __slots__ = ("key", "prefix", "range", "return_previous", "condition", "must_understand", "fences", "identity")
    KEY_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    RETURN_PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    MUST_UNDERSTAND_FIELD_NUMBER: _ClassVar[int]
    FENCES_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    prefix: bytes
    range: KeyRange
    return_previous: bool
    condition: Condition
    must_understand: _containers.RepeatedScalarFieldContainer[str]
    fences: _containers.RepeatedCompositeFieldContainer[Fence]
    identity: Identity
    def __init__(self, key: _Optional[bytes] = ..., prefix: _Optional[bytes] = ..., range: _Optional[_Union[KeyRange, _Mapping]] = ..., return_previous: bool = ..., condition: _Optional[_Union[Condition, _Mapping]] = ..., must_understand: _Optional[_Iterable[str]] = ..., fences: _Optional[_Iterable[_Union[Fence, _Mapping]]] = ..., identity: _Optional[_Union[Identity, _Mapping]] = ...) -> None: ...

class DeleteResponse(_message.Message):
    __slots__ = ("header", "deleted", "previous", "unmet")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    UNMET_FIELD_NUMBER: _ClassVar[int]
    header: ResponseHeader
    deleted: int
    previous: Entry
    unmet: Unmet
    def __init__(self, header: _Optional[_Union[ResponseHeader, _Mapping]] = ..., deleted: _Optional[int] = ..., previous: _Optional[_Union[Entry, _Mapping]] = ..., unmet: _Optional[_Union[Unmet, _Mapping]] = ...) -> None: ...

class Expect(_message.Message):
    __slots__ = ("absent", "value", "version", "mod_revision", "create_revision")
    ABSENT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MOD_REVISION_FIELD_NUMBER: _ClassVar[int]
    CREATE_REVISION_FIELD_NUMBER: _ClassVar[int]
    absent: bool
    value: bytes
    version: int
    mod_revision: int
    create_revision: int
    def __init__(self, absent: bool = ..., value: _Optional[bytes] = ..., version: _Optional[int] = ..., mod_revision: _Optional[int] = ..., create_revision: _Optional[int] = ...) -> None: ...

class CompareAndSetRequest(_message.Message):
    __slots__ = ("key", "value", "expect", "lease_id", "ttl_ms", "keep_lease", "condition", "must_understand", "fences", "identity")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EXPECT_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    KEEP_LEASE_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    MUST_UNDERSTAND_FIELD_NUMBER: _ClassVar[int]
    FENCES_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    value: bytes
    expect: Expect
    lease_id: int
    ttl_ms: int
    keep_lease: bool
    condition: Condition
    must_understand: _containers.RepeatedScalarFieldContainer[str]
    fences: _containers.RepeatedCompositeFieldContainer[Fence]
    identity: Identity
    def __init__(self, key: _Optional[bytes] = ..., value: _Optional[bytes] = ..., expect: _Optional[_Union[Expect, _Mapping]] = ..., lease_id: _Optional[int] = ..., ttl_ms: _Optional[int] = ..., keep_lease: bool = ..., condition: _Optional[_Union[Condition, _Mapping]] = ..., must_understand: _Optional[_Iterable[str]] = ..., fences: _Optional[_Iterable[_Union[Fence, _Mapping]]] = ..., identity: _Optional[_Union[Identity, _Mapping]] = ...) -> None: ...

class CompareAndSetResponse(_message.Message):
    __slots__ = ("header", "succeeded", "entry", "unmet")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    SUCCEEDED_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    UNMET_FIELD_NUMBER: _ClassVar[int]
    header: ResponseHeader
    succeeded: bool
    entry: Entry
    unmet: Unmet
    def __init__(self, header: _Optional[_Union[ResponseHeader, _Mapping]] = ..., succeeded: bool = ..., entry: _Optional[_Union[Entry, _Mapping]] = ..., unmet: _Optional[_Union[Unmet, _Mapping]] = ...) -> None: ...

class UpdateRequest(_message.Message):
    __slots__ = ("key", "actions", "lease_id", "ttl_ms", "condition", "must_understand", "fences", "identity")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    MUST_UNDERSTAND_FIELD_NUMBER: _ClassVar[int]
    FENCES_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    actions: _containers.RepeatedCompositeFieldContainer[Action]
    lease_id: int
    ttl_ms: int
    condition: Condition
    must_understand: _containers.RepeatedScalarFieldContainer[str]
    fences: _containers.RepeatedCompositeFieldContainer[Fence]
    identity: Identity
    def __init__(self, key: _Optional[bytes] = ..., actions: _Optional[_Iterable[_Union[Action, _Mapping]]] = ..., lease_id: _Optional[int] = ..., ttl_ms: _Optional[int] = ..., condition: _Optional[_Union[Condition, _Mapping]] = ..., must_understand: _Optional[_Iterable[str]] = ..., fences: _Optional[_Iterable[_Union[Fence, _Mapping]]] = ..., identity: _Optional[_Union[Identity, _Mapping]] = ...) -> None: ...

class Action(_message.Message):
    __slots__ = ("set", "delete", "add", "min", "max", "append", "set_if_absent", "json_set", "json_add", "json_remove")
    SET_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    ADD_FIELD_NUMBER: _ClassVar[int]
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    APPEND_FIELD_NUMBER: _ClassVar[int]
    SET_IF_ABSENT_FIELD_NUMBER: _ClassVar[int]
    JSON_SET_FIELD_NUMBER: _ClassVar[int]
    JSON_ADD_FIELD_NUMBER: _ClassVar[int]
    JSON_REMOVE_FIELD_NUMBER: _ClassVar[int]
    set: bytes
    delete: DeleteAction
    add: int
    min: int
    max: int
    append: bytes
    set_if_absent: bytes
    json_set: JsonSet
    json_add: JsonAdd
    json_remove: JsonRemove
    def __init__(self, set: _Optional[bytes] = ..., delete: _Optional[_Union[DeleteAction, _Mapping]] = ..., add: _Optional[int] = ..., min: _Optional[int] = ..., max: _Optional[int] = ..., append: _Optional[bytes] = ..., set_if_absent: _Optional[bytes] = ..., json_set: _Optional[_Union[JsonSet, _Mapping]] = ..., json_add: _Optional[_Union[JsonAdd, _Mapping]] = ..., json_remove: _Optional[_Union[JsonRemove, _Mapping]] = ...) -> None: ...

class DeleteAction(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class JsonSet(_message.Message):
    __slots__ = ("pointer", "value")
    POINTER_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    pointer: str
    value: str
    def __init__(self, pointer: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class JsonAdd(_message.Message):
    __slots__ = ("pointer", "integer", "number")
    POINTER_FIELD_NUMBER: _ClassVar[int]
    INTEGER_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    pointer: str
    integer: int
    number: float
    def __init__(self, pointer: _Optional[str] = ..., integer: _Optional[int] = ..., number: _Optional[float] = ...) -> None: ...

class JsonRemove(_message.Message):
    __slots__ = ("pointer",)
    POINTER_FIELD_NUMBER: _ClassVar[int]
    pointer: str
    def __init__(self, pointer: _Optional[str] = ...) -> None: ...

class UpdateResponse(_message.Message):
    __slots__ = ("header", "entry", "previous", "unmet")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    UNMET_FIELD_NUMBER: _ClassVar[int]
    header: ResponseHeader
    entry: Entry
    previous: Entry
    unmet: Unmet
    def __init__(self, header: _Optional[_Union[ResponseHeader, _Mapping]] = ..., entry: _Optional[_Union[Entry, _Mapping]] = ..., previous: _Optional[_Union[Entry, _Mapping]] = ..., unmet: _Optional[_Union[Unmet, _Mapping]] = ...) -> None: ...

class TxnRequest(_message.Message):
    __slots__ = ("condition", "then", "otherwise", "must_understand", "fences", "identity")
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    THEN_FIELD_NUMBER: _ClassVar[int]
    OTHERWISE_FIELD_NUMBER: _ClassVar[int]
    MUST_UNDERSTAND_FIELD_NUMBER: _ClassVar[int]
    FENCES_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    condition: Condition
    then: _containers.RepeatedCompositeFieldContainer[Operation]
    otherwise: _containers.RepeatedCompositeFieldContainer[Operation]
    must_understand: _containers.RepeatedScalarFieldContainer[str]
    fences: _containers.RepeatedCompositeFieldContainer[Fence]
    identity: Identity
    def __init__(self, condition: _Optional[_Union[Condition, _Mapping]] = ..., then: _Optional[_Iterable[_Union[Operation, _Mapping]]] = ..., otherwise: _Optional[_Iterable[_Union[Operation, _Mapping]]] = ..., must_understand: _Optional[_Iterable[str]] = ..., fences: _Optional[_Iterable[_Union[Fence, _Mapping]]] = ..., identity: _Optional[_Union[Identity, _Mapping]] = ...) -> None: ...

class Operation(_message.Message):
    __slots__ = ("get", "list", "put", "delete", "update", "txn")
    GET_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    PUT_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    TXN_FIELD_NUMBER: _ClassVar[int]
    get: OperationGet
    list: OperationList
    put: OperationPut
    delete: OperationDelete
    update: OperationUpdate
    txn: OperationTxn
    def __init__(self, get: _Optional[_Union[OperationGet, _Mapping]] = ..., list: _Optional[_Union[OperationList, _Mapping]] = ..., put: _Optional[_Union[OperationPut, _Mapping]] = ..., delete: _Optional[_Union[OperationDelete, _Mapping]] = ..., update: _Optional[_Union[OperationUpdate, _Mapping]] = ..., txn: _Optional[_Union[OperationTxn, _Mapping]] = ...) -> None: ...

class OperationGet(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    def __init__(self, key: _Optional[bytes] = ...) -> None: ...

class OperationList(_message.Message):
    __slots__ = ("prefix", "range", "limit", "keys_only")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    KEYS_ONLY_FIELD_NUMBER: _ClassVar[int]
    prefix: bytes
    range: KeyRange
    limit: int
    keys_only: bool
    def __init__(self, prefix: _Optional[bytes] = ..., range: _Optional[_Union[KeyRange, _Mapping]] = ..., limit: _Optional[int] = ..., keys_only: bool = ...) -> None: ...

class OperationPut(_message.Message):
    __slots__ = ("key", "value", "lease_id", "ttl_ms", "keep_lease", "return_previous")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    KEEP_LEASE_FIELD_NUMBER: _ClassVar[int]
    RETURN_PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    value: bytes
    lease_id: int
    ttl_ms: int
    keep_lease: bool
    return_previous: bool
    def __init__(self, key: _Optional[bytes] = ..., value: _Optional[bytes] = ..., lease_id: _Optional[int] = ..., ttl_ms: _Optional[int] = ..., keep_lease: bool = ..., return_previous: bool = ...) -> None: ...

class OperationDelete(_message.Message):
    __slots__ = ("key", "prefix", "range", "return_previous")
    KEY_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    RETURN_PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    prefix: bytes
    range: KeyRange
    return_previous: bool
    def __init__(self, key: _Optional[bytes] = ..., prefix: _Optional[bytes] = ..., range: _Optional[_Union[KeyRange, _Mapping]] = ..., return_previous: bool = ...) -> None: ...

class OperationUpdate(_message.Message):
    __slots__ = ("key", "actions", "lease_id", "ttl_ms")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    actions: _containers.RepeatedCompositeFieldContainer[Action]
    lease_id: int
    ttl_ms: int
    def __init__(self, key: _Optional[bytes] = ..., actions: _Optional[_Iterable[_Union[Action, _Mapping]]] = ..., lease_id: _Optional[int] = ..., ttl_ms: _Optional[int] = ...) -> None: ...

class OperationTxn(_message.Message):
    __slots__ = ("condition", "then", "otherwise")
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    THEN_FIELD_NUMBER: _ClassVar[int]
    OTHERWISE_FIELD_NUMBER: _ClassVar[int]
    condition: Condition
    then: _containers.RepeatedCompositeFieldContainer[Operation]
    otherwise: _containers.RepeatedCompositeFieldContainer[Operation]
    def __init__(self, condition: _Optional[_Union[Condition, _Mapping]] = ..., then: _Optional[_Iterable[_Union[Operation, _Mapping]]] = ..., otherwise: _Optional[_Iterable[_Union[Operation, _Mapping]]] = ...) -> None: ...

class TxnResponse(_message.Message):
    __slots__ = ("header", "succeeded", "results", "unmet")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    SUCCEEDED_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    UNMET_FIELD_NUMBER: _ClassVar[int]
    header: ResponseHeader
    succeeded: bool
    results: _containers.RepeatedCompositeFieldContainer[OperationResult]
    unmet: Unmet
    def __init__(self, header: _Optional[_Union[ResponseHeader, _Mapping]] = ..., succeeded: bool = ..., results: _Optional[_Iterable[_Union[OperationResult, _Mapping]]] = ..., unmet: _Optional[_Union[Unmet, _Mapping]] = ...) -> None: ...

class OperationResult(_message.Message):
    __slots__ = ("get", "list", "put", "delete", "update", "txn")
    GET_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    PUT_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    TXN_FIELD_NUMBER: _ClassVar[int]
    get: GetResult
    list: ListResult
    put: PutResult
    delete: DeleteResult
    update: UpdateResult
    txn: TxnResult
    def __init__(self, get: _Optional[_Union[GetResult, _Mapping]] = ..., list: _Optional[_Union[ListResult, _Mapping]] = ..., put: _Optional[_Union[PutResult, _Mapping]] = ..., delete: _Optional[_Union[DeleteResult, _Mapping]] = ..., update: _Optional[_Union[UpdateResult, _Mapping]] = ..., txn: _Optional[_Union[TxnResult, _Mapping]] = ...) -> None: ...

class GetResult(_message.Message):
    __slots__ = ("entry",)
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    entry: Entry
    def __init__(self, entry: _Optional[_Union[Entry, _Mapping]] = ...) -> None: ...

class ListResult(_message.Message):
    __slots__ = ("entries", "more")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[Entry]
    more: bool
    def __init__(self, entries: _Optional[_Iterable[_Union[Entry, _Mapping]]] = ..., more: bool = ...) -> None: ...

class PutResult(_message.Message):
    __slots__ = ("entry", "previous")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    entry: Entry
    previous: Entry
    def __init__(self, entry: _Optional[_Union[Entry, _Mapping]] = ..., previous: _Optional[_Union[Entry, _Mapping]] = ...) -> None: ...

class DeleteResult(_message.Message):
    __slots__ = ("deleted", "previous")
    DELETED_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    deleted: int
    previous: Entry
    def __init__(self, deleted: _Optional[int] = ..., previous: _Optional[_Union[Entry, _Mapping]] = ...) -> None: ...

class UpdateResult(_message.Message):
    __slots__ = ("entry", "previous")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    entry: Entry
    previous: Entry
    def __init__(self, entry: _Optional[_Union[Entry, _Mapping]] = ..., previous: _Optional[_Union[Entry, _Mapping]] = ...) -> None: ...

class TxnResult(_message.Message):
    __slots__ = ("succeeded", "results", "unmet")
    SUCCEEDED_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    UNMET_FIELD_NUMBER: _ClassVar[int]
    succeeded: bool
    results: _containers.RepeatedCompositeFieldContainer[OperationResult]
    unmet: Unmet
    def __init__(self, succeeded: bool = ..., results: _Optional[_Iterable[_Union[OperationResult, _Mapping]]] = ..., unmet: _Optional[_Union[Unmet, _Mapping]] = ...) -> None: ...
