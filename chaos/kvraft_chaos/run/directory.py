"""What a run leaves: a directory from which it can be judged, seen and played again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Mark:
    """One line of `faults.jsonl`: what the nemesis and the observer saw, on the history's clock."""

    time_ns: int
    type: Literal["strike", "heal", "leader", "recovered", "phase"]
    name: str
    """Of the fault, the node that leads, or the phase (`setup`, `faults`, `healed`, `finals`)."""
    stroke: int | None = None
    """The number of the step in the plan; a heal has the number of its strike."""
    detail: str = ""
    nodes: tuple[str, ...] = ()
    """Whom it struck."""
    value: Any = None
    """Leader: the term. Recovered: {"leader_ms", "operations_ms"}."""


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Its files by name."""

    path: Path

    @property
    def history(self) -> Path:
        return self.path / "history.jsonl"

    @property
    def faults(self) -> Path:
        return self.path / "faults.jsonl"

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def verdict(self) -> Path:
        return self.path / "verdict.json"

    @property
    def logs(self) -> Path:
        """One `NAME.log` a node."""
        return self.path / "logs"

    @property
    def timeline(self) -> Path:
        return self.path / "timeline.html"

    @property
    def latency(self) -> Path:
        return self.path / "latency.svg"

    @property
    def rate(self) -> Path:
        return self.path / "rate.svg"
