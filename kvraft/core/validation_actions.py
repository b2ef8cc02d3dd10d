"""What an update may ask: the operand that fits each action, and their number.

Imports: core actions, bounds, int64, json_value, limits, results, validation_conditions.
"""

from kvraft.core.actions import Action, ActionKind
from kvraft.core.bounds import invalid
from kvraft.core.int64 import INT64_MAX, INT64_MIN
from kvraft.core.json_value import Unreadable, parse
from kvraft.core.limits import JSON_DEPTH, RequestLimits
from kvraft.core.results import Refused
from kvraft.core.validation_conditions import literal_bytes, operand_refusal, pointer_refusal

_OPERANDS: dict[ActionKind, tuple[type, ...]] = {
    ActionKind.SET: (bytes,),
    ActionKind.DELETE: (type(None),),
    ActionKind.ADD: (int,),
    ActionKind.MIN: (int,),
    ActionKind.MAX: (int,),
    ActionKind.APPEND: (bytes,),
    ActionKind.SET_IF_ABSENT: (bytes,),
    ActionKind.JSON_SET: (bytes,),
    ActionKind.JSON_ADD: (int, float),
    ActionKind.JSON_REMOVE: (type(None),),
}
_COUNTING = frozenset({ActionKind.ADD, ActionKind.MIN, ActionKind.MAX})
_WITH_POINTER = frozenset({ActionKind.JSON_SET, ActionKind.JSON_ADD, ActionKind.JSON_REMOVE})


def actions_refusal(actions: tuple[Action, ...], limits: RequestLimits) -> Refused | None:
    """Say what is wrong with the actions of an update."""
    if not 0 < len(actions) <= limits.actions:
        return invalid(f"an update takes 1 to {limits.actions} actions, not {len(actions)}")
    for index, action in enumerate(actions):
        operand = action.operand
        is_number = type(operand) is int and INT64_MIN <= operand <= INT64_MAX
        if is_number and action.kind in _COUNTING and not action.pointer:
            continue
        refused = _operand(action, limits) or _pointer(action, limits)
        if refused is not None:
            place = f"actions[{index}] {action.kind.name}"
            return Refused(refused.reason, f"{place}: {refused.message}")
    return None


def actions_bytes(actions: tuple[Action, ...]) -> int:
    """Return what they count towards `request_bytes`."""
    size = 0
    for action in actions:
        size += len(action.pointer) + literal_bytes(action.operand)
    return size


def _operand(action: Action, limits: RequestLimits) -> Refused | None:
    operand = action.operand
    if type(operand) not in _OPERANDS[action.kind]:
        expected = " or ".join(kind.__name__ for kind in _OPERANDS[action.kind])
        return invalid(f"the operand is of type {type(operand).__name__}, not {expected}")
    refused = operand_refusal(operand, limits)
    if refused is not None or action.kind is not ActionKind.JSON_SET:
        return refused
    assert isinstance(operand, bytes), action
    if parse(operand) is Unreadable.NOT_JSON:
        return invalid(f"the operand is no JSON, or nested deeper than {JSON_DEPTH}")
    return None


def _pointer(action: Action, limits: RequestLimits) -> Refused | None:
    if action.kind in _WITH_POINTER:
        if action.kind is ActionKind.JSON_REMOVE and not action.pointer:
            return invalid("the empty pointer is the whole value: use DELETE")
        return pointer_refusal(action.pointer, limits)
    return invalid("only JSON actions take a JSON pointer") if action.pointer else None
