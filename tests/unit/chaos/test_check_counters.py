"""Counters: an increment that is lost, doubled or made up convicts; an unknown one is settled."""

import pytest
from unit.chaos.story import Story

from kvraft_chaos.checkers.counters import check_counters
from kvraft_chaos.checkers.verdict import Verdict

KEY = "counter/0"
HONEST = [(2, KEY, "1 a"), (3, KEY, "2 b"), (5, KEY, "3 c")]


def increments(rows, *, known=True):
    """Acknowledged writes of these rows, one after the other."""
    story = Story()
    for revision, key, value in rows:
        write = story.send("fenced_put", key, value=value, lock=key, token=1)
        story.end(write, *(("ok", {"mod_revision": revision}) if known else ("info",)))
    return story


def verdict(story):
    finding = check_counters(story.events, "counter/")
    return finding.verdict, finding.sentence


def test_increments_that_count_once_are_valid():
    story = increments(HONEST)
    story.ok({"value": "3 c", "mod_revision": 5}, "get", KEY)
    story.log("counter/", *HONEST)
    assert verdict(story) == (
        Verdict.VALID,
        (
            "3 increments: 3 acknowledged, and 0 of 0 unknown ones, which the log settled; "
            "each counts once"
        ),
    )


@pytest.mark.parametrize(("logged", "settled"), [(2, 0), (3, 1)])
def test_an_unknown_increment_is_settled_by_the_log(logged, settled):
    story = increments(HONEST[:2])
    story.info("fenced_put", KEY, value="3 c", lock=KEY, token=1)
    story.log("counter/", *HONEST[:logged])
    found, sentence = verdict(story)
    assert found is Verdict.VALID
    assert f"{settled} of 1 unknown" in sentence


@pytest.mark.parametrize(
    ("told", "log", "word"),
    [
        ([(2, KEY, "1 a"), (3, KEY, "1 b")], None, "lost"),
        ([(2, KEY, "1 a"), (3, KEY, "3 b")], None, "lost"),
        ([(2, KEY, "2 a")], None, "over nothing"),
        ([(2, KEY, "1 a"), (3, KEY, "2 b")], [(2, KEY, "1 a")], "nowhere"),
        ([(2, KEY, "1 a"), (3, KEY, "2 b")], [(2, KEY, "1 a"), (4, KEY, "2 b")], "revision 4"),
        ([(2, KEY, "1 a")], [(2, KEY, "1 a"), (3, KEY, "2 x")], "nobody wrote"),
        ([(2, KEY, "1 a")], [(2, KEY, "1 a"), (3, KEY, None)], "nobody wrote"),
    ],
)
def test_an_increment_that_is_lost_or_made_up_convicts(told, log, word):
    story = increments(told)
    story.log("counter/", *(log or told))
    found, sentence = verdict(story)
    assert found is Verdict.INVALID
    assert word in sentence


def test_one_increment_twice_convicts():
    story = increments([(2, KEY, "1 a")], known=False)
    story.log("counter/", (2, KEY, "1 a"), (3, KEY, "1 a"))
    found, sentence = verdict(story)
    assert found is Verdict.INVALID
    assert "one increment twice" in sentence


def test_a_refused_increment_that_counts_convicts():
    story = increments(HONEST[:1])
    story.fail("StaleFence: [STALE_FENCE]", "fenced_put", KEY, value="2 b", lock=KEY, token=1)
    story.log("counter/", *HONEST[:2])
    found, sentence = verdict(story)
    assert found is Verdict.INVALID
    assert "was refused" in sentence


def test_a_read_that_is_not_in_the_log_convicts():
    story = increments(HONEST)
    story.ok({"value": "3 x", "mod_revision": 5}, "get", KEY)
    story.log("counter/", *HONEST)
    assert verdict(story)[0] is Verdict.INVALID


@pytest.mark.parametrize(
    "read", [{"value": "1 a", "mod_revision": 2}, {"value": None}], ids=["older", "absent"]
)
def test_a_read_of_what_was_before_convicts(read):
    story = increments(HONEST)
    story.ok(read, "get", KEY)
    story.log("counter/", *HONEST)
    found, sentence = verdict(story)
    assert found is Verdict.INVALID
    assert "a stale read" in sentence


def test_a_read_that_began_before_the_write_was_answered_may_be_old():
    story = increments(HONEST[:1])
    write = story.send("fenced_put", KEY, value="2 b", lock=KEY, token=1)
    read = story.send("get", KEY)
    story.end(write, "ok", {"mod_revision": 3})
    story.end(read, "ok", {"value": "1 a", "mod_revision": 2})
    story.log("counter/", *HONEST[:2])
    assert verdict(story)[0] is Verdict.VALID


def test_without_the_log_only_the_same_number_twice_convicts():
    assert verdict(increments(HONEST))[0] is Verdict.UNKNOWN
    assert verdict(increments(HONEST, known=False))[0] is Verdict.UNKNOWN
    story = increments(HONEST)
    story.info("fenced_put", KEY, value="3 d", lock=KEY, token=1)
    assert verdict(story)[0] is Verdict.UNKNOWN
    found, sentence = verdict(increments([*HONEST, (6, KEY, "3 d")]))
    assert found is Verdict.INVALID
    assert "set to 3 twice" in sentence
