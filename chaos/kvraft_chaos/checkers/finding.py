"""What one checker says of one history."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kvraft_chaos.checkers.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict, with what a reader needs to see why."""

    checker: str
    verdict: Verdict
    sentence: str
    """One line for people; names the first contradiction where there is one."""
    key: str | None = None
    contradiction: Sequence[int] = ()
    """Indexes of the events that no legal order explains: the first contradiction."""
    prefix: Sequence[int] = ()
    """Indexes of the invokes of the longest legal order before it, in that order."""

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "verdict": self.verdict.value}
