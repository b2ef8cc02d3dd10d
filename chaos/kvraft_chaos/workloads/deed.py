"""What performing one kind of call takes, and the bounds of all calls."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from kvraft_chaos.workloads.script import Call

CALL_SECONDS = 2.0
"""Of one call, its repetitions included: longer than a node without a quorum needs to say so
(1.1 s), so that its word is heard, and short enough that a fault is met by many calls."""


@dataclass(frozen=True, slots=True)
class Deed:
    """How a call is asked of the client, and how its reply stands in the history."""

    ask: Callable[[Call], Awaitable[Any]]
    tell: Callable[[Any], Any]
    """The reply as JSON."""
    retold: bool = False
    """It is one mutation, and `tell` takes also what the store answers when asked what became of
    it: an unknown outcome is settled so."""
    reads: bool = False
    """Nothing is changed by it, so nothing about it can be unknown."""
