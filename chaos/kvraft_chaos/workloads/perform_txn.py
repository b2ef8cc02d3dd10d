"""Transactions, as they stand in a history.

    txn {"when": [clause, ...], "then": [step, ...], "orelse": [step, ...]}
      -> {"succeeded": true | false, "revision": r, "results": [...]}

A clause is ["absent", key], ["exists", key], or ["number" | "value" | "mod_revision", key, "=="
| "!=" | "<" | "<=" | ">" | ">=", operand]; all of them must hold. A step and its result:

    ["get", key]          as of a get          ["put", key, text]     {}
    ["list", prefix]      as of a list         ["delete", key]        {"deleted": true | false}
                                               ["append", key, text]  {"value": text}
                                               ["add", key, n]        {"value": text}

`revision` is where it was decided: that of its writes where it wrote. `results` is left out where
the store left it out.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

from kvraft_chaos.workloads.deed import CALL_SECONDS, Deed
from kvraft_chaos.workloads.perform_keys import ACTIONS, entry_json, row_json
from kvraft_chaos.workloads.script import Call
from kvraft_client import (
    AsyncClient,
    Condition,
    DeleteResult,
    Entry,
    Operation,
    PutResult,
    TxnResult,
    UpdateResult,
    conditions,
    operations,
)
from kvraft_client.answers import ListResult, OperationResult

COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
TARGETS: Mapping[str, Callable[[str], Any]] = {
    "number": conditions.number,
    "value": conditions.value,
    "mod_revision": conditions.mod_revision,
}
STEPS: Mapping[str, Callable[..., Operation]] = {
    "get": operations.get,
    "list": operations.list,
    "put": operations.put,
    "delete": operations.delete,
    "append": lambda key, text: operations.update(key, ACTIONS["append"](text)),
    "add": lambda key, delta: operations.update(key, ACTIONS["add"](delta)),
}


def txn_deeds(client: AsyncClient) -> Mapping[str, Deed]:
    async def ask(call: Call) -> TxnResult:
        return await client.txn(
            when=condition(call.argument.get("when", ())),
            then=_steps(call.argument.get("then", ())),
            orelse=_steps(call.argument.get("orelse", ())),
            timeout=CALL_SECONDS,
        )

    return {"txn": Deed(ask, txn_json, retold=True)}


def condition(clauses: Sequence[Sequence[Any]]) -> Condition | None:
    """All of the clauses; None where there is none."""
    if not clauses:
        return None
    return reduce(operator.and_, map(_clause, clauses))


def _clause(clause: Sequence[Any]) -> Condition:
    match clause:
        case ["absent", key]:
            return ~conditions.exists(key)
        case ["exists", key]:
            return conditions.exists(key)
        case [target, key, comparison, operand]:
            compared: Condition = COMPARISONS[comparison](TARGETS[target](key), operand)
            return compared
    raise ValueError(f"no clause: {clause!r}")


def _steps(steps: Sequence[Sequence[Any]]) -> list[Operation]:
    return [STEPS[kind](*operands) for kind, *operands in steps]


def txn_json(result: TxnResult) -> dict[str, Any]:
    """Also of one that the store gives again."""
    said: dict[str, Any] = {"succeeded": result.succeeded, "revision": result.revision}
    if not result.results_omitted:
        said["results"] = [_result_json(each) for each in result.results]
    return said


def _result_json(result: OperationResult) -> dict[str, Any]:
    match result:
        case None | Entry():
            return entry_json(result)
        case ListResult():
            return {"entries": [row_json(each) for each in result.entries]}
        case DeleteResult():
            return {"deleted": result.deleted > 0}
        case UpdateResult(entry=Entry(value_omitted=False) as entry):
            return {"value": entry.value.decode()}
        case PutResult() | UpdateResult():
            return {}
    raise ValueError(f"no step of a script answers {result!r}")
