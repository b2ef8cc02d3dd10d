"""A saga: steps in order, each with its undoing; it ends with all of them done, or none."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from kvraft_client import actions, operations
from kvraft_client._async.client import AsyncClient
from kvraft_client.conditions import exists
from kvraft_client.conditions import json as json_place
from kvraft_client.recipes.effects import Abort, Effect

Do = Callable[[str], Awaitable[Effect]]
"""One step, or its undoing. The argument is a key of its own: what it does outside of the store
it does at least once, so with that key, by which the other side knows it again."""


@dataclass(frozen=True, slots=True)
class AsyncStep:
    """A step and what undoes it."""

    do: Do
    undo: Do


class AsyncSaga:
    """A saga by its key, which holds its progress: {"next": step, "undoing": bool, "over": bool}.

    Anybody who knows the steps may `run` it, again and at the same time: each step counts once.
    """

    def __init__(self, kv: AsyncClient, key: str, steps: Sequence[AsyncStep]) -> None:
        """Name the saga and its steps: the same ones whenever it is run."""
        self._kv, self._key, self._steps = kv, key, steps

    async def run(self) -> bool:
        """Go on from wherever it stands to its end; True: all steps are done, False: all undone.

        An error, other than Abort by a step, leaves it where it is: run it again.
        """
        opening = json.dumps({"next": 0, "undoing": False, "over": False})
        await self._kv.update(self._key, actions.set_if_absent(opening))
        while True:
            entry = await self._kv.get(self._key)
            if entry is None:
                raise LookupError(f"saga {self._key} was deleted while it ran")
            state = json.loads(entry.value)
            if state["over"]:
                return not state["undoing"]
            if state["undoing"]:
                await self._undo(state["next"])
            else:
                await self._do(state["next"])

    async def _do(self, number: int) -> None:
        if number == len(self._steps):
            await self._advance(number, "/over", True, Effect())
            return
        try:
            effect = await self._steps[number].do(f"{self._key}/{number}/do")
        except Abort:
            await self._advance(number, "/undoing", True, Effect())
        else:
            await self._advance(number, "/next", number + 1, effect)

    async def _undo(self, number: int) -> None:
        if number == 0:
            await self._advance(number, "/over", True, Effect(), undoing=True)
            return
        effect = await self._steps[number - 1].undo(f"{self._key}/{number - 1}/undo")
        await self._advance(number, "/next", number - 1, effect, undoing=True)

    async def _advance(
        self, number: int, place: str, new: object, effect: Effect, *, undoing: bool = False
    ) -> None:
        """Commit an effect and the progress, unless another runner did."""
        here = (json_place(self._key, "/next") == number) & (
            json_place(self._key, "/undoing") == undoing
        )
        progress = operations.update(self._key, actions.json_set(place, new))
        refused = operations.update(self._key, actions.json_set("/undoing", True))
        step = operations.txn(
            when=effect.when if effect.when is not None else exists(self._key),
            then=[*effect.operations, progress],
            orelse=[progress if undoing else refused],
        )
        await self._kv.txn(when=here, then=[step])
