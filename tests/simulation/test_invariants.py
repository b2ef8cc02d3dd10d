"""Each check convicts a history made by hand, and acquits its innocent neighbour."""

from dataclasses import dataclass, field

import pytest

from kvraft_chaos.simulation.invariants import Invariants


@dataclass
class Log:
    entries: list
    durable_index: int = 0
    first_index: int = 1

    @property
    def last_index(self):
        return self.first_index + len(self.entries) - 1

    def entry(self, index):
        at = index - self.first_index
        return self.entries[at] if 0 <= at < len(self.entries) else None

    def between(self, first, last):
        return [self.entry(index) for index in range(first, last + 1)]


@dataclass
class Node:
    name: str
    log: Log
    leads: bool = False
    term: int = 1
    commit_index: int = 0
    applied: list = field(default_factory=list)
    disk_lost: bool = False


def entries(*terms):
    return [(term, b"%d/%d" % (term, index)) for index, term in enumerate(terms, 1)]


def nodes(*logs, durable=None):
    return {
        name: Node(name, Log(list(log), len(log) if durable is None else durable))
        for name, log in zip("ABC", logs, strict=False)
    }


def kinds(cluster, *steps):
    """Observe nodes after each step and return what was reported."""
    checks = Invariants()
    for node in cluster.values():
        checks.process_started(node.name)
    for name, change in steps:
        for attribute, value in change.items():
            setattr(cluster[name], attribute, value)
        checks.observe(cluster[name], cluster)
    checks.sweep(cluster)
    return list(checks.violations)


LOG = entries(0, 1, 1)


@pytest.mark.parametrize(("term", "guilty"), [(1, True), (2, False)])
def test_two_leaders_in_one_term(term, guilty):
    found = kinds(
        nodes(LOG, LOG, LOG), ("A", {"leads": True}), ("B", {"leads": True, "term": term})
    )
    assert (found == ["election-safety"]) is guilty


@pytest.mark.parametrize(("durable", "guilty"), [(2, True), (3, False)])
def test_a_committed_entry_must_be_durable_on_a_majority(durable, guilty):
    cluster = nodes(LOG, LOG, LOG[:2])
    cluster["B"].log.durable_index = durable
    found = kinds(cluster, ("A", {"commit_index": 3}))
    assert (found == ["quorum-retention"]) is guilty


def test_a_lost_disk_is_not_held_against_the_cluster():
    cluster = nodes(LOG, [], LOG[:2])
    cluster["B"].disk_lost = True
    assert kinds(cluster, ("A", {"commit_index": 3})) == []


@pytest.mark.parametrize(
    ("committed_in", "term", "guilty"),
    [(1, 2, True), (1, 1, False), (3, 4, True), (3, 2, False)],
)
def test_a_leader_holds_what_older_terms_committed(committed_in, term, guilty):
    """The last: votes that were long on their way make a leader of a term that is over."""
    cluster = nodes(LOG, LOG, LOG[:2])
    commit = {"term": committed_in, "commit_index": 3}
    found = kinds(cluster, ("A", commit), ("C", {"leads": True, "term": term}))
    assert (found == ["leader-completeness"]) is guilty


def test_two_entries_committed_at_one_index():
    other = [*LOG[:2], (2, b"another")]
    found = kinds(nodes(LOG, LOG, other), ("A", {"commit_index": 3}), ("C", {"commit_index": 3}))
    assert found == ["state-machine-safety"]


@pytest.mark.parametrize(("applied", "guilty"), [([1, 3], True), ([1, 2], False), ([1], False)])
def test_different_orders_of_application(applied, guilty):
    found = kinds(nodes(LOG, LOG, LOG), ("A", {"applied": [1, 2]}), ("B", {"applied": applied}))
    assert (found == ["state-divergence"]) is guilty


def test_logs_that_differ_below_an_equal_entry():
    other = [LOG[0], (1, b"another"), LOG[2]]
    assert kinds(nodes(LOG, other, LOG)) == ["log-matching"]


@pytest.mark.parametrize(("index", "guilty"), [(3, True), (4, False)])
def test_dropping_a_committed_entry(index, guilty):
    log = [*LOG, (1, b"not committed")]
    cluster = nodes(log, log, log)
    checks = Invariants()
    for node in cluster.values():
        checks.process_started(node.name)
    cluster["A"].commit_index = 3
    checks.observe(cluster["A"], cluster)
    checks.cut(cluster["B"], index)
    assert (list(checks.violations) == ["truncates-committed"]) is guilty
