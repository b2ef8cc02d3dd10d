"""What both plots share: the axis of time, faults as bands, changes of leader."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kvraft_chaos.report.evidence import Evidence, Stroke
from kvraft_chaos.report.svg import HEIGHT, WIDTH, Drawing

LEFT, RIGHT, BOTTOM = 62, WIDTH - 20, HEIGHT - 34
BAND_ROW = 15
BANDS_TOP = 44
BAND_ROWS_MAX = 4
"""More strokes than this at once share the last row."""
LABEL_MIN = 26.0
LETTER = 6.1
"""Pixels: about the mean advance of an 11 px letter, for labels that must fit."""
TERM_ROOM = 44.0


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the plot stands, and how time becomes x."""

    evidence: Evidence
    top: float

    @property
    def seconds(self) -> float:
        return max((self.evidence.end_ns - self.evidence.start_ns) / 1e9, 1e-3)

    def x(self, time_ns: float) -> float:
        share = (time_ns - self.evidence.start_ns) / 1e9 / self.seconds
        return LEFT + share * (RIGHT - LEFT)


def framed(drawing: Drawing, evidence: Evidence) -> Frame:
    """Draws the bands and the axis, and says where the plot stands under them."""
    rows = stacked(evidence.strokes(), evidence.end_ns)
    top = BANDS_TOP + (len(rows) * BAND_ROW + 6 if rows else 2) + (16 if evidence.reigns() else 0)
    frame = Frame(evidence, top)
    for number, row in enumerate(rows):
        for stroke in row:
            _band(drawing, frame, stroke, BANDS_TOP + number * BAND_ROW)
    _axis(drawing, frame)
    return frame


def stacked(strokes: Sequence[Stroke], end_ns: int) -> list[list[Stroke]]:
    """Strokes that overlap stand in rows one above the other."""
    rows: list[list[Stroke]] = []
    for stroke in strokes:
        free = (row for row in rows if (row[-1].end_ns or end_ns) <= stroke.start_ns)
        row = next(free, None)
        if row is None and len(rows) < BAND_ROWS_MAX:
            rows.append(row := [])
        (rows[-1] if row is None else row).append(stroke)
    return rows


def _band(drawing: Drawing, frame: Frame, stroke: Stroke, y: float) -> None:
    left = frame.x(stroke.start_ns)
    right = frame.x(stroke.end_ns or frame.evidence.end_ns)
    width = max(right - left, 1.5)
    drawing.rect(left, y, width, BOTTOM - y, kind=stroke.family, opacity="0.1")
    drawing.rect(left, y, width, BAND_ROW - 3, kind=stroke.family, rx="2")
    fits = int((width - 8) / LETTER)
    if width > LABEL_MIN and fits >= min(3, len(stroke.name)):
        words = stroke.name if len(stroke.name) <= fits else stroke.name[: fits - 1] + "…"
        drawing.text(left + 4, y + 9.5, words, kind="ground small")


def mark_leaders(drawing: Drawing, frame: Frame) -> None:
    """A dashed line where somebody began to lead; labelled where there is room."""
    free = 0.0
    for reign in frame.evidence.reigns():
        x = frame.x(reign.start_ns)
        drawing.line(x, frame.top - 6, x, BOTTOM, kind="ink-line", opacity="0.55",
                     stroke_dasharray="3 3")  # fmt: skip
        if x >= free and x < RIGHT - TERM_ROOM / 2:
            words = f"{reign.node} leads"
            drawing.text(x + 3, frame.top - 1, words, kind="soft small")
            free = x + max(TERM_ROOM, len(words) * LETTER + 8)


def _axis(drawing: Drawing, frame: Frame) -> None:
    step = nice_step(frame.seconds, 10)
    for number in range(int(frame.seconds / step + 1e-9) + 1):
        second = number * step
        x = LEFT + second / frame.seconds * (RIGHT - LEFT)
        drawing.line(x, BOTTOM, x, BOTTOM + 4, kind="soft-line")
        anchor = "end" if x > RIGHT - 10 else "middle"
        drawing.text(x, BOTTOM + 18, f"{second:g} s", text_anchor=anchor)
    drawing.line(LEFT, BOTTOM, RIGHT, BOTTOM, kind="soft-line")


def nice_step(span: float, most: int) -> float:
    """1, 2 or 5 times a power of ten, so that at most this many steps fill the span."""
    rough = span / most
    power = 10.0 ** math.floor(math.log10(rough))
    return next(each * power for each in (1, 2, 5, 10) if each * power >= rough * (1 - 1e-9))


def legend(drawing: Drawing, entries: Sequence[tuple[str, str]]) -> None:
    """At the right of the title: (class of the colour, word)."""
    x = float(RIGHT)
    for kind, word in reversed(entries):
        x -= len(word) * 6.4
        drawing.text(x, 27, word)
        x -= 16
        if kind.endswith("-line"):
            drawing.line(x, 23, x + 11, 23, kind=kind, stroke_width="2",
                         **({"stroke_dasharray": "2 2"} if kind == "ink-line" else {}))  # fmt: skip
        else:
            drawing.rect(x + 1, 18, 9, 9, kind=kind, rx="2")
        x -= 16
