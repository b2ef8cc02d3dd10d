"""One leader a term, from status polls and from logs; guilty and innocent."""

from kvraft_chaos.checkers.leaders import LeaderFact, check_leaders, facts_in_log
from kvraft_chaos.checkers.verdict import Verdict, worst


def test_one_leader_a_term_is_valid():
    facts = [LeaderFact("n1", 1, "poll"), LeaderFact("n1", 1, "log"), LeaderFact("n2", 3, "poll")]
    report = check_leaders(facts)
    assert report.verdict is Verdict.VALID
    assert report.leaders == {1: ("n1",), 3: ("n2",)}
    assert report.sentence() == "valid: leaders by term 1: n1, 3: n2"


def test_one_node_may_lead_in_two_terms():
    facts = [LeaderFact("n1", 1, "poll"), LeaderFact("n1", 2, "poll")]
    assert check_leaders(facts).verdict is Verdict.VALID


def test_two_leaders_in_one_term_are_convicted_with_the_evidence():
    facts = [LeaderFact("n1", 4, "n1.log:7"), LeaderFact("n2", 4, "poll"), LeaderFact("n3", 5, "x")]
    report = check_leaders(facts)
    assert report.verdict is Verdict.INVALID
    assert {fact.source for fact in report.contradictions} == {"n1.log:7", "poll"}
    assert "n1 in 4: n1.log:7" in report.sentence()


def test_no_leader_at_all_proves_nothing():
    report = check_leaders([])
    assert report.verdict is Verdict.UNKNOWN
    assert report.sentence() == "unknown: nobody was seen leading"


def test_the_worst_verdict_leads():
    assert worst([]) is Verdict.VALID
    assert worst([Verdict.VALID, Verdict.UNKNOWN]) is Verdict.UNKNOWN
    assert worst([Verdict.UNKNOWN, Verdict.INVALID, Verdict.VALID]) is Verdict.INVALID


def test_a_nodes_log_tells_the_terms_it_led():
    lines = [
        "2026-11-21 08:00:00,000 n2 INFO follows n1 in term 6\n",
        "2026-11-21 08:00:01,000 n2 INFO leads term 7: n1 was not heard for 0.9 s\n",
        "2026-11-21 08:00:02,000 n2 INFO has no leader in term 8: n3 leads term 8\n",
    ]
    (fact,) = facts_in_log("n2", lines)
    assert (fact.node, fact.term) == ("n2", 7)
    assert fact.source.startswith("line 2 of its log: 2026-11-21 08:00:01")
