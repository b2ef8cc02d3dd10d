"""A model: what one object answers when it is asked one thing after another."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from kvraft_chaos.history import Operation

State = Hashable
Step = Callable[[State], State | None]
"""The state after the operation took effect there, or None where it cannot have."""


def _all(operations: Sequence[Operation]) -> Sequence[Operation]:
    return operations


def _none(_operation: Operation) -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class Model:
    """The sequential specification of one object; each key of a history is an object."""

    name: str
    initial: State
    step_of: Callable[[Operation], Step]
    """What an operation does, by `f`, argument and answer alone: put who asks into the argument.
    One of unknown outcome: what it does if it does take effect.
    """
    observes: Callable[[Operation], bool]
    """Whether an answered operation changes nothing, in whatever state it takes effect."""
    placeable: Callable[[Sequence[Operation]], Sequence[Operation]] = _all
    """Leaves out unknown operations that no order needs, which spares the search."""
    rank: Callable[[Operation], int | None] = _none
    """A number that never falls along any legal order: the revision that an answer shows."""
    shown: Callable[[State], str] = str
    """A state in words."""
