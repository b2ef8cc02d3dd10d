"""Money: the sum of all accounts never changes, none is overdrawn, and no transfer counts twice.

The judge reads the store's own history, revision by revision (a watch): what any reader could have
seen at any time, and not only what some client happened to read.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

from kvraft_chaos.checkers.verdict import Verdict
from kvraft_client import Event

ACCOUNT = b"account/"
TRANSFER = b"transfer/"
PROBLEMS = 5
"""More are counted, not listed."""


@dataclass(slots=True)
class BankReport:
    """What the history came to."""

    revisions: int = 0
    transfers: set[bytes] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """VALID, or INVALID with problems."""
        return Verdict.INVALID if self.problems else Verdict.VALID

    def sentence(self) -> str:
        """One line for people."""
        found = "; ".join(self.problems[:PROBLEMS]) or "the sum never changed"
        return f"bank: {len(self.transfers)} transfers in {self.revisions} revisions: {found}"


def check_bank(events: Iterable[Event], opening: dict[bytes, int]) -> BankReport:
    """Replay the events that follow the opening balances (by account key)."""
    report = BankReport()
    balances = dict(opening)
    total = sum(opening.values())
    for revision, group in groupby(events, key=lambda event: event.revision):
        report.revisions += 1
        for event in group:
            key = event.key
            if key.startswith(ACCOUNT):
                balances[key] = 0 if event.type == "delete" else int(event.entry.value)
                if balances[key] < 0:
                    report.problems.append(f"{key.decode()} is {balances[key]} at {revision}")
            elif key.startswith(TRANSFER):
                if key in report.transfers:
                    report.problems.append(f"{key.decode()} was made again at {revision}")
                report.transfers.add(key)
        now = sum(balances.values())
        if now != total:
            report.problems.append(f"the sum was {total} and is {now} at {revision}")
            total = now
    return report
