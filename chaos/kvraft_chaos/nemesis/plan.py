"""A plan: which fault strikes when, for how long. `plan.json`, and `--plan` plays it again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """A fault of the catalogue. Victims are names or roles (`leader`, `follower`): a role is
    whoever has it when the fault strikes.
    """

    at_ms: int
    """After the clients began."""
    for_ms: int
    """Then it is healed."""
    fault: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that decides a run, apart from chance: the same plan strikes the same way."""

    workload: str
    seed: int
    duration_ms: int
    nodes: tuple[str, ...]
    steps: tuple[Step, ...]
    negative: str | None = None
    """A negative control: the run must be found invalid."""
