"""Keys and values: requests to work, answers to responses."""

from collections.abc import Iterable
from itertools import islice

from kvraft.core.machine import StateMachine
from kvraft.core.past_page import PastPage
from kvraft.core.reply_bounds import bounded
from kvraft.core.results import (
    CasResult,
    DeleteResult,
    KeyValue,
    PutResult,
    TxnResult,
    Unmet,
    UpdateResult,
)
from kvraft.replica.outcomes import Answer, Denied
from kvraft.service.calls import Calls
from kvraft.service.convert.answers import (
    fill_cas,
    fill_delete,
    fill_entry,
    fill_put,
    fill_unmet,
    fill_update,
)
from kvraft.service.convert.checks import checked_key, checked_limit
from kvraft.service.convert.identities import conditional, identified
from kvraft.service.convert.reads import demands_of
from kvraft.service.convert.spans import page_span
from kvraft.service.convert.transactions import fill_txn, txn_command
from kvraft.service.convert.writes import (
    cas_command,
    delete_command,
    put_command,
    update_command,
)
from kvraft.service.replies import expect_reply
from kvraft.service.work import Change, Parts, View, Work
from kvraft.v1 import kv_pb2


class KeyValueOperations:
    """One method a call; CallError for a request that is malformed."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._limits = calls.requests
        self._reply_bytes = calls.limits.reply_bytes

    def get(self, request: kv_pb2.GetRequest) -> Work[kv_pb2.GetResponse]:
        """Read one key."""
        key = checked_key(request.key, "key", self._limits)
        demands = demands_of(request)

        def write(response: kv_pb2.GetResponse, machine: StateMachine) -> None:
            self._calls.fill_header(response.header, machine.revision)
            found = machine.get(key)
            if found is not None:
                fill_entry(response.entry, found)

        if demands.revision is None:
            return View(write, demands)
        past = PastPage(key, key + b"\0", demands.revision, limit=1, max_bytes=1)

        def go_on(response: kv_pb2.GetResponse, machine: StateMachine) -> bool:
            self._calls.fill_header(response.header, machine.revision)
            is_complete = machine.read_past(past)
            for found in past.entries:
                fill_entry(response.entry, found)
            return is_complete

        return Parts(go_on, demands)

    def list(self, request: kv_pb2.ListRequest) -> Work[kv_pb2.ListResponse]:
        """Read one page of a prefix or a range."""
        limits = self._limits
        span, demands = page_span(request, limits), demands_of(request)
        limit = checked_limit(request.limit, limits.page_entries)
        keys_only, size = request.keys_only, limits.page_bytes

        def write(response: kv_pb2.ListResponse, machine: StateMachine) -> None:
            self._calls.fill_header(response.header, machine.revision)
            page = machine.page(*span, limit=limit, max_bytes=size, keys_only=keys_only)
            _add_entries(response, page.entries)
            response.more = page.more

        at = demands.revision
        if at is None:
            return View(write, demands)
        past = PastPage(*span, at, limit=limit, max_bytes=size, keys_only=keys_only)

        def go_on(response: kv_pb2.ListResponse, machine: StateMachine) -> bool:
            self._calls.fill_header(response.header, machine.revision)
            is_complete = machine.read_past(past)
            _add_entries(response, islice(past.entries, len(response.entries), None))
            response.more = past.more
            return is_complete

        return Parts(go_on, demands)

    def put(self, request: kv_pb2.PutRequest) -> Change[kv_pb2.PutResponse]:
        """Write one key."""
        command = put_command(request, self._limits)
        return Change(conditional(command, request, self._limits), self._write_put)

    def delete(self, request: kv_pb2.DeleteRequest) -> Change[kv_pb2.DeleteResponse]:
        """Delete a key, a prefix or a range."""
        command = delete_command(request, self._limits)
        return Change(conditional(command, request, self._limits), self._write_delete)

    def compare_and_set(
        self, request: kv_pb2.CompareAndSetRequest
    ) -> Change[kv_pb2.CompareAndSetResponse]:
        """Write one key if its entry is as expected; a condition that fails is an answer."""
        command = cas_command(request, self._limits)
        return Change(conditional(command, request, self._limits), self._write_cas)

    def update(self, request: kv_pb2.UpdateRequest) -> Change[kv_pb2.UpdateResponse]:
        """Apply actions to one key, in order, in one step."""
        command = update_command(request, self._limits)
        return Change(conditional(command, request, self._limits), self._write_update)

    def txn(self, request: kv_pb2.TxnRequest) -> Change[kv_pb2.TxnResponse]:
        """Decide, then read and write several keys at one revision, all of it or nothing."""
        command = txn_command(request, self._limits)
        return Change(identified(command, request, self._limits), self._write_txn)

    def _write_put(self, response: kv_pb2.PutResponse, answer: Answer | Denied) -> None:
        result = self._calls.told(response.header, answer, PutResult)
        if isinstance(result, Unmet):
            fill_unmet(response.unmet, result)
        else:
            fill_put(response, result, self._reply_bytes)

    def _write_delete(self, response: kv_pb2.DeleteResponse, answer: Answer | Denied) -> None:
        result = self._calls.told(response.header, answer, DeleteResult)
        if isinstance(result, Unmet):
            fill_unmet(response.unmet, result)
        else:
            fill_delete(response, result)

    def _write_cas(self, response: kv_pb2.CompareAndSetResponse, answer: Answer | Denied) -> None:
        result = self._calls.told(response.header, answer, CasResult)
        if isinstance(result, Unmet):
            fill_unmet(response.unmet, result)
        else:
            fill_cas(response, result)

    def _write_update(self, response: kv_pb2.UpdateResponse, answer: Answer | Denied) -> None:
        result = self._calls.told(response.header, answer, UpdateResult)
        if isinstance(result, Unmet):
            fill_unmet(response.unmet, result)
        else:
            fill_update(response, result, self._reply_bytes)

    def _write_txn(self, response: kv_pb2.TxnResponse, answer: Answer | Denied) -> None:
        reply = expect_reply(answer, TxnResult)
        self._calls.fill_reply_header(response.header, reply)
        if reply.result is not None:
            fill_txn(response, reply.result, self._reply_bytes)
            if response.ByteSize() > self._calls.limits.txn_reply_bytes:
                del response.results[:]
                response.ClearField("unmet")
                fill_txn(response, bounded(reply.result, 0), self._reply_bytes)


def _add_entries(response: kv_pb2.ListResponse, entries: Iterable[KeyValue]) -> None:
    add = response.entries.add
    for found in entries:
        fill_entry(add(), found)
