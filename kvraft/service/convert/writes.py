"""Mutations of keys, and of leases and invariants."""

from collections.abc import Sequence
from itertools import count, repeat
from typing import Final

from kvraft.core.actions import Action, ActionKind
from kvraft.core.commands import (
    CompareAndSet,
    Delete,
    DeleteRange,
    Expect,
    LeaseGrant,
    Put,
    SetInvariant,
    Update,
)
from kvraft.core.limits import RequestLimits
from kvraft.service.convert.checks import (
    checked_bound,
    checked_count,
    checked_key,
    checked_lease_id,
    checked_size,
    checked_value,
    invalid,
)
from kvraft.service.convert.spans import prefix_span, range_span
from kvraft.v1 import cluster_pb2, kv_pb2, lease_pb2

_Put = kv_pb2.PutRequest | kv_pb2.OperationPut
_Update = kv_pb2.UpdateRequest | kv_pb2.OperationUpdate
_Delete = kv_pb2.DeleteRequest | kv_pb2.OperationDelete

_NOTHING: Final = Expect()
PLAIN: Final = {
    "set": ActionKind.SET,
    "add": ActionKind.ADD,
    "min": ActionKind.MIN,
    "max": ActionKind.MAX,
    "append": ActionKind.APPEND,
    "set_if_absent": ActionKind.SET_IF_ABSENT,
}
"""Actions whose operand is the field itself."""


def _attachment(
    request: _Put | kv_pb2.CompareAndSetRequest, limits: RequestLimits
) -> tuple[int | None, int | None]:
    """Return (lease_id, ttl_ms); at most one way to say what lease the key gets."""
    has_lease, has_ttl = request.HasField("lease_id"), request.HasField("ttl_ms")
    if has_lease + has_ttl + request.keep_lease > 1:
        given = (("lease_id", has_lease), ("ttl_ms", has_ttl), ("keep_lease", request.keep_lease))
        names = " and ".join(name for name, is_given in given if is_given)
        raise invalid(f"at most one of lease_id, ttl_ms, keep_lease, got {names}")
    lease_id = checked_lease_id(request.lease_id, limits) if has_lease else None
    return lease_id, request.ttl_ms if has_ttl else None


def put_command(request: _Put, limits: RequestLimits) -> Put:
    """Return the command; CallError for a malformed request."""
    key, value = request.key, request.value
    if not 0 < len(key) <= limits.key_bytes:
        checked_key(key, "key", limits)
    if len(value) > limits.value_bytes:
        checked_value(value, "value", limits)
    if len(key) + len(value) > limits.request_bytes:
        checked_size(len(key) + len(value), limits)
    lease_id = ttl_ms = None
    if request.HasField("lease_id") or request.HasField("ttl_ms"):
        lease_id, ttl_ms = _attachment(request, limits)
    return Put(key, value, lease_id, ttl_ms, request.keep_lease, request.return_previous)


def delete_command(request: _Delete, limits: RequestLimits) -> Delete | DeleteRange:
    """Return the command; CallError for a malformed request."""
    target = request.WhichOneof("target")
    if target == "key":
        return Delete(checked_key(request.key, "key", limits), request.return_previous)
    if request.return_previous:
        raise invalid(f"return_previous: only with key, got it with {target or 'no target'}")
    match target:
        case "prefix":
            return DeleteRange(*prefix_span(request.prefix, limits))
        case "range":
            return DeleteRange(*range_span(request.range, limits))
        case _:
            raise invalid("target: one of key, prefix, range must be set, got none")


def cas_command(request: kv_pb2.CompareAndSetRequest, limits: RequestLimits) -> CompareAndSet:
    """Return the command; CallError for a malformed request."""
    key, value = request.key, request.value
    if not 0 < len(key) <= limits.key_bytes:
        checked_key(key, "key", limits)
    if len(value) > limits.value_bytes:
        checked_value(value, "value", limits)
    expect = _expect(request.expect, limits)
    size = len(key) + len(value) + len(expect.value or b"")
    if size > limits.request_bytes:
        checked_size(size, limits)
    lease_id = ttl_ms = None
    if request.HasField("lease_id") or request.HasField("ttl_ms"):
        lease_id, ttl_ms = _attachment(request, limits)
    return CompareAndSet(key, value, expect, lease_id, ttl_ms, request.keep_lease)


