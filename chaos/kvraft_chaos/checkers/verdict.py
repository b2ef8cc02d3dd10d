"""What a checker may say. A checker that ran out of time says so; it never guesses."""

from collections.abc import Iterable
from enum import Enum


class Verdict(Enum):
    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """One proven contradiction is enough; without one, one open question keeps it open."""
    given = set(verdicts)
    for verdict in (Verdict.INVALID, Verdict.UNKNOWN):
        if verdict in given:
            return verdict
    return Verdict.VALID
