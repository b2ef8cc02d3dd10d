"""Conditions: trees of clauses, read with their bounds kept in sight."""

from typing import Final

from kvraft.core.conditions import All, AnyOf, Clause, Condition, Literal, Not, Operator, Target
from kvraft.core.errors import Outcome, Reason
from kvraft.core.limits import RequestLimits
from kvraft.service.convert.checks import checked_bound, checked_key, checked_value, invalid
from kvraft.service.convert.locks import checked_lock_name
from kvraft.service.errors import CallError
from kvraft.v1 import kv_pb2

TARGETS: Final = {each.value: each for each in Target}
OPERATORS: Final = {each.value: each for each in Operator}
_KEY_CHECKS: Final = {Target.COUNT: checked_bound, Target.FENCE: checked_lock_name}


def condition_of(given: kv_pb2.Condition, limits: RequestLimits) -> Condition:
    """Return a condition; CallError for one that is malformed, too deep or too large."""
    return ConditionReader(limits).read(given, "condition")


class ConditionReader:
    """Reads the conditions of one command; counts their clauses, which share one bound.

    Recursion ends at `condition_depth`, long before the 100 messages that protobuf reads.
    """

    def __init__(self, limits: RequestLimits) -> None:
        self._limits = limits
        self._clauses = 0
        self._field = ""

    def read(self, given: kv_pb2.Condition, field: str) -> Condition:
        """Return the condition that stands in `field`; CallError for what it must not be."""
        self._field = field
        return self._read(given, 0)

    def _read(self, given: kv_pb2.Condition, depth: int) -> Condition:
        kind = given.WhichOneof("kind")
        if kind == "clause":
            return self._clause(given.clause)
        if kind is None:
            raise invalid(f"{self._field}: one of clause, all, any, not must be set, got none")
        deepest = self._limits.condition_depth
        if depth >= deepest:
            text = f"{self._field}: at most {deepest} levels of all, any, not, got more"
            raise CallError(
                Reason.INVALID, Outcome.NOT_APPLIED, text, limit=deepest, actual=depth + 1
            )
        if kind == "not":
            return Not(self._read(getattr(given, "not"), depth + 1))
        parts = given.all.parts if kind == "all" else given.any.parts
        if not parts:
            raise invalid(f"{self._field}: {kind} must hold at least one part, got none")
        read = tuple(self._read(part, depth + 1) for part in parts)
        return All(read) if kind == "all" else AnyOf(read)

    def _clause(self, given: kv_pb2.Clause) -> Clause:
        most = self._limits.clauses
        place = f"{self._field}: clause {self._clauses}"
        self._clauses += 1
        if self._clauses > most:
            text = f"{self._field}: at most {most} clauses, got more"
            raise CallError(
                Reason.INVALID, Outcome.NOT_APPLIED, text, limit=most, actual=self._clauses
            )
        target, operator = TARGETS.get(given.target), OPERATORS.get(given.operator)
        if target is None:
            raise invalid(f"{place}: target: one of {_names(Target)}, got {given.target}")
        if operator is None:
            raise invalid(f"{place}: operator: one of {_names(Operator)}, got {given.operator}")
        key = _KEY_CHECKS.get(target, checked_key)(given.key, f"{place}: key", self._limits)
        if len(given.operands) > most:
            raise invalid(f"{place}: operands: at most {most}, got {len(given.operands)}")
        operands = tuple(self._literal(each, place) for each in given.operands)
        return Clause(key, target, operator, operands, given.pointer)

    def _literal(self, given: kv_pb2.Literal, place: str) -> Literal:
        kind = given.WhichOneof("value")
        if kind is None:
            names = ", ".join(kv_pb2.Literal.DESCRIPTOR.fields_by_name)
            raise invalid(f"{place}: operands: one of {names} must be set, got none")
        if kind == "raw":
            return checked_value(given.raw, f"{place}: operand", self._limits)
        if kind == "null":
            return None
        value: int | float | str | bool = getattr(given, kind)
        return value


def _names(kind: type[Target] | type[Operator]) -> str:
    return ", ".join(each.name for each in kind)
