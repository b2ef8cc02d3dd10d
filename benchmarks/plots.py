"""`python -m benchmarks.plots [FILE]`: draw the scale curves, and write them into the docs.

Reads what `python -m benchmarks scale leases --json FILE` wrote. The pictures go into the folder
with the page's name; between two marks in the page everything is written anew.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.scale_page import MarkError, written
from benchmarks.scale_points import Point, points, worded
from kvraft_chaos.report.frame import legend, nice_step
from kvraft_chaos.report.svg import HEIGHT, WIDTH, Drawing, polyline
from kvraft_chaos.report.svg import points as dots

FILE, PAGE = Path("runs/scale.json"), Path("docs/performance.md")
TOP, BOTTOM = 66.0, HEIGHT - 34.0
LEFTS, PANEL = (62.0, WIDTH / 2 + 52), WIDTH / 2 - 82
DECADES_FROM = 30.0
"""Largest by smallest, above which a scale is logarithmic."""

PARTS: tuple[tuple[str, str, Callable[[Point], float]], ...] = (
    ("ok-line", "leader", lambda point: point.leader_us),
    ("ink-line", "its loop", lambda point: point.loop_us),
    ("fail-line", "a follower", lambda point: point.follower_us),
    ("info-line", "client", lambda point: point.client_us),
)


@dataclass(frozen=True, slots=True)
class _Panel:
    """One plot of a picture: places for a scale from `low` to `high`."""

    left: float
    low: float
    high: float
    count: int

    @property
    def decades(self) -> bool:
        return self.low > 0

    def x(self, number: int) -> float:
        """Points stand at equal distances: their numbers span decades, or begin with none."""
        return self.left + PANEL * (number + 0.5) / self.count

    def y(self, value: float) -> float:
        if self.decades:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = value / self.high
        return BOTTOM - share * (BOTTOM - TOP)

    def ticks(self) -> list[float]:
        if self.decades:
            return [self.low * 10.0**n for n in range(round(math.log10(self.high / self.low)) + 1)]
        step = nice_step(self.high, 5)
        return [step * n for n in range(round(self.high / step) + 1)]


def picture(axis: str, curve: Sequence[Point]) -> str:
    """Draw one axis: puts a second at the left, processor time of a put at the right."""
    shown = ", ".join(f"{worded(point)}: {point.rate.median:.0f} puts/s" for point in curve)
    drawing = Drawing(f"Puts, by {axis}", shown)
    rate = _panel(drawing, 0, curve, [each.rate.high for each in curve], "puts a second")
    middle = [(rate.x(n), rate.y(each.rate.median)) for n, each in enumerate(curve)]
    for n, each in enumerate(curve):
        low, high = rate.y(max(each.rate.low, rate.low)), rate.y(each.rate.high)
        drawing.line(rate.x(n), low, rate.x(n), high, kind="ok-line", stroke_width="1.4")
    _curve(drawing, middle, "ok-line")
    used = [part(each) for each in curve for _, _, part in PARTS]
    cost = _panel(drawing, 1, curve, used, "us of processor time a put")
    for kind, _, part in PARTS:
        places = [(cost.x(n), cost.y(part(each))) for n, each in enumerate(curve)]
        _curve(drawing, places, kind, dashes="2 2" if kind == "ink-line" else "none")
    legend(drawing, [(kind, word) for kind, word, _ in PARTS])
    return drawing.written()


def _panel(
    drawing: Drawing, which: int, curve: Sequence[Point], values: Sequence[float], title: str
) -> _Panel:
    low, high = min(each for each in values if each > 0), max(values)
    if high / low >= DECADES_FROM:
        low, high = 10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high))
    else:
        step = nice_step(high, 5)
        low, high = 0.0, math.ceil(high / step) * step
    panel = _Panel(LEFTS[which], low, high, len(curve))
    drawing.text(panel.left, TOP - 14, title, kind="soft small")
    for tick in panel.ticks():
        y = panel.y(tick)
        drawing.line(panel.left, y, panel.left + PANEL, y, kind="line-line")
        drawing.text(panel.left - 8, y + 4, f"{tick:,.10g}", text_anchor="end")
    for number, point in enumerate(curve):
        drawing.text(panel.x(number), BOTTOM + 18, worded(point), text_anchor="middle")
    drawing.line(panel.left, BOTTOM, panel.left + PANEL, BOTTOM, kind="soft-line")
    return panel


def _curve(
    drawing: Drawing, places: list[tuple[float, float]], kind: str, *, dashes: str = "none"
) -> None:
    drawing.path(polyline(places), kind=kind, stroke_width="1.6", stroke_dasharray=dashes)
    drawing.path(dots(places), kind=kind, stroke_width="6", stroke_linecap="round")


def write(content: Mapping[str, Any], page: Path) -> list[Path]:
    """Write the pictures and the page; MarkError leaves both as they were."""
    curves = {axis: curve for axis, curve in points(content).items() if curve}
    folder = page.with_suffix("")
    files = {axis: folder / f"scale_{axis.replace(' ', '_')}.svg" for axis in curves}
    links = {axis: f"{folder.name}/{file.name}" for axis, file in files.items()}
    text = written(page.read_text(encoding="utf-8"), content, curves, links)
    folder.mkdir(exist_ok=True)
    for axis, file in files.items():
        file.write_text(picture(axis, curves[axis]), encoding="utf-8")
    page.write_text(text, encoding="utf-8")
    return list(files.values())


def main(arguments: list[str] | None = None) -> int:
    """Draw; a quick run is refused, for it shows nothing about the store."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plots", description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=FILE, metavar="FILE")
    parser.add_argument("--page", type=Path, default=PAGE, metavar="PAGE")
    options = parser.parse_args(arguments)
    try:
        content = json.loads(options.file.read_text(encoding="utf-8"))
        if content["quick"]:
            print(f"{options.file} is of --quick: nothing for a page", file=sys.stderr)
            return 1
        files = write(content, options.page)
    except (OSError, ValueError, KeyError, MarkError) as error:
        print(f"plots: {options.file}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(f"{options.page} and {len(files)} pictures in {files[0].parent}" if files else "nothing")
    return 0


if __name__ == "__main__":
    sys.exit(main())
