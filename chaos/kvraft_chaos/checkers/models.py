"""Histories judged by the name of a model: those of chaos runs, and of users' own programs."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from kvraft_chaos.checkers import accounts
from kvraft_chaos.checkers.bank import PREFIX as BANK
from kvraft_chaos.checkers.bank import check_bank
from kvraft_chaos.checkers.fences import check_fences
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.linearizability import check
from kvraft_chaos.checkers.locks import check_exclusion, check_tokens
from kvraft_chaos.checkers.model import Model
from kvraft_chaos.checkers.per_key import linearizability_findings, linearizable, ordered
from kvraft_chaos.checkers.register import STEPS
from kvraft_chaos.checkers.replay import check_replay
from kvraft_chaos.history import Event, HistoryError, operations

Judge = Callable[[Sequence[Event]], list[Finding]]

LOCK_WORDS = frozenset({"acquire", "release", "fenced_put", "check_fence", "hold"})
CHAOS_WORDS = frozenset({"grant", "keep_alive", "revoke", "log", "pause", "txn", "list"})
"""What workloads of chaos say beside, which their checkers read or have no use for."""


def judge(events: Sequence[Event], model: str | Model) -> list[Finding]:
    """Judge a history; HistoryError where it is none of that model."""
    if isinstance(model, str) and model not in JUDGES:
        raise HistoryError(f"there is no model {model!r}: {', '.join(JUDGES)}")
    operations(events)  # pairs them: what is no history is said first
    if isinstance(model, Model):
        return linearizability_findings(check(events, model=model))
    try:
        return JUDGES[model](events)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise HistoryError(f"this is no history of a {model}: {error!r}") from error


def not_judged(events: Sequence[Event], model: str) -> dict[str, int]:
    """Count the operations that the model has no word for: misspelt ones, maybe."""
    words = {
        "register": STEPS.keys() | CHAOS_WORDS,
        "bank": accounts.WORDS | CHAOS_WORDS,
        "lock": LOCK_WORDS | CHAOS_WORDS,
    }[model]
    asked = Counter(event.f for event in events if event.type == "invoke")
    return {f: times for f, times in sorted(asked.items()) if f not in words}


def _register(events: Sequence[Event]) -> list[Finding]:
    _some(events, STEPS.keys(), "register")
    return [*linearizable(events), ordered(events)]


def _bank(events: Sequence[Event]) -> list[Finding]:
    """In a user's own words, or as the workload of that name asks the store."""
    if any(event.f in accounts.WORDS for event in events):
        own = [event for event in events if event.f in accounts.WORDS]
        return linearizability_findings(check(own, model=accounts.MODEL))
    _some(events, {*accounts.WORDS, "txn", "list"}, "bank")
    return [check_replay(events, BANK), check_bank(events)]


def _lock(events: Sequence[Event]) -> list[Finding]:
    _some(events, LOCK_WORDS, "lock")
    worded = list(_with_tokens(events))
    findings = [check_exclusion(worded)]
    grants = [event for event in events if event.f == "acquire" and event.type == "ok"]
    if all(isinstance(_object(event.value).get("token"), int) for event in grants):
        findings.append(check_tokens(worded))
    if any(event.f == "fenced_put" for event in events):
        findings.append(check_fences(worded))
    return findings


def _with_tokens(events: Sequence[Event]) -> Iterator[Event]:
    """As the checkers of locks want it: whoever releases says which grant, and that it held it.

    A user's program may say no more than that it acquired and released: tokens are made up then.
    """
    made_up = count(1)
    held: dict[tuple[int, str | None], int] = {}
    for event in events:
        place, value = (event.process, event.key), _object(event.value)
        if event.f == "acquire" and event.type == "ok":
            held[place] = value.get("token") or next(made_up)
            yield replace(event, value={**value, "token": held[place]})
        elif event.f == "release" and event.type == "invoke":
            yield replace(event, value={"token": held.get(place, 0), **value})
        elif event.f == "release" and event.type == "ok":
            yield replace(event, value={"held": True, "released": True, **value})
        else:
            yield event


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _some(events: Sequence[Event], words: Any, model: str) -> None:
    if not any(event.f in words for event in events):
        raise HistoryError(f"no event is of a {model}: it says {', '.join(sorted(words))}")


JUDGES: dict[str, Judge] = {"register": _register, "bank": _bank, "lock": _lock}
"""By the names that `kvraft verify --model` takes."""
