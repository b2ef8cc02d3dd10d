"""How a drill is told: the question, acts, who does what, figures, promises, one lesson.

Colours on a terminal, the same text without them elsewhere.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

Figure = int | float | str
"""A float is a number of seconds."""
WHO_WIDTH = 12
"""Columns for the name of who does something."""


@dataclass(frozen=True, slots=True)
class Check:
    """What must be so: the naive side went wrong as foretold, the store kept a promise."""

    side: str
    what: str
    held: bool


@dataclass(slots=True)
class Report:
    """What a drill measured, and whether all was as it should be."""

    drill: str
    question: str
    figures: dict[str, tuple[Figure | None, Figure | None]] = field(default_factory=dict)
    """By name: of the naive program, and of the store. None: has none."""
    checks: list[Check] = field(default_factory=list)
    lesson: str = ""
    call: str = ""
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def passed(self) -> bool:
        """Whether it came to its end, both sides were seen, and every check held."""
        sides = {check.side for check in self.checks}
        whole = bool(self.lesson) and sides == {"naive", "store"} and not self.interrupted
        return whole and all(check.held for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """Return everything for a program."""
        return {
            "drill": self.drill,
            "question": self.question,
            "figures": {
                name: {"naive": _rounded(naive), "store": _rounded(store)}
                for name, (naive, store) in self.figures.items()
            },
            "checks": [
                {"side": each.side, "what": each.what, "held": each.held} for each in self.checks
            ],
            "lesson": self.lesson,
            "call": self.call,
            "seconds": round(self.seconds, 2),
            "passed": self.passed,
        }


def no_wait() -> None:
    """Go on at once: nobody is at the keys."""


class Stage:
    """Tells one drill, and keeps its report. Actors may speak from any thread."""

    def __init__(self, out: TextIO, wait: Callable[[], None] = no_wait) -> None:
        """`wait` returns once the audience wants the next act."""
        self._console = Console(file=out, highlight=False, soft_wrap=True)
        self._wait, self._lock = wait, threading.Lock()
        self._acts = 0
        self._begun = self._act_begun = time.monotonic()
        self.report = Report("", "")

    def open(self, drill: str, question: str) -> None:
        """Say which drill it is, and what the audience should ask itself."""
        self.report.drill, self.report.question = drill, question
        self._print(Text.assemble((drill, "bold"), "\n", (question, "italic")))

    def note(self, text: str) -> None:
        """Say something about the play itself."""
        self._print(Text(text, "dim"))

    def act(self, title: str) -> None:
        """Wait for the audience, and begin the next act."""
        self._print(Text())
        if self._wait is not no_wait:
            self._print(Text("(any key for the next act, Ctrl-C to stop)", "dim"))
            self._wait()
        self._acts += 1
        self._print(Text(f"Act {self._acts}: {title}", "bold"))
        self._act_begun = time.monotonic()

    def say(self, who: str, what: str) -> None:
        """Tell what somebody did, as it happens."""
        at = f"{time.monotonic() - self._act_begun:6.2f} s  "
        self._print(Text.assemble((at, "dim"), (f"{who:<{WHO_WIDTH}} ", "cyan"), what))

    def figure(
        self, name: str, *, naive: Figure | None = None, store: Figure | None = None
    ) -> None:
        """Keep a figure that was measured."""
        self.report.figures[name] = (naive, store)

    def foretold(self, held: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
        """Check that the naive program went wrong in the way that was foretold."""
        self._check("naive", what, held=held)

    def promised(self, held: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
        """Check that the store kept a promise."""
        self._check("store", what, held=held)

    def close(self, lesson: str, call: str) -> None:
        """Show the figures, and end with one sentence and the call to use."""
        self.report.lesson, self.report.call = lesson, call
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), title_justify="left")
        table.add_column("measured", style="bold")
        table.add_column("naive", justify="right", style="red")
        table.add_column("store", justify="right", style="green")
        for name, both in self.report.figures.items():
            table.add_row(name, *(_shown(each) for each in both))
        self._print(Text())
        with self._lock:
            self._console.print(table)
        self._print(Text())
        for check in self.report.checks:
            mark = ("ok     ", "green") if check.held else ("FAILED ", "bold red")
            self._print(Text.assemble(mark, (f"{check.side}: ", "dim"), check.what))
        self._print(Text.assemble("\n", ("Lesson: ", "bold"), lesson, "\n        ", (call, "cyan")))
        self.report.seconds = time.monotonic() - self._begun

    def _check(self, side: str, what: str, *, held: bool) -> None:
        self.report.checks.append(Check(side, what, held))
        if not held:
            self.say(side, f"NOT AS {'FORETOLD' if side == 'naive' else 'PROMISED'}: {what}")

    def _print(self, text: Text) -> None:
        with self._lock:
            self._console.print(text)


def _rounded(figure: Figure | None) -> Figure | None:
    return round(figure, 3) if isinstance(figure, float) else figure


def _shown(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    return f"{figure:.2f} s" if isinstance(figure, float) else str(figure)
