"""Election safety: at most one node leads in a term (Raft, figure 3)."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from kvraft_chaos.checkers.verdict import Verdict


@dataclass(frozen=True, slots=True)
class LeaderFact:
    """Somebody saw this node lead in this term."""

    node: str
    term: int
    source: str
    """Where it was seen: a line of a log, a status poll."""


LOGGED = re.compile(r"(?:^|\bINFO )leads term (\d+)\b")
"""The line that a node logs when it begins to lead, and no line in which it says that of another:
"has no leader in term 7: n1 leads term 7"."""


def facts_in_log(node: str, lines: Iterable[str]) -> list[LeaderFact]:
    """Every term that the node says, in its own log, it led."""
    return [
        LeaderFact(node, int(found[1]), f"line {number} of its log: {line.strip()}")
        for number, line in enumerate(lines, 1)
        if (found := LOGGED.search(line)) is not None
    ]


@dataclass(frozen=True, slots=True)
class LeaderReport:
    verdict: Verdict
    leaders: dict[int, tuple[str, ...]]
    """Term -> every node that led in it."""
    contradictions: tuple[LeaderFact, ...] = ()

    def sentence(self) -> str:
        """One line for people."""
        if self.verdict is Verdict.UNKNOWN:
            return "unknown: nobody was seen leading"
        terms = ", ".join(f"{term}: {'+'.join(nodes)}" for term, nodes in self.leaders.items())
        words = f"{self.verdict.value}: leaders by term {terms}"
        return "\n  ".join(
            [words, *(f"{f.node} in {f.term}: {f.source}" for f in self.contradictions)]
        )


def check_leaders(facts: Iterable[LeaderFact]) -> LeaderReport:
    """Invalid where two nodes led in one term; unknown where no leader was seen at all."""
    by_term: dict[int, dict[str, LeaderFact]] = defaultdict(dict)
    for fact in facts:
        by_term[fact.term].setdefault(fact.node, fact)
    if not by_term:
        return LeaderReport(Verdict.UNKNOWN, {})
    guilty = [fact for seen in by_term.values() if len(seen) > 1 for fact in seen.values()]
    leaders = {term: tuple(sorted(by_term[term])) for term in sorted(by_term)}
    return LeaderReport(Verdict.INVALID if guilty else Verdict.VALID, leaders, tuple(guilty))
