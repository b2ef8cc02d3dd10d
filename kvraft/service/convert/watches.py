"""Watches: what is asked for, and events as the bytes of a response.

A response is put together from the bytes of its parts: the encodings of protobuf messages, one
behind the other, are the encoding of one message with all their fields. So an event is encoded
once, for all watches that get it.
"""

from typing import Final

from kvraft.core.history import Cause
from kvraft.core.limits import RequestLimits
from kvraft.core.results import KeyValue
from kvraft.replica.watch_topics import Change, Kind, WatchSpec
from kvraft.service.convert.answers import fill_entry
from kvraft.service.convert.checks import checked_bound, checked_from, checked_key, invalid
from kvraft.service.convert.spans import range_span
from kvraft.service.limits import ServiceLimits
from kvraft.v1 import watch_pb2

CAUSES: Final = {
    Cause.REQUEST: watch_pb2.CAUSE_REQUEST,
    Cause.EXPIRED: watch_pb2.CAUSE_EXPIRED,
    Cause.REVOKED: watch_pb2.CAUSE_REVOKED,
    Cause.FENCED: watch_pb2.CAUSE_FENCED,
}


def watch_spec(request: watch_pb2.WatchRequest, limits: RequestLimits) -> WatchSpec:
    """Return which events are wanted; CallError for a malformed request."""
    if request.no_puts and request.no_deletes:
        raise invalid("at most one of no_puts, no_deletes, got no_puts and no_deletes")
    options = (request.previous, request.no_puts, request.no_deletes)
    match request.WhichOneof("target"):
        case "key":
            return WatchSpec(Kind.KEY, checked_key(request.key, "key", limits), None, *options)
        case "prefix":
            prefix = checked_bound(request.prefix, "prefix", limits)
            return WatchSpec(Kind.PREFIX, prefix, None, *options)
        case "range":
            return WatchSpec(Kind.RANGE, *range_span(request.range, limits), *options)
        case _:
            raise invalid("target: one of key, prefix, range must be set, got none")


def watch_start(request: watch_pb2.WatchRequest) -> int | None:
    """Return the first revision that is wanted; None: from now."""
    if not request.HasField("start_revision"):
        return None
    return checked_from(request.start_revision, 1, "start_revision")


def progress_ms(request: watch_pb2.WatchRequest, limits: ServiceLimits) -> int:
    """Return the idle time between two marks of progress."""
    if not request.HasField("progress_ms"):
        return limits.watch_progress_ms
    least, most = limits.watch_progress_min_ms, limits.watch_progress_max_ms
    if not least <= request.progress_ms <= most:
        raise invalid(f"progress_ms: {least} to {most}, got {request.progress_ms}")
    return request.progress_ms


def encoded(change: Change, *, previous: bool) -> bytes:
    """Return a response's bytes with one event; made once for each way to show it."""
    found = change.encoded[previous]
    if found is None:
        found = change.encoded[previous] = _encode(change, previous=previous)
    return found


def _encode(change: Change, *, previous: bool) -> bytes:
    key, record, before, cause = change.event
    response = watch_pb2.WatchResponse()
    event = response.events.add(cause=CAUSES[cause])
    if record is None:
        event.type = watch_pb2.EVENT_TYPE_DELETE
        event.entry.key, event.entry.mod_revision = key, change.revision
    else:
        event.type = watch_pb2.EVENT_TYPE_PUT
        fill_entry(event.entry, KeyValue(key, *record))
    if previous and before is not None:
        fill_entry(event.previous, KeyValue(key, *before))
    return response.SerializeToString()
