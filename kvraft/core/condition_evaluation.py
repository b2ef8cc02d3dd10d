"""Whether a condition holds: every clause is looked at, none can raise.

Imports: core conditions, int64, json_pointer, json_value, keyspace. The tree was validated: its
operands fit, no group is empty, and it is only so deep that recursion is bounded.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from kvraft.core.conditions import All, AnyOf, Clause, Condition, Literal, Not, Operator, Target
from kvraft.core.int64 import number
from kvraft.core.json_pointer import Place, find
from kvraft.core.json_value import JsonBudget, JsonValue, Unreadable
from kvraft.core.keyspace import Record

Get = Callable[[bytes], Record | None]
Count = Callable[[bytes], int]
Holds = Callable[[bytes, int], bool]


class _Sight(NamedTuple):
    """What clauses look at."""

    get: Get
    count: Count
    holds: Holds


class Verdict(NamedTuple):
    """What came of a condition."""

    holds: bool
    clause: int
    """Index, in reading order, of the first clause that decided it."""
    mismatched: tuple[int, ...]
    """Clauses that could not be compared, for the type of what they met."""


def evaluate(
    condition: Condition,
    get: Get,
    count: Count,
    budget: JsonBudget,
    *,
    holds: Holds = lambda _lock, _token: False,
) -> Verdict:
    """Decide a condition on what stands now.

    `count` is of the keys with a prefix; `holds` says whether a lock's holder has a token.
    """
    sight = _Sight(get, count, holds)
    if isinstance(condition, Clause):
        truth = _decide(condition, sight, budget)
        return Verdict(truth is True, 0, (0,) if truth is None else ())
    truths = [_decide(clause, sight, budget) for clause in _clauses(condition)]
    outcome, deciding = _combine(condition, enumerate(truths))
    return Verdict(
        outcome, deciding, tuple(index for index, truth in enumerate(truths) if truth is None)
    )


def keys_of(condition: Condition) -> tuple[bytes, ...]:
    """Return the distinct keys that a condition names, in reading order: no prefixes, no locks."""
    clauses = _clauses(condition)
    return tuple(dict.fromkeys(part.key for part in clauses if part.target not in _NO_KEY))


def _clauses(condition: Condition) -> Iterator[Clause]:
    match condition:
        case Clause():
            yield condition
        case Not():
            yield from _clauses(condition.part)
        case All() | AnyOf():
            for part in condition.parts:
                yield from _clauses(part)


def _combine(condition: Condition, truths: Iterator[tuple[int, bool | None]]) -> tuple[bool, int]:
    """Return whether it holds, and the clause that decided: every part takes its own truths."""
    match condition:
        case Clause():
            index, truth = next(truths)
            return truth is True, index
        case Not():
            holds, clause = _combine(condition.part, truths)
            return not holds, clause
        case All() | AnyOf():
            parts = [_combine(part, truths) for part in condition.parts]
            deciding = isinstance(condition, AnyOf)
            for holds, clause in parts:
                if holds is deciding:
                    return deciding, clause
            return not deciding, parts[0][1]


_FIELD = {
    Target.VALUE: 0,
    Target.CREATE_REVISION: 1,
    Target.MOD_REVISION: 2,
    Target.VERSION: 3,
    Target.LEASE_ID: 4,
}
"""Where it stands in a Record."""

_NO_KEY = frozenset({Target.COUNT, Target.FENCE})
"""Their `key` is a prefix, or a lock."""


def _decide(clause: Clause, sight: _Sight, budget: JsonBudget) -> bool | None:
    """Decide one clause; None: it could not be compared."""
    target = clause.target
    if target in _NO_KEY:
        return _decide_no_key(clause, sight)
    record = sight.get(clause.key)
    if target is Target.EXISTS and not clause.pointer:
        return _compare(clause, record is not None)
    if record is None:
        return _absent(clause)
    field = _FIELD.get(target)
    if field is not None:
        return _compare(clause, record[field])
    if target is Target.NUMBER:
        value = number(record[0])
        return None if value is None else _compare(clause, value)
    return _decide_place(clause, budget.read(record[0]))


def _decide_no_key(clause: Clause, sight: _Sight) -> bool | None:
    if clause.target is Target.COUNT:
        return _compare(clause, sight.count(clause.key))
    token = clause.operands[0]
    if type(token) is not int:
        return None
    return sight.holds(clause.key, token) is (clause.operator is Operator.EQ)


def _decide_place(clause: Clause, document: JsonValue | Unreadable) -> bool | None:
    if isinstance(document, Unreadable):
        return None
    value = find(document, clause.pointer)
    if clause.target is Target.EXISTS:
        return _compare(clause, value is not Place.MISSING)
    if isinstance(value, Place):
        return _absent(clause)
    kind = _KIND.get(type(value))
    alike = tuple(operand for operand in clause.operands if _KIND[type(operand)] == kind)
    return _COMPARE[clause.operator](value, alike) if alike else None


def _absent(clause: Clause) -> bool:
    if clause.target is Target.EXISTS:  # of a place: the key itself is absent
        return _compare(clause, False)
    return clause.operator is Operator.NE


def _compare(clause: Clause, value: Literal) -> bool:
    return _COMPARE[clause.operator](value, clause.operands)


_KIND: dict[type, str] = {
    type(None): "null",
    bool: "bool",
    int: "number",
    float: "number",
    str: "string",
}
"""Scalars of one kind compare; arrays and objects have none."""

_COMPARE: dict[Operator, Callable[[Any, tuple[Any, ...]], bool]] = {
    Operator.EQ: lambda value, operands: value == operands[0],
    Operator.NE: lambda value, operands: value != operands[0],
    Operator.LT: lambda value, operands: value < operands[0],
    Operator.LE: lambda value, operands: value <= operands[0],
    Operator.GT: lambda value, operands: value > operands[0],
    Operator.GE: lambda value, operands: value >= operands[0],
    Operator.IN: lambda value, operands: value in operands,
    Operator.BETWEEN: lambda value, operands: operands[0] <= value <= operands[1],
    Operator.BEGINS_WITH: lambda value, operands: value.startswith(operands[0]),
}
