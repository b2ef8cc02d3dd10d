"""Transactions: a condition decides which operations are planned, and each sees those before it.

Imports: core only. Nested once; the first operation that is refused refuses the whole, and the
message names its place. Also the door to single mutations, which are planned the same way.
"""

from collections.abc import Callable
from itertools import islice
from typing import Any

from kvraft.core.commands import (
    CompareAndSet,
    Delete,
    DeleteRange,
    Fence,
    Get,
    GetRange,
    Operation,
    Put,
    Txn,
    Update,
)
from kvraft.core.condition_evaluation import evaluate, keys_of
from kvraft.core.conditions import Condition
from kvraft.core.invariants import prefix_end
from kvraft.core.operations import compare_and_set, delete, delete_range, put, update
from kvraft.core.overlay import Overlay
from kvraft.core.plan import Plan
from kvraft.core.reply_bounds import bounded
from kvraft.core.results import (
    CasResult,
    DeleteResult,
    GetResult,
    KeyValue,
    OperationResult,
    Page,
    PutResult,
    Refused,
    TxnResult,
    Unmet,
    UpdateResult,
)

KeyMutation = Put | CompareAndSet | Update | Delete | DeleteRange | Txn


KeyResult = PutResult | DeleteResult | CasResult | UpdateResult | TxnResult


def unmet(plan: Plan, condition: Condition) -> Unmet | None:
    """Evaluate a condition on what is planned so far; None: it holds."""
    verdict = evaluate(
        condition,
        plan.get,
        lambda prefix: plan.count(prefix, prefix_end(prefix)),
        plan.json,
        holds=lambda lock, token: plan.places.holder(Fence(lock, token)) is not None,
    )
    if verdict.holds:
        return None
    standing = ((key, plan.get(key)) for key in keys_of(condition))
    entries = tuple(KeyValue(key, *record) for key, record in standing if record is not None)
    return Unmet(verdict.clause, verdict.mismatched, entries)


def transact(plan: Plan, txn: Txn) -> TxnResult | Refused:
    """Plan one of the two lists of operations."""
    missed = None if txn.condition is None else unmet(plan, txn.condition)
    name, operations = ("then", txn.then) if missed is None else ("orelse", txn.orelse)
    results: list[OperationResult] = []
    for number, operation in enumerate(operations):
        result = _operate(plan, operation)
        if isinstance(result, Refused):
            return Refused(result.reason, f"{name}[{number}]: {result.message}")
        results.append(result)
    return TxnResult(missed, tuple(results))


def _transact_bounded(plan: Plan, txn: Txn) -> TxnResult | Refused:
    plan.overlay = Overlay(plan.keyspace)
    result = transact(plan, txn)
    return result if isinstance(result, Refused) else bounded(result, plan.limits.reply_bytes)


PLANNERS: dict[type[KeyMutation], Callable[[Plan, Any], KeyResult | Refused]] = {
    Put: put,
    Delete: delete,
    DeleteRange: delete_range,
    CompareAndSet: compare_and_set,
    Update: update,
    Txn: _transact_bounded,
}
"""What plans a mutation of keys; an answer of several entries is kept within `reply_bytes`."""


def _operate(plan: Plan, operation: Operation) -> OperationResult | Refused:  # noqa: PLR0911 - one line for each operation
    match operation:
        case Put():
            return put(plan, operation)
        case Get():
            record = plan.get(operation.key)
            return GetResult(None if record is None else KeyValue(operation.key, *record))
        case Update():
            return update(plan, operation)
        case Delete():
            return delete(plan, operation)
        case GetRange():
            return _get_range(plan, operation)
        case DeleteRange():
            return delete_range(plan, operation)
        case Txn():
            return transact(plan, operation)


def _get_range(plan: Plan, operation: GetRange) -> Page | Refused:
    """Read a range through what is staged; what it looks at counts, deleted or not."""
    overlay = plan.overlay
    assert overlay is not None
    entries: list[KeyValue] = []
    bytes_left = plan.limits.reply_bytes - plan.read_bytes
    more = False
    left = max(0, plan.limits.touched_entries - plan.touched)
    looked_at = 0
    for key in islice(overlay.keys(operation.start, operation.end), left + 1):
        record = overlay.get(key)
        if record is not None:
            # A page may hold as many keys as a reply takes, but at least one.
            if entries and (len(entries) == operation.limit or len(key) > bytes_left):
                more = True
                break
            value = b"" if operation.keys_only else record[0]
            entries.append(KeyValue(key, value, *record[1:]))
            bytes_left -= len(key)
        looked_at += 1
    plan.read_bytes = plan.limits.reply_bytes - bytes_left
    return plan.touch(looked_at) or Page(tuple(entries), more)
