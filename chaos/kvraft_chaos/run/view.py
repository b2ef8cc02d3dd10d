"""Shows a run while it goes on: a panel drawn anew on a terminal, else a line for each event."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from kvraft_chaos.nemesis.plan import Plan
from kvraft_chaos.run.directory import Mark
from kvraft_chaos.run.scoreboard import Score, Scoreboard, words

DRAWN_A_SECOND = 5
"""Enough for an eye; each drawing takes a millisecond or two from the cluster."""


class Watching:
    """`with watching(scoreboard) as told`: what `session.run` takes for a view."""

    def __init__(self, console: Console, plan: Plan, lines: bool) -> None:  # noqa: FBT001
        """`lines`: on a terminal too."""
        self._console, self._lines = console, lines or not console.is_terminal
        self._title = f" {plan.workload}, seed {plan.seed}, {plan.duration_ms / 1_000:g} s "

    @contextmanager
    def __call__(self, board: Scoreboard) -> Iterator[Callable[[Mark], None]]:
        if not self._lines:
            with Live(
                get_renderable=lambda: panel(self._title, board.score()),
                console=self._console,
                refresh_per_second=DRAWN_A_SECOND,
                transient=True,
            ):
                yield board.saw
            return

        def told(mark: Mark) -> None:
            board.saw(mark)
            self._console.print(Text(line(mark, board.score())))

        yield told


def line(mark: Mark, score: Score) -> str:
    """An event of the run, and how far the clients are."""
    counts = f"{score.ok} ok, {score.fail} fail, {score.info} unknown"
    return f"{score.seconds:6.1f} s  {words(mark)}  [{counts}]"


def panel(title: str, score: Score) -> Panel:
    """Everything at a glance."""
    head = Table.grid(padding=(0, 3))
    leader = f"{score.leader} (term {score.term})" if score.leader else "nobody yet"
    head.add_row(
        Text.assemble(("phase ", "dim"), (score.phase, "bold")),
        Text.assemble(("leader ", "dim"), (leader, "bold")),
        Text.assemble((f"{score.seconds:.0f} s", "bold")),
    )
    counts = Text.assemble(
        (f"{score.per_second:.0f}", "bold"),
        (" operations/s   ", "dim"),
        (f"{score.ok} ok", "green"),
        "   ",
        (f"{score.fail} fail", "yellow" if score.fail else "dim"),
        "   ",
        (f"{score.info} unknown", "magenta" if score.info else "dim"),
    )
    faults = Text("\n").join(Text(each, "bold red") for each in score.active)
    events = Text("\n").join(Text(each, "dim") for each in score.last)
    return Panel(
        Group(head, counts, Text(), faults or Text("no fault", "green"), Text(), events),
        title=title,
        title_align="left",
    )
