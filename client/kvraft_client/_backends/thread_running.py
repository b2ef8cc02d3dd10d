"""Who runs, among threads: the thread's id; a thread can neither be cancelled nor left behind."""

import threading
from collections.abc import Callable
from typing import TypeVar

from kvraft_client.errors import InvalidRequest
from kvraft_client.owners import owner_of

Result = TypeVar("Result")


def owner() -> bytes:
    """Return the owner id of the running thread."""
    thread = threading.current_thread()
    return owner_of(thread, thread.name)


class Body:
    """The thread that runs a block."""

    def __init__(self) -> None:
        """Refuse: there is no way to cancel it."""
        raise InvalidRequest(
            "a thread cannot be cancelled: wait for lock.lost in another one, or call lock.check()"
        )

    def cancel(self) -> None:
        """Not reached."""

    def absorb(self, error: BaseException | None) -> bool:
        """Not reached."""
        del error
        return False


def shielded(function: Callable[[], Result]) -> Result:
    """Run to the end, as any function of a thread does."""
    return function()
