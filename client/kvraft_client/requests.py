"""From a caller's arguments to protobuf requests, with every mistake named.

Keys and values are `bytes`, or `str`, which is sent as UTF-8.
"""

from typing import Final, Literal, TypeVar

from kvraft.v1 import kv_pb2, lock_pb2
from kvraft_client.errors import InvalidRequest
from kvraft_client.values import Entry

Data = str | bytes
Consistency = Literal["linearizable", "serializable"]
Number = TypeVar("Number", bound=int | None)
INT64 = range(-(2**63), 2**63)


class NotGiven:
    """The type of `NOT_GIVEN`: `expect=None` means absent, so None cannot mean 'not given'."""

    def __repr__(self) -> str:
        return "NOT_GIVEN"


NOT_GIVEN: Final = NotGiven()

_CONSISTENCY = {
    "linearizable": kv_pb2.CONSISTENCY_LINEARIZABLE,
    "serializable": kv_pb2.CONSISTENCY_SERIALIZABLE,
}


def as_bytes(what: str, data: Data) -> bytes:
    """Encode a `str` as UTF-8; anything but `str` and bytes is a TypeError that names `what`."""
    if type(data) is bytes:
        return data
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise TypeError(f"{what} must be bytes or str, not {type(data).__name__}")


def as_key(key: Data) -> bytes:
    """Encode a key; an empty one is refused."""
    encoded = key.encode() if isinstance(key, str) else as_bytes("key", key)
    if not encoded:
        raise InvalidRequest("the key is empty")
    return encoded


def as_int64(what: str, number: Number) -> Number:
    """Refuse what the wire has no room for; None passes."""
    if isinstance(number, int) and number not in INT64:
        raise InvalidRequest(f"{what} does not fit int64: {number}")
    return number


def as_ttl_ms(ttl: float) -> int:
    """Convert seconds to milliseconds."""
    if isinstance(ttl, bool) or not isinstance(ttl, int | float):
        raise TypeError(f"ttl must be a number of seconds, not {type(ttl).__name__}")
    if not 0 < ttl < 1e9:
        raise InvalidRequest(f"ttl must be a positive number of seconds, not {ttl!r}")
    return max(1, round(ttl * 1_000))


def consistency_of(name: Consistency) -> kv_pb2.Consistency:
    """Convert the name of a consistency."""
    try:
        return _CONSISTENCY[name]
    except KeyError:
        raise InvalidRequest(
            f"consistency must be 'linearizable' or 'serializable', not {name!r}"
        ) from None


def lock_mode(*, shared: bool, capacity: int | None, names: int) -> tuple[lock_pb2.LockMode, int]:
    """Check in which mode a lock is wanted; return it with its capacity, as on the wire."""
    if capacity is None and not shared:
        return lock_pb2.LOCK_MODE_EXCLUSIVE, 0
    if names > 1:
        raise InvalidRequest("several locks at once are exclusive: no shared=, no capacity=")
    if shared:
        if capacity is not None:
            raise InvalidRequest("give shared=True or capacity=, not both")
        return lock_pb2.LOCK_MODE_SHARED, 0
    if isinstance(capacity, bool) or not isinstance(capacity, int) or not 0 < capacity < 2**31:
        raise InvalidRequest(f"capacity must be a positive number of holders, not {capacity!r}")
    return lock_pb2.LOCK_MODE_COUNTED, capacity


def expectation(
    key: bytes,
    *,
    expect: Entry | NotGiven | None,
    absent: bool,
    value: Data | None,
    version: int | None,
    revision: int | None,
) -> kv_pb2.Expect:
    """Build the condition of a compare-and-set; all that is given must hold, and something must be.

    `expect=ENTRY` is its mod_revision; `expect=None`, what `get` returned, is absence.
    """
    if expect is None:
        absent = True
    elif expect is not NOT_GIVEN:
        if not isinstance(expect, Entry):
            raise TypeError(
                f"expect must be an Entry or None, not {type(expect).__name__} "
                "(for a value use expect_value=)"
            )
        revision = _revision_of(expect, key, revision)
    wanted = kv_pb2.Expect()
    if absent:
        wanted.absent = True
    if value is not None:
        wanted.value = as_bytes("expect_value", value)
    if version is not None:
        wanted.version = as_int64("expect_version", version)
    if revision is not None:
        wanted.mod_revision = as_int64("expect_revision", revision)
    if not absent and value is None and version is None and revision is None:
        raise InvalidRequest(
            "say what to compare with: expect=, expect_absent=True, expect_value=, "
            "expect_version= or expect_revision="
        )
    return wanted


def _revision_of(entry: Entry, key: bytes, revision: int | None) -> int:
    if entry.key != key:
        raise InvalidRequest(f"expect is an entry of key {entry.key!r}, not of {key!r}")
    if revision not in (None, entry.mod_revision):
        raise InvalidRequest("expect and expect_revision name different revisions")
    return entry.mod_revision
