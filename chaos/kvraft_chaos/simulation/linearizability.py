"""Is the history of one register linearizable? Wing and Gong's search with memoisation (Lowe)."""

from dataclasses import dataclass

STEPS_MAX = 50_000
"""Search steps before the answer is "unknown": histories here are short, so this is generous."""


@dataclass(slots=True)
class Operation:
    """One client operation; `returned` None: unknown, it may take effect later or never."""

    invoked: float
    kind: str
    """read, write or cas."""
    expected: str | None = None
    value: str | None = None
    returned: float | None = None
    result: object = None
    """A read's value; a compare-and-set's success."""


def _after(operation: Operation, state: str | None) -> tuple[bool, str | None]:
    """Whether the operation may happen in `state`, and the state behind it."""
    if operation.kind == "read":
        return operation.returned is not None and operation.result == state, state
    if operation.kind == "write":
        return True, operation.value
    swapped = state == operation.expected
    if operation.returned is not None and operation.result != swapped:
        return False, state
    return True, operation.value if swapped else state


def check_register(history: list[Operation], steps_max: int = STEPS_MAX) -> bool | None:
    """True or False; None where the search ran out of steps. The register starts absent (None)."""
    operations = sorted(history, key=lambda each: each.invoked)
    required = sum(1 << i for i, each in enumerate(operations) if each.returned is not None)
    seen: set[tuple[int, str | None]] = set()
    stack: list[tuple[int, str | None]] = [(0, None)]
    while stack:
        done, state = stack.pop()
        if done & required == required:
            return True
        if (done, state) in seen:
            continue
        seen.add((done, state))
        if len(seen) > steps_max:
            return None
        stack.extend(_successors(operations, done, state))
    return False


def _successors(
    operations: list[Operation], done: int, state: str | None
) -> list[tuple[int, str | None]]:
    open_ones = [(i, each) for i, each in enumerate(operations) if not done >> i & 1]
    bound = min((each.returned for _, each in open_ones if each.returned is not None), default=None)
    found = []
    for i, each in reversed(open_ones):
        if bound is not None and each.invoked > bound:
            continue
        possible, after = _after(each, state)
        if possible:
            found.append((done | 1 << i, after))
    return found
