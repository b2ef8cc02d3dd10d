"""Plays a plan by the clock: strikes, beats, heals; at the end everything is healed, always."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Literal

from kvraft_chaos.nemesis.catalogue import FAULTS
from kvraft_chaos.nemesis.fault import Fault
from kvraft_chaos.nemesis.node_processes import NotHere
from kvraft_chaos.nemesis.plan import Plan, Step
from kvraft_chaos.nemesis.target import Target
from kvraft_chaos.run.directory import Mark

MS = 1_000_000
"""Nanoseconds."""


class HealError(Exception):
    """Not even mending brought everything back: what follows says nothing about the cluster."""


def conduct(
    plan: Plan,
    cluster: Target,
    mark: Callable[[Mark], None],
    stop: threading.Event,
    *,
    now_ns: Callable[[], int] = time.monotonic_ns,
    faults: Mapping[str, type[Fault]] = FAULTS,
) -> None:
    """Play it, in the thread of the caller, until its last heal or until told to stop."""
    _Conductor(plan, cluster, mark, stop, now_ns, faults).play()


@dataclass(slots=True)
class _Stroke:
    number: int
    step: Step
    fault: Fault
    beats: int = 0


@dataclass(slots=True)
class _Conductor:
    plan: Plan
    cluster: Target
    mark: Callable[[Mark], None]
    stop: threading.Event
    now_ns: Callable[[], int]
    faults: Mapping[str, type[Fault]]
    _struck: dict[int, _Stroke] = field(default_factory=dict)
    _due: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    _order: "count[int]" = field(default_factory=count)

    def play(self) -> None:
        begun = self.now_ns()
        for number, step in enumerate(self.plan.steps):
            stroke = _Stroke(number, step, self.faults[step.fault]())
            self._at(begun + step.at_ms * MS, self._strike, stroke)
            self._at(begun + (step.at_ms + step.for_ms) * MS, self._heal, stroke)
        try:
            while self._due and not self._waited_in_vain():
                heappop(self._due)[2]()
        finally:
            self._heal_all()

    def _at(self, due_ns: int, act: Callable[[_Stroke], None], stroke: _Stroke) -> None:
        heappush(self._due, (due_ns, next(self._order), lambda: act(stroke)))

    def _waited_in_vain(self) -> bool:
        """Wait for what is due next; whether the run was stopped meanwhile."""
        return self.stop.wait(max(self._due[0][0] - self.now_ns(), 0) / 1e9)

    def _strike(self, stroke: _Stroke) -> None:
        lacking = stroke.fault.needs()
        if lacking is not None:
            self._tell("strike", stroke, f"skipped: this machine lacks {lacking}")
            return
        self._struck[stroke.number] = stroke
        try:
            detail = stroke.fault.strike(self.cluster, stroke.step.arguments)
        except NotHere as reason:
            detail = f"skipped: {reason}"
        except Exception as error:  # noqa: BLE001 - other strokes overlap: a stroke is no subject
            detail = f"failed: {_line(error)}"
        self._tell("strike", stroke, detail)
        self._beat_later(stroke)

    def _beat_later(self, stroke: _Stroke) -> None:
        if stroke.fault.beat_ms is not None:
            self._at(self.now_ns() + stroke.fault.beat_ms * MS, self._beat, stroke)

    def _beat(self, stroke: _Stroke) -> None:
        if stroke.number not in self._struck:
            return
        stroke.beats += 1
        try:
            stroke.fault.beat(self.cluster, stroke.beats)
        except Exception as error:  # noqa: BLE001 - as above
            self._tell("strike", stroke, f"failed: {_line(error)}")
            return  # its heal is still to come
        self._beat_later(stroke)

    def _heal(self, stroke: _Stroke) -> None:
        if self._struck.pop(stroke.number, None) is None:
            return
        try:
            stroke.fault.heal(self.cluster)
        except Exception as error:  # noqa: BLE001 - mended at the end; the others must be healed
            self._tell("heal", stroke, f"failed: {_line(error)}")
        else:
            self._tell("heal", stroke, "")

    def _heal_all(self) -> None:
        for stroke in reversed(list(self._struck.values())):
            self._heal(stroke)
        try:
            self.cluster.mend()
        except Exception as error:
            raise HealError(f"the cluster could not be healed: {_line(error)}") from error

    def _tell(self, mark_type: Literal["strike", "heal"], stroke: _Stroke, detail: str) -> None:
        name, nodes = stroke.fault.name, stroke.fault.struck
        self.mark(Mark(self.now_ns(), mark_type, name, stroke.number, detail, nodes))


def _line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
