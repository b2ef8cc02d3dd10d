"""What a request may ask, checked before it is proposed: a refusal here means NOT_APPLIED.

Imports: core commands, limits, results, bounds and the validation of conditions, locks and writes.
What depends on the state (leases, TTL bounds, how much a range holds) is decided by `apply`, on
every node alike.
"""

from dataclasses import astuple
from typing import assert_never

from kvraft.core.bounds import (
    invalid,
    key_refusal,
    lease_id_refusal,
    not_int64,
    not_positive,
    too_large,
)
from kvraft.core.commands import (
    Acquire,
    Attach,
    Bootstrap,
    Command,
    CompareAndSet,
    Confirm,
    Delete,
    DeleteRange,
    GuardPrefix,
    HashMarker,
    Identity,
    KeyIdentity,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Member,
    MemberDisk,
    Mutation,
    Put,
    Release,
    Request,
    Resolve,
    SessionClose,
    SessionOpen,
    SetInvariant,
    Txn,
    Update,
)
from kvraft.core.int64 import INT64_MAX
from kvraft.core.limits import RequestLimits
from kvraft.core.results import Refused
from kvraft.core.validation_conditions import ConditionCheck
from kvraft.core.validation_locks import (
    fences_bytes,
    fences_refusal,
    lock_bytes,
    lock_refusal,
)
from kvraft.core.validation_txn import txn_refusal
from kvraft.core.validation_writes import is_plain, operation_bytes, operation_refusal

_NAME_BYTES = 255  # a length of one byte in the encoding
_VERSION_MAX = (1 << 16) - 1  # two bytes in the encoding
_UNCONDITIONAL = Txn | LeaseGrant | LeaseRevoke | SetInvariant | Release | GuardPrefix


def validate(  # noqa: C901, PLR0911 - one line for each command
    command: Command, limits: RequestLimits
) -> Refused | None:
    """Say why a command must not be proposed (the limit and the actual size), or None."""
    match command:
        case Request():  # by far the most
            return _request(command, limits)
        case Put() | Delete() | DeleteRange() | CompareAndSet() | Update() | Txn():
            return _mutation(command, limits, 0)
        case LeaseGrant() | LeaseRevoke() | SetInvariant() | Release() | GuardPrefix():
            return _mutation(command, limits, 0)
        case Acquire() | Attach() | Confirm():
            return lock_refusal(command, limits) or _too_large(lock_bytes(command), limits)
        case LeaseKeepAlive():
            return lease_id_refusal(command.lease_id, limits)
        case SessionOpen():
            return None
        case SessionClose():
            return not_positive("session_id", command.session_id)
        case Resolve():
            return _identity(command.identity, limits)
        case Bootstrap():
            return _bootstrap(command)
        case MemberDisk():
            return _member(command.member)
        case HashMarker():
            return not_int64("nonce", command.nonce)
        case _:
            assert_never(command)


def _mutation(command: Mutation, limits: RequestLimits, extra: int) -> Refused | None:
    """Check a mutation; `extra` bytes of its request are not its own."""
    if isinstance(command, Put) and is_plain(command, limits, extra):
        return None
    match command:
        case LeaseGrant():
            return lease_id_refusal(command.lease_id, limits) or not_int64("ttl_ms", command.ttl_ms)
        case LeaseRevoke():
            return lease_id_refusal(command.lease_id, limits)
        case SetInvariant():
            return _invariant(command, limits)
        case Txn():
            refused, size = txn_refusal(command, limits)
        case Release() | GuardPrefix():
            refused, size = lock_refusal(command, limits), lock_bytes(command)
        case _:
            refused, size = operation_refusal(command, limits), operation_bytes(command)
    if refused is None and size + extra <= limits.request_bytes:
        return None
    return refused or _too_large(size + extra, limits)


def _too_large(size: int, limits: RequestLimits) -> Refused | None:
    return too_large("request", size, "request_bytes", limits.request_bytes)


def _request(request: Request, limits: RequestLimits) -> Refused | None:
    mutation, condition, identity = request.mutation, request.condition, request.identity
    fences = request.fences
    if condition is None and identity is None and not fences:
        return invalid("a request without condition, identity and fences is its mutation alone")
    if condition is not None and isinstance(mutation, _UNCONDITIONAL):
        return invalid(f"{type(mutation).__name__} takes no condition around it")
    others = 0
    if condition is not None:
        check = ConditionCheck(limits)
        refused = check.refusal(condition)
        if refused is not None:
            return Refused(refused.reason, f"condition: {refused.message}")
        others = check.request_bytes
    if fences:
        refused = fences_refusal(fences, limits)
        if refused is not None:
            return refused
        others += fences_bytes(fences)
    refused = None if identity is None else _identity(identity, limits)
    return refused or _mutation(mutation, limits, others)


def _identity(identity: Identity, limits: RequestLimits) -> Refused | None:
    if isinstance(identity, KeyIdentity):
        size, limit = len(identity.key), limits.idempotency_key_bytes
        if 0 < size <= limit:
            return None
        return invalid(f"the idempotency key is {size} bytes, it must be 1 to {limit}")
    session_id, sequence = identity.session_id, identity.sequence
    if 0 < session_id <= INT64_MAX and 0 < identity.first_unacked <= sequence <= INT64_MAX:
        return None
    refused = not_positive("session_id", session_id) or not_positive("sequence", sequence)
    if refused is not None:
        return refused
    return invalid(
        f"first_unacked is {identity.first_unacked}, it must be 1 to the sequence, {sequence}"
    )


def _invariant(command: SetInvariant, limits: RequestLimits) -> Refused | None:
    if command.is_prefix:  # of all keys, where it is empty
        refused = too_large("prefix", len(command.key), "key_bytes", limits.key_bytes)
    else:
        refused = key_refusal(command.key, limits)
    low, high = command.minimum, command.maximum
    refused = refused or not_int64("minimum", low) or not_int64("maximum", high)
    if refused is not None or low is None or high is None or low <= high:
        return refused
    return invalid(f"minimum is {low}, which is above the maximum, {high}")


def _bootstrap(command: Bootstrap) -> Refused | None:
    names = [member.name for member in command.members]
    if not 0 < command.cluster_id <= INT64_MAX:
        return invalid(f"cluster_id is {command.cluster_id}, it must be a positive int64")
    if not names or len(set(names)) != len(names) or len(names) > _NAME_BYTES:
        return invalid(f"members must be named, each once: {names}")
    if any(not 0 < bound <= INT64_MAX for bound in astuple(command.limits)):
        return invalid(f"a limit is not a positive int64: {command.limits}")
    return next(filter(None, map(_member, command.members)), None)


def _member(member: Member) -> Refused | None:
    name = member.name.encode(errors="surrogatepass")
    if not 0 < len(name) <= _NAME_BYTES or name.decode(errors="replace") != member.name:
        return invalid(f"the name {member.name!r} is not 1 to {_NAME_BYTES} bytes of UTF-8")
    if not 0 < member.command_version <= _VERSION_MAX:
        return invalid(f"command_version is {member.command_version}, not 1 to {_VERSION_MAX}")
    return not_int64("disk_id", member.disk_id)
