"""Calls on leases, locks and what they protect, as they stand in a history.

    grant       {"ttl_ms": n}                          -> {"lease_id": n}: nobody renews it
    keep_alive  {"lease_id": n}                        -> {"alive": true | false}
    revoke      {"lease_id": n}                        -> {"deleted": keys}
    put_leased  {"value": text, "lease_id": n}         -> {"mod_revision": r}
    acquire     {"wait_ms": n, "ttl_ms": n}            -> {"token": n}: the client renews it
                {"wait_ms": n, "lease_id": n}          -> {"token": n}: it ends with that lease
    hold        {"token": n, "ms": n}                  -> {"held": true | false | null}
    release     {"token": n}                           -> {"held": ..., "released": ... | null}
    check_fence {"token": n}                           -> {"held": true | false}
    fenced_put  {"value": text, "lock": name, "token": n} -> {"mod_revision": r}
    pause       {"ms": n}                              -> {}

`held` of `hold` (at its end) and of `release` (at its beginning) is what the client's own clock
says, without a call; null: it has none, for the lease is the script's. `released` null: nobody
answered in time, and the client goes on in the background.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from kvraft_chaos.workloads.deed import CALL_SECONDS, Deed
from kvraft_chaos.workloads.hands import Hands
from kvraft_chaos.workloads.perform_keys import key_of
from kvraft_chaos.workloads.script import Call
from kvraft_client import (
    AsyncLease,
    AsyncLock,
    Entry,
    KvraftError,
    LeaseGrant,
    LeaseNotFound,
    LockLost,
)

RELEASE_SECONDS = 1.0
"""For the answer to a release: who waits for the lock sees its end anyway."""


def lock_deeds(hands: Hands) -> Mapping[str, Deed]:
    leases, locks = _Leases(hands), _Locks(hands)
    return {
        "grant": Deed(leases.grant, lambda lease: {"lease_id": lease.lease_id}),
        "keep_alive": Deed(leases.keep_alive, lambda alive: {"alive": alive}),
        "revoke": Deed(leases.revoke, lambda deleted: {"deleted": deleted}),
        "put_leased": Deed(leases.put, _written_json),
        "acquire": Deed(locks.acquire, lambda token: {"token": token}),
        "hold": Deed(locks.hold, lambda held: {"held": held}, reads=True),
        "release": Deed(locks.release, lambda said: said),
        "check_fence": Deed(locks.check_fence, lambda held: {"held": held}, reads=True),
        "fenced_put": Deed(locks.put, _written_json),
        "pause": Deed(_pause, lambda _nothing: {}, reads=True),
    }


class _Leases:
    def __init__(self, hands: Hands) -> None:
        self._client = hands.client

    async def grant(self, call: Call) -> LeaseGrant:
        ttl_s = call.argument["ttl_ms"] / 1_000
        return await self._client.leases.grant(ttl_s, timeout=CALL_SECONDS)

    async def keep_alive(self, call: Call) -> bool:
        try:
            await self._client.leases.keep_alive(call.argument["lease_id"], timeout=CALL_SECONDS)
        except LeaseNotFound:
            return False
        return True

    async def revoke(self, call: Call) -> int:
        return await self._client.leases.revoke(call.argument["lease_id"], timeout=CALL_SECONDS)

    async def put(self, call: Call) -> Entry:
        value, lease_id = call.argument["value"], call.argument["lease_id"]
        return await self._client.put(key_of(call), value, lease=lease_id, timeout=CALL_SECONDS)


class _Locks:
    def __init__(self, hands: Hands) -> None:
        self._client, self._held = hands.client, hands.locks

    async def acquire(self, call: Call) -> int:
        argument, name = call.argument, key_of(call)
        lock = self._client.lock(
            name,
            wait=argument["wait_ms"] / 1_000,
            ttl=argument.get("ttl_ms", 1_000) / 1_000,  # unused with a lease that is there
            lease=argument.get("lease_id"),
            timeout=CALL_SECONDS,
        )
        await lock.acquire()
        try:
            token = lock.token
        except LockLost:  # it came too late to be of use
            await lock.release()
            raise
        self._held[name, token] = lock
        return token

    async def hold(self, call: Call) -> bool | None:
        await _pause(call)
        return _counted_on(self._held.get((key_of(call), call.argument["token"])))

    async def release(self, call: Call) -> dict[str, Any]:
        name, token = key_of(call), call.argument["token"]
        lock = self._held.pop((name, token), None)
        held = _counted_on(lock)
        released: bool | None = None
        with contextlib.suppress(KvraftError):
            released = await self._client.release_lock(name, token, timeout=RELEASE_SECONDS)
        if lock is not None:
            await lock.release()
        return {"held": held, "released": released}

    async def check_fence(self, call: Call) -> bool:
        token = call.argument["token"]
        return await self._client.check_fence(key_of(call), token, timeout=CALL_SECONDS)

    async def put(self, call: Call) -> Entry:
        argument = call.argument
        fence = argument["lock"], argument["token"]
        return await self._client.put(
            key_of(call), argument["value"], fence=fence, timeout=CALL_SECONDS
        )


async def _pause(call: Call) -> None:
    await asyncio.sleep(call.argument["ms"] / 1_000)


def _counted_on(lock: AsyncLock | None) -> bool | None:
    if lock is None:
        return False
    return lock.held if isinstance(lock.lease, AsyncLease) else None


def _written_json(entry: Entry) -> dict[str, Any]:
    return {"mod_revision": entry.mod_revision}
