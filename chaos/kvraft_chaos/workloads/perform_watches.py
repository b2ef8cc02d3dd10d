"""Watches, taken a piece at a time, as they stand in a history.

    watch (key: the prefix) {"from": r | null, "events": n, "ms": n, "until": r, "anew": bool}
      -> {"from": r, "events": [[revision, key, value | null], ...], "through": r}

It is answered when so many events came (and all up to `until`, where given), or when `ms` are over,
with whatever came. `through` promises that nothing up to it is missing. A call that asks for what
comes next goes on with the same watch; another one, or one `anew`, begins a new watch.
"""

from collections.abc import Mapping
from typing import Any

from kvraft_chaos.workloads.deed import Deed
from kvraft_chaos.workloads.hands import Hands, OpenWatch
from kvraft_chaos.workloads.perform_keys import key_of
from kvraft_chaos.workloads.script import Call
from kvraft_client import KvraftError, Unavailable


def watch_deeds(hands: Hands) -> Mapping[str, Deed]:
    async def ask(call: Call) -> dict[str, Any]:
        prefix, argument = key_of(call), call.argument
        begins, watch = argument["from"], hands.watches.get(prefix)
        if watch is not None and (argument.get("anew") or watch.next_revision != begins):
            await hands.watches.pop(prefix).close()
            watch = None
        if watch is None:
            following = hands.client.watch(prefix=prefix, start_revision=begins)
            watch = hands.watches[prefix] = OpenWatch(following)
        await watch.wait(argument["events"], argument.get("until"), argument["ms"] / 1_000)
        try:
            watch.check()
            if watch.begins is None:
                raise Unavailable("the watch did not begin in time")
        except KvraftError:
            await hands.watches.pop(prefix).close()
            raise
        first = watch.next_revision
        events, through = watch.take()
        return {"from": first, "events": events, "through": through}

    return {"watch": Deed(ask, lambda said: said, reads=True)}
