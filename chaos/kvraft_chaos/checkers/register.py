"""The specification of one key: a register whose every write has a revision (etcd's mod_revision).

Arguments and results of operations, as JSON (every part may be missing; a missing part constrains
nothing, so that histories of registers without revisions are judged too):

    get                                       -> {"value": v | null, "mod_revision": r}
    put    {"value": v}                       -> {"mod_revision": r}
    cas    {"value": v, "expect": {...}}      -> {"succeeded": true, "mod_revision": r}
                                              or {"succeeded": false, "current": as of a get}
    delete                                    -> {"deleted": true | false, "revision": r}

`expect` holds one or more of "absent": true, "value", "mod_revision". `current` null: absent.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, cast

from kvraft_chaos.checkers import model
from kvraft_chaos.history import HistoryError, Operation

ABSENT = None


class Register(NamedTuple):
    """State of the key. An unknown write leaves its revision open until somebody sees it."""

    value: str | None = ABSENT
    revision: int | None = 0
    """mod_revision of the value, 0 while absent; None: at least `floor`, not known more closely."""
    floor: int = 0
    """Every later change of this key has a revision above this."""

    def __str__(self) -> str:
        if self.value is ABSENT:
            return "nothing"
        return repr(self.value) + (f" at revision {self.revision}" if self.revision else "")


INITIAL = Register()

Step = Callable[[Register], Register | None]
"""The state after the operation took effect there, or None where it cannot have."""


def bound(state: Register, revision: int | None) -> Register | None:
    """The state, given that its revision was seen to be this one (None: was not seen)."""
    if revision is None or revision == state.revision:
        return state
    if state.revision is not None or revision < state.floor:
        return None
    return Register(state.value, revision, revision)


def observed(state: Register, value: str | None, revision: int | None) -> Register | None:
    if state.value != value:
        return None
    return state if value is ABSENT else bound(state, revision)


def written(state: Register, value: str | None, revision: int | None) -> Register | None:
    """The state after a change at this revision (None: at some revision above)."""
    if revision is not None and revision <= state.floor:
        return None
    floor = state.floor + 1 if revision is None else revision
    return Register(value, 0 if value is ABSENT else revision, floor)


def matched(state: Register, expect: dict[str, Any]) -> Register | None:
    """The state, given that the expectation held in it; None where it cannot have held."""
    if "absent" in expect and expect["absent"] != (state.value is ABSENT):
        return None
    if "value" in expect and (state.value is ABSENT or state.value != expect["value"]):
        return None
    if "mod_revision" in expect:
        return None if state.value is ABSENT else bound(state, expect["mod_revision"])
    return state


def refuses(state: Register, expect: dict[str, Any]) -> bool:
    """Whether the expectation may have failed in this state."""
    held = matched(state, expect)
    return held is None or held != state


def step_of(operation: Operation) -> Step:
    """What the operation does to a state.

    An unknown one has a step only for the case that it changed something: where it changed nothing,
    it need not be placed at all.
    """
    make = STEPS.get(operation.f)
    if make is None:
        raise HistoryError(
            f"event {operation.invoked}: a register knows no operation {operation.f!r}"
        )
    try:
        return make(operation.argument or {}, operation.result or {}, operation.completed is None)
    except (KeyError, TypeError) as error:
        raise HistoryError(
            f"event {operation.invoked}: malformed {operation.f}: {error!r}"
        ) from error


def _get(_argument: dict[str, Any], result: dict[str, Any], _unknown: bool) -> Step:  # noqa: FBT001
    value, revision = result.get("value"), result.get("mod_revision")
    return lambda state: observed(state, value, revision)


def _put(argument: dict[str, Any], result: dict[str, Any], _unknown: bool) -> Step:  # noqa: FBT001
    value, revision = argument["value"], result.get("mod_revision")
    return lambda state: written(state, value, revision)


def _delete(_argument: dict[str, Any], result: dict[str, Any], unknown: bool) -> Step:  # noqa: FBT001
    revision = result.get("revision")

    def deletes(state: Register) -> Register | None:
        return None if state.value is ABSENT else written(state, ABSENT, revision)

    def deletes_nothing(state: Register) -> Register | None:
        return state if state.value is ABSENT else None

    return deletes if unknown or result.get("deleted", True) else deletes_nothing


def _cas(argument: dict[str, Any], result: dict[str, Any], unknown: bool) -> Step:  # noqa: FBT001
    value, expect, revision = argument["value"], argument["expect"], result.get("mod_revision")

    def swaps(state: Register) -> Register | None:
        held = matched(state, expect)
        return None if held is None else written(held, value, revision)

    def refused(state: Register) -> Register | None:
        seen: Register | None = state
        if "current" in result:
            current = result["current"] or {}
            seen = observed(state, current.get("value"), current.get("mod_revision"))
        return seen if seen is not None and refuses(seen, expect) else None

    return swaps if unknown or result["succeeded"] else refused


def observes(operation: Operation) -> bool:
    """A get, and what was refused. One that learns an open revision narrows the state, and is not
    taken for an observer there: the search compares.
    """
    result = operation.result or {}
    return operation.f == "get" or False in (result.get("succeeded"), result.get("deleted"))


def rank(operation: Operation) -> int | None:
    """The revision of the key that the answer shows: `floor` is at least that from then on."""
    result = operation.result or {}
    if operation.f == "delete":
        revision = result.get("revision") if result.get("deleted") else None
    elif result.get("succeeded") is False:
        revision = (result.get("current") or {}).get("mod_revision")
    else:
        revision = result.get("mod_revision")
    return revision or None  # 0: absent, at whatever revision


STEPS: dict[str, Callable[[dict[str, Any], dict[str, Any], bool], Step]] = {
    "get": _get,
    "put": _put,
    "delete": _delete,
    "cas": _cas,
}


def placeable(operations: Iterable[Operation]) -> list[Operation]:
    """Leave out unknown operations that no linearization needs, which spares the search.

    An unknown read constrains nothing. An unknown write whose value no answer and no expectation
    ever shows can be taken out of any linearization: whoever ran after it overwrote it unseen. Only
    where somebody learns of a write without its value (a delete that found something, a refusal
    that does not say why, an expected revision of nobody knows what) it may be needed.
    """
    given = list(operations)
    shown, blind = _shown_values(given)
    return [
        operation
        for operation in given
        if operation.completed is not None
        or (
            operation.f != "get"
            and (blind or operation.f == "delete" or operation.argument["value"] in shown)
        )
    ]


def _shown_values(operations: Iterable[Operation]) -> tuple[set[str | None], bool]:
    """Every value that somebody saw or expected, and whether a write may be seen without it."""
    values: set[str | None] = set()
    known_revisions: set[int | None] = {None}
    expected_revisions: set[int | None] = set()
    blind = False
    for operation in operations:
        result = operation.result or {}
        expect = (operation.argument or {}).get("expect") or {}
        current = result.get("current") or {}
        values.update((result.get("value"), current.get("value"), expect.get("value")))
        known_revisions.update((result.get("mod_revision"), current.get("mod_revision")))
        expected_revisions.add(expect.get("mod_revision"))
        refused_blindly = result.get("succeeded") is False and "current" not in result
        blind |= operation.f == "delete" or refused_blindly
    return values, blind or not expected_revisions <= known_revisions


MODEL = model.Model(
    "register",
    INITIAL,
    cast("Callable[[Operation], model.Step]", step_of),  # asked only about states of its own
    observes,
    placeable,
    rank,
)
