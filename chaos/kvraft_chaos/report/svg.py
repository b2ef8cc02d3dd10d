"""A small writer of SVG pictures that are readable on light pages and on dark ones.

A picture has a ground of its own and its two sets of colours, so that it stays readable where the
page around it and the preference of the reader disagree, as they may on a page of GitHub's.
"""

from xml.etree import ElementTree as ET

from kvraft_chaos.report.families import FAMILIES, OTHER

WIDTH, HEIGHT = 880, 330
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
COLOURS = {
    "ground": ("#ffffff", "#17191c"),
    "edge": ("#dfdfdb", "#2b2f34"),
    "ink": ("#1b1d20", "#e9eaeb"),
    "soft": ("#5d636b", "#a4abb3"),
    "line": ("#e9e9e6", "#282c31"),
    "ok": ("#3b78b8", "#5f9fdc"),
    "fail": ("#858b93", "#8b929b"),
    "info": ("#e0951a", "#f0a93a"),
    **{family.name: (family.light, family.dark) for family in (*FAMILIES, OTHER)},
}


def _rules(which: int) -> str:
    return "".join(
        f".{name}{{fill:{pair[which]}}}.{name}-line{{stroke:{pair[which]};fill:none}}"
        for name, pair in COLOURS.items()
    )


STYLE = (
    f"text{{font:12px {FONT};font-variant-numeric:tabular-nums}}.title{{font-size:14px;"
    f"font-weight:600}}.small{{font-size:11px}}{_rules(0)}"
    f"@media(prefers-color-scheme:dark){{{_rules(1)}}}"
)


class Drawing:
    """One picture. Elements are drawn in the order in which they are added."""

    def __init__(self, title: str, description: str) -> None:
        self.root = ET.Element(
            "svg",
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            width=str(WIDTH),
            height=str(HEIGHT),
            role="img",
        )
        self.add("title").text = _legal(title)
        self.add("desc").text = _legal(description)
        self.add("style").text = STYLE
        self.rect(0.5, 0.5, WIDTH - 1, HEIGHT - 1, kind="ground edge-ground", rx="8")
        self.text(20, 27, title, kind="ink title")

    def add(self, tag: str, **attributes: str) -> ET.Element:
        named = {name.replace("_", "-"): _legal(each) for name, each in attributes.items()}
        return ET.SubElement(self.root, tag, named)

    def rect(
        self, x: float, y: float, width: float, height: float, *, kind: str, **more: str
    ) -> None:
        at = {"x": _short(x), "y": _short(y), "width": _short(width), "height": _short(height)}
        self.add("rect", **at, **{"class": kind}, **more)

    def line(self, x1: float, y1: float, x2: float, y2: float, *, kind: str, **more: str) -> None:
        self.path(f"M{_short(x1)} {_short(y1)}L{_short(x2)} {_short(y2)}", kind=kind, **more)

    def path(self, d: str, *, kind: str, **more: str) -> None:
        self.add("path", d=d, **{"class": kind}, **more)

    def text(self, x: float, y: float, words: str, *, kind: str = "soft", **more: str) -> None:
        element = self.add("text", x=_short(x), y=_short(y), **{"class": kind}, **more)
        element.text = _legal(words)

    def written(self) -> str:
        return ET.tostring(self.root, encoding="unicode") + "\n"


def points(places: list[tuple[float, float]]) -> str:
    """Path data of dots: strokes without a length, which round caps make round."""
    return "".join(f"M{_short(x)} {_short(y)}h0" for x, y in places)


def polyline(places: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{_short(x)} {_short(y)}" for x, y in places)


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _legal(text: str) -> str:
    """Without what XML cannot say (control characters, lone surrogates)."""
    return "".join(
        each if each >= " " and not "\ud800" <= each <= "\udfff" and each < "\ufffe" else "\ufffd"
        for each in text
    )
