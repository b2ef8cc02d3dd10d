"""Calls of recipes, on the keys below `key`, as they stand in a history.

    seats_open      {"seats": n}                             -> {"opened": true | false}
    seats_take      {"guest": name}                          -> {"seated": true | false}
    seats_give_back {"guest": name}                          -> {"freed": true | false}
    quota_open      {"region": name, "total": n}             -> {"opened": true | false}
    quota_spend     {"region": name, "amount": n, "request": name} -> {"spent": true | false}
    quota_give_back {"region": name, "amount": n}            -> {"moved": true | false}
    queue_add       {"of": name, "item": name}               -> {}
    queue_work      {"worker": name}                         -> {"done": n}

What nobody answered is settled with the store, and asked again in the same words, as a program does
that uses a recipe; only what cannot be settled is unknown.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from kvraft_chaos.workloads.deed import CALL_SECONDS, Deed
from kvraft_chaos.workloads.hands import Hands
from kvraft_chaos.workloads.perform_keys import key_of
from kvraft_chaos.workloads.script import Call
from kvraft_client import Applied, KvraftError, NeverApplied, OutcomeUnknown, TxnResult, operations
from kvraft_client.answers import Fate
from kvraft_client.errors import Abandoned
from kvraft_client.operations import Operation
from kvraft_client.recipes import AsyncQuota, AsyncSeats, AsyncWorkQueue

Result = TypeVar("Result")

CHUNK = 20
"""What a region draws from the pool at a time: several spends."""
WORK_TTL_SECONDS = 1.0
"""Of a worker's lock on a key: the least there is, so that faults outlast it."""


def done_key(prefix: str, item: str) -> str:
    """Where the effect of an item of a work queue stands: beside the queue's own keys."""
    return f"{prefix}-done/{item}"


def recipe_deeds(hands: Hands) -> Mapping[str, Deed]:
    recipes = _Recipes(hands)
    return {
        "seats_open": Deed(recipes.seats_open, lambda opened: {"opened": opened}),
        "seats_take": Deed(recipes.seats_take, lambda seated: {"seated": seated}),
        "seats_give_back": Deed(recipes.seats_give_back, lambda freed: {"freed": freed}),
        "quota_open": Deed(recipes.quota_open, lambda opened: {"opened": opened}),
        "quota_spend": Deed(recipes.quota_spend, lambda spent: {"spent": spent}),
        "quota_give_back": Deed(recipes.quota_give_back, lambda moved: {"moved": moved}),
        "queue_add": Deed(recipes.queue_add, lambda _nothing: {}),
        "queue_work": Deed(recipes.queue_work, lambda done: {"done": done}),
    }


class _Recipes:
    def __init__(self, hands: Hands) -> None:
        self._client = hands.client

    async def seats_open(self, call: Call) -> bool:
        return await self._asked_again(lambda: self._seats(call).open(call.argument["seats"]))

    async def seats_take(self, call: Call) -> bool:
        return await self._asked_again(lambda: self._seats(call).take(call.argument["guest"]))

    async def seats_give_back(self, call: Call) -> bool:
        return await self._told(lambda: self._seats(call).give_back(call.argument["guest"]))

    async def quota_open(self, call: Call) -> bool:
        return await self._asked_again(lambda: self._quota(call).open(call.argument["total"]))

    async def quota_spend(self, call: Call) -> bool:
        amount, request = call.argument["amount"], call.argument["request"]
        return await self._asked_again(lambda: self._quota(call).spend(amount, request=request))

    async def quota_give_back(self, call: Call) -> bool:
        return await self._told(lambda: self._quota(call).give_back(call.argument["amount"]))

    async def queue_add(self, call: Call) -> None:
        of, item = call.argument["of"], call.argument["item"]
        await self._asked_again(lambda: self._queue(call).add(of, item.encode(), item))

    async def queue_work(self, call: Call) -> int:
        """Each item's effect is a key, written in the step that removes the item."""
        prefix, worker = key_of(call), call.argument["worker"]

        async def handle(_key: str, body: bytes) -> list[Operation]:
            return [operations.put(done_key(prefix, body.decode()), worker)]

        try:
            return await self._queue(call).work(handle)
        except OutcomeUnknown as unknown:
            raise _open(unknown) from unknown

    # -- what nobody answered

    async def _asked_again(self, ask: Callable[[], Awaitable[Result]]) -> Result:
        """For what answers the same when it is asked twice."""
        try:
            return await ask()
        except OutcomeUnknown as unknown:
            was_done = isinstance(await self._settled(unknown), Applied)
        try:
            return await ask()
        except OutcomeUnknown as unknown:
            raise _open(unknown) from unknown
        except KvraftError as error:
            if was_done:  # only the answer is missing
                raise OutcomeUnknown(str(error), reason=error.reason) from error
            raise

    async def _told(self, ask: Callable[[], Awaitable[bool]]) -> bool:
        """For one transaction that is asked once: the store says whether it was done."""
        try:
            return await ask()
        except OutcomeUnknown as unknown:
            fate = await self._settled(unknown)
            if isinstance(fate, NeverApplied):
                raise Abandoned(f"never applied, by the store's word: {unknown}") from unknown
        done = fate.result if isinstance(fate, Applied) else None
        return isinstance(done, TxnResult) and done.succeeded

    async def _settled(self, unknown: OutcomeUnknown) -> Fate:
        if unknown.identity is None:
            raise unknown
        try:
            return await self._client.outcome(unknown.identity, timeout=CALL_SECONDS)
        except KvraftError as error:
            raise _open(unknown) from error

    def _seats(self, call: Call) -> AsyncSeats:
        return AsyncSeats(self._client, key_of(call))

    def _quota(self, call: Call) -> AsyncQuota:
        return AsyncQuota(self._client, key_of(call), call.argument["region"], chunk=CHUNK)

    def _queue(self, call: Call) -> AsyncWorkQueue:
        return AsyncWorkQueue(self._client, key_of(call), ttl=WORK_TTL_SECONDS)


def _open(unknown: OutcomeUnknown) -> OutcomeUnknown:
    """Without an identity: it was of one step, and tells nothing of the whole call."""
    return OutcomeUnknown(str(unknown), reason=unknown.reason, endpoint=unknown.endpoint)
