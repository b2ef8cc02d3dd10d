"""`faults.jsonl`: marks are written as they are made, so that a run that is killed leaves them."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, Self, get_args

from kvraft_chaos.history import HistoryError, decode_line
from kvraft_chaos.run.directory import Mark

MarkType = Literal["strike", "heal", "leader", "recovered", "phase"]
MARK_TYPES = get_args(MarkType)


class Marks:
    """Appends marks to a file and tells a listener, from any thread."""

    def __init__(
        self,
        path: Path,
        told: Callable[[Mark], None] = lambda _mark: None,
        *,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._file = path.open("w", buffering=1, encoding="utf-8")
        self._told, self._now_ns = told, now_ns
        self._lock = threading.Lock()

    def add(
        self,
        mark_type: MarkType,
        name: str,
        *,
        stroke: int | None = None,
        detail: str = "",
        nodes: tuple[str, ...] = (),
        value: Any = None,
    ) -> Mark:
        """Make a mark of now."""
        mark = Mark(self._now_ns(), mark_type, name, stroke, detail, nodes, value)
        self.write(mark)
        return mark

    def write(self, mark: Mark) -> None:
        with self._lock:
            self._file.write(json.dumps(asdict(mark), separators=(",", ":")) + "\n")
            self._told(mark)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        with self._lock:
            self._file.close()


def load_marks(path: Path) -> list[Mark]:
    """Read a file of marks. HistoryError names the line of what is none."""
    with path.open(encoding="utf-8") as lines:
        return [_mark(line, f"{path}:{number}") for number, line in enumerate(lines, 1)]


def _mark(line: str, where: str) -> Mark:
    given = decode_line(line, where)
    if not isinstance(given, dict) or given.keys() - Mark.__dataclass_fields__.keys():
        raise HistoryError(f"{where}: no mark: {line.strip()[:80]}")
    if given.get("type") not in MARK_TYPES:
        raise HistoryError(f"{where}: unknown type of mark {given.get('type')!r}")
    if not isinstance(given.get("time_ns"), int) or not isinstance(given.get("name"), str):
        raise HistoryError(f"{where}: a mark has a time_ns and a name")
    nodes = given.get("nodes", [])
    if not isinstance(nodes, list) or not all(isinstance(node, str) for node in nodes):
        raise HistoryError(f"{where}: nodes: names are needed, not {nodes!r}")
    mark = Mark(**{**given, "nodes": tuple(nodes)})
    problem = _problem(mark)
    if problem is not None:
        raise HistoryError(f"{where}: {problem}")
    return mark


def _problem(mark: Mark) -> str | None:
    """What is wrong with the parts that not every mark has."""
    if not isinstance(mark.stroke, int | None):
        return f"stroke: a number is needed, not {mark.stroke!r}"
    if not isinstance(mark.detail, str):
        return f"detail: a text is needed, not {mark.detail!r}"
    if mark.type == "leader" and not isinstance(mark.value, int):
        return f"a leader has a term, not {mark.value!r}"
    if mark.type == "recovered" and not _is_measured(mark.value):
        return f"recovered has leader_ms and operations_ms, not {mark.value!r}"
    return None


def _is_measured(value: Any) -> bool:
    measured = ("leader_ms", "operations_ms")
    return isinstance(value, dict) and all(
        part in value and isinstance(value[part], int | None) for part in measured
    )
