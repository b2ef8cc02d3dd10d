"""The store's own history of a prefix, which settles what every call came to.

log (key: the prefix) -> [[revision, key, value | null], ...], every change since the store began.
"""

import asyncio
from collections.abc import Mapping

from kvraft_chaos.workloads.deed import CALL_SECONDS, Deed
from kvraft_chaos.workloads.perform_keys import key_of
from kvraft_chaos.workloads.script import Call
from kvraft_client import AsyncClient

FIRST_REVISION = 2
"""Of the first change: an empty store is at 1."""
LOG_SECONDS = 60.0
"""For a whole history: 100,000 changes take some seconds."""
END = "chaos-log-end"
"""Written first: whoever has read up to it has read all that was acknowledged before the call."""

Row = tuple[int, str, str | None]


def log_deeds(client: AsyncClient) -> Mapping[str, Deed]:
    async def ask(call: Call) -> list[Row]:
        prefix = key_of(call).encode()
        end = (await client.put(END, b"", timeout=CALL_SECONDS)).mod_revision
        rows: list[Row] = []
        # Everything is watched, because the end is no key of the prefix.
        async with (
            asyncio.timeout(LOG_SECONDS),
            client.watch(prefix=b"", start_revision=FIRST_REVISION, patience=LOG_SECONDS) as watch,
        ):
            async for event in watch:
                if event.revision >= end:
                    break
                if event.key.startswith(prefix) and event.key != END.encode():
                    value = None if event.type == "delete" else event.entry.value.decode()
                    rows.append((event.revision, event.key.decode(), value))
        return rows

    return {"log": Deed(ask, lambda rows: [list(row) for row in rows], reads=True)}
