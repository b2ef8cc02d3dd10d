"""Watches: a gap, a repeat, another order, another value and no progress convict."""

import pytest
from unit.chaos.story import Story

from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.checkers.watches import check_watches
from kvraft_chaos.history import HistoryError

A, B = "watch/0", "watch/1"
LOG = [(2, A, "a"), (3, B, "b"), (5, A, "c"), (5, B, "d"), (6, A, None)]


def written():
    story = Story()
    for revision, key, value in (LOG[0], LOG[1]):
        put = story.send("put", key, value=value)
        story.end(put, "ok", {"mod_revision": revision})
    txn = story.send("txn", then=[["put", A, "c"], ["put", B, "d"]])
    story.end(txn, "ok", {"succeeded": True, "revision": 5, "results": [{}, {}]})
    return story


def watched(story, begins, through, *events, key="watch/", asked=..., **argument):
    argument = {"from_": begins if asked is ... else asked, "events": 1, "ms": 500, **argument}
    watch = story.send("watch", key, **argument)
    rows = [list(event) for event in events]
    story.end(watch, "ok", {"from": begins, "events": rows, "through": through})


def verdict(story, log=LOG):
    if log is not None:
        story.log("watch/", *log)
    finding = check_watches(story.events, "watch/")
    return finding.verdict, finding.sentence


def test_answers_that_are_the_log_are_valid():
    story = written()
    watched(story, 1, 2, LOG[0])
    watched(story, 3, 4, LOG[1])
    watched(story, 5, 9, *LOG[2:])
    watched(story, 10, 9)
    watched(story, 3, 5, LOG[1], LOG[3], key=B)
    assert verdict(story) == (
        Verdict.VALID,
        "7 events in 5 answers, all as the log has them, none missing",
    )


@pytest.mark.parametrize(
    ("begins", "through", "events", "word"),
    [
        (1, 3, [LOG[1]], "revision 2 of watch/0 is missing"),
        (1, 4, [LOG[0]], "revision 3 of watch/1 is missing"),
        (5, 5, [LOG[2]], "revision 5 of watch/1 is missing"),
        (6, 9, [], "revision 6 of watch/0 is missing"),
        (1, 3, [LOG[0], LOG[0], LOG[1]], "came twice"),
        (1, 3, [LOG[1], LOG[0]], "out of order"),
        (3, 3, [LOG[0], LOG[1]], "it is from before 3"),
        (1, 2, [LOG[0], LOG[1]], "stands at 2 only"),
        (1, 2, [(2, A, "x")], "came with 'x', the log has 'a'"),
        (6, 6, [(6, A, "x")], "came with 'x', the log has None"),
        (1, 2, [LOG[0], (2, B, "x")], "is not in the log"),
        (5, 5, [LOG[3], LOG[2]], "in another order"),
    ],
)
def test_an_answer_that_is_not_the_log_convicts(begins, through, events, word):
    story = written()
    watched(story, begins, through, *events)
    found, sentence = verdict(story)
    assert found is Verdict.INVALID
    assert word in sentence


@pytest.mark.parametrize(
    ("events", "verdict_"),
    [([LOG[0], LOG[0]], Verdict.INVALID), ([LOG[1], LOG[0]], Verdict.INVALID), ([], None)],
    ids=["repeat", "order", "honest"],
)
def test_without_the_log_a_watch_may_still_contradict_itself(events, verdict_):
    story = written()
    watched(story, 1, 3, *events)
    assert verdict(story, log=None)[0] is (verdict_ or Verdict.UNKNOWN)


def test_no_answer_proves_nothing():
    story = written()
    story.fail("Unreachable", "watch", "watch/", from_=1, events=1, ms=500)
    assert verdict(story)[0] is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("begins", "expected"), [(5, Verdict.INVALID), (6, Verdict.VALID)], ids=["behind", "now"]
)
def test_from_now_on_is_behind_all_that_was_acknowledged(begins, expected):
    story = written()
    watched(story, begins, begins - 1, asked=None)
    assert verdict(story)[0] is expected


def test_what_is_acknowledged_meanwhile_may_be_before_now_or_behind_it():
    story = written()
    put = story.send("put", A, value="e")
    watch = story.send("watch", "watch/", from_=None, events=1, ms=500)
    story.end(put, "ok", {"mod_revision": 7})
    story.end(watch, "ok", {"from": 7, "events": [[7, A, "e"]], "through": 7})
    assert verdict(story, [*LOG, (7, A, "e")])[0] is Verdict.VALID


@pytest.mark.parametrize(("through", "expected"), [(5, Verdict.INVALID), (6, Verdict.VALID)])
def test_a_watch_that_does_not_arrive_convicts_where_it_was_waited_for(through, expected):
    story = written()
    events = [event for event in LOG if event[0] <= through]
    watched(story, 1, through, *events, until=6)
    assert verdict(story)[0] is expected


@pytest.mark.parametrize(
    ("log", "word"),
    [(LOG[1:], "nowhere"), ([(4, A, "a"), *LOG[2:]], "at revision 4")],
)
def test_an_acknowledged_write_that_the_log_has_otherwise_convicts(log, word):
    found, sentence = verdict(written(), log)
    assert found is Verdict.INVALID
    assert word in sentence


@pytest.mark.parametrize(
    ("revision", "expected"), [(6, Verdict.VALID), (7, Verdict.INVALID), (2, Verdict.INVALID)]
)
def test_an_acknowledged_delete_stands_in_the_log_where_it_was_told(revision, expected):
    story = written()
    story.ok({"deleted": False, "revision": 5}, "delete", "watch/9")
    story.ok({"deleted": True, "revision": revision}, "delete", A)
    watched(story, 1, 9, *LOG, (8, A, None))
    assert verdict(story, [*LOG, (8, A, None)])[0] is expected


@pytest.mark.parametrize("logged", [True, False])
def test_an_unknown_write_may_be_in_the_log_or_not(logged):
    story = written()
    story.info("put", A, value="u")
    log = [*LOG, (7, A, "u")] if logged else LOG
    watched(story, 1, 9, *log)
    assert verdict(story, log)[0] is Verdict.VALID


def test_a_refused_write_in_the_log_convicts():
    story = written()
    story.fail("NO_QUORUM", "put", A, value="u")
    found, sentence = verdict(story, [*LOG, (7, A, "u")])
    assert found is Verdict.INVALID
    assert "was refused" in sentence


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ([(7, A, "ghost")], "nobody wrote"),
        ([(7, A, "u"), (8, A, "u")], "repeats 'u' of revision 7"),
    ],
)
def test_a_log_of_what_nobody_wrote_or_twice_convicts(changes, word):
    """Even where every watch has it too."""
    story = written()
    story.info("put", A, value="u")
    watched(story, 1, 9, *LOG, *changes)
    found, sentence = verdict(story, [*LOG, *changes])
    assert found is Verdict.INVALID
    assert word in sentence


def test_a_watch_that_begins_later_than_asked_convicts():
    story = written()
    watched(story, 3, 9, *LOG[1:], asked=1)
    found, sentence = verdict(story)
    assert found is Verdict.INVALID
    assert "begins at 3, and 1 was asked for" in sentence


@pytest.mark.parametrize("log", [[(2, A)], [(3, A, "x"), (2, A, "y")], [5]])
def test_a_log_that_is_none_is_one_clear_line(log):
    story = Story()
    story.ok(log, "log", "watch/")
    with pytest.raises(HistoryError, match=r"^event 1: malformed log: "):
        check_watches(story.events, "watch/")
