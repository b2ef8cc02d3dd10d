"""Keys: read one, or list them, now or at an earlier revision."""
# ruff: noqa: ASYNC109 - `timeout` spans all attempts and travels to the server

from collections.abc import AsyncIterator

from kvraft.v1 import kv_pb2
from kvraft_client._async.caller import Caller
from kvraft_client.operations import key_range
from kvraft_client.replies import optional_entry
from kvraft_client.requests import (
    Consistency,
    Data,
    as_bytes,
    as_int64,
    as_key,
    consistency_of,
)
from kvraft_client.rpc import GET, LIST
from kvraft_client.values import Entry
from kvraft_client.wire import entry_from


class Reading:
    """The reads. Keys are bytes, or str, which is sent as UTF-8."""

    _caller: Caller

    async def get(
        self,
        key: Data,
        *,
        revision: int | None = None,
        consistency: Consistency = "linearizable",
        min_revision: int | None = None,
        timeout: float | None = None,
    ) -> Entry | None:
        """Read one key, as it is or as it stood at `revision`; None: absent.

        `serializable` is the answering node's own state, possibly old, at least `min_revision`.
        Compacted: the revision is kept no more; RevisionUnavailable: it is not reached yet.
        """
        request = kv_pb2.GetRequest(key=as_key(key), consistency=consistency_of(consistency))
        if revision is not None:
            request.revision = as_int64("revision", revision)
        if min_revision is not None:
            request.min_revision = as_int64("min_revision", min_revision)
        return optional_entry((await self._caller.call(GET, request, timeout=timeout)).result)

    async def list(
        self,
        prefix: Data = b"",
        *,
        start: Data | None = None,
        end: Data | None = None,
        keys_only: bool = False,
        page_size: int = 0,
        revision: int | None = None,
        consistency: Consistency = "linearizable",
        timeout: float | None = None,
    ) -> AsyncIterator[Entry]:
        """Yield the entries of a prefix, or of start <= key < end, in key order.

        Pages are fetched as they are needed (`page_size` 0: as many entries as the store gives),
        all at the revision of the first one, or at `revision`: the whole is one snapshot. One that
        is read so slowly that its revision is kept no more ends with Compacted. `timeout` is for
        each page.
        """
        request = kv_pb2.ListRequest(
            limit=page_size,
            keys_only=keys_only,
            consistency=consistency_of(consistency),
            revision=as_int64("revision", revision),
        )
        if start is None and end is None:
            request.prefix = as_bytes("prefix", prefix)
        else:
            request.range.CopyFrom(key_range(prefix, start, end))
        while True:
            page = (await self._caller.call(LIST, request, timeout=timeout)).result
            for entry in page.entries:
                yield entry_from(entry)
            if not page.more or not page.entries:
                return
            request.after = page.entries[-1].key
            if not request.HasField("revision"):
                request.revision = page.header.revision
