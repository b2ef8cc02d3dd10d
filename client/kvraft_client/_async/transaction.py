"""An optimistic transaction: reads at one revision, writes kept back, compared at the commit."""

from types import TracebackType
from typing import Protocol, Self

from kvraft.v1 import kv_pb2
from kvraft_client import operations
from kvraft_client._async.caller import Caller
from kvraft_client._async.lease import AsyncLease
from kvraft_client._async.mutations import Mutations
from kvraft_client.actions import Action
from kvraft_client.answers import TxnResult
from kvraft_client.encoding import condition_proto
from kvraft_client.errors import InvalidRequest, TransactionConflict
from kvraft_client.fences import FenceLike
from kvraft_client.operations import messages
from kvraft_client.policy.read_set import ReadSet
from kvraft_client.replies import optional_entry, txn_from
from kvraft_client.requests import Data, as_bytes, as_key
from kvraft_client.rpc import GET, LIST, TXN
from kvraft_client.values import Entry
from kvraft_client.wire import entry_from

Entries = list[Entry]  # in the class, `list` is a method


class Parts(Protocol):
    """What a transaction needs of its client."""

    _caller: Caller
    _mutations: Mutations


class AsyncTransaction:
    """`async with kv.transaction() as t:` reads and writes by `t`; the end of the block commits.

    All reads are of one revision. Nothing is written before the commit, nor if the block raises.
    One that writes nothing needs no commit, and never conflicts. For one task at a time.
    """

    result: TxnResult | None = None
    """What the commit answered; None: not committed, or nothing was written."""

    def __init__(
        self,
        client: Parts,
        idempotency_key: Data | None,
        limit_s: float | None,
        fence: FenceLike | None,
    ) -> None:
        """Prepare a block; `limit_s` is for each read and for the commit."""
        self._caller, self._mutations = client._caller, client._mutations  # noqa: SLF001 - its own
        self._idempotency_key = idempotency_key
        self._limit_s = limit_s
        self._fence = fence
        self._seen = ReadSet()
        self._revision: int | None = None
        self._over = False

    async def get(self, key: Data) -> Entry | None:
        """Read a key; None: absent. Of one that the block wrote: what it will be."""
        encoded = as_key(key)
        self._check()
        if not self._seen.knows(encoded):
            request = kv_pb2.GetRequest(key=encoded, revision=self._revision)
            response = (await self._caller.call(GET, request, timeout=self._limit_s)).result
            self._at(response.header.revision)
            self._seen.keys[encoded] = optional_entry(response)
        return self._seen.seen(encoded)

    async def list(self, prefix: Data) -> Entries:
        """Read all keys that begin with `prefix`; a key that others add there is a conflict too."""
        encoded = as_bytes("prefix", prefix)
        self._check()
        if encoded not in self._seen.prefixes:
            self._seen.prefixes[encoded] = tuple(await self._read(encoded))
        return self._seen.listed(encoded)

    async def _read(self, prefix: bytes) -> Entries:
        request = kv_pb2.ListRequest(prefix=prefix, revision=self._revision)
        found: Entries = []
        while True:
            page = (await self._caller.call(LIST, request, timeout=self._limit_s)).result
            self._at(page.header.revision)
            found.extend(entry_from(entry) for entry in page.entries)
            if not page.more or not page.entries:
                return found
            request.after = page.entries[-1].key
            request.revision = self._revision or page.header.revision

    def put(
        self,
        key: Data,
        value: Data,
        *,
        lease: AsyncLease | int | None = None,
        ttl: float | None = None,
        keep_lease: bool = False,
    ) -> None:
        """Write a key at the commit."""
        self._check()
        operation = operations.put(key, value, lease=lease, ttl=ttl, keep_lease=keep_lease)
        self._seen.write(as_key(key), operation, as_bytes("value", value))

    def delete(self, key: Data) -> None:
        """Delete a key at the commit."""
        self._check()
        self._seen.write(as_key(key), operations.delete(key), None)

    def update(self, key: Data, *actions: Action | str) -> None:
        """Apply actions to a key at the commit, after those that were given before."""
        self._check()
        encoded = as_key(key)
        every = self._seen.update(encoded, actions)
        self._seen.operations[encoded] = operations.update(encoded, *every)
        self._seen.actions[encoded] = every

    def _check(self) -> None:
        if self._over:
            raise InvalidRequest("the transaction is over: make a new one")

    def _at(self, revision: int) -> None:
        """Read everything else at the revision of the first read."""
        if self._revision is None:
            self._revision = revision

    async def __aenter__(self) -> Self:
        self._check()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over = True
        if error is None and self._seen.operations:
            await self._commit()

    async def _commit(self) -> None:
        request = kv_pb2.TxnRequest(
            condition=condition_proto(self._seen.condition()),
            then=messages([*self._seen.operations.values()]),
        )
        answer = await self._mutations.send(
            TXN,
            request,
            timeout=self._limit_s,
            idempotency_key=self._idempotency_key,
            fence=self._fence,
        )
        header = answer.result.header
        result = txn_from(answer.result, header, header.revision)
        if result.unmet is not None:
            keys = self._seen.changed(result.unmet)
            raise TransactionConflict(f"changed since they were read: {keys}", keys=keys)
        self.result = result
