"""Money: the sum of all accounts never changes, none is overdrawn, and no transfer counts twice.

The judge reads the store's own log, revision by revision: what any reader could have seen at any
time. Of a history it also takes every count that a client made.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from kvraft_chaos.checkers.asked import Asked, asked
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.store_log import Change, final_log
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Event

NAME = "bank"
PREFIX = "bank/"
ACCOUNT = "bank/account/"
TRANSFER = "bank/transfer/"
PROBLEMS = 5
"""More are counted, not listed."""


@dataclass(slots=True)
class BankReport:
    """What the log came to."""

    revisions: int = 0
    transfers: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """VALID, or INVALID with problems."""
        return Verdict.INVALID if self.problems else Verdict.VALID

    def sentence(self) -> str:
        """One line for people."""
        found = "; ".join(self.problems[:PROBLEMS]) or "the sum never changed"
        return f"bank: {len(self.transfers)} transfers in {self.revisions} revisions: {found}"


def check_log(changes: Iterable[Change], opening: Mapping[str, int]) -> BankReport:
    """Replay the changes that follow the opening balances (by account key)."""
    report = BankReport()
    balances = dict(opening)
    total = sum(opening.values())
    for revision, group in groupby(changes, key=lambda change: change.revision):
        report.revisions += 1
        for change in group:
            key = change.key
            if key.startswith(ACCOUNT):
                balances[key] = int(change.value or 0)
                if balances[key] < 0:
                    report.problems.append(f"{key} is {balances[key]} at {revision}")
            elif key.startswith(TRANSFER):
                if key in report.transfers:
                    report.problems.append(f"{key} was made again at {revision}")
                report.transfers.add(key)
        now = sum(balances.values())
        if now != total:
            report.problems.append(f"the sum was {total} and is {now} at {revision}")
            total = now
    return report


def check_bank(events: Iterable[Event]) -> Finding:
    """Judge the counts of a history, and its final log where it has one."""
    calls = [call for call in asked(events) if call.key.startswith(PREFIX)]
    opening = next(filter(None, map(_opening, calls)), None)
    if opening is None:
        return Finding(NAME, Verdict.UNKNOWN, "unknown: no accounts were opened")
    counts = 0
    for call, balances in _counts(calls, opening):
        counts += 1
        wrong = _wrong(balances, sum(opening.values()))
        if wrong is not None:
            words = f"invalid: event {call.indexes[-1]} shows {wrong}"
            return Finding(NAME, Verdict.INVALID, words, contradiction=call.indexes)
    log = final_log(calls, PREFIX)
    if log is None:
        return Finding(NAME, Verdict.UNKNOWN, f"unknown: {counts} counts are right; no final log")
    opened = log[0].revision if log else 0
    report = check_log((change for change in log if change.revision > opened), opening)
    sentence = f"{report.verdict.value}: {counts} counts are right; {report.sentence()}"
    return Finding(NAME, report.verdict, sentence)


def _opening(call: Asked) -> dict[str, int] | None:
    """The balances that a call opens all accounts with."""
    if call.f != "txn":
        return None
    steps = call.argument.get("then", ())
    puts = {step[1]: int(step[2]) for step in steps if step[0] == "put" and _is_account(step[1])}
    return puts if len(puts) == len(steps) else None


def _is_account(key: str) -> bool:
    return key.startswith(ACCOUNT)


def _counts(
    calls: Iterable[Asked], opening: Mapping[str, int]
) -> Iterator[tuple[Asked, dict[str, int]]]:
    """Every answer that shows all accounts at one time."""
    for call in calls:
        if not call.is_ok:
            continue
        if call.f == "list" and call.key == ACCOUNT:
            yield call, {key: int(value) for key, value, _ in call.result["entries"]}
        elif call.f == "txn" and "results" in call.result:
            steps = call.argument.get("then", ())
            if [step[1] for step in steps if step[0] == "get"] == [*opening]:
                balances = (int(each["value"] or 0) for each in call.result["results"])
                yield call, dict(zip(opening, balances, strict=False))


def _wrong(balances: Mapping[str, int], total: int) -> str | None:
    if sum(balances.values()) != total:
        return f"a sum of {sum(balances.values())} instead of {total}"
    overdrawn = [key for key, money in balances.items() if money < 0]
    return f"{overdrawn[0]} overdrawn" if overdrawn else None
