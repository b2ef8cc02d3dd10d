"""A quota in regions: the parts are always the total, and every spend counts once."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

from kvraft_chaos.checkers.asked import Asked, asked
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.store_log import Change, final_log
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Event

NAME = "quota"


def check_quota(events: Iterable[Event], prefix: str, total: int) -> Finding:
    """Replay `PREFIX/pool`, `PREFIX/shares/REGION` and `PREFIX/spent/REGION`."""
    calls = asked(events)
    log = final_log(calls, f"{prefix}/")
    if log is None:
        return Finding(NAME, Verdict.UNKNOWN, "the store's log of the quota was not read")
    fault = _wrong_sum(log, total)
    if fault is not None:
        return Finding(NAME, Verdict.INVALID, fault, prefix)
    spends = [call for call in calls if call.f == "quota_spend" and call.key == prefix]
    for region in sorted({call.argument["region"] for call in spends}):
        there = [call for call in spends if call.argument["region"] == region]
        fault = _otherwise(f"{prefix}/spent/{region}", there, log)
        if fault is not None:
            return Finding(NAME, Verdict.INVALID, f"region {region}: {fault}", prefix)
    done = sum(call.is_ok and call.result["spent"] for call in spends)
    sentence = f"{done} of {len(spends)} spends done, each counts once; the sum is always {total}"
    return Finding(NAME, Verdict.VALID, sentence)


def _wrong_sum(log: Sequence[Change], total: int) -> str | None:
    parts: dict[str, int] = {}
    for revision, together in groupby(log, key=lambda change: change.revision):
        parts |= {change.key: int(change.value or 0) for change in together}
        if sum(parts.values()) != total or min(parts.values()) < 0:
            return f"the parts are {parts} at revision {revision}, the total is {total}"
    return None


def _otherwise(key: str, spends: Sequence[Asked], log: Sequence[Change]) -> str | None:
    """Amounts that were spent but not told as spent, or told but not spent."""
    values = [0, *(int(change.value or 0) for change in log if change.key == key)]
    counted = Counter(after - before for before, after in pairwise(values))
    told = Counter(
        call.argument["amount"] for call in spends if call.is_ok and call.result["spent"]
    )
    unknown = Counter(call.argument["amount"] for call in spends if call.is_unknown)
    lost, doubled = told - counted, counted - told - unknown
    if lost:
        return f"amounts {sorted(lost.elements())} were spent as told, and count nowhere"
    if doubled:
        return f"amounts {sorted(doubled.elements())} count, and nobody was told so"
    return None
