"""timeline.html: one file that needs nothing else, made of the template in `page/` and the data."""

import html
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from kvraft_chaos.report.document import document
from kvraft_chaos.report.evidence import Evidence, read
from kvraft_chaos.run.directory import RunDirectory

SCRIPTS = (
    *("run", "lanes", "order", "words", "view", "paint", "marks", "overview"),
    *("panel", "tip", "gestures", "head", "main"),
)
"""Files of `page/`, in the order in which they stand in the page; all share one scope."""
PAGE = files("kvraft_chaos.report").joinpath("page")


def write_timeline(directory: RunDirectory) -> Path:
    """Write timeline.html. HistoryError where a file of the run is damaged."""
    directory.timeline.write_text(timeline(read(directory)), encoding="utf-8")
    return directory.timeline


def timeline(evidence: Evidence) -> str:
    """The page."""
    parts = {
        "title": html.escape(title(evidence)),
        "style": _text("timeline.css"),
        "data": embedded(document(evidence)),
        "script": "\n".join(_text(f"{name}.js") for name in SCRIPTS),
    }
    template = _text("timeline.html")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def title(evidence: Evidence) -> str:
    """In the tab of the browser: the verdict first."""
    run = evidence.verdict
    words = [str(run.get("verdict", "not judged")), str(run.get("workload", "history"))]
    if run.get("negative"):
        words.append(f"negative control {run['negative']}")
    if run.get("seed") is not None:
        words.append(f"seed {run['seed']}")
    return ", ".join(words).encode("utf-8", "replace").decode()


def embedded(value: Any) -> str:
    """JSON that can stand inside a script element: no text of the run can end it, or open another.

    `<`, `>` and `&` occur in JSON only within strings, where an escape means the same.
    """
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _text(name: str) -> str:
    return PAGE.joinpath(name).read_text(encoding="utf-8")
