"""Clients' mistakes: each performs the same calls as an honest one, and answers as if it were."""

import asyncio

from kvraft_chaos.workloads.perform import Performer
from kvraft_chaos.workloads.script import Answer, Call
from kvraft_client import AsyncClient


class BlindRetries(Performer):
    """Whoever does not know whether it was done does it once more."""

    async def perform(self, call: Call) -> Answer:
        """Until somebody says that it was done."""
        answer = await super().perform(call)
        while answer.type == "info":
            answer = await super().perform(call)
        return answer


class CheckThenSet(Performer):
    """A compare-and-set in two steps, as programs write it for a store that has none."""

    async def perform(self, call: Call) -> Answer:
        """Look, decide, write."""
        if call.f != "cas":
            return await super().perform(call)
        found = await super().perform(Call("get", call.key))
        if not found.ok:
            return found
        expect = call.argument["expect"]
        wanted = None if expect.get("absent") else expect["mod_revision"]
        if found.result.get("mod_revision") != wanted:
            current = found.result if found.result["value"] is not None else None
            return Answer("ok", {"succeeded": False, "current": current})
        written = await super().perform(Call("put", call.key, {"value": call.argument["value"]}))
        if not written.ok:
            return written
        return Answer("ok", {"succeeded": True, **written.result})


class Impatient(Performer):
    """No mistake: it asks the next thing soon where nobody answers, so that a cut is met often."""

    def __init__(self, client: AsyncClient, patience_s: float) -> None:
        """`patience_s`: longer than an undisturbed call takes."""
        super().__init__(client)
        self._patience_s = patience_s

    async def perform(self, call: Call) -> Answer:
        """Give up early; what was asked may still be done."""
        try:
            async with asyncio.timeout(self._patience_s):
                return await super().perform(call)
        except TimeoutError:
            told = f"no answer within {self._patience_s} s"
            return Answer("fail" if self._deeds[call.f].reads else "info", error=told)
