"""The arguments of faults: how one is drawn for a plan, and what a plan's file may say."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

ROLES = ("leader", "follower")
"""Whoever has the role when the fault strikes."""


class Argument(ABC):
    @abstractmethod
    def draw(self, chance: Random, names: tuple[str, ...]) -> Any:
        """A value as it stands in `plan.json`."""

    @abstractmethod
    def problem(self, value: Any, names: tuple[str, ...]) -> str | None:
        """What is wrong with a value, or None."""


@dataclass(frozen=True, slots=True)
class Victim(Argument):
    """A node by its name or its role."""

    roles: tuple[str, ...] = ROLES

    def draw(self, chance: Random, names: tuple[str, ...]) -> str:
        return chance.choice((*self.roles, chance.choice(names)))

    def problem(self, value: Any, names: tuple[str, ...]) -> str | None:
        if value in (*ROLES, *self.roles, *names):
            return None
        return f"a node ({', '.join(names)}) or a role ({', '.join(ROLES)}) is needed"


@dataclass(frozen=True, slots=True)
class Number(Argument):
    """An integer; drawn from a range, and bounded by `most` in a file."""

    low: int
    high: int
    least: int = 0
    most: int = 1_000_000

    def draw(self, chance: Random, _names: tuple[str, ...]) -> int:
        return chance.randint(self.low, self.high)

    def problem(self, value: Any, _names: tuple[str, ...]) -> str | None:
        integer = isinstance(value, int) and not isinstance(value, bool)
        if integer and self.least <= value <= self.most:
            return None
        return f"an integer from {self.least} to {self.most} is needed"


@dataclass(frozen=True, slots=True)
class Choice(Argument):
    """One of a few words."""

    words: tuple[str, ...]

    def draw(self, chance: Random, _names: tuple[str, ...]) -> str:
        return chance.choice(self.words)

    def problem(self, value: Any, _names: tuple[str, ...]) -> str | None:
        return None if value in self.words else f"one of {', '.join(self.words)} is needed"


@dataclass(frozen=True, slots=True)
class Order(Argument):
    """All nodes, in some order."""

    def draw(self, chance: Random, names: tuple[str, ...]) -> list[str]:
        return chance.sample(names, len(names))

    def problem(self, value: Any, names: tuple[str, ...]) -> str | None:
        if _names_only(value) and sorted(value) == sorted(names):
            return None
        return f"a list of all nodes ({', '.join(names)}) in some order is needed"


@dataclass(frozen=True, slots=True)
class Minority(Argument):
    """One side of a cut: at least one node, fewer than half of them."""

    def draw(self, chance: Random, names: tuple[str, ...]) -> list[str]:
        return sorted(chance.sample(names, chance.randint(1, (len(names) - 1) // 2)))

    def problem(self, value: Any, names: tuple[str, ...]) -> str | None:
        some = set(value) if _names_only(value) else set()
        if some and len(some) == len(value) and some <= set(names) and 2 * len(some) < len(names):
            return None
        return f"a list of fewer than half of the nodes ({', '.join(names)}) is needed"


def taking(**arguments: Argument) -> Mapping[str, Argument]:
    """What a fault takes, by name."""
    return arguments


def _names_only(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