def _expect(given: kv_pb2.Expect, limits: RequestLimits) -> Expect:
    has = given.HasField
    expect = Expect(
        absent=given.absent,
        value=checked_value(given.value, "expect.value", limits) if has("value") else None,
        version=given.version if has("version") else None,
        mod_revision=given.mod_revision if has("mod_revision") else None,
        create_revision=given.create_revision if has("create_revision") else None,
    )
    if expect == _NOTHING:
        raise invalid(
            "expect: at least one of absent (true), value, version, mod_revision, "
            "create_revision must be set, got none"
        )
    return expect


def update_command(request: _Update, limits: RequestLimits) -> Update:
    """Return the command; CallError for a malformed request."""
    key, size = request.key, request.ByteSize()
    if not 0 < len(key) <= limits.key_bytes:
        checked_key(key, "key", limits)
    if size > limits.request_bytes:
        checked_size(size, limits)
    has_lease, has_ttl = request.HasField("lease_id"), request.HasField("ttl_ms")
    if has_lease and has_ttl:
        raise invalid("at most one of lease_id, ttl_ms, got lease_id and ttl_ms")
    lease_id = checked_lease_id(request.lease_id, limits) if has_lease else None
    ttl_ms = request.ttl_ms if has_ttl else None
    return Update(key, _actions(request.actions, limits), lease_id, ttl_ms)


def _actions(given: Sequence[kv_pb2.Action], limits: RequestLimits) -> tuple[Action, ...]:
    checked_count(len(given), "actions", limits.actions)
    return tuple(map(_action, given, count(), repeat(limits)))


def _action(given: kv_pb2.Action, index: int, limits: RequestLimits) -> Action:
    kind = given.WhichOneof("kind")
    if kind in PLAIN:
        operand = getattr(given, kind)
        if isinstance(operand, bytes):
            checked_value(operand, f"actions[{index}].{kind}", limits)
        return Action(PLAIN[kind], operand)
    place = f"actions[{index}]"
    match kind:
        case "delete":
            return Action(ActionKind.DELETE)
        case "json_set":
            text = checked_value(given.json_set.value.encode(), f"{place}.json_set.value", limits)
            return Action(ActionKind.JSON_SET, text, given.json_set.pointer)
        case "json_add":
            delta = given.json_add.WhichOneof("delta")
            if delta is None:
                raise invalid(f"{place}.json_add: one of integer, number must be set, got none")
            return Action(
                ActionKind.JSON_ADD, getattr(given.json_add, delta), given.json_add.pointer
            )
        case "json_remove":
            return Action(ActionKind.JSON_REMOVE, None, given.json_remove.pointer)
        case _:
            names = ", ".join(kv_pb2.Action.DESCRIPTOR.fields_by_name)
            raise invalid(f"{place}: one of {names} must be set, got none")


def grant_command(request: lease_pb2.GrantRequest, limits: RequestLimits) -> LeaseGrant:
    """Return the command; CallError for a malformed request."""
    if not request.HasField("lease_id"):
        return LeaseGrant(request.ttl_ms)
    return LeaseGrant(request.ttl_ms, checked_lease_id(request.lease_id, limits))


def invariant_command(given: cluster_pb2.Invariant, limits: RequestLimits) -> SetInvariant:
    """Return the command; CallError for a malformed request."""
    check = checked_bound if given.is_prefix else checked_key
    least = given.min if given.HasField("min") else None
    most = given.max if given.HasField("max") else None
    if least is not None and most is not None and least > most:
        raise invalid(f"invariant: min must not be above max, got {least} and {most}")
    key = check(given.key, "invariant.key", limits)
    return SetInvariant(key, given.is_prefix, least, most, given.immutable)
