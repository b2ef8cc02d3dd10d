"""What the core answered, as it stands in a history: in the words of `kvraft_chaos.workloads`.

Values are left out where the store left them out, never made up.
"""

from typing import Any

from kvraft.core.errors import Reason
from kvraft.core.results import (
    CasResult,
    DeleteResult,
    GetResult,
    KeyValue,
    LeaseResult,
    OperationResult,
    Page,
    PutResult,
    Refused,
    Replayed,
    Resolved,
    Result,
    RevokeResult,
    TxnResult,
    UpdateResult,
)
from kvraft_chaos.simulation.client_process import Told
from kvraft_chaos.workloads.script import Answer
from kvraft_client.policy.failure import Failure


def told(said: Told) -> Answer:
    """Of a mutation that was answered, for the first time or again."""
    result = said.result
    if isinstance(result, Replayed):
        return _answer(result.result, result.revision, omitted=result.omitted)
    return _answer(result, said.revision)


def resolved(said: Resolved) -> Answer:
    """Of a mutation that the store was asked about."""
    if said.result is None:
        return Answer("fail", error="never applied, and never will be, by the store's word")
    return _answer(said.result, said.revision, omitted=said.omitted)


def failed(failure: Failure) -> Answer:
    """Of a call that certainly changed nothing."""
    return Answer("fail", error=f"{failure.reason or failure.code}: {failure.message}")


def read(said: KeyValue | Page | Reason | None) -> Answer:
    """Of a get or a list; a reason, where the past is not there to be read."""
    match said:
        case Reason():
            return Answer("fail", error=said.value)
        case Page():
            return Answer("ok", _page(said))
    return Answer("ok", _entry(said))


def _answer(result: Result, revision: int, *, omitted: bool = False) -> Answer:
    if isinstance(result, Refused):
        return Answer("fail", error=f"{result.reason.value}: {result.message}")
    return Answer("ok", _result(result, revision, omitted=omitted))


def _result(result: Result, revision: int, *, omitted: bool) -> dict[str, Any]:
    match result:
        case PutResult(entry):
            return {"mod_revision": entry.mod_revision}
        case CasResult():
            return _cas(result)
        case DeleteResult(deleted):
            return {"deleted": deleted > 0, "revision": revision}
        case UpdateResult(entry):
            return {} if entry is None else {"mod_revision": entry.mod_revision, **_value(entry)}
        case TxnResult(missed, results):
            said: dict[str, Any] = {"succeeded": missed is None, "revision": revision}
            return said if omitted else {**said, "results": list(map(_step, results))}
    return _of_lease(result)


def _of_lease(result: Result) -> dict[str, Any]:
    match result:
        case LeaseResult(lease_id):
            return {"lease_id": lease_id}
        case RevokeResult(_, deleted):
            return {"deleted": deleted}
    raise ValueError(f"no call of a script is answered {result!r}")


def _cas(result: CasResult) -> dict[str, Any]:
    entry = result.entry
    if result.succeeded:
        assert entry is not None
        return {"succeeded": True, "mod_revision": entry.mod_revision}
    if entry is not None and entry.value_omitted:
        return {"succeeded": False}
    return {"succeeded": False, "current": None if entry is None else _entry(entry)}


def _step(result: OperationResult) -> dict[str, Any]:
    match result:
        case GetResult(entry):
            return _entry(entry)
        case Page():
            return _page(result)
        case DeleteResult(deleted):
            return {"deleted": deleted > 0}
        case UpdateResult(KeyValue() as entry):
            return _value(entry)
    return {}


def _value(entry: KeyValue) -> dict[str, Any]:
    return {} if entry.value_omitted else {"value": entry.value.decode()}


def _entry(entry: KeyValue | None) -> dict[str, Any]:
    if entry is None:
        return {"value": None}
    return {"value": entry.value.decode(), "mod_revision": entry.mod_revision}


def _page(page: Page) -> dict[str, Any]:
    rows = [[each.key.decode(), each.value.decode(), each.mod_revision] for each in page.entries]
    return {"entries": rows}
