"""What a store on which one call comes after another does and answers: the specification.

Pure, and small enough to be read: calls and answers as `workloads.perform_keys` and `perform_txn`
say. Replay asks it what an answer had to be; a store in memory that performs scripts stands on it.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

Version = tuple[str, int]
"""A value, and the revision that wrote it."""
Writes = dict[str, str | None]
"""What a call leaves by key; None: deleted."""


class View(Protocol):
    """A store at one revision."""

    def get(self, key: str) -> Version | None:
        """What stands at a key; None: nothing."""

    def keys(self, prefix: str) -> Sequence[str]:
        """The keys that are there, in order."""


COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
WRITING_STEPS = {"put", "append", "add"}
"""Of a transaction: these write whatever stands there, a delete only where something does."""


class Refused(Exception):  # noqa: N818  (an answer, as in the client)
    """The store refuses such a call in this state, and changes nothing."""


class _Overlay:
    """A store at one revision, and what the call has written so far."""

    def __init__(self, view: View, revision: int) -> None:
        self._view, self._revision = view, revision
        self.writes: Writes = {}

    def get(self, key: str) -> Version | None:
        if key not in self.writes:
            return self._view.get(key)
        value = self.writes[key]
        return None if value is None else (value, self._revision)

    def entries(self, prefix: str) -> list[list[Any]]:
        written = {key for key in self.writes if key.startswith(prefix)}
        found = ((key, self.get(key)) for key in sorted({*self._view.keys(prefix), *written}))
        return [[key, *version] for key, version in found if version is not None]

    def delete(self, key: str) -> bool:
        if self.get(key) is None:
            return False
        self.writes[key] = None
        return True

    def change(self, key: str, kind: str, operand: Any) -> str:
        """Append or add; the new value."""
        old = self.get(key)
        if kind == "append":
            value = f"{old[0] if old else ''}{operand}"
        else:
            value = str(_number(old[0] if old else "0") + operand)
        self.writes[key] = value
        return value


def ask(view: View, f: str, key: str, argument: Any, revision: int) -> tuple[Writes, Any]:
    """What the call writes, at `revision` if anything, and the whole of its answer."""
    overlay = _Overlay(view, revision)
    answer = ANSWERS[f](overlay, key, argument or {}, revision)
    return overlay.writes, answer


def entry(version: Version | None) -> dict[str, Any]:
    """As a get answers it."""
    if version is None:
        return {"value": None}
    return {"value": version[0], "mod_revision": version[1]}


def _get(store: _Overlay, key: str, _argument: Any, _revision: int) -> Any:
    return entry(store.get(key))


def _list(store: _Overlay, key: str, _argument: Any, revision: int) -> Any:
    return {"entries": store.entries(key), "revision": revision}


def _put(store: _Overlay, key: str, argument: Any, revision: int) -> Any:
    store.writes[key] = argument["value"]
    return {"mod_revision": revision}


def _cas(store: _Overlay, key: str, argument: Any, revision: int) -> Any:
    found = store.get(key)
    if not _expected(found, argument["expect"]):
        return {"succeeded": False, "current": None if found is None else entry(found)}
    store.writes[key] = argument["value"]
    return {"succeeded": True, "mod_revision": revision}


def _delete(store: _Overlay, key: str, _argument: Any, revision: int) -> Any:
    return {"deleted": store.delete(key), "revision": revision}


def _update(store: _Overlay, key: str, argument: Any, revision: int) -> Any:
    value = ""
    for kind, operand in argument.items():
        value = store.change(key, kind, operand)
    return {"mod_revision": revision, "value": value}


def _txn(store: _Overlay, _key: str, argument: Any, revision: int) -> Any:
    succeeded = all(_holds(store, clause) for clause in argument.get("when", ()))
    steps = argument.get("then" if succeeded else "orelse", ())
    results = [_step(store, step) for step in steps]
    return {"succeeded": succeeded, "revision": revision, "results": results}


ANSWERS: Mapping[str, Callable[[_Overlay, str, Any, int], Any]] = {
    "get": _get,
    "list": _list,
    "put": _put,
    "cas": _cas,
    "delete": _delete,
    "update": _update,
    "txn": _txn,
}


def _expected(found: Version | None, expect: Mapping[str, Any]) -> bool:
    if "absent" in expect and expect["absent"] != (found is None):
        return False
    shown = entry(found)
    return all(shown.get(part) == expect[part] for part in expect if part != "absent")


def _holds(store: _Overlay, clause: Sequence[Any]) -> bool:
    """On an absent key `!=` is true and every other comparison false."""
    kind, key, *rest = clause
    found = store.get(key)
    if kind in {"absent", "exists"}:
        return bool(kind == "absent") is (found is None)
    comparison, operand = rest
    if found is None:
        return str(comparison) == "!="
    left = _number(found[0]) if kind == "number" else entry(found)[kind]
    return bool(COMPARISONS[comparison](left, operand))


def _step(store: _Overlay, step: Sequence[Any]) -> dict[str, Any]:
    match step:
        case ["get", key]:
            return entry(store.get(key))
        case ["list", prefix]:
            return {"entries": store.entries(prefix)}
        case ["put", key, value]:
            store.writes[key] = value
            return {}
        case ["delete", key]:
            return {"deleted": store.delete(key)}
        case [kind, key, operand] if kind in {"append", "add"}:
            return {"value": store.change(key, kind, operand)}
    raise Refused(f"no step: {step!r}")


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise Refused(f"{text!r} is no number") from error
