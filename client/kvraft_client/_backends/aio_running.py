"""Who runs, on one asyncio loop: the task's id, its cancellation, and what must outlive it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from kvraft_client.owners import owner_of

Result = TypeVar("Result")

_outliving: set["asyncio.Future[Any]"] = set()
"""The loop itself holds its tasks only weakly."""


def owner() -> bytes:
    """Return the owner id of the running task."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("no task is running")
    return owner_of(task, task.get_name())


class Body:
    """The task that runs a block, to be cancelled because of what happens elsewhere."""

    def __init__(self) -> None:
        """Take the running task."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("no task is running")
        self._task = task
        self._before = task.cancelling()
        self._cancelled = False

    def cancel(self) -> None:
        """Cancel the task."""
        self._cancelled = True
        self._task.cancel()

    async def absorb(self, error: BaseException | None) -> bool:
        """Undo what `cancel` did, as the block ends by `error`; return whether nothing is left.

        False also where the task is being cancelled by others, and where `cancel` did nothing.
        """
        if not self._cancelled:
            return False
        self._cancelled = False
        if not isinstance(error, asyncio.CancelledError):
            with suppress(asyncio.CancelledError):  # it ended before it was told: that is pending
                await asyncio.sleep(0)
        alone = self._task.uncancel() <= self._before
        if not alone and not isinstance(error, asyncio.CancelledError):
            self._task.uncancel()
            self._task.cancel()  # theirs was one with ours: it is still to come
        return alone and (error is None or isinstance(error, asyncio.CancelledError))


async def shielded(function: Callable[[], Awaitable[Result]]) -> Result:
    """Run to the end, even if the caller is cancelled; it is then cancelled at once."""
    task = asyncio.ensure_future(function())
    _outliving.add(task)
    task.add_done_callback(_outliving.discard)
    return await asyncio.shield(task)
