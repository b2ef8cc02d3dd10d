"""Reproducible chance: one stream a purpose, the same in every Python.

Built on `random.Random.random()` alone: it is the one method whose sequence Python promises to keep
for a seed (docs of `random`, "Notes on Reproducibility"). Streams are named, so that a change in
how often one part draws (a fault removed while shrinking a plan) leaves the others as they were.
"""

import math
from collections.abc import Sequence
from random import Random
from typing import Final, TypeVar

T = TypeVar("T")

PIECE_BYTES: Final = 6
"""Of random bytes, from one draw: a double has 53 bits."""


class Chance:
    """One stream of random numbers."""

    __slots__ = ("random",)

    def __init__(self, seed: int, stream: str) -> None:
        self.random = Random(f"{seed}/{stream}").random

    def between(self, low: float, high: float) -> float:
        """Uniform in [low, high)."""
        return low + (high - low) * self.random()

    def below(self, bound: int) -> int:
        """An integer in [0, bound)."""
        return int(self.random() * bound)

    def integer(self, low: int, high: int) -> int:
        """An integer in [low, high]."""
        return low + self.below(high - low + 1)

    def pick(self, options: Sequence[T]) -> T:
        """One of `options`, each as likely."""
        return options[int(self.random() * len(options))]

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """`count` different elements of `options`, in drawn order."""
        left = list(options)
        return [left.pop(self.below(len(left))) for _ in range(count)]

    def bytes(self, count: int) -> bytes:
        """So many bytes."""
        pieces = range(0, count, PIECE_BYTES)
        bound = 1 << 8 * PIECE_BYTES
        return b"".join(self.below(bound).to_bytes(PIECE_BYTES, "big") for _ in pieces)[:count]

    def waiting_time(self, mean: float) -> float:
        """Exponentially distributed with this mean: events at a steady rate."""
        return -math.log(1.0 - self.random()) * mean

    def happens(self, probability: float) -> bool:
        """True with this probability."""
        return self.random() < probability
