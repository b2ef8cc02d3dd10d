"""Results of one-key mutations and of conditions, written into responses."""

from collections.abc import Sequence
from itertools import accumulate, takewhile

from kvraft.core.results import CasResult, DeleteResult, KeyValue, PutResult, Unmet, UpdateResult
from kvraft.v1 import kv_pb2


def fill_entry(entry: kv_pb2.Entry, found: KeyValue, *, with_value: bool = True) -> None:
    """Write one key into a response; `with_value` False leaves the value out and says so."""
    entry.key = found.key
    if with_value and not found.value_omitted:
        entry.value = found.value
    else:
        entry.value_omitted = True
    entry.create_revision = found.create_revision
    entry.mod_revision = found.mod_revision
    entry.version = found.version
    if found.lease_id:
        entry.lease_id = found.lease_id


def fill_unmet(into: kv_pb2.Unmet, unmet: Unmet) -> None:
    """Write why a condition was false, and what stands at its keys."""
    into.clause = unmet.clause
    into.mismatched.extend(unmet.mismatched)
    for found in unmet.entries:
        fill_entry(into.entries.add(), found)
    into.SetInParent()


def fill_put(
    response: kv_pb2.PutResponse | kv_pb2.PutResult, result: PutResult, reply_bytes: int
) -> None:
    """Write a put's entries; the previous value only where both fit into `reply_bytes`."""
    fill_entry(response.entry, result.entry)
    if result.previous is not None:
        size = len(result.entry.value) + len(result.previous.value)
        fill_entry(response.previous, result.previous, with_value=size <= reply_bytes)


def fill_delete(
    response: kv_pb2.DeleteResponse | kv_pb2.DeleteResult, result: DeleteResult
) -> None:
    """Write how many entries went, and which where it was asked for."""
    response.deleted = result.deleted
    if result.previous is not None:
        fill_entry(response.previous, result.previous)


def fill_cas(response: kv_pb2.CompareAndSetResponse, result: CasResult) -> None:
    """Write whether it succeeded, and the entry that stands now."""
    response.succeeded = result.succeeded
    if result.entry is not None:
        fill_entry(response.entry, result.entry)


def fill_update(
    response: kv_pb2.UpdateResponse | kv_pb2.UpdateResult, result: UpdateResult, reply_bytes: int
) -> None:
    """Write an update's entries; the previous value only where both fit into `reply_bytes`."""
    size = 0
    if result.entry is not None:
        fill_entry(response.entry, result.entry)
        size = len(result.entry.value)
    if result.previous is not None:
        size += len(result.previous.value)
        fill_entry(response.previous, result.previous, with_value=size <= reply_bytes)


def keys_within(keys: Sequence[bytes], size: int) -> list[bytes]:
    """Return the first of `keys` that fit into `size` bytes together."""
    fitting = takewhile(
        lambda pair: pair[1] <= size, zip(keys, accumulate(map(len, keys)), strict=True)
    )
    return [key for key, _ in fitting]
