"""From conditions and actions back to text; what it prints parses to the same again."""

import json
import re
from typing import assert_never

from kvraft_client.actions import Action, Kind
from kvraft_client.conditions import All, AnyOf, Clause, Condition, Not, Operator, Scalar, Target
from kvraft_client.text.literals import quote

_SIGNS = {
    Operator.EQ: "=",
    Operator.NE: "!=",
    Operator.LT: "<",
    Operator.LE: "<=",
    Operator.GT: ">",
    Operator.GE: ">=",
}
_WORDS = {
    Target.VERSION: "version",
    Target.CREATE_REVISION: "create_revision",
    Target.MOD_REVISION: "mod_revision",
    Target.LEASE_ID: "lease_id",
    Target.COUNT: "count",
    Target.FENCE: "fence",
}
_BARE_POINTER = re.compile(r"/[\w~/]*")


def format_condition(condition: Condition, key: bytes | None = None) -> str:
    """Return the condition as text; clauses about `key` do not name it."""
    match condition:
        case Clause():
            return _clause(condition, key)
        case All():
            return " and ".join(_part(each, key) for each in condition.parts)
        case AnyOf():
            return " or ".join(_part(each, key) for each in condition.parts)
        case Not():
            return "not " + _part(condition.part, key)
        case _:
            raise TypeError(f"no condition: {condition!r}")


def _part(condition: Condition, key: bytes | None) -> str:
    text = format_condition(condition, key)
    return f"({text})" if isinstance(condition, All | AnyOf) else text


def _clause(clause: Clause, key: bytes | None) -> str:
    named = clause.key != key or clause.target in (Target.COUNT, Target.FENCE)
    place = f"({quote(clause.key)})" if named else ""
    if clause.target is Target.EXISTS:
        wanted = (clause.operands[0] is True) == (clause.operator is Operator.EQ)
        pointer = _pointer(clause.pointer) if clause.pointer else ""
        return ("" if wanted else "not ") + f"exists{place}{pointer}"
    if clause.target is Target.JSON:
        place += _pointer(clause.pointer)
    subject = _WORDS.get(clause.target, "value") + place
    operands = [_scalar(each) for each in clause.operands]
    match clause.operator:
        case Operator.IN:
            return f"{subject} in ({', '.join(operands)})"
        case Operator.BETWEEN:
            return f"{subject} between {operands[0]} and {operands[1]}"
        case Operator.BEGINS_WITH:
            return f"{subject} begins with {operands[0]}"
        case _:
            return f"{subject} {_SIGNS[clause.operator]} {operands[0]}"


def format_action(action: Action) -> str:  # noqa: PLR0911 - one line for each kind
    """Return the action as text."""
    operand, pointer = action.operand, _pointer(action.pointer)
    match action.kind:
        case Kind.SET | Kind.APPEND | Kind.SET_IF_ABSENT:
            assert isinstance(operand, bytes)
            sign = {Kind.SET: "=", Kind.APPEND: ".=", Kind.SET_IF_ABSENT: "?="}[action.kind]
            return f"value {sign} {quote(operand)}"
        case Kind.ADD:
            return f"value += {operand!r}"
        case Kind.MIN | Kind.MAX:
            return f"value {'min' if action.kind is Kind.MIN else 'max'}= {operand!r}"
        case Kind.DELETE:
            return "delete"
        case Kind.JSON_SET:
            assert isinstance(operand, str)
            return f"value{pointer} = {_json(json.loads(operand))}"
        case Kind.JSON_ADD:
            return f"value{pointer} += {operand!r}"
        case Kind.JSON_REMOVE:
            return f"remove value{pointer}"
        case _:
            assert_never(action.kind)


def _pointer(pointer: str) -> str:
    return "." + pointer if _BARE_POINTER.fullmatch(pointer) else "." + quote(pointer.encode())


def _scalar(given: Scalar) -> str:
    if isinstance(given, bytes):
        return quote(given)
    if isinstance(given, str):
        return quote(given.encode())
    return _json(given)


def _json(given: object) -> str:
    """JSON, but with the strings of this grammar."""
    if isinstance(given, str):
        return quote(given.encode())
    if isinstance(given, list):
        return f"[{', '.join(map(_json, given))}]"
    if isinstance(given, dict):
        members = [f"{quote(name.encode())}: {_json(each)}" for name, each in given.items()]
        return f"{{{', '.join(members)}}}"
    return json.dumps(given)
