"""The mutations of keys, each as part of a plan: what is planned, and what is answered.

Imports: core only. The answer says how things stand once the plan is committed.
"""

from typing import TypeVar

from kvraft.core.action_application import added, apply_actions
from kvraft.core.commands import ABSENT, CompareAndSet, Delete, DeleteRange, Expect, Put, Update
from kvraft.core.keyspace import Record
from kvraft.core.plan import Plan
from kvraft.core.reply_bounds import bounded
from kvraft.core.results import CasResult, DeleteResult, KeyValue, PutResult, Refused, UpdateResult

R = TypeVar("R", PutResult, UpdateResult)


def put(plan: Plan, command: Put) -> PutResult | Refused:
    """Write a key."""
    key = command.key
    old = plan.keyspace.get(key)
    record = plan.write(command, command.value, old, keep_lease=command.keep_lease)
    if isinstance(record, Refused):
        return record
    if old is None or not command.return_previous:
        return PutResult(KeyValue(key, *record))
    return _bounded(plan, PutResult(KeyValue(key, *record), KeyValue(key, *old)))


def compare_and_set(plan: Plan, command: CompareAndSet) -> CasResult | Refused:
    """Write a key if what it holds is what is expected."""
    key = command.key
    old = plan.keyspace.get(key)
    if not holds(command.expect, old):
        return CasResult(False, None if old is None else KeyValue(key, *old))
    record = plan.write(command, command.value, old, keep_lease=command.keep_lease)
    return record if isinstance(record, Refused) else CasResult(True, KeyValue(key, *record))


def delete(plan: Plan, command: Delete) -> DeleteResult | Refused:
    """Delete a key, if it is there."""
    key = command.key
    old = plan.get(key)
    if old is None:
        return DeleteResult(0)
    refused = plan.delete(key, old)
    if refused is not None:
        return refused
    return DeleteResult(1, KeyValue(key, *old) if command.return_previous else None)


def delete_range(plan: Plan, command: DeleteRange) -> DeleteResult | Refused:
    """Delete all keys of a range."""
    deleted = plan.delete_range(command.start, command.end)
    return deleted if isinstance(deleted, Refused) else DeleteResult(deleted)


def update(plan: Plan, command: Update) -> UpdateResult | Refused:
    """Apply actions to a key; where none of them writes, nothing changes."""
    key = command.key
    old = plan.keyspace.get(key) if plan.overlay is None else plan.overlay.get(key)
    value, previous = (None, None) if old is None else (old[0], KeyValue(key, *old))
    actions, value_bytes = command.actions, plan.limits.value_bytes
    changed = added(actions, value, value_bytes) or apply_actions(
        actions, value, plan.json, value_bytes
    )
    if isinstance(changed, Refused):
        return changed
    value, written = changed
    if not written or (value is None and old is None):
        return _bounded(plan, UpdateResult(previous, previous))
    if value is not None:
        record = plan.make(value) or plan.write(command, value, old, keep_lease=True)
        if isinstance(record, Refused):
            return record
        result = UpdateResult(KeyValue(key, *record), previous)
        fits = old is None or len(value) + len(old[0]) <= plan.limits.reply_bytes
        return result if fits else _bounded(plan, result)
    assert old is not None
    refused = plan.delete(key, old)
    return _bounded(plan, UpdateResult(None, previous)) if refused is None else refused


def _bounded(plan: Plan, result: R) -> R:
    """Keep an answer within `reply_bytes`; a transaction does so with all of its own at once."""
    return result if plan.overlay is not None else bounded(result, plan.limits.reply_bytes)


def holds(expect: Expect, old: Record | None) -> bool:
    """Evaluate an expectation; on an absent key only `absent` can hold."""
    if old is None:
        return expect is ABSENT or expect == ABSENT
    value, create_revision, mod_revision, version, _ = old
    return (
        not expect.absent
        and (expect.value is None or expect.value == value)
        and (expect.version is None or expect.version == version)
        and (expect.mod_revision is None or expect.mod_revision == mod_revision)
        and (expect.create_revision is None or expect.create_revision == create_revision)
    )
