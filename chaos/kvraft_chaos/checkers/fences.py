"""Fenced writes: accepted with the newest token of their lock only, and with it always."""

from collections.abc import Iterable, Mapping, Sequence

from kvraft_chaos.checkers.asked import Asked, asked
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.locks import holdings
from kvraft_chaos.checkers.store_log import contradicted, final_log, revisions_of_values, writes
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Event

NAME = "fences"
Place = tuple[str, int]
"""A lock's name and a token of it."""


def check_fences(events: Iterable[Event]) -> Finding:
    """Judge by revisions, by what each client knew when it wrote, and by what was refused."""
    calls = asked(events)
    fenced = [call for call in calls if call.f == "fenced_put"]
    if not fenced:
        return Finding(NAME, Verdict.UNKNOWN, "nothing was written under a fence")
    return (
        _out_of_order(calls, fenced)
        or _accepted_after_its_end(calls)
        or _refused_while_held(calls)
        or _not_as_logged(calls)
        or _as_promised(fenced)
    )


def _as_promised(fenced: Sequence[Asked]) -> Finding:
    accepted = sum(call.is_ok for call in fenced)
    stale = sum(call.failed_with("STALE_FENCE") for call in fenced)
    sentence = f"{accepted} fenced writes accepted, {stale} refused for a stale token, all rightly"
    return Finding(NAME, Verdict.VALID, sentence)


def _not_as_logged(calls: Sequence[Asked]) -> Finding | None:
    """The log has what was accepted, and nothing that was refused, or that nobody sent."""
    for prefix in dict.fromkeys(call.key for call in calls if call.f == "log"):
        log = final_log(calls, prefix)
        below = [write for write in writes(calls) if write.key.startswith(prefix)]
        wrong = None if log is None else contradicted(NAME, below, log)
        if wrong is not None:
            return wrong
    return None


def _out_of_order(calls: Sequence[Asked], fenced: Iterable[Asked]) -> Finding | None:
    """In the order of revisions the tokens of a lock never go back, unknown writes included."""
    logged = revisions_of_values(calls)
    applied: list[tuple[int, Asked]] = []
    for call in fenced:
        revision = logged.get((call.key, call.argument.get("value", "")))
        if call.is_ok:
            revision = call.result.get("mod_revision")
        if revision is not None:
            applied.append((revision, call))
    newest: dict[str, Asked] = {}
    for revision, call in sorted(applied, key=lambda each: each[0]):
        name, token = _place(call)
        before = newest.get(name)
        if before is not None and token < _place(before)[1]:
            sentence = (
                f"revision {revision} of {call.key} was written with token {token} of {name}, "
                f"after a write with token {_place(before)[1]}: a stale token was accepted"
            )
            return _invalid(sentence, name, before, call)
        newest[name] = call
    return None


def _accepted_after_its_end(calls: Sequence[Asked]) -> Finding | None:
    """Once somebody was told that a token holds no more, or has a newer one, it never does."""
    newest: dict[str, Asked] = {}
    over: dict[Place, Asked] = {}
    ends = sorted((call for call in calls if call.end is not None), key=lambda c: c.ended_index)
    answers = iter(ends)
    answered = next(answers, None)
    logged = revisions_of_values(calls)
    for call in calls:  # by their invokes
        while answered is not None and answered.ended_index < call.invoke.index:
            _learn(answered, newest, over)
            answered = next(answers, None)
        if not _accepted(call, logged):
            continue
        name, token = _place(call)
        ended_by = over.get((name, token))
        grant = newest.get(name)
        if ended_by is None and grant is not None and grant.result["token"] > token:
            ended_by = grant
        if ended_by is not None:
            sentence = (
                f"token {token} of {name} was accepted (event {call.indexes[-1]}) after event "
                f"{ended_by.ended_index} showed that it holds no more"
            )
            return _invalid(sentence, name, ended_by, call)
    return None


def _accepted(call: Asked, logged: Mapping[tuple[str, str], int]) -> bool:
    """Whether the token was taken for valid, by the answer, or by the log where there was none."""
    if call.f == "check_fence":
        return call.is_ok and bool(call.result["held"])
    in_log = (call.key, call.argument.get("value", "")) in logged
    return call.f == "fenced_put" and (call.is_ok or (call.is_unknown and in_log))


def _learn(call: Asked, newest: dict[str, Asked], over: dict[Place, Asked]) -> None:
    if call.f == "acquire" and call.is_ok:
        before = newest.get(call.key)
        if before is None or call.result["token"] > before.result["token"]:
            newest[call.key] = call
    elif _says_over(call):
        over.setdefault(_place(call), call)


def _refused_while_held(calls: Sequence[Asked]) -> Finding | None:
    """Nobody is refused while it may count on its lock."""
    refusals: dict[Place, Asked] = {}
    for call in calls:
        if call.f in ("fenced_put", "check_fence") and _says_over(call):
            refusals.setdefault(_place(call), call)
    for holding in holdings(calls):
        refusal = refusals.get((holding.name, holding.token))
        if refusal is not None and refusal.ended_ns < holding.until_ns:
            early_ms = (holding.until_ns - refusal.ended_ns) / 1_000_000
            sentence = (
                f"token {holding.token} of {holding.name} was refused (event "
                f"{refusal.ended_index}) at least {early_ms:.0f} ms before its time was over"
            )
            return _invalid(sentence, holding.name, holding.acquire, holding.witness, refusal)
    return None


def _says_over(call: Asked) -> bool:
    match call.f:
        case "fenced_put":
            return call.failed_with("STALE_FENCE")
        case "check_fence":
            return call.is_ok and not call.result["held"]
        case "release":  # released by it, or not held any more: an answer either way
            return call.is_ok and call.result["released"] is not None
    return False


def _place(call: Asked) -> Place:
    return call.argument.get("lock", call.key), call.argument["token"]


def _invalid(sentence: str, name: str, *calls: Asked) -> Finding:
    indexes = tuple(dict.fromkeys(index for call in calls for index in call.indexes))
    return Finding(NAME, Verdict.INVALID, sentence, name, indexes)
