"""The data of the timeline page: columns, because 50,000 objects would be slow to read and large.

Times are microseconds since the beginning of the run; indexes refer to lines of history.jsonl.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kvraft_chaos.history import Event
from kvraft_chaos.report.evidence import Evidence
from kvraft_chaos.report.families import FAMILIES, OTHER

OPERATIONS_MAX = 200_000
"""What a browser still draws smoothly (some 30 MB of page); of more, a stretch is shown."""
VALUE_CHARS_MAX = 600
"""Of an argument or a result: enough to judge by, and a final log of every key stays small."""
TYPES = ("ok", "fail", "info")
NOT_THERE = -1


@dataclass(slots=True)
class Table:
    """Numbers for texts that repeat."""

    texts: dict[str, int] = field(default_factory=dict)

    def number(self, text: str | None) -> int:
        return NOT_THERE if text is None else self.texts.setdefault(text, len(self.texts))


@dataclass(frozen=True, slots=True)
class Pair:
    """An invoke with its completion, if it has one."""

    invoke: Event
    completion: Event | None

    @property
    def type(self) -> str:
        return "info" if self.completion is None else self.completion.type


def document(evidence: Evidence) -> dict[str, Any]:
    """All that the page knows, ready for JSON."""
    zero = evidence.start_ns
    pairs = paired(evidence.events)
    shown = stretch(pairs, _named(evidence))
    return {
        "run": {key: value for key, value in evidence.verdict.items() if key != "findings"},
        "findings": list(evidence.verdict.get("findings", ())),
        "end": _micros(evidence.end_ns - zero),
        "total": len(pairs),
        "operations": _columns(shown, zero),
        "strokes": [
            {
                "name": stroke.name,
                "family": stroke.family,
                "start": _micros(stroke.start_ns - zero),
                "end": None if stroke.end_ns is None else _micros(stroke.end_ns - zero),
                "detail": stroke.detail,
                "nodes": stroke.nodes,
            }
            for stroke in evidence.strokes()
        ],
        "reigns": [
            {
                "node": reign.node,
                "term": reign.term,
                "start": _micros(reign.start_ns - zero),
                "end": _micros(reign.end_ns - zero),
            }
            for reign in evidence.reigns()
        ],
        "phases": [
            {"name": mark.name, "at": _micros(mark.time_ns - zero)}
            for mark in evidence.marks
            if mark.type == "phase"
        ],
        "families": [[each.name, each.light, each.dark] for each in (*FAMILIES, OTHER)],
    }


def paired(events: Iterable[Event]) -> list[Pair]:
    """Every operation, failed ones too, in the order in which they were asked."""
    open_calls: dict[int, Event] = {}
    pairs: list[Pair] = []
    for event in events:
        if event.type == "invoke":
            open_calls[event.process] = event
        else:
            pairs.append(Pair(open_calls.pop(event.process), event))
    pairs.extend(Pair(invoke, None) for invoke in open_calls.values())
    return sorted(pairs, key=lambda pair: pair.invoke.index)


def stretch(pairs: list[Pair], named: set[int]) -> list[Pair]:
    """As many operations as a page bears, those around the first contradiction above all."""
    if len(pairs) <= OPERATIONS_MAX:
        return pairs
    last = next((at for at, pair in enumerate(pairs) if _is_named(pair, named)), 0)
    begin = max(0, min(last - OPERATIONS_MAX // 2, len(pairs) - OPERATIONS_MAX))
    return pairs[begin : begin + OPERATIONS_MAX]


def _named(evidence: Evidence) -> set[int]:
    findings = evidence.verdict.get("findings", ())
    return {index for finding in findings for index in finding.get("contradiction", ())}


def _is_named(pair: Pair, named: set[int]) -> bool:
    completion = pair.completion
    return pair.invoke.index in named or (completion is not None and completion.index in named)


def _columns(pairs: Sequence[Pair], zero: int) -> dict[str, Any]:
    tables = {name: Table() for name in ("f", "key", "node", "error")}
    columns: dict[str, list[Any]] = {
        name: []
        for name in (
            *("invoked", "completed", "process", "type", "start", "length"),
            *("f", "key", "node", "error", "argument", "result"),
        )
    }
    before = 0
    for pair in pairs:
        start = _micros(pair.invoke.time_ns - zero)
        for name, value in _row(pair, tables, zero).items():
            columns[name].append(value)
        columns["start"].append(start - before)
        before = start
    return {**columns, "tables": {name: list(table.texts) for name, table in tables.items()}}


def _row(pair: Pair, tables: dict[str, Table], zero: int) -> dict[str, Any]:
    invoke, completion = pair.invoke, pair.completion
    length = NOT_THERE
    if completion is not None:
        length = _micros(completion.time_ns - zero) - _micros(invoke.time_ns - zero)
    node = invoke.node if completion is None or completion.node is None else completion.node
    return {
        "invoked": invoke.index,
        "completed": NOT_THERE if completion is None else completion.index,
        "process": invoke.process,
        "type": TYPES.index(pair.type),
        "length": length,
        "f": tables["f"].number(invoke.f),
        "key": tables["key"].number(invoke.key),
        "node": tables["node"].number(node),
        "error": tables["error"].number(None if completion is None else completion.error),
        "argument": _bounded(invoke.value),
        "result": None if completion is None else _bounded(completion.value),
    }


def _bounded(value: Any) -> Any:
    """The value, or where it is long, or no strict JSON (NaN), what Python writes for it."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= VALUE_CHARS_MAX:
        return text if "NaN" in text or "Infinity" in text else value
    return f"{text[:VALUE_CHARS_MAX]}… ({len(text):,} characters in history.jsonl)"


def _micros(ns: int) -> int:
    return ns // 1_000
