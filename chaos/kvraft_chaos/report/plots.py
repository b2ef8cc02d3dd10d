"""latency.svg and rate.svg: how long operations took and how many ended, with the faults marked."""

import math
from collections.abc import Sequence

from kvraft_chaos.report.document import TYPES, Pair, paired
from kvraft_chaos.report.evidence import Evidence, read
from kvraft_chaos.report.frame import (
    BOTTOM,
    LEFT,
    RIGHT,
    Frame,
    framed,
    legend,
    mark_leaders,
    nice_step,
)
from kvraft_chaos.report.svg import Drawing, points, polyline
from kvraft_chaos.run.directory import RunDirectory

OUTCOMES = (("ok", "ok"), ("fail", "failed"), ("info", "unknown"))
GRAIN = 1.5
"""Pixels: of the dots that fall on one such square, one is drawn, which bounds the file."""
WINDOWS = 80
"""Percentiles are taken over this many windows of time."""
WINDOW_MIN = 12
"""Fewer answers in a window say nothing about its percentiles."""
BINS_MAX = 200
LATENCY_MIN_MS, LATENCY_MAX_MS = 0.1, 100_000.0


def write_plots(directory: RunDirectory) -> None:
    """Write latency.svg and rate.svg. HistoryError where a file of the run is damaged."""
    evidence = read(directory)
    directory.latency.write_text(latency(evidence), encoding="utf-8")
    directory.rate.write_text(rate(evidence), encoding="utf-8")


def latency(evidence: Evidence) -> str:
    """Each operation a dot, by outcome, on a logarithmic scale, and two percentiles."""
    drawing = Drawing("Time from request to answer", _described(evidence))
    frame = framed(drawing, evidence)
    ended = [pair for pair in paired(evidence.events) if pair.completion is not None]
    low, high = _decades([_millis(pair) for pair in ended])

    def y(millis: float) -> float:
        share = (math.log10(min(max(millis, low), high)) - math.log10(low)) / math.log10(high / low)
        return BOTTOM - share * (BOTTOM - frame.top - 8)

    for decade in range(round(math.log10(low)), round(math.log10(high)) + 1):
        _grid(drawing, y(10.0**decade), _duration(10.0**decade))
    for kind, _word in OUTCOMES:
        dots = {
            (round(frame.x(_end(pair)) / GRAIN), round(y(_millis(pair)) / GRAIN))
            for pair in ended
            if pair.type == kind
        }
        drawing.path(
            points([(x * GRAIN, each * GRAIN) for x, each in sorted(dots)]), kind=f"{kind}-line",
            stroke_width="2.4" if kind == "ok" else "4", stroke_linecap="round",
            opacity="0.6" if kind == "ok" else "0.9",
        )  # fmt: skip
    for share, dashes in ((0.5, "none"), (0.99, "5 3")):
        for stretch in _percentiles(frame, [pair for pair in ended if pair.type == "ok"], share):
            places = [(x, y(millis)) for x, millis in stretch]
            drawing.path(polyline(places), kind="ground-line", stroke_width="4", opacity="0.8")
            drawing.path(polyline(places), kind="ink-line", stroke_width="1.6",
                         stroke_dasharray=dashes, stroke_linejoin="round")  # fmt: skip
    mark_leaders(drawing, frame)
    legend(drawing, [*OUTCOMES, ("soft-line", "median"), ("ink-line", "99 %")])
    return drawing.written()


def rate(evidence: Evidence) -> str:
    """How many operations ended a second, stacked by outcome."""
    drawing = Drawing("Operations a second", _described(evidence))
    frame = framed(drawing, evidence)
    step = max(nice_step(frame.seconds, BINS_MAX), 0.1)
    bins = [dict.fromkeys(TYPES, 0) for _ in range(math.ceil(frame.seconds / step))]
    for pair in paired(evidence.events):
        if pair.completion is not None:
            at = (_end(pair) - evidence.start_ns) / 1e9 / step
            bins[min(int(at), len(bins) - 1)][pair.type] += 1
    most = max((sum(each.values()) for each in bins), default=0) / step or 1.0
    tick = nice_step(most, 5)
    top = math.ceil(most / tick) * tick
    scale = (BOTTOM - frame.top - 8) / top
    for number in range(round(top / tick) + 1):
        _grid(drawing, BOTTOM - number * tick * scale, f"{number * tick:g}")
    below = [0.0] * len(bins)
    for kind, _word in OUTCOMES:
        above = [base + each[kind] / step for base, each in zip(below, bins, strict=True)]
        drawing.path(_steps(frame, step, below, above, scale), kind=kind)
        below = above
    mark_leaders(drawing, frame)
    legend(drawing, OUTCOMES)
    return drawing.written()


def _steps(
    frame: Frame, step: float, below: Sequence[float], above: Sequence[float], scale: float
) -> str:
    """The area between two staircases."""
    width = step / frame.seconds * (RIGHT - LEFT)

    def stairs(levels: Sequence[float]) -> list[tuple[float, float]]:
        return [
            (min(LEFT + (at + side) * width, RIGHT), BOTTOM - level * scale)
            for at, level in enumerate(levels)
            for side in (0, 1)
        ]

    return polyline([*stairs(above), *reversed(stairs(below))]) + "Z" if above else ""


def _percentiles(
    frame: Frame, pairs: Sequence[Pair], share: float
) -> list[list[tuple[float, float]]]:
    """Lines of (x, milliseconds); a window with few answers interrupts the line."""
    windows: dict[int, list[float]] = {}
    for pair in pairs:
        at = int((frame.x(_end(pair)) - LEFT) / (RIGHT - LEFT) * WINDOWS)
        windows.setdefault(min(at, WINDOWS - 1), []).append(_millis(pair))
    lines: list[list[tuple[float, float]]] = [[]]
    for at in range(WINDOWS):
        values = sorted(windows.get(at, ()))
        if len(values) >= WINDOW_MIN:
            x = LEFT + (at + 0.5) / WINDOWS * (RIGHT - LEFT)
            lines[-1].append((x, values[min(len(values) - 1, int(share * len(values)))]))
        elif lines[-1]:
            lines.append([])
    return [line for line in lines if len(line) > 1]


def _decades(millis: Sequence[float]) -> tuple[float, float]:
    """Whole decades around all of them, at least two."""
    low = max(min(millis, default=1.0), LATENCY_MIN_MS)
    high = min(max(millis, default=100.0), LATENCY_MAX_MS)
    first = math.floor(math.log10(low))
    return 10.0**first, 10.0 ** max(math.ceil(math.log10(max(high, low))), first + 2)


def _grid(drawing: Drawing, y: float, label: str) -> None:
    drawing.line(LEFT, y, RIGHT, y, kind="line-line")
    drawing.text(LEFT - 8, y + 4, label, text_anchor="end")


def _millis(pair: Pair) -> float:
    return (_end(pair) - pair.invoke.time_ns) / 1e6


def _end(pair: Pair) -> int:
    return (pair.completion or pair.invoke).time_ns


def _duration(millis: float) -> str:
    return f"{millis:g} ms" if millis < 1_000 else f"{millis / 1_000:g} s"


def _described(evidence: Evidence) -> str:
    strokes = ", ".join(stroke.name for stroke in evidence.strokes()) or "none"
    return f"Verdict: {evidence.verdict.get('verdict', 'not judged')}. Faults: {strokes}."
