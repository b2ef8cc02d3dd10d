"""Requests to commands, results to responses: the only place that knows both shapes.

A request that cannot mean anything is refused here, NOT_APPLIED; the error names the field, what is
allowed, and what was given. What only the store can judge is left to it.
"""

from collections.abc import Sequence
from itertools import accumulate, takewhile
from typing import NamedTuple

from kvraft.core.commands import CompareAndSet, Delete, DeleteRange, Expect, LeaseGrant, Put
from kvraft.core.errors import Outcome, Reason
from kvraft.core.limits import RequestLimits
from kvraft.core.results import KeyValue
from kvraft.service.errors import CallError
from kvraft.v1 import kv_pb2, lease_pb2

SHOWN_BYTES = 64
"""Of a user's bytes in a message: errors travel in headers, which are small."""


def invalid(message: str) -> CallError:
    """Return the error for a malformed request."""
    return CallError(Reason.INVALID, Outcome.NOT_APPLIED, message)


def too_large(field: str, actual: int, limit: int) -> CallError:
    """Return the error for a field above its bound, in bytes."""
    text = f"{field}: at most {limit} bytes, got {actual}"
    return CallError(Reason.TOO_LARGE, Outcome.NOT_APPLIED, text, limit=limit, actual=actual)


# -- parts of requests


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


def checked_value(value: bytes, field: str, limits: RequestLimits) -> bytes:
    """Return `value`; CallError where it is too long."""
    if len(value) > limits.value_bytes:
        raise too_large(field, len(value), limits.value_bytes)
    return value


def checked_size(size: int, limits: RequestLimits) -> None:
    """CallError where the bytes a request carries are more than one request may."""
    if size > limits.request_bytes:
        raise too_large("request", size, limits.request_bytes)


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


def is_serializable(consistency: int) -> bool:
    """Return whether a read may be answered from this node's own state."""
    if consistency in (
        kv_pb2.CONSISTENCY_UNSPECIFIED,
        kv_pb2.CONSISTENCY_LINEARIZABLE,
    ):
        return False
    if consistency != kv_pb2.CONSISTENCY_SERIALIZABLE:
        allowed = ", ".join(kv_pb2.Consistency.keys())
        raise invalid(f"consistency: one of {allowed}, got {consistency}")
    return True


def min_revision(request: kv_pb2.GetRequest | kv_pb2.ListRequest) -> int:
    """Return the oldest revision that may answer; 0 where any may."""
    if request.min_revision < 0:
        raise invalid(f"min_revision: 0 or more, got {request.min_revision}")
    return request.min_revision


def prefix_end(prefix: bytes) -> bytes | None:
    """Return the first key behind all keys with this prefix; None where there is no such bound."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None


class Span(NamedTuple):
    """start <= key < end; no upper bound where `end` is None."""

    start: bytes
    end: bytes | None


def prefix_span(prefix: bytes, limits: RequestLimits) -> Span:
    """Return the range of all keys with this prefix."""
    checked_bound(prefix, "prefix", limits)
    return Span(prefix, prefix_end(prefix))


def range_span(given: kv_pb2.KeyRange, limits: RequestLimits) -> Span:
    """Return a range as it was given; CallError where it ends before it starts."""
    start = checked_bound(given.start, "range.start", limits)
    if not given.HasField("end"):
        return Span(start, None)
    end = checked_bound(given.end, "range.end", limits)
    if start > end:
        raise invalid(f"range: start must not lie behind end, got {shown(start)} and {shown(end)}")
    return Span(start, end)


def shown(text: bytes) -> str:
    """Return a user's bytes for a message, cut where they are long."""
    return repr(text) if len(text) <= SHOWN_BYTES else f"{text[:SHOWN_BYTES]!r}..."


# -- requests


def list_span(request: kv_pb2.ListRequest, limits: RequestLimits) -> Span:
    """Return the range that a page is cut from."""
    match request.WhichOneof("target"):
        case "prefix":
            span = prefix_span(request.prefix, limits)
        case "range":
            span = range_span(request.range, limits)
        case _:
            raise invalid("target: one of prefix, range must be set, got none")
    if not request.HasField("after"):
        return span
    behind = checked_bound(request.after, "after", limits) + b"\0"
    return Span(max(span.start, behind), span.end)


