"""What a run directory tells: events, strokes of faults, who led when, the verdict."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kvraft_chaos.history import Event, HistoryError, load
from kvraft_chaos.report.families import family_of
from kvraft_chaos.run.directory import Mark, RunDirectory
from kvraft_chaos.run.marks import load_marks


@dataclass(frozen=True, slots=True)
class Stroke:
    """One fault from strike to heal. `end_ns` None: nobody saw it healed."""

    name: str
    family: str
    start_ns: int
    end_ns: int | None
    detail: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reign:
    """A node that led in a term, until somebody else was seen leading, or to the end of the run."""

    node: str
    term: int | None
    start_ns: int
    end_ns: int


@dataclass(frozen=True)
class Evidence:
    """A run, as its files tell it. No file of marks, no verdict: it was not judged, or foreign."""

    events: Sequence[Event]
    marks: Sequence[Mark] = ()
    verdict: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def start_ns(self) -> int:
        return min(self._times(), default=0)

    @cached_property
    def end_ns(self) -> int:
        return max(self._times(), default=0)

    def _times(self) -> Iterator[int]:
        yield from (event.time_ns for event in self.events)
        yield from (mark.time_ns for mark in self.marks)

    def strokes(self) -> list[Stroke]:
        heals = {mark.stroke: mark for mark in self.marks if mark.type == "heal"}
        return [
            Stroke(
                mark.name,
                family_of(mark.name),
                mark.time_ns,
                heals[mark.stroke].time_ns if mark.stroke in heals else None,
                mark.detail,
                mark.nodes,
            )
            for mark in self.marks
            if mark.type == "strike"
        ]

    def reigns(self) -> list[Reign]:
        seen = [mark for mark in self.marks if mark.type == "leader"]
        ends = [mark.time_ns for mark in seen[1:]] + [self.end_ns]
        return [
            Reign(mark.name, mark.value if isinstance(mark.value, int) else None, mark.time_ns, end)
            for mark, end in zip(seen, ends, strict=False)
        ]


def read(directory: RunDirectory) -> Evidence:
    """HistoryError where a file is damaged; marks and verdict may be missing."""
    marks = load_marks(directory.faults) if directory.faults.exists() else []
    return Evidence(
        load(directory.history), sorted(marks, key=lambda mark: mark.time_ns), _verdict(directory)
    )


def _verdict(directory: RunDirectory) -> Mapping[str, Any]:
    if not directory.verdict.exists():
        return {}
    try:
        given = json.loads(directory.verdict.read_text(encoding="utf-8"))
    except ValueError as error:
        raise HistoryError(f"{directory.verdict}: not JSON: {error}") from error
    if not isinstance(given, dict):
        raise HistoryError(f"{directory.verdict}: a verdict is an object")
    return given
