"""What a condition may ask: its shape, and what fits each target and operator.

Imports: core bounds, conditions, int64, json_pointer, limits, results. The tree comes from the
network: it is walked without recursion, and no further than the limits.
"""

from math import isfinite

from kvraft.core.bounds import invalid, key_refusal, lock_name_refusal, not_int64, too_large
from kvraft.core.conditions import Clause, Condition, Literal, Not, Operator, Target
from kvraft.core.json_pointer import pointer_fault
from kvraft.core.limits import RequestLimits
from kvraft.core.results import Refused


class ConditionCheck:
    """The conditions of one command, which share its limit of clauses."""

    __slots__ = ("_limits", "clauses", "request_bytes")

    def __init__(self, limits: RequestLimits) -> None:
        self._limits = limits
        self.clauses = 0
        self.request_bytes = 0
        """Of the keys, pointers and operands looked at so far; an operand counts at least 8."""

    def refusal(self, condition: Condition | None) -> Refused | None:
        """Say what is wrong with one of them (None: there is none)."""
        clauses_before = self.clauses
        pending = [] if condition is None else [(condition, 0)]
        while pending:
            part, depth = pending.pop()
            if isinstance(part, Clause):
                refused = self._clause(part, self.clauses - clauses_before)
                if refused is not None:
                    return refused
                continue
            parts = (part.part,) if isinstance(part, Not) else part.parts
            refused = self._group(len(parts), depth)
            if refused is not None:
                return refused
            pending.extend((below, depth + 1) for below in reversed(parts))
        return None

    def _group(self, size: int, depth: int) -> Refused | None:
        limit = self._limits.condition_depth
        if depth >= limit:
            return invalid(f"the condition is nested deeper than condition_depth, which is {limit}")
        if not size:
            return invalid("the condition has an empty group: all and any need a part")
        return None

    def _too_many(self, clauses: int) -> Refused | None:
        limit = self._limits.clauses
        if clauses <= limit:
            return None
        return invalid(f"the conditions hold at least {clauses} clauses, the limit is {limit}")

    def _clause(self, clause: Clause, index: int) -> Refused | None:
        self.clauses += 1
        refused = (
            self._too_many(self.clauses)
            or _place(clause, self._limits)
            or _shape(clause)
            or self._operands(clause)
        )
        if refused is None:
            return None
        return Refused(refused.reason, f"clause {index}: {refused.message}")

    def _operands(self, clause: Clause) -> Refused | None:
        self.request_bytes += len(clause.key) + len(clause.pointer)
        for operand in clause.operands:
            refused = operand_refusal(operand, self._limits)
            if refused is not None:
                return refused
            self.request_bytes += max(8, literal_bytes(operand))
        return None


def pointer_refusal(pointer: str, limits: RequestLimits) -> Refused | None:
    """Refuse what is no JSON pointer, or too long."""
    fault = pointer_fault(pointer)
    if fault is not None:
        return invalid(fault)
    size = _utf8_bytes(pointer)
    if size is None:
        return invalid("the JSON pointer is no Unicode text: it holds half of a surrogate pair")
    return too_large("JSON pointer", size, "pointer_bytes", limits.pointer_bytes)


def operand_refusal(operand: Literal, limits: RequestLimits) -> Refused | None:
    """Refuse a literal beyond the bounds of its type."""
    if isinstance(operand, float):
        return None if isfinite(operand) else invalid(f"the operand {operand} is not finite")
    if isinstance(operand, int):
        return not_int64("the operand", operand)
    if isinstance(operand, str) and _utf8_bytes(operand) is None:
        return invalid("an operand is no Unicode text: it holds half of a surrogate pair")
    return too_large("operand", literal_bytes(operand), "value_bytes", limits.value_bytes)


def literal_bytes(operand: Literal) -> int:
    """Return the size that counts towards `request_bytes`."""
    if isinstance(operand, bytes):
        return len(operand)
    if isinstance(operand, str):
        return len(operand) if operand.isascii() else len(operand.encode(errors="surrogatepass"))
    return 8


def _utf8_bytes(text: str) -> int | None:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return None


def _place(clause: Clause, limits: RequestLimits) -> Refused | None:
    if clause.target is Target.COUNT:  # of all keys, where the prefix is empty
        refused = too_large("prefix", len(clause.key), "key_bytes", limits.key_bytes)
    elif clause.target is Target.FENCE:
        refused = lock_name_refusal(clause.key, limits)
    else:
        refused = key_refusal(clause.key, limits)
    if refused is not None or not clause.pointer:
        return refused
    if clause.target not in (Target.JSON, Target.EXISTS):
        return invalid(f"the target {clause.target.name} takes no JSON pointer")
    return pointer_refusal(clause.pointer, limits)


_EQUALITY = frozenset({Operator.EQ, Operator.NE, Operator.IN})
_ORDER = frozenset({Operator.LT, Operator.LE, Operator.GT, Operator.GE, Operator.BETWEEN})
_ANY = frozenset(Operator)

_NUMERIC: dict[type, frozenset[Operator]] = {int: _EQUALITY | _ORDER}
_LITERALS: dict[Target, dict[type, frozenset[Operator]]] = {
    Target.EXISTS: {bool: frozenset({Operator.EQ, Operator.NE})},
    Target.VERSION: _NUMERIC,
    Target.CREATE_REVISION: _NUMERIC,
    Target.MOD_REVISION: _NUMERIC,
    Target.LEASE_ID: _NUMERIC,
    Target.NUMBER: _NUMERIC,
    Target.COUNT: _NUMERIC,
    Target.FENCE: {int: frozenset({Operator.EQ, Operator.NE})},
    Target.VALUE: {bytes: _ANY},
    Target.JSON: {
        str: _ANY,
        int: _EQUALITY | _ORDER,
        float: _EQUALITY | _ORDER,
        bool: _EQUALITY,
        type(None): _EQUALITY,
    },
}
"""Which operators each type of operand may have, at each target."""


def _shape(clause: Clause) -> Refused | None:
    target, operator, operands = clause.target, clause.operator, clause.operands
    fitting = _LITERALS[target]
    for operand in operands:
        operators = fitting.get(type(operand))
        if operators is None or operator not in operators:
            given = f"{operator.name} with an operand of type {type(operand).__name__}"
            return invalid(f"the target {target.name} cannot be compared by {given}")
    if operator is Operator.BETWEEN:
        if len(operands) != 2:
            return invalid(f"BETWEEN takes 2 operands, not {len(operands)}")
        if len({isinstance(operand, str) for operand in operands}) > 1:
            return invalid("BETWEEN takes operands of one type")
    elif operator is Operator.IN:
        if not operands:
            return invalid("IN takes at least one operand")
    elif len(operands) != 1:
        return invalid(f"{operator.name} takes 1 operand, not {len(operands)}")
    return None