def _attachment(
    request: kv_pb2.PutRequest | kv_pb2.CompareAndSetRequest, limits: RequestLimits
) -> tuple[int | None, int | None]:
    """Return (lease_id, ttl_ms); at most one way to say what lease the key gets."""
    has_lease, has_ttl = request.HasField("lease_id"), request.HasField("ttl_ms")
    if has_lease + has_ttl + request.keep_lease > 1:
        given = (("lease_id", has_lease), ("ttl_ms", has_ttl), ("keep_lease", request.keep_lease))
        names = " and ".join(name for name, is_given in given if is_given)
        raise invalid(f"at most one of lease_id, ttl_ms, keep_lease, got {names}")
    lease_id = checked_lease_id(request.lease_id, limits) if has_lease else None
    return lease_id, request.ttl_ms if has_ttl else None


def put_command(request: kv_pb2.PutRequest, limits: RequestLimits) -> Put:
    """Return the command; CallError for a malformed request."""
    key = checked_key(request.key, "key", limits)
    value = checked_value(request.value, "value", limits)
    checked_size(len(key) + len(value), limits)
    lease_id, ttl_ms = _attachment(request, limits)
    return Put(key, value, lease_id, ttl_ms, request.keep_lease, request.return_previous)


def delete_command(request: kv_pb2.DeleteRequest, limits: RequestLimits) -> Delete | DeleteRange:
    """Return the command; CallError for a malformed request."""
    target = request.WhichOneof("target")
    if target == "key":
        return Delete(checked_key(request.key, "key", limits), request.return_previous)
    if request.return_previous:
        raise invalid(f"return_previous: only with key, got it with {target or 'no target'}")
    match target:
        case "prefix":
            return DeleteRange(*prefix_span(request.prefix, limits))
        case "range":
            return DeleteRange(*range_span(request.range, limits))
        case _:
            raise invalid("target: one of key, prefix, range must be set, got none")


def cas_command(request: kv_pb2.CompareAndSetRequest, limits: RequestLimits) -> CompareAndSet:
    """Return the command; CallError for a malformed request."""
    key = checked_key(request.key, "key", limits)
    value = checked_value(request.value, "value", limits)
    expect = _expect(request, limits)
    checked_size(len(key) + len(value) + len(expect.value or b""), limits)
    lease_id, ttl_ms = _attachment(request, limits)
    return CompareAndSet(key, value, expect, lease_id, ttl_ms, request.keep_lease)


def _expect(request: kv_pb2.CompareAndSetRequest, limits: RequestLimits) -> Expect:
    given = request.expect
    has = given.HasField
    expect = Expect(
        absent=given.absent,
        value=checked_value(given.value, "expect.value", limits) if has("value") else None,
        version=given.version if has("version") else None,
        mod_revision=given.mod_revision if has("mod_revision") else None,
        create_revision=given.create_revision if has("create_revision") else None,
    )
    if expect == Expect():
        raise invalid(
            "expect: at least one of absent (true), value, version, mod_revision, "
            "create_revision must be set, got none"
        )
    return expect


def grant_command(request: lease_pb2.GrantRequest, limits: RequestLimits) -> LeaseGrant:
    """Return the command; CallError for a malformed request."""
    if not request.HasField("lease_id"):
        return LeaseGrant(request.ttl_ms)
    return LeaseGrant(request.ttl_ms, checked_lease_id(request.lease_id, limits))


# -- responses


def fill_entry(entry: kv_pb2.Entry, found: KeyValue, *, with_value: bool = True) -> None:
    """Write one key into a response; `with_value` False leaves the value out and says so."""
    entry.key = found.key
    if with_value:
        entry.value = found.value
    else:
        entry.value_omitted = True
    entry.create_revision = found.create_revision
    entry.mod_revision = found.mod_revision
    entry.version = found.version
    if found.lease_id:
        entry.lease_id = found.lease_id


def keys_within(keys: Sequence[bytes], size: int) -> list[bytes]:
    """Return the first of `keys` that fit into `size` bytes together."""
    fitting = takewhile(
        lambda pair: pair[1] <= size, zip(keys, accumulate(map(len, keys)), strict=True)
    )
    return [key for key, _ in fitting]
