"""The calls of a script that change something, as commands of the core.

What a call means stands in `kvraft_chaos.workloads` (`perform_keys`, `perform_txn`,
`perform_locks`), beside the performer that asks it of a real cluster.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kvraft.core.actions import Action, ActionKind
from kvraft.core.commands import (
    CompareAndSet,
    Delete,
    Expect,
    Fence,
    Get,
    GetRange,
    LeaseGrant,
    LeaseRevoke,
    Mutation,
    Operation,
    Put,
    Txn,
    Update,
)
from kvraft.core.conditions import All, Clause, Condition, Operator, Target
from kvraft.core.invariants import prefix_end
from kvraft_chaos.workloads.script import Call

LIST_ENTRIES = 100_000
"""Of one list: more than any run writes."""

COMPARISONS: Mapping[str, Operator] = {
    "==": Operator.EQ,
    "!=": Operator.NE,
    "<": Operator.LT,
    "<=": Operator.LE,
    ">": Operator.GT,
    ">=": Operator.GE,
}
TARGETS: Mapping[str, Target] = {
    "number": Target.NUMBER,
    "value": Target.VALUE,
    "mod_revision": Target.MOD_REVISION,
}


@dataclass(frozen=True, slots=True)
class Change:
    """A mutation, and the locks that it is done under."""

    mutation: Mutation
    fences: tuple[Fence, ...] = ()


def change_of(call: Call) -> Change:
    """What a call asks of the store; only of those in `CHANGES`."""
    return CHANGES[call.f](call)


def key_of(call: Call) -> bytes:
    """The key, which nearly every call has."""
    return (call.key or "").encode()


def _put(call: Call) -> Change:
    return Change(Put(key_of(call), call.argument["value"].encode()))


def _put_leased(call: Call) -> Change:
    value, lease_id = call.argument["value"].encode(), call.argument["lease_id"]
    return Change(Put(key_of(call), value, lease_id=lease_id))


def _fenced_put(call: Call) -> Change:
    fence = Fence(call.argument["lock"].encode(), call.argument["token"])
    return Change(Put(key_of(call), call.argument["value"].encode()), (fence,))


def _cas(call: Call) -> Change:
    given = call.argument["expect"]
    value = given.get("value")
    expect = Expect(
        absent=given.get("absent", False),
        value=None if value is None else value.encode(),
        mod_revision=given.get("mod_revision"),
    )
    return Change(CompareAndSet(key_of(call), call.argument["value"].encode(), expect))


def _delete(call: Call) -> Change:
    return Change(Delete(key_of(call)))


def _update(call: Call) -> Change:
    actions = tuple(ACTIONS[name](operand) for name, operand in call.argument.items())
    return Change(Update(key_of(call), actions))


def _txn(call: Call) -> Change:
    argument = call.argument
    condition = _condition(argument.get("when", ()))
    then, orelse = _steps(argument.get("then", ())), _steps(argument.get("orelse", ()))
    return Change(Txn(condition, then, orelse))


def _grant(call: Call) -> Change:
    return Change(LeaseGrant(call.argument["ttl_ms"]))


def _revoke(call: Call) -> Change:
    return Change(LeaseRevoke(call.argument["lease_id"]))


CHANGES: Mapping[str, Callable[[Call], Change]] = {
    "put": _put,
    "put_leased": _put_leased,
    "fenced_put": _fenced_put,
    "cas": _cas,
    "delete": _delete,
    "update": _update,
    "txn": _txn,
    "grant": _grant,
    "revoke": _revoke,
}

# -- the parts of a transaction


def _append(text: str) -> Action:
    return Action(ActionKind.APPEND, text.encode())


def _add(delta: int) -> Action:
    return Action(ActionKind.ADD, delta)


ACTIONS: Mapping[str, Callable[[Any], Action]] = {"append": _append, "add": _add}


def _condition(clauses: Sequence[Sequence[Any]]) -> Condition | None:
    """All of the clauses; None where there is none."""
    parts = tuple(map(_clause, clauses))
    return All(parts) if parts else None


def _clause(clause: Sequence[Any]) -> Clause:
    match clause:
        case ["absent", key]:
            return Clause(key.encode(), Target.EXISTS, Operator.EQ, (False,))
        case ["exists", key]:
            return Clause(key.encode(), Target.EXISTS, Operator.EQ, (True,))
        case [target, key, comparison, operand]:
            operands = (operand.encode() if target == "value" else operand,)
            return Clause(key.encode(), TARGETS[target], COMPARISONS[comparison], operands)
    raise ValueError(f"no clause: {clause!r}")


def _steps(steps: Sequence[Sequence[Any]]) -> tuple[Operation, ...]:
    return tuple(map(_step, steps))


def _step(step: Sequence[Any]) -> Operation:
    match step:
        case ["get", key]:
            return Get(key.encode())
        case ["list", prefix]:
            start = prefix.encode()
            return GetRange(start, prefix_end(start), LIST_ENTRIES)
        case ["put", key, text]:
            return Put(key.encode(), text.encode())
        case ["delete", key]:
            return Delete(key.encode())
        case [("append" | "add") as name, key, operand]:
            return Update(key.encode(), (ACTIONS[name](operand),))
    raise ValueError(f"no step: {step!r}")
