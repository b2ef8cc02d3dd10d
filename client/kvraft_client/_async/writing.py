"""Keys: write, delete, update; each if a condition holds, and each once."""
# ruff: noqa: ASYNC109 - `timeout` spans all attempts and travels to the server

from kvraft.v1 import kv_pb2
from kvraft_client._async.lease import AsyncLease
from kvraft_client._async.mutations import Mutations
from kvraft_client._async.reading import Reading
from kvraft_client.actions import Action
from kvraft_client.answers import UpdateResult
from kvraft_client.conditions import Condition
from kvraft_client.encoding import action_protos, condition_proto
from kvraft_client.errors import InvalidRequest, LeaseNotFound, NotApplied
from kvraft_client.fences import FenceLike
from kvraft_client.operations import attach
from kvraft_client.replies import demand, update_from, written
from kvraft_client.requests import Data, as_bytes, as_key
from kvraft_client.rpc import DELETE, LIST, PUT, UPDATE
from kvraft_client.values import Entry

DELETE_PAGE = 1_000
"""Keys a step of `delete_prefix` deletes where all at once are too many: a short step each, and
ten times below the store's bound, so that keys written meanwhile fit in."""


class Writing(Reading):
    """The writes. Keys and values are bytes, or str, which is sent as UTF-8.

    `when=` is a condition (`kvraft_client.conditions`, or its text): where it is false, nothing is
    done, and ConditionFailed says which clause and what stands. `idempotency_key=` is an identity
    of the caller's own, for a process that may ask again after it died: for ten minutes the same
    request with the same key is done once. `fence=` is a lock that is held, a (name, token) pair,
    or a list of these: done only while each is held, LockLost if not. NotApplied: nothing changed;
    OutcomeUnknown: it may have, and `outcome()` knows.
    """

    _mutations: Mutations

    async def put(
        self,
        key: Data,
        value: Data,
        *,
        lease: AsyncLease | int | None = None,
        ttl: float | None = None,
        keep_lease: bool = False,
        when: Condition | str | None = None,
        fence: FenceLike | None = None,
        idempotency_key: Data | None = None,
        timeout: float | None = None,
    ) -> Entry:
        """Write a key and return its new entry.

        The key goes with `lease` (a lease or its id) or after `ttl` seconds; with neither, it is
        detached from what it had, unless `keep_lease`.
        """
        encoded, content = as_key(key), as_bytes("value", value)
        request = kv_pb2.PutRequest(
            key=encoded, value=content, condition=condition_proto(when, encoded)
        )
        attach(request, lease, ttl, keep_lease=keep_lease)
        try:
            answer = await self._mutations.send(
                PUT, request, timeout=timeout, idempotency_key=idempotency_key, fence=fence
            )
        except LeaseNotFound:
            tell(lease)
            raise
        demand(answer.result, encoded)
        return written(answer.result.entry, content)

    async def update(
        self,
        key: Data,
        *actions: Action | str,
        lease: AsyncLease | int | None = None,
        ttl: float | None = None,
        when: Condition | str | None = None,
        fence: FenceLike | None = None,
        idempotency_key: Data | None = None,
        timeout: float | None = None,
    ) -> UpdateResult:
        """Apply actions (`kvraft_client.actions`, or their text) to one key, in order, in one step.

        The key keeps its lease unless `lease` or `ttl` is given. WrongType, InvariantViolated (an
        overflow too): nothing changed. Large values may be left out of an answer that is given
        again: `value_omitted`.
        """
        encoded = as_key(key)
        request = kv_pb2.UpdateRequest(
            key=encoded, actions=action_protos(actions), condition=condition_proto(when, encoded)
        )
        attach(request, lease, ttl)
        try:
            answer = await self._mutations.send(
                UPDATE, request, timeout=timeout, idempotency_key=idempotency_key, fence=fence
            )
        except LeaseNotFound:
            tell(lease)
            raise
        demand(answer.result, encoded)
        return update_from(answer.result)

    async def delete(
        self,
        key: Data,
        *,
        when: Condition | str | None = None,
        fence: FenceLike | None = None,
        idempotency_key: Data | None = None,
        timeout: float | None = None,
    ) -> bool:
        """Delete a key; return whether there was one."""
        encoded = as_key(key)
        request = kv_pb2.DeleteRequest(key=encoded, condition=condition_proto(when, encoded))
        answer = await self._mutations.send(
            DELETE, request, timeout=timeout, idempotency_key=idempotency_key, fence=fence
        )
        demand(answer.result, encoded)
        return answer.result.deleted > 0

    async def delete_prefix(
        self,
        prefix: Data,
        *,
        when: Condition | str | None = None,
        fence: FenceLike | None = None,
        idempotency_key: Data | None = None,
        timeout: float | None = None,
    ) -> int:
        """Delete every key that begins with `prefix`; return their number.

        Up to 10,000 keys go in one revision. More go in steps, each atomic, and `timeout` is for
        each step; an error in between leaves the rest, so calling again is safe. With `when` or
        `idempotency_key`, which are about one step, more are refused.
        """
        encoded = as_bytes("prefix", prefix)
        if not encoded:
            raise InvalidRequest("the prefix is empty: that would delete everything")
        request = kv_pb2.DeleteRequest(prefix=encoded, condition=condition_proto(when))
        try:
            answer = await self._mutations.send(
                DELETE, request, timeout=timeout, idempotency_key=idempotency_key, fence=fence
            )
        except NotApplied as error:
            in_one = when is not None or idempotency_key is not None
            if error.reason != "TOO_MANY_ENTRIES" or in_one:
                raise
            return await self._delete_in_steps(encoded, timeout, fence)
        demand(answer.result, encoded)
        return answer.result.deleted

    async def _delete_in_steps(
        self, prefix: bytes, timeout: float | None, fence: FenceLike | None
    ) -> int:
        deleted = 0
        while True:
            page = kv_pb2.ListRequest(prefix=prefix, limit=DELETE_PAGE, keys_only=True)
            listed = (await self._caller.call(LIST, page, timeout=timeout)).result
            if not listed.entries:
                return deleted
            behind = listed.entries[-1].key + b"\0"
            step = kv_pb2.DeleteRequest(range=kv_pb2.KeyRange(start=prefix, end=behind))
            answer = await self._mutations.send(DELETE, step, timeout=timeout, fence=fence)
            deleted += answer.result.deleted


def tell(lease: AsyncLease | int | None) -> None:
    """Tell a lease that the store does not know it any more."""
    if isinstance(lease, AsyncLease):
        lease.ended()
