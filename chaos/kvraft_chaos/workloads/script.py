"""A workload: what clients ask, as data, so that any backend can ask it and any checker judge it.

A client is a generator. It yields a `Call` and is sent the `Answer`; it never sees a connection, a
clock or a thread. The real cluster and the simulator differ only in who performs the calls.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar, Literal

from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.history import Event


@dataclass(frozen=True, slots=True)
class Call:
    """One operation, as it stands in the history: `argument` is JSON."""

    f: str
    key: str | None = None
    argument: Any = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of it: `ok` with a result, `fail` (certainly no effect), or `info` (unknown)."""

    type: Literal["ok", "fail", "info"]
    result: Any = None
    error: str | None = None

    @property
    def ok(self) -> bool:
        return self.type == "ok"


Script = Generator[Call, Answer, None]


class Workload(ABC):
    """One class each. An object is one run: what it learns from answers serves only to choose."""

    name: ClassVar[str]
    sentence: ClassVar[str]
    """What it does and what must hold, for `--list`."""
    clients: ClassVar[int] = 6

    def setup(self) -> Script:
        """What one client does before the others begin, before any fault."""
        yield from ()

    @abstractmethod
    def script(self, number: int, chance: Random) -> Script:
        """What client `number` does, for ever: the run ends it between two calls."""

    def finals(self) -> Script:
        """What one client reads when all faults are healed and all others have ended."""
        yield from ()

    @abstractmethod
    def check(self, events: Sequence[Event]) -> list[Finding]:
        """Judge a history, from its events alone: works on a file of another day."""
