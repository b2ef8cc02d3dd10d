"""What a drill is."""

from collections.abc import Callable
from dataclasses import dataclass

from kvraft_chaos.drills.ground import Ground
from kvraft_chaos.drills.stage import Stage


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill: `play` tells on the stage what really happens on the ground."""

    name: str
    question: str
    play: Callable[[Stage, Ground], None]
