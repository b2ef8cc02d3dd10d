"""What a read demands of the state that answers it."""

from typing import NamedTuple

from kvraft.service.convert.checks import checked_from, invalid
from kvraft.v1 import kv_pb2


class Demands(NamedTuple):
    """Of a read; the defaults are those of a linearizable read of what stands now."""

    serializable: bool = False
    min_revision: int = 0
    revision: int | None = None
    """Read what stood then."""
    max_age_ms: int | None = None
    """Of a serializable read: the state may be older by no more than this."""


LINEARIZABLE = Demands()


def demands_of(request: kv_pb2.GetRequest | kv_pb2.ListRequest) -> Demands:
    """Return what a read demands; CallError for what means nothing."""
    has = request.HasField
    if not (request.consistency or request.min_revision or has("revision") or has("max_age_ms")):
        return LINEARIZABLE  # by far the most
    return Demands(
        is_serializable(request.consistency),
        checked_from(request.min_revision, 0, "min_revision"),
        checked_from(request.revision, 1, "revision") if has("revision") else None,
        checked_from(request.max_age_ms, 0, "max_age_ms") if has("max_age_ms") else None,
    )


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
