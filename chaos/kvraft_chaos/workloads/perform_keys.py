"""Calls on keys: get, list, put, cas, delete and update, as they stand in a history.

    get                                   -> {"value": text | null, "mod_revision": r}
    list   {"revision": r} or nothing     -> {"entries": [[key, value, mod_revision], ...]}
    put    {"value": text}                -> {"mod_revision": r}
    cas    {"value": text, "expect": ...} -> {"succeeded": true, "mod_revision": r}
                                          or {"succeeded": false, "current": as of a get}
    delete                                -> {"deleted": true | false, "revision": r}
    update {"append": text} | {"add": n}  -> {"mod_revision": r, "value": text}

Values are left out where the store left them out, never made up.
"""

from collections.abc import Mapping
from typing import Any

from kvraft_chaos.workloads.deed import CALL_SECONDS, Deed
from kvraft_chaos.workloads.script import Call
from kvraft_client import (
    AsyncClient,
    CasResult,
    DeleteResult,
    Entry,
    TxnResult,
    UpdateResult,
    actions,
    operations,
)


def key_deeds(client: AsyncClient) -> Mapping[str, Deed]:
    keys = _Keys(client)
    return {
        "get": Deed(keys.get, entry_json, reads=True),
        "list": Deed(keys.list, _entries_json, reads=True),
        "put": Deed(keys.put, _written_json, retold=True),
        "cas": Deed(keys.cas, _cas_json, retold=True),
        "delete": Deed(keys.delete, _deleted_json, retold=True),
        "update": Deed(keys.update, update_json, retold=True),
    }


class _Keys:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def get(self, call: Call) -> Entry | None:
        return await self._client.get(key_of(call), timeout=CALL_SECONDS)

    async def list(self, call: Call) -> list[Entry]:
        revision = (call.argument or {}).get("revision")
        listed = self._client.list(key_of(call), revision=revision, timeout=CALL_SECONDS)
        return [entry async for entry in listed]

    async def put(self, call: Call) -> Entry:
        return await self._client.put(key_of(call), call.argument["value"], timeout=CALL_SECONDS)

    async def cas(self, call: Call) -> CasResult:
        expect = call.argument["expect"]
        return await self._client.try_cas(
            key_of(call),
            call.argument["value"],
            expect_absent=expect.get("absent", False),
            expect_value=expect.get("value"),
            expect_revision=expect.get("mod_revision"),
            timeout=CALL_SECONDS,
        )

    async def delete(self, call: Call) -> TxnResult:
        # As a transaction of one, because its answer names the revision of the delete.
        deleting = operations.delete(key_of(call))
        return await self._client.txn(then=[deleting], timeout=CALL_SECONDS)

    async def update(self, call: Call) -> UpdateResult:
        changes = [ACTIONS[name](operand) for name, operand in call.argument.items()]
        return await self._client.update(key_of(call), *changes, timeout=CALL_SECONDS)


ACTIONS: Mapping[str, Any] = {"append": actions.append, "add": actions.add}


def key_of(call: Call) -> str:
    """The key, which every call on keys has."""
    if call.key is None:
        raise ValueError(f"a {call.f} needs a key")
    return call.key


def entry_json(entry: Entry | None) -> dict[str, Any]:
    """As a get answers it."""
    if entry is None:
        return {"value": None}
    return {"value": entry.value.decode(), "mod_revision": entry.mod_revision}


def row_json(entry: Entry) -> list[Any]:
    """As a list answers it."""
    return [entry.key.decode(), entry.value.decode(), entry.mod_revision]


def update_json(result: UpdateResult) -> dict[str, Any]:
    """The entry after it; nothing where it deleted the key."""
    entry = result.entry
    if entry is None:
        return {}
    if entry.value_omitted:
        return {"mod_revision": entry.mod_revision}
    return {"mod_revision": entry.mod_revision, "value": entry.value.decode()}


def _entries_json(entries: list[Entry]) -> dict[str, Any]:
    return {"entries": [row_json(each) for each in entries]}


def _written_json(entry: Entry) -> dict[str, Any]:
    return {"mod_revision": entry.mod_revision}


def _cas_json(result: CasResult) -> dict[str, Any]:
    if result.swapped:
        assert result.entry is not None
        return {"succeeded": True, "mod_revision": result.entry.mod_revision}
    if result.entry is None:
        return {"succeeded": False, "current": None}
    if result.entry.value_omitted:
        return {"succeeded": False}
    return {"succeeded": False, "current": entry_json(result.entry)}


def _deleted_json(result: TxnResult) -> dict[str, Any]:
    (done,) = result.results
    assert isinstance(done, DeleteResult)
    return {"deleted": done.deleted > 0, "revision": result.revision}
