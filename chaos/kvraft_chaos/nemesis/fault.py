"""A fault: strikes a cluster, and heals what it did, whatever else is broken at that time."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from random import Random
from typing import Any, ClassVar

from kvraft_chaos.nemesis.argument import Argument
from kvraft_chaos.nemesis.target import Target

SHORTEST_MS = 1_000
LONGEST_MS = 5_000
"""Of a drawn stroke: about an election, and long enough for a lease to end."""


class Fault(ABC):
    """One class each; an object is one stroke. Strokes overlap, also on the same link or node."""

    name: ClassVar[str]
    sentence: ClassVar[str]
    """What it does, for `--list`."""
    takes: ClassVar[Mapping[str, Argument]] = {}
    shortest_ms: ClassVar[int] = SHORTEST_MS
    """Of a drawn stroke: below it the fault would not be felt."""
    beat_ms: ClassVar[int | None] = None
    """How often `beat` is called while the fault lasts."""

    struck: tuple[str, ...] = ()
    """The nodes that this stroke was aimed at; known once it struck."""

    @staticmethod
    def needs() -> str | None:
        """What this machine lacks for it, or None: such a fault is skipped with this word."""
        return None

    @classmethod
    def draw(cls, chance: Random, names: tuple[str, ...]) -> Mapping[str, Any]:
        """Arguments for a plan."""
        return {key: argument.draw(chance, names) for key, argument in cls.takes.items()}

    @abstractmethod
    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        """Do it; say in a few words whom it struck. Blocks for less than a second."""

    def beat(self, cluster: Target, number: int) -> None:  # noqa: B027 - most have none
        """Go on with it: faults that come and go. Beats are numbered from 1."""

    @abstractmethod
    def heal(self, cluster: Target) -> None:
        """Undo this stroke only. Called once, also where `strike` raised half way."""
