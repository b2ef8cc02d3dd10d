"""Performs the calls of a script with the official client, and says what became of each.

The client repeats a mutation under its identity until it is answered or time is up. What is unknown
then is asked about once (`Resolve`): most such calls get an answer after all, and one that the
store burned has certainly no effect. Only what cannot be settled either is left open.
"""

from collections.abc import Mapping

from kvraft_chaos.workloads.deed import CALL_SECONDS, Deed
from kvraft_chaos.workloads.hands import Hands
from kvraft_chaos.workloads.perform_keys import key_deeds
from kvraft_chaos.workloads.perform_locks import lock_deeds
from kvraft_chaos.workloads.perform_log import log_deeds
from kvraft_chaos.workloads.perform_recipes import recipe_deeds
from kvraft_chaos.workloads.perform_txn import txn_deeds
from kvraft_chaos.workloads.perform_watches import watch_deeds
from kvraft_chaos.workloads.script import Answer, Call
from kvraft_client import (
    Applied,
    AsyncClient,
    CasResult,
    KvraftError,
    NeverApplied,
    Outcome,
    OutcomeUnknown,
    Refused,
)

SETTLE_SECONDS = CALL_SECONDS
"""To ask what became of a call. Not longer: a process that waits asks nothing else."""


class Performer:
    """The calls of one client process, on a client of its own."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._hands = Hands(client)
        self._deeds: Mapping[str, Deed] = {
            **key_deeds(client),
            **txn_deeds(client),
            **log_deeds(client),
            **lock_deeds(self._hands),
            **recipe_deeds(self._hands),
            **watch_deeds(self._hands),
        }

    async def drop(self) -> None:
        """Let go of locks and watches, before the client is closed."""
        await self._hands.drop()

    async def perform(self, call: Call) -> Answer:
        """Do it. A read that gives no answer has failed: it had no effect in any case."""
        deed = self._deeds.get(call.f)
        if deed is None:
            raise ValueError(f"nobody performs {call.f!r}: one of {', '.join(sorted(self._deeds))}")
        try:
            return Answer("ok", deed.tell(await deed.ask(call)))
        except OutcomeUnknown as unknown:
            if deed.reads:
                return Answer("fail", error=_words(unknown))
            return await self._settled(deed, unknown)
        except (KvraftError, TimeoutError) as error:
            certain = deed.reads or getattr(error, "outcome", None) is Outcome.NOT_APPLIED
            return Answer("fail" if certain else "info", error=_words(error))

    async def _settled(self, deed: Deed, unknown: OutcomeUnknown) -> Answer:
        words = _words(unknown)
        if unknown.identity is None or not deed.retold:
            return Answer("info", error=words)
        try:
            fate = await self._client.outcome(unknown.identity, timeout=SETTLE_SECONDS)
        except KvraftError as error:
            return Answer("info", error=f"{words}; asked what became of it: {_words(error)}")
        return _answer(deed, fate)


def _answer(deed: Deed, fate: Applied | Refused | NeverApplied) -> Answer:
    match fate:
        case Applied():
            return Answer("ok", deed.tell(fate.result))
        case Refused(reason="CONFLICT"):  # of a cas, which is an answer like any other
            return Answer("ok", deed.tell(CasResult(False, fate.current)))
        case Refused():
            return Answer("fail", error=f"{fate.reason}: {fate.message}")
        case NeverApplied():
            return Answer("fail", error="never applied, and never will be, by the store's word")


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
