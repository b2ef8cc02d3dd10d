"""Delta debugging: the fewest faults that still give the same kind of violation.

Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, TSE 2002 (ddmin). It works
because every part of a run draws from a stream of its own: a fault removed leaves the rest alone.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

RUNS_MAX = 60
"""Runs that one failure is worth: most plans have a dozen faults, and need about thirty."""


def ddmin(
    items: Sequence[T], fails: Callable[[list[T]], bool], runs_max: int = RUNS_MAX
) -> list[T]:
    """Return a subsequence of `items` for which `fails` holds; of `items` it is known to hold.

    No single item can be left out of it, unless `runs_max` calls of `fails` did not suffice.
    """
    kept, parts, runs = list(items), 2, 0
    if runs_max and fails([]):
        return []
    while len(kept) > 1 and runs < runs_max:
        size = -(-len(kept) // parts)
        for start in range(0, len(kept), size):
            rest = kept[:start] + kept[start + size :]
            runs += 1
            if fails(rest):
                kept, parts = rest, max(parts - 1, 2)
                break
            if runs >= runs_max:
                break
        else:
            if parts >= len(kept):
                break
            parts = min(2 * parts, len(kept))
    return kept
