"""Calls with their answers and their times, failures included, as the timed checkers need them.

A call took its effect, if any, at one moment between `sent_ns` and `ended_ns`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kvraft_chaos.history import Event


@dataclass(frozen=True, slots=True)
class Asked:
    """An invoke and what came of it; no `end`: nobody ever heard."""

    invoke: Event
    end: Event | None

    @property
    def f(self) -> str:
        return self.invoke.f

    @property
    def key(self) -> str:
        return self.invoke.key or ""

    @property
    def argument(self) -> dict[str, Any]:
        return self.invoke.value or {}

    @property
    def result(self) -> dict[str, Any]:
        """Of one that is ok; empty where it is no object."""
        value = None if self.end is None else self.end.value
        return value if isinstance(value, dict) else {}

    @property
    def is_ok(self) -> bool:
        return self.end is not None and self.end.type == "ok"

    @property
    def is_unknown(self) -> bool:
        return self.end is None or self.end.type == "info"

    @property
    def sent_ns(self) -> int:
        return self.invoke.time_ns

    @property
    def ended_ns(self) -> int:
        """When the answer came; only of one that ended."""
        assert self.end is not None
        return self.end.time_ns

    @property
    def ended_index(self) -> int:
        assert self.end is not None
        return self.end.index

    @property
    def indexes(self) -> tuple[int, ...]:
        """Of its events."""
        return (self.invoke.index,) if self.end is None else (self.invoke.index, self.end.index)

    def follows(self, other: "Asked") -> bool:
        """Whether it began after the other one had ended."""
        return other.end is not None and other.end.index < self.invoke.index

    def failed_with(self, reason: str) -> bool:
        """Whether the store refused it for this reason."""
        return self.end is not None and self.end.type == "fail" and reason in (self.end.error or "")


def asked(events: Iterable[Event]) -> list[Asked]:
    """Pair every invoke with its end, in order of the invokes."""
    found: dict[int, Asked] = {}
    pending: dict[int, int] = {}
    for event in events:
        if event.type == "invoke":
            pending[event.process] = event.index
            found[event.index] = Asked(event, None)
        elif event.process in pending:
            index = pending.pop(event.process)
            found[index] = Asked(found[index].invoke, event)
    return list(found.values())
