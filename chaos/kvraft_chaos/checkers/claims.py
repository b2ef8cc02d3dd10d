"""What a call on keys claims by its answer, as `sequential` says what it had to be."""

from typing import Any

from kvraft_chaos.checkers.asked import Asked
from kvraft_chaos.checkers.sequential import WRITING_STEPS


def wrote(call: Asked) -> bool:
    """Whether an acknowledged call says that it changed something."""
    result = call.result
    if call.f == "txn":
        steps = call.argument.get("then" if result["succeeded"] else "orelse", ())
        if any(step[0] in WRITING_STEPS for step in steps):
            return True
        deletes = any(step[0] == "delete" for step in steps)
        return deletes and any(each.get("deleted") for each in result["results"])
    if call.f in {"cas", "delete"}:
        return bool(result["succeeded" if call.f == "cas" else "deleted"])
    return call.f in {"put", "update"}


def revision_of(call: Asked) -> int | None:
    """Where it says that it was decided, or that it wrote."""
    if call.f in {"txn", "delete", "list"}:
        return call.result.get("revision")
    return call.result.get("mod_revision") if wrote(call) else None


def shown_revision(call: Asked) -> int:
    """The newest revision that the answer to a read shows."""
    result = call.result
    shown = [each.get("mod_revision") for each in (result, result.get("current") or {})]
    shown += [row[2] for row in result.get("entries", ())]
    return max((int(revision) for revision in shown if revision is not None), default=0)


def written_keys(call: Asked) -> set[str]:
    """Every key that it may write."""
    if call.f != "txn":
        return set() if call.f in {"get", "list"} else {call.key}
    steps = [*call.argument.get("then", ()), *call.argument.get("orelse", ())]
    return {step[1] for step in steps if step[0] not in {"get", "list"}}


def agrees(told: Any, right: Any) -> bool:
    """Whether all that was told is right; what was left out constrains nothing."""
    if told == right:
        return True
    if isinstance(told, dict) and isinstance(right, dict):
        return all(part in right and agrees(told[part], right[part]) for part in told)
    if isinstance(told, list) and isinstance(right, list):
        return len(told) == len(right) and all(map(agrees, told, right))
    return False
