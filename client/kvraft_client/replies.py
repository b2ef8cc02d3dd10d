"""From protobuf to the answers of updates, transactions, watches and `outcome`."""

from dataclasses import replace
from typing import Protocol

from kvraft.v1 import kv_pb2, lease_pb2, lock_pb2, session_pb2, watch_pb2
from kvraft_client.answers import (
    Applied,
    DeleteResult,
    Event,
    Fate,
    ListResult,
    NeverApplied,
    OperationResult,
    PutResult,
    Refused,
    Reply,
    TxnResult,
    UpdateResult,
)
from kvraft_client.errors import ConditionFailed
from kvraft_client.values import CasResult, Entry, LeaseGrant, Unmet
from kvraft_client.wire import entry_from

Conditional = (
    kv_pb2.PutResponse
    | kv_pb2.DeleteResponse
    | kv_pb2.CompareAndSetResponse
    | kv_pb2.UpdateResponse
)
"""The answers to which a condition may have been false."""


class Outlined(Protocol):
    """What says whether part of a reply was too large to keep: a header, or a resolution."""

    @property
    def reply_omitted(self) -> bool: ...


def optional_entry(
    message: kv_pb2.GetResponse | kv_pb2.GetResult | kv_pb2.CompareAndSetResponse,
) -> Entry | None:
    """Convert an entry that may be absent."""
    return entry_from(message.entry) if message.HasField("entry") else None


def written(message: kv_pb2.Entry, value: bytes) -> Entry:
    """Convert the entry that a write of `value` left: an answer given again may lack the value."""
    entry = entry_from(message)
    return replace(entry, value=value, value_omitted=False) if entry.value_omitted else entry


def unmet_from(message: kv_pb2.Unmet, header: Outlined) -> Unmet:
    """Convert why a condition was false."""
    entries = tuple(entry_from(each) for each in message.entries)
    omitted = header.reply_omitted and not entries
    return Unmet(message.clause, tuple(message.mismatched), entries, omitted)


def demand(response: Conditional, key: bytes) -> None:
    """Raise ConditionFailed where the condition of the request was false."""
    if response.HasField("unmet"):
        raise condition_failed(unmet_from(response.unmet, response.header), key)


def condition_failed(unmet: Unmet, key: bytes) -> ConditionFailed:
    """Say which clause was false."""
    text = f"the condition of the request on {key!r} is false: clause {unmet.clause}"
    if unmet.mismatched:
        text += f"; of another type than what they met: clauses {list(unmet.mismatched)}"
    return ConditionFailed(text, current=unmet.entry(key), unmet=unmet)


def update_from(message: kv_pb2.UpdateResponse | kv_pb2.UpdateResult) -> UpdateResult:
    """Convert the answer to an update."""
    entry = entry_from(message.entry) if message.HasField("entry") else None
    return UpdateResult(entry, _previous(message))


def txn_from(
    message: kv_pb2.TxnResponse | kv_pb2.TxnResult, header: Outlined, revision: int = 0
) -> TxnResult:
    """Convert the answer to a transaction."""
    unmet = unmet_from(message.unmet, header) if message.HasField("unmet") else None
    results = tuple(_result(each, header) for each in message.results)
    omitted = header.reply_omitted and not results
    return TxnResult(message.succeeded, results, unmet, revision, omitted)


def _result(message: kv_pb2.OperationResult, header: Outlined) -> OperationResult:
    match message.WhichOneof("kind"):
        case "get":
            return optional_entry(message.get)
        case "list":
            entries = tuple(entry_from(each) for each in message.list.entries)
            return ListResult(entries, message.list.more)
        case "put":
            return PutResult(entry_from(message.put.entry), _previous(message.put))
        case "delete":
            return DeleteResult(message.delete.deleted, _previous(message.delete))
        case "update":
            return update_from(message.update)
        case _:
            return txn_from(message.txn, header)


def _previous(
    message: kv_pb2.PutResult | kv_pb2.DeleteResult | kv_pb2.UpdateResult | kv_pb2.UpdateResponse,
) -> Entry | None:
    return entry_from(message.previous) if message.HasField("previous") else None


_CAUSES = {
    watch_pb2.CAUSE_EXPIRED: "expired",
    watch_pb2.CAUSE_REVOKED: "revoked",
    watch_pb2.CAUSE_FENCED: "fenced",
}


def event_from(message: watch_pb2.Event) -> Event:
    """Convert one change."""
    previous = entry_from(message.previous) if message.HasField("previous") else None
    entry = entry_from(message.entry)
    return Event(
        "delete" if message.type == watch_pb2.EVENT_TYPE_DELETE else "put",
        entry.key,
        entry,
        previous,
        _CAUSES.get(message.cause, "request"),  # type: ignore[arg-type]
    )


def fate_from(message: session_pb2.ResolveResponse) -> Fate:
    """Convert what became of a mutation."""
    if not message.answered:
        return NeverApplied()
    kind = message.WhichOneof("reply")
    if kind == "refused":
        return Refused(message.refused.reason, message.refused.message)
    if kind in (None, "invariant", "guard"):
        return Applied(None, message.revision, message.reply_omitted)
    if kind == "unmet":
        unmet = unmet_from(message.unmet, message)
        return Refused("CONDITION", f"clause {unmet.clause} was false", unmet=unmet)
    reply = getattr(message, kind)
    if isinstance(reply, kv_pb2.CompareAndSetResponse) and not reply.succeeded:
        current = optional_entry(reply)
        return Refused("CONFLICT", "the entry was not as expected", current=current)
    return Applied(_reply(reply, message), message.revision, message.reply_omitted)


def _reply(  # noqa: PLR0911 - one line for each kind
    reply: object, resolved: session_pb2.ResolveResponse
) -> Reply | None:
    match reply:
        case kv_pb2.PutResponse():
            return entry_from(reply.entry)
        case kv_pb2.CompareAndSetResponse():
            return CasResult(True, optional_entry(reply))
        case kv_pb2.UpdateResponse():
            return update_from(reply)
        case kv_pb2.TxnResponse():
            return txn_from(reply, resolved, resolved.revision)
        case lease_pb2.GrantResponse():
            return LeaseGrant(reply.lease_id, reply.ttl_ms)
        case lock_pb2.ReleaseResponse():
            return int(reply.released)
    return getattr(reply, "deleted", None)  # of delete and revoke
