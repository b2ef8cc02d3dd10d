"""The verdict on a history, as an assertion whose message tells the first contradiction."""

from collections.abc import Sequence
from pathlib import Path

from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.linearizability import said
from kvraft_chaos.checkers.model import Model
from kvraft_chaos.checkers.models import judge
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Event, load
from kvraft_chaos.testing.calls import History

EVENTS_SHOWN = 8
"""Of a contradiction: it seldom has more than four."""


def assert_linearizable(
    history: "History | Sequence[Event] | str | Path", model: str | Model = "register"
) -> None:
    """AssertionError unless one order of the operations explains every answer.

    `model`: `register` (each key one), `bank`, `lock`, or one of your own. Out of time or memory
    is an AssertionError too: nothing was shown then.
    """
    events = _events(history)
    name = model if isinstance(model, str) else model.name
    findings = judge(events, model)
    wrong = [each for each in findings if each.verdict is Verdict.INVALID]
    if wrong:
        raise AssertionError("\n".join(_invalid(wrong, events, name, _path(history))))
    doubtful = [each for each in findings if each.verdict is Verdict.UNKNOWN]
    if doubtful:
        words = "; ".join(each.sentence for each in doubtful)
        raise AssertionError(f"it is not known whether this history of a {name} is right: {words}")


def _events(history: "History | Sequence[Event] | str | Path") -> Sequence[Event]:
    if isinstance(history, History):
        return history.events
    if isinstance(history, str | Path):
        return load(Path(history))
    return history


def _path(history: object) -> str | None:
    if isinstance(history, History):
        return None if history.path is None else str(history.path)
    return str(history) if isinstance(history, str | Path) else None


def _invalid(
    wrong: Sequence[Finding], events: Sequence[Event], model: str, path: str | None
) -> list[str]:
    lines = [f"no order of the operations explains this history of a {model}:"]
    for finding in wrong:
        lines.append(f"  {finding.checker}: {finding.sentence}")
        lines += [f"    {_shown(events[at])}" for at in finding.contradiction[:EVENTS_SHOWN]]
    if path is not None:
        lines.append(f"  all of it: {path}")
    return lines


def _shown(event: Event) -> str:
    key = "" if event.key is None else f" {event.key}"
    value = "" if event.value is None else f" {said(event.value)}"
    return f"event {event.index}: process {event.process} {event.type} {event.f}{key}{value}"
