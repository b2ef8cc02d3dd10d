"""Parts of requests that every kind has: what is refused, and in which words."""

from collections.abc import Sequence

from kvraft.core.errors import Outcome, Reason
from kvraft.core.limits import RequestLimits
from kvraft.service.errors import CallError

SHOWN_BYTES = 64
"""Of a user's bytes in a message: errors travel in headers, which are small."""


def invalid(message: str) -> CallError:
    """Return the error for a malformed request."""
    return CallError(Reason.INVALID, Outcome.NOT_APPLIED, message)


def too_large(field: str, actual: int, limit: int) -> CallError:
    """Return the error for a field above its bound, in bytes."""
    text = f"{field}: at most {limit} bytes, got {actual}"
    return CallError(Reason.TOO_LARGE, Outcome.NOT_APPLIED, text, limit=limit, actual=actual)


def checked_key(key: bytes, field: str, limits: RequestLimits) -> bytes:
    """Return `key`; CallError unless it has 1 to `key_bytes` bytes."""
    if not key:
        raise invalid(f"{field}: 1 to {limits.key_bytes} bytes, got 0")
    return checked_bound(key, field, limits)


def checked_bound(bound: bytes, field: str, limits: RequestLimits) -> bytes:
    """Return a prefix or an end of a range, which may be empty; CallError where it is too long."""
    if len(bound) > limits.key_bytes:
        raise too_large(field, len(bound), limits.key_bytes)
    return bound


def checked_length(given: bytes, field: str, most: int) -> bytes:
    """Return `given`; CallError unless it has 1 to `most` bytes."""
    if 1 <= len(given) <= most:
        return given
    text = f"{field}: 1 to {most} bytes, got {len(given)}"
    raise CallError(Reason.INVALID, Outcome.NOT_APPLIED, text, limit=most, actual=len(given))


def checked_value(value: bytes, field: str, limits: RequestLimits) -> bytes:
    """Return `value`; CallError where it is too long."""
    if len(value) > limits.value_bytes:
        raise too_large(field, len(value), limits.value_bytes)
    return value


def checked_size(size: int, limits: RequestLimits) -> None:
    """CallError where the bytes a request carries are more than one request may."""
    if size > limits.request_bytes:
        raise too_large("request", size, limits.request_bytes)


def checked_count(count: int, field: str, limit: int) -> None:
    """CallError unless there are 1 to `limit` of something."""
    if not 1 <= count <= limit:
        text = f"{field}: 1 to {limit}, got {count}"
        raise CallError(Reason.INVALID, Outcome.NOT_APPLIED, text, limit=limit, actual=count)


def checked_lease_id(lease_id: int, limits: RequestLimits) -> int:
    """Return `lease_id`; CallError unless it can be one."""
    if not 1 <= lease_id <= limits.lease_id_max:
        raise invalid(f"lease_id: 1 to {limits.lease_id_max}, got {lease_id}")
    return lease_id


def checked_limit(limit: int, page_limit: int) -> int:
    """Return how many entries a page may hold; 0 asks for the server's own limit."""
    if limit < 0:
        raise invalid(f"limit: 0 (the server's page limit) or more, got {limit}")
    return min(limit or page_limit, page_limit)


def checked_from(number: int, least: int, field: str) -> int:
    """Return `number`; CallError where it is below `least`."""
    if number < least:
        raise invalid(f"{field}: {least} or more, got {number}")
    return number


def shown(text: bytes) -> str:
    """Return a user's bytes for a message, cut where they are long."""
    return repr(text) if len(text) <= SHOWN_BYTES else f"{text[:SHOWN_BYTES]!r}..."


def require_understood(features: Sequence[str]) -> None:
    """CallError where a request needs what this version does not know (RULES I14): none so far.

    Unknown fields are skipped by protobuf; a client names here those that nobody may skip.
    """
    if features:
        named = ", ".join(feature[:64] for feature in features[:4])
        raise invalid(f"must_understand: this server does not know {named}")
