"""A fault: strikes a cluster, and heals what it did, whatever else is broken at that time."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from random import Random
from typing import Any, ClassVar

from kvraft_chaos.cluster import ChaosCluster


class Fault(ABC):
    """One class each; an object is one stroke. Strokes overlap, also on the same link or node."""

    name: ClassVar[str]
    sentence: ClassVar[str]
    """What it does, for `--list`."""

    @staticmethod
    def needs() -> str | None:
        """What this machine lacks for it, or None: such a fault is skipped with this word."""
        return None

    @classmethod
    def draw(cls, chance: Random, names: tuple[str, ...]) -> Mapping[str, Any]:
        """Arguments for a plan."""
        del chance, names
        return {}

    @abstractmethod
    def strike(self, cluster: ChaosCluster, arguments: Mapping[str, Any]) -> str:
        """Do it; say in a few words whom it struck. Blocks for milliseconds."""

    @abstractmethod
    def heal(self, cluster: ChaosCluster) -> None:
        """Undo this stroke only. Called once, also where `strike` raised half way."""
