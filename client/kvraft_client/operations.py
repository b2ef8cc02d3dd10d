"""The operations of a transaction: `kv.txn(when=..., then=[operations.put("k", "v")], orelse=[])`.

Leases are named by id, or by an object that this process holds (`kv.lease`), which is checked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kvraft.v1 import kv_pb2
from kvraft_client.actions import Action
from kvraft_client.conditions import Condition
from kvraft_client.encoding import action_protos, condition_proto
from kvraft_client.errors import InvalidRequest
from kvraft_client.requests import Data, as_bytes, as_int64, as_key, as_ttl_ms


class Held(Protocol):
    """A lease that this process holds."""

    @property
    def id(self) -> int:
        """The lease's id."""

    def check(self) -> None:
        """Raise LeaseLost once the lease is over."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, ready to be sent."""

    message: kv_pb2.Operation


def get(key: Data) -> Operation:
    """Read a key; it sees the writes before it. Gives an Entry, or None."""
    return Operation(kv_pb2.Operation(get=kv_pb2.OperationGet(key=as_key(key))))


def list(  # noqa: A001 - used by the module's name
    prefix: Data = b"",
    *,
    start: Data | None = None,
    end: Data | None = None,
    limit: int = 0,
    keys_only: bool = False,
) -> Operation:
    """Read a prefix, or start <= key < end, at most `limit` entries. Gives a ListResult."""
    wanted = kv_pb2.OperationList(limit=limit, keys_only=keys_only)
    if start is None and end is None:
        wanted.prefix = as_bytes("prefix", prefix)
    else:
        wanted.range.CopyFrom(key_range(prefix, start, end))
    return Operation(kv_pb2.Operation(list=wanted))


def put(
    key: Data,
    value: Data,
    *,
    lease: Held | int | None = None,
    ttl: float | None = None,
    keep_lease: bool = False,
    return_previous: bool = False,
) -> Operation:
    """Write a key, as `kv.put` does. Gives a PutResult."""
    wanted = kv_pb2.OperationPut(
        key=as_key(key), value=as_bytes("value", value), return_previous=return_previous
    )
    attach(wanted, lease, ttl, keep_lease=keep_lease)
    return Operation(kv_pb2.Operation(put=wanted))


def delete(key: Data, *, return_previous: bool = False) -> Operation:
    """Delete a key. Gives a DeleteResult."""
    wanted = kv_pb2.OperationDelete(key=as_key(key), return_previous=return_previous)
    return Operation(kv_pb2.Operation(delete=wanted))


def delete_prefix(prefix: Data) -> Operation:
    """Delete every key that begins with `prefix`. Gives a DeleteResult."""
    encoded = as_bytes("prefix", prefix)
    if not encoded:
        raise InvalidRequest("the prefix is empty: that would delete everything")
    return Operation(kv_pb2.Operation(delete=kv_pb2.OperationDelete(prefix=encoded)))


def update(
    key: Data,
    *actions: Action | str,
    lease: Held | int | None = None,
    ttl: float | None = None,
) -> Operation:
    """Apply actions to a key, as `kv.update` does. Gives an UpdateResult."""
    wanted = kv_pb2.OperationUpdate(key=as_key(key), actions=action_protos(actions))
    attach(wanted, lease, ttl)
    return Operation(kv_pb2.Operation(update=wanted))


def txn(
    *,
    when: Condition | str | None = None,
    then: Sequence[Operation] = (),
    orelse: Sequence[Operation] = (),
) -> Operation:
    """Decide again inside a transaction: `when` sees the writes before it. Gives a TxnResult."""
    wanted = kv_pb2.OperationTxn(
        condition=condition_proto(when), then=messages(then), otherwise=messages(orelse)
    )
    return Operation(kv_pb2.Operation(txn=wanted))


def messages(operations: Sequence[Operation]) -> Sequence[kv_pb2.Operation]:
    """Return what is sent, checking that each is an operation."""
    for each in operations:
        if not isinstance(each, Operation):
            raise TypeError(
                f"an operation is one of kvraft_client.operations, not {type(each).__name__}"
            )
    return [each.message for each in operations]


def key_range(prefix: Data, start: Data | None, end: Data | None) -> kv_pb2.KeyRange:
    """Build start <= key < end, where no prefix was given as well."""
    if as_bytes("prefix", prefix):
        raise InvalidRequest("give a prefix, or start= and end=, not both")
    return kv_pb2.KeyRange(
        start=as_bytes("start", start if start is not None else b""),
        end=None if end is None else as_bytes("end", end),
    )


def attach(
    message: Any, lease: Held | int | None, ttl: float | None, *, keep_lease: bool = False
) -> None:
    """Write into a message what its key is to be attached to, if that was given: one at most."""
    if lease is None and ttl is None and not keep_lease:
        return
    lease_id = id_of(lease)
    if (lease_id is not None) + (ttl is not None) + keep_lease > 1:
        raise InvalidRequest("give at most one of lease=, ttl= and keep_lease=")
    if lease_id is not None:
        message.lease_id = as_int64("lease", lease_id)
    elif ttl is not None:
        message.ttl_ms = as_ttl_ms(ttl)
    else:
        message.keep_lease = keep_lease


def id_of(lease: Held | int | None) -> int | None:
    """Return the id of a lease; of one that this process has lost, none: LeaseLost."""
    if lease is None or isinstance(lease, int):
        return lease
    lease.check()
    return lease.id
