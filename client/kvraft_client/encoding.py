"""From conditions, actions and identities, built in Python or given as text, to protobuf."""

from collections.abc import Sequence
from typing import cast

from kvraft.v1 import kv_pb2
from kvraft_client import actions as act
from kvraft_client.actions import Action, Kind
from kvraft_client.conditions import All, AnyOf, Clause, Condition, Not, Scalar, Target
from kvraft_client.errors import InvalidRequest
from kvraft_client.policy.identity import Identity, KeyIdentity, SessionIdentity
from kvraft_client.policy.session import Ticket
from kvraft_client.requests import Data, as_bytes

IDEMPOTENCY_KEY_BYTES = 128
"""Of an idempotency key, as the store bounds it."""
DEPTH_MAX = 8
"""Levels of &, |, ~ above a clause, as the store bounds them; here against endless recursion."""


def condition_proto(
    when: Condition | str | None, key: bytes | None = None
) -> kv_pb2.Condition | None:
    """Convert what was given as `when=`; in text, a bare target means `key`."""
    if when is None:
        return None
    if isinstance(when, str):
        when = _parse_condition(when, key)
    if not isinstance(when, Condition):
        raise TypeError(
            "when must be a condition (kvraft_client.conditions) or its text, "
            f"not {type(when).__name__}"
        )
    return _condition(when, 0)


def _condition(condition: Condition, depth: int) -> kv_pb2.Condition:
    if depth > DEPTH_MAX:
        raise InvalidRequest(f"the condition is more than {DEPTH_MAX} levels deep")
    if isinstance(condition, Clause):
        return kv_pb2.Condition(clause=_clause(condition))
    if isinstance(condition, All | AnyOf):
        parts = kv_pb2.ConditionList(
            parts=[_condition(part, depth + 1) for part in condition.parts]
        )
        if isinstance(condition, All):
            return kv_pb2.Condition(all=parts)
        return kv_pb2.Condition(any=parts)
    if isinstance(condition, Not):
        made = kv_pb2.Condition()
        getattr(made, "not").CopyFrom(_condition(condition.part, depth + 1))  # a word of Python's
        return made
    raise TypeError(f"{type(condition).__name__} is no condition of this package")


def _clause(clause: Clause) -> kv_pb2.Clause:
    return kv_pb2.Clause(
        key=clause.key,
        target=cast("kv_pb2.Target", int(clause.target)),
        pointer=clause.pointer,
        operator=cast("kv_pb2.Operator", int(clause.operator)),
        operands=[_literal(clause.target, operand) for operand in clause.operands],
    )


def _literal(target: Target, operand: Scalar) -> kv_pb2.Literal:
    literal = kv_pb2.Literal()
    if isinstance(operand, bytes):
        literal.raw = operand
    elif isinstance(operand, bool):
        literal.flag = operand
    elif isinstance(operand, int):
        literal.integer = operand
    elif isinstance(operand, float):
        literal.number = operand
    elif isinstance(operand, str):
        literal.text = operand
    elif operand is None:
        literal.null = True
    else:
        raise TypeError(f"{target.name} is not compared with {type(operand).__name__}")
    return literal


def action_protos(actions: Sequence[Action | str]) -> list[kv_pb2.Action]:
    """Convert the actions of an update; text is parsed."""
    if not actions:
        raise InvalidRequest("an update needs at least one action")
    return [_action(_parse_action(each) if isinstance(each, str) else each) for each in actions]


_PLAIN = {
    Kind.SET: "set",
    Kind.ADD: "add",
    Kind.MIN: "min",
    Kind.MAX: "max",
    Kind.APPEND: "append",
    Kind.SET_IF_ABSENT: "set_if_absent",
}
"""The kinds whose operand is the field itself."""


def _action(action: Action) -> kv_pb2.Action:
    if not isinstance(action, Action):
        raise TypeError(
            "an action is one of kvraft_client.actions or its text, "
            f"not {type(action).__name__} (to write a value use actions.set)"
        )
    made = kv_pb2.Action()
    if action.kind in _PLAIN:
        setattr(made, _PLAIN[action.kind], action.operand)
    elif action.kind is Kind.DELETE:
        made.delete.SetInParent()
    elif action.kind is Kind.JSON_SET:
        made.json_set.pointer, made.json_set.value = action.pointer, str(action.operand)
    elif action.kind is Kind.JSON_REMOVE:
        made.json_remove.pointer = action.pointer
    elif isinstance(action.operand, float):
        made.json_add.pointer, made.json_add.number = action.pointer, action.operand
    else:
        made.json_add.pointer = action.pointer
        made.json_add.integer = act.int64(action.operand)
    return made


def key_identity(key: Data) -> KeyIdentity:
    """Check an idempotency key."""
    encoded = as_bytes("idempotency_key", key)
    if not 1 <= len(encoded) <= IDEMPOTENCY_KEY_BYTES:
        raise InvalidRequest(
            f"an idempotency key has 1 to {IDEMPOTENCY_KEY_BYTES} bytes, not {len(encoded)}"
        )
    return KeyIdentity(encoded)


def put_ticket(message: kv_pb2.SessionIdentity, ticket: Ticket) -> None:
    """Write a session's identity, with what the client has had, into a request."""
    message.session_id = ticket.session_id
    message.sequence = ticket.sequence
    message.first_unacked = ticket.first_unacked


def identity_proto(identity: Identity) -> kv_pb2.Identity:
    """Convert an identity that is asked about; that acknowledges nothing."""
    if isinstance(identity, KeyIdentity):
        return kv_pb2.Identity(idempotency_key=key_identity(identity.key).key)
    if isinstance(identity, SessionIdentity):
        made = kv_pb2.Identity()
        put_ticket(made.session, Ticket(identity.session_id, identity.sequence, 1))
        return made
    raise TypeError(
        "identity must be that of an OutcomeUnknown, or KeyIdentity(idempotency_key), "
        f"not {type(identity).__name__}"
    )


def _parse_condition(text: str, key: bytes | None) -> Condition:
    try:
        from kvraft_client.text import parse_condition  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _not_installed(error) from error
    return parse_condition(text, key)


def _parse_action(text: str) -> Action:
    try:
        from kvraft_client.text import parse_action  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _not_installed(error) from error
    return parse_action(text)


def _not_installed(error: ImportError) -> InvalidRequest:
    return InvalidRequest(
        "conditions and actions as text need a parser: pip install kvraft[text] "
        f"(or build them with kvraft_client.conditions and .actions): {error}"
    )
