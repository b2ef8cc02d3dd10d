"""Coroutines on virtual time: how the code of simulated clients waits."""

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Promise(Generic[T]):
    """One value that comes later; a second one is ignored."""

    __slots__ = ("_resume", "_value", "done")

    def __init__(self) -> None:
        self.done = False
        self._value: T | None = None
        self._resume: Callable[[], None] | None = None

    def keep(self, value: T) -> None:
        """Give the value; whoever waits goes on now."""
        if self.done:
            return
        self.done, self._value = True, value
        resume, self._resume = self._resume, None
        if resume is not None:
            resume()

    def then(self, resume: Callable[[], None]) -> None:
        """Call `resume` when there is a value; one may wait."""
        assert not self.done
        assert self._resume is None
        self._resume = resume

    def __await__(self) -> Generator["Promise[T]", None, T]:
        if not self.done:
            yield self
        return self._value  # type: ignore[return-value]  # it was given


class Task:
    """One coroutine, run from promise to promise."""

    __slots__ = ("_work", "over")

    def __init__(self, work: Coroutine[Promise[Any], None, None]) -> None:
        """Begin at once."""
        self._work = work
        self.over = False
        self._step()

    def kill(self) -> None:
        """End it where it stands, as its process ends."""
        if not self.over:
            self.over = True
            self._work.close()

    def _step(self) -> None:
        if self.over:
            return
        try:
            promise = self._work.send(None)
        except StopIteration:
            self.over = True
            return
        promise.then(self._step)
