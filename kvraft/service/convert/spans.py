"""Prefixes and ranges of keys."""

from typing import NamedTuple

from kvraft.core.limits import RequestLimits
from kvraft.service.convert.checks import checked_bound, invalid, shown
from kvraft.v1 import kv_pb2


class Span(NamedTuple):
    """start <= key < end; no upper bound where `end` is None."""

    start: bytes
    end: bytes | None


def prefix_end(prefix: bytes) -> bytes | None:
    """Return the first key behind all keys with this prefix; None where there is no such bound."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None


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


def list_span(request: kv_pb2.ListRequest | kv_pb2.OperationList, limits: RequestLimits) -> Span:
    """Return the range that a page is cut from."""
    match request.WhichOneof("target"):
        case "prefix":
            return prefix_span(request.prefix, limits)
        case "range":
            return range_span(request.range, limits)
        case _:
            raise invalid("target: one of prefix, range must be set, got none")


def page_span(request: kv_pb2.ListRequest, limits: RequestLimits) -> Span:
    """Return what is left of the range behind `after`."""
    span = list_span(request, limits)
    if not request.HasField("after"):
        return span
    behind = checked_bound(request.after, "after", limits) + b"\0"
    return Span(max(span.start, behind), span.end)
