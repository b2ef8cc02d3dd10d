"""Transactions: operations to commands, and results back in their places."""

from collections.abc import Sequence

from kvraft.core.commands import Get, GetRange, Operation, Txn
from kvraft.core.errors import Outcome, Reason
from kvraft.core.limits import RequestLimits
from kvraft.core.results import (
    DeleteResult,
    GetResult,
    OperationResult,
    Page,
    PutResult,
    TxnResult,
    UpdateResult,
)
from kvraft.service.convert.answers import (
    fill_delete,
    fill_entry,
    fill_put,
    fill_unmet,
    fill_update,
)
from kvraft.service.convert.checks import checked_key, checked_limit, checked_size, invalid
from kvraft.service.convert.conditions import ConditionReader
from kvraft.service.convert.spans import list_span
from kvraft.service.convert.writes import delete_command, put_command, update_command
from kvraft.service.errors import CallError
from kvraft.v1 import kv_pb2

_Txn = kv_pb2.TxnRequest | kv_pb2.OperationTxn


def txn_command(request: kv_pb2.TxnRequest, limits: RequestLimits) -> Txn:
    """Return the command; CallError for a malformed request."""
    checked_size(request.ByteSize(), limits)
    return _Reader(limits).txn(request, "")


class _Reader:
    """Reads one transaction; counts the operations of all its branches.

    How deep they may be nested is the validation's business; protobuf reads 100 messages deep.
    """

    def __init__(self, limits: RequestLimits) -> None:
        self._limits = limits
        self._operations = 0
        self._conditions = ConditionReader(limits)

    def txn(self, given: _Txn, place: str) -> Txn:
        condition = None
        if given.HasField("condition"):
            condition = self._conditions.read(given.condition, f"{place}condition")
        then = self._operations_of(given.then, f"{place}then")
        orelse = self._operations_of(given.otherwise, f"{place}otherwise")
        return Txn(condition, then, orelse)

    def _operations_of(
        self, given: Sequence[kv_pb2.Operation], place: str
    ) -> tuple[Operation, ...]:
        self._operations += len(given)
        most = self._limits.txn_operations
        if self._operations > most:
            text = f"{place}: at most {most} operations in all, got {self._operations} or more"
            raise CallError(
                Reason.INVALID, Outcome.NOT_APPLIED, text, limit=most, actual=self._operations
            )
        return tuple(self._operation(each, f"{place}[{index}]") for index, each in enumerate(given))

    def _operation(self, given: kv_pb2.Operation, place: str) -> Operation:
        if given.WhichOneof("kind") == "txn":
            return self.txn(given.txn, f"{place}.")
        try:
            return self._plain(given)
        except CallError as error:
            raise error.at(place) from None

    def _plain(self, given: kv_pb2.Operation) -> Operation:
        limits = self._limits
        match given.WhichOneof("kind"):
            case "get":
                return Get(checked_key(given.get.key, "key", limits))
            case "list":
                span = list_span(given.list, limits)
                limit = checked_limit(given.list.limit, limits.page_entries)
                return GetRange(span.start, span.end, limit, given.list.keys_only)
            case "put":
                return put_command(given.put, limits)
            case "delete":
                return delete_command(given.delete, limits)
            case "update":
                return update_command(given.update, limits)
            case _:
                names = ", ".join(kv_pb2.Operation.DESCRIPTOR.fields_by_name)
                raise invalid(f"one of {names} must be set, got none")


def fill_txn(
    response: kv_pb2.TxnResponse | kv_pb2.TxnResult, result: TxnResult, reply_bytes: int
) -> None:
    """Write what a transaction did."""
    response.succeeded = result.unmet is None
    if result.unmet is not None:
        fill_unmet(response.unmet, result.unmet)
    for each in result.results:
        _fill_operation(response.results.add(), each, reply_bytes)


def _fill_operation(
    into: kv_pb2.OperationResult, result: OperationResult, reply_bytes: int
) -> None:
    """Every kind is set, also where it holds nothing: results answer operations by position."""
    match result:
        case GetResult():
            into.get.SetInParent()
            if result.entry is not None:
                fill_entry(into.get.entry, result.entry)
        case Page():
            into.list.SetInParent()
            into.list.more = result.more
            for found in result.entries:
                fill_entry(into.list.entries.add(), found)
        case PutResult():
            fill_put(into.put, result, reply_bytes)
        case DeleteResult():
            into.delete.SetInParent()
            fill_delete(into.delete, result)
        case UpdateResult():
            into.update.SetInParent()
            fill_update(into.update, result, reply_bytes)
        case TxnResult():
            fill_txn(into.txn, result, reply_bytes)
