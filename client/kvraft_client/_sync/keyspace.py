# Generated from _async/keyspace.py by scripts/generate_sync_client.py: do not edit.
"""Keys: read, write, compare-and-set, delete, list."""
# ruff: noqa: ASYNC109 - `timeout` spans all attempts and travels to the server

from collections.abc import Iterator

from kvraft.v1 import kv_pb2
from kvraft_client._sync.caller import Caller
from kvraft_client._sync.lease import Lease
from kvraft_client.errors import Conflict, InvalidRequest, LeaseNotFound, NotApplied
from kvraft_client.requests import (
    NOT_GIVEN,
    Consistency,
    Data,
    NotGiven,
    as_bytes,
    as_key,
    attachment,
    consistency_of,
    expectation,
)
from kvraft_client.rpc import COMPARE_AND_SET, DELETE, GET, LIST, PUT
from kvraft_client.values import CasResult, Entry
from kvraft_client.wire import entry_from

DELETE_PAGE = 1_000
"""Keys a step of `delete_prefix` deletes where all at once are too many: a short step each, and
ten times below the store's bound, so that keys written meanwhile fit in."""


class Keyspace:
    """The operations on keys. Keys and values are bytes, or str, which is sent as UTF-8."""

    _caller: Caller

    def get(
        self,
        key: Data,
        *,
        consistency: Consistency = "linearizable",
        min_revision: int | None = None,
        timeout: float | None = None,
    ) -> Entry | None:
        """Read one key; None: absent.

        `serializable` is the answering node's own state, possibly old, at least `min_revision`.
        """
        request = kv_pb2.GetRequest(
            key=as_key(key), consistency=consistency_of(consistency), min_revision=min_revision
        )
        answer = self._caller.call(GET, request, timeout=timeout)
        return entry_from(answer.result.entry) if answer.result.HasField("entry") else None

    def put(
        self,
        key: Data,
        value: Data,
        *,
        lease: Lease | int | None = None,
        ttl: float | None = None,
        keep_lease: bool = False,
        timeout: float | None = None,
    ) -> Entry:
        """Write a key and return its new entry.

        The key goes with `lease` (a lease or its id) or after `ttl` seconds; with neither, it is
        detached from what it had, unless `keep_lease`. NotApplied: nothing changed;
        OutcomeUnknown: it may have.
        """
        lease_id, ttl_ms, keep = attachment(_id_of(lease), ttl, keep_lease=keep_lease)
        request = kv_pb2.PutRequest(
            key=as_key(key),
            value=as_bytes("value", value),
            lease_id=lease_id,
            ttl_ms=ttl_ms,
            keep_lease=keep,
        )
        try:
            answer = self._caller.call(PUT, request, timeout=timeout)
        except LeaseNotFound:
            _tell(lease)
            raise
        return entry_from(answer.result.entry)

    def cas(
        self,
        key: Data,
        value: Data,
        *,
        expect: Entry | NotGiven | None = NOT_GIVEN,
        expect_absent: bool = False,
        expect_value: Data | None = None,
        expect_version: int | None = None,
        expect_revision: int | None = None,
        lease: Lease | int | None = None,
        ttl: float | None = None,
        keep_lease: bool = False,
        timeout: float | None = None,
    ) -> Entry:
        """Like `try_cas`, but raise Conflict (with `current`) where it did not swap."""
        result = self.try_cas(
            key,
            value,
            expect=expect,
            expect_absent=expect_absent,
            expect_value=expect_value,
            expect_version=expect_version,
            expect_revision=expect_revision,
            lease=lease,
            ttl=ttl,
            keep_lease=keep_lease,
            timeout=timeout,
        )
        if not result.swapped or result.entry is None:
            raise Conflict(f"{key!r} is not as expected", current=result.entry)
        return result.entry

    def try_cas(
        self,
        key: Data,
        value: Data,
        *,
        expect: Entry | NotGiven | None = NOT_GIVEN,
        expect_absent: bool = False,
        expect_value: Data | None = None,
        expect_version: int | None = None,
        expect_revision: int | None = None,
        lease: Lease | int | None = None,
        ttl: float | None = None,
        keep_lease: bool = False,
        timeout: float | None = None,
    ) -> CasResult:
        """Write a key if, and only if, it is as expected; falsy if it is not.

        `expect=ENTRY`, as `get` returned it: not written since; `expect=None`: absent. All that
        is given must hold. NotApplied: nothing changed; OutcomeUnknown: it may have.
        """
        encoded = as_key(key)
        lease_id, ttl_ms, keep = attachment(_id_of(lease), ttl, keep_lease=keep_lease)
        request = kv_pb2.CompareAndSetRequest(
            key=encoded,
            value=as_bytes("value", value),
            expect=expectation(
                encoded,
                expect=expect,
                absent=expect_absent,
                value=expect_value,
                version=expect_version,
                revision=expect_revision,
            ),
            lease_id=lease_id,
            ttl_ms=ttl_ms,
            keep_lease=keep,
        )
        try:
            response = (self._caller.call(COMPARE_AND_SET, request, timeout=timeout)).result
        except LeaseNotFound:
            _tell(lease)
            raise
        entry = entry_from(response.entry) if response.HasField("entry") else None
        return CasResult(response.succeeded, entry)

    def delete(self, key: Data, *, timeout: float | None = None) -> bool:
        """Delete a key; return whether there was one.

        NotApplied: nothing changed; OutcomeUnknown: it may have.
        """
        request = kv_pb2.DeleteRequest(key=as_key(key))
        return (self._caller.call(DELETE, request, timeout=timeout)).result.deleted > 0

    def delete_prefix(self, prefix: Data, *, timeout: float | None = None) -> int:
        """Delete every key that begins with `prefix`; return their number.

        Up to 10,000 keys go in one revision. More go in steps, each atomic, and `timeout` is for
        each step; an error in between leaves the rest, so calling again is safe.
        """
        encoded = as_bytes("prefix", prefix)
        if not encoded:
            raise InvalidRequest("the prefix is empty: that would delete everything")
        request = kv_pb2.DeleteRequest(prefix=encoded)
        try:
            return (self._caller.call(DELETE, request, timeout=timeout)).result.deleted
        except NotApplied as error:
            if error.reason != "TOO_MANY_ENTRIES":
                raise
        deleted = 0
        while True:
            page = kv_pb2.ListRequest(prefix=encoded, limit=DELETE_PAGE, keys_only=True)
            listed = (self._caller.call(LIST, page, timeout=timeout)).result
            if not listed.entries:
                return deleted
            behind = listed.entries[-1].key + b"\0"
            step = kv_pb2.DeleteRequest(range=kv_pb2.KeyRange(start=encoded, end=behind))
            deleted += (self._caller.call(DELETE, step, timeout=timeout)).result.deleted

    def list(
        self,
        prefix: Data = b"",
        *,
        start: Data | None = None,
        end: Data | None = None,
        keys_only: bool = False,
        page_size: int = 0,
        consistency: Consistency = "linearizable",
        timeout: float | None = None,
    ) -> Iterator[Entry]:
        """Yield the entries of a prefix, or of start <= key < end, in key order.

        Pages are fetched as they are needed (`page_size` 0: as many entries as the store gives),
        each of them linearizable; the whole is not one snapshot. `timeout` is for each page.
        """
        request = kv_pb2.ListRequest(
            limit=page_size, keys_only=keys_only, consistency=consistency_of(consistency)
        )
        encoded = as_bytes("prefix", prefix)
        if start is None and end is None:
            request.prefix = encoded
        elif encoded:
            raise InvalidRequest("give a prefix, or start= and end=, not both")
        else:
            request.range.start = as_bytes("start", start if start is not None else b"")
            if end is not None:
                request.range.end = as_bytes("end", end)
        while True:
            page = (self._caller.call(LIST, request, timeout=timeout)).result
            for entry in page.entries:
                yield entry_from(entry)
            if not page.more or not page.entries:
                return
            request.after = page.entries[-1].key


def _id_of(lease: Lease | int | None) -> int | None:
    """Return the id of a lease; of one that this process has lost, none: LeaseLost."""
    if isinstance(lease, Lease):
        lease.check()
        return lease.id
    return lease


def _tell(lease: Lease | int | None) -> None:
    """Tell a lease that the store does not know it any more."""
    if isinstance(lease, Lease):
        lease.ended()
