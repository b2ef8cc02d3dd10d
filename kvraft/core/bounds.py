"""Checks of one field of a request: each says what was given and what the limit is.

Imports: core errors, int64, limits, results.
"""

from kvraft.core.errors import Reason
from kvraft.core.int64 import INT64_MAX, INT64_MIN
from kvraft.core.limits import RequestLimits
from kvraft.core.results import Refused

_SHOWN_BYTES = 64  # of a key in a message: gRPC takes 8 KiB of metadata, and each may be four


def invalid(message: str) -> Refused:
    """Refuse what can never be right."""
    return Refused(Reason.INVALID, message)


def too_large(name: str, actual: int, limit_name: str, limit: int) -> Refused | None:
    """Refuse a size in bytes above its limit."""
    if actual <= limit:
        return None
    message = f"{name} is {actual} bytes, the limit {limit_name} is {limit}"
    return Refused(Reason.TOO_LARGE, message)


def key_refusal(key: bytes, limits: RequestLimits) -> Refused | None:
    """Refuse what is no key."""
    if not key:
        return invalid("empty key")
    return too_large("key", len(key), "key_bytes", limits.key_bytes)


def lock_name_refusal(name: bytes, limits: RequestLimits) -> Refused | None:
    """Refuse what is no name of a lock."""
    if not name:
        return invalid("empty lock name")
    return too_large("lock name", len(name), "lock_name_bytes", limits.lock_name_bytes)


def range_refusal(start: bytes, end: bytes | None, limits: RequestLimits) -> Refused | None:
    """Refuse a range that is empty, or has an end that no key could be."""
    if end is not None and start >= end:
        return invalid(f"the range is empty: start {shown(start)} >= end {shown(end)}")
    return too_large("range start", len(start), "key_bytes", limits.key_bytes) or too_large(
        "range end", len(end or b""), "key_bytes", limits.key_bytes
    )


def lease_id_refusal(lease_id: int | None, limits: RequestLimits) -> Refused | None:
    """Refuse what is no lease id (None: none is given)."""
    if lease_id is None or 0 < lease_id <= limits.lease_id_max:
        return None
    return invalid(f"lease_id is {lease_id}, it must be 1 to {limits.lease_id_max}")


def not_int64(name: str, value: int | None) -> Refused | None:
    """Refuse a number beyond int64 (None: none is given)."""
    if value is None or INT64_MIN <= value <= INT64_MAX:
        return None
    return invalid(f"{name} is {value}, which is no int64")


def not_positive(name: str, value: int) -> Refused | None:
    """Refuse what is not 1 to the largest int64."""
    if 0 < value <= INT64_MAX:
        return None
    return invalid(f"{name} is {value}, it must be a positive int64")


def shown(key: bytes) -> str:
    """Return a key for a message, cut where it is long."""
    return repr(key) if len(key) <= _SHOWN_BYTES else f"{key[:_SHOWN_BYTES]!r}..."
