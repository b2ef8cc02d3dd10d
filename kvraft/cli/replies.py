"""What mutations answer, as JSON and for people: of `update`, `txn` and `outcome`."""

from collections.abc import Iterator
from typing import Any

from kvraft.cli.conditional import unmet_json
from kvraft.cli.output import entry_json, printable
from kvraft_client.answers import (
    DeleteResult,
    ListResult,
    OperationResult,
    PutResult,
    Reply,
    TxnResult,
    UpdateResult,
)
from kvraft_client.conditions import Condition
from kvraft_client.values import CasResult, Entry, LeaseGrant


def update_json(result: UpdateResult) -> dict[str, Any]:
    """Return an update: whether it wrote anything, the entry after it and before it."""
    return {
        "applied": result.applied,
        "entry": entry_json(result.entry),
        "previous": entry_json(result.previous),
    }


def txn_json(result: TxnResult, when: Condition | None) -> dict[str, Any]:
    """Return a transaction, one result for each operation that was done."""
    shown: dict[str, Any] = {
        "succeeded": result.succeeded,
        "revision": result.revision,
        "results": [_operation_json(each) for each in result.results],
        "unmet": None if result.unmet is None else unmet_json(result.unmet, when, None),
    }
    if result.results_omitted:
        shown["results_omitted"] = True
    return shown


def _operation_json(result: OperationResult) -> dict[str, Any]:
    match result:
        case ListResult():
            return {"entries": [entry_json(each) for each in result.entries], "more": result.more}
        case PutResult():
            return {"entry": entry_json(result.entry)}
        case DeleteResult():
            return {"deleted": result.deleted}
        case UpdateResult():
            return update_json(result)
        case TxnResult():
            return txn_json(result, None)
    return {"entry": entry_json(result)}


def operation_lines(result: OperationResult) -> Iterator[str]:
    """Yield what people read of one operation of a transaction."""
    match result:
        case ListResult():
            yield from map(entry_line, result.entries)
            yield f"listed {len(result.entries)}{', and there are more' if result.more else ''}"
        case DeleteResult():
            yield f"deleted {result.deleted}"
        case PutResult() | UpdateResult():
            yield entry_line(result.entry)
        case TxnResult():
            yield "then" if result.succeeded else "else"
        case _:
            yield entry_line(result)


def entry_line(entry: Entry | None) -> str:
    """Return an entry as one line."""
    if entry is None:
        return "absent"
    value = "(omitted)" if entry.value_omitted else printable(entry.value)
    figures = f"version {entry.version}, mod_revision {entry.mod_revision}"
    return f"{printable(entry.key)} = {value} ({figures})"


def reply_json(reply: Reply | None) -> Any:
    """Return what any mutation answered, as the command itself would have printed it."""
    match reply:
        case Entry():
            return entry_json(reply)
        case UpdateResult():
            return update_json(reply)
        case TxnResult():
            return txn_json(reply, None)
        case CasResult():
            return {"swapped": reply.swapped, "entry": entry_json(reply.entry)}
        case LeaseGrant():
            return {"lease_id": reply.lease_id, "ttl_ms": reply.ttl_ms}
    return None if reply is None else {"deleted": reply}
