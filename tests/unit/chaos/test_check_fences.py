"""Fences: a write with a token that holds no more convicts; so does a refusal while it holds."""

import pytest
from unit.chaos.story import Story

from kvraft_chaos.checkers.fences import check_fences
from kvraft_chaos.checkers.verdict import Verdict

NAME, KEY = "lock/a", "guarded/lock/a"
STALE = "StaleFence: token 1 is not valid [STALE_FENCE, endpoint n1]"


def acquire(story, token, **argument):
    argument = argument or {"ttl_ms": 1_000}
    story.ok({"token": token}, "acquire", NAME, wait_ms=0, **argument)


def write(story, token, revision, value="v"):
    story.ok({"mod_revision": revision}, "fenced_put", KEY, value=value, lock=NAME, token=token)


def refused(story, token):
    story.fail(STALE, "fenced_put", KEY, value="r", lock=NAME, token=token)


def release(story, token, *, released=True):
    story.ok({"held": True, "released": released}, "release", NAME, token=token)


def verdict(story):
    finding = check_fences(story.events)
    return finding.verdict, finding.sentence


def test_writes_of_one_holder_after_the_other_are_valid():
    story = Story()
    acquire(story, 1)
    write(story, 1, 2, "a")
    release(story, 1)
    acquire(story, 2)
    write(story, 2, 3, "b")
    refused(story, 1)
    story.ok({"held": False}, "check_fence", NAME, token=1)
    assert verdict(story) == (
        Verdict.VALID,
        "2 fenced writes accepted, 1 refused for a stale token, all rightly",
    )


def test_nothing_written_proves_nothing():
    assert verdict(Story())[0] is Verdict.UNKNOWN


def test_a_stale_token_at_a_higher_revision_convicts():
    """Even where the two were sent at one time, and the answers do not tell which came first."""
    story = Story()
    late = story.send("fenced_put", KEY, value="late", lock=NAME, token=1)
    acquire(story, 2)
    write(story, 2, 5, "new")
    story.end(late, "ok", {"mod_revision": 6})
    found, sentence = verdict(story)
    assert found is Verdict.INVALID
    assert "revision 6" in sentence
    assert "a stale token was accepted" in sentence


@pytest.mark.parametrize(
    ("logged", "expected"),
    [
        ([(5, KEY, "new"), (6, KEY, "late")], Verdict.INVALID),
        ([(4, KEY, "late"), (5, KEY, "new")], Verdict.VALID),
        ([(5, KEY, "new")], Verdict.VALID),
    ],
    ids=["after it", "before it", "never"],
)
def test_an_unknown_write_is_settled_by_the_log(logged, expected):
    story = Story()
    acquire(story, 1)
    story.info("fenced_put", KEY, value="late", lock=NAME, token=1)
    acquire(story, 2)
    write(story, 2, 5, "new")
    story.log("guarded/", *logged)
    assert verdict(story)[0] is expected


def test_a_write_with_a_token_after_a_newer_one_was_given_convicts():
    story = Story()
    acquire(story, 1)
    acquire(story, 2)
    write(story, 1, 2)
    found, sentence = verdict(story)
    assert found is Verdict.INVALID
    assert "token 1 of lock/a was accepted (event 5) after event 3 showed" in sentence


@pytest.mark.parametrize(
    "over",
    [
        release,
        lambda story, token: release(story, token, released=False),
        refused,
        lambda story, token: story.ok({"held": False}, "check_fence", NAME, token=token),
    ],
    ids=["released", "not held at release", "refused", "checked"],
)
def test_a_write_after_the_end_of_its_token_was_told_convicts(over):
    story = Story()
    acquire(story, 1)
    over(story, 1)
    write(story, 1, 2)
    assert verdict(story)[0] is Verdict.INVALID


def test_a_token_that_holds_again_convicts():
    story = Story()
    acquire(story, 1)
    write(story, 1, 2)
    release(story, 1)
    story.ok({"held": True}, "check_fence", NAME, token=1)
    assert verdict(story)[0] is Verdict.INVALID


def test_a_release_that_nobody_answered_ends_nothing():
    story = Story()
    acquire(story, 1)
    release(story, 1, released=None)
    story.info("release", NAME, token=1)
    write(story, 1, 2)
    assert verdict(story)[0] is Verdict.VALID


def test_a_write_that_was_sent_before_the_newer_token_was_known_is_innocent():
    story = Story()
    acquire(story, 1)
    early = story.send("fenced_put", KEY, value="e", lock=NAME, token=1)
    acquire(story, 2)
    story.end(early, "ok", {"mod_revision": 2})
    assert verdict(story)[0] is Verdict.VALID


def test_a_refusal_before_the_lease_is_over_convicts():
    story = Story()
    story.ok({"lease_id": 7}, "grant", ttl_ms=1_000)
    acquire(story, 1, lease_id=7)
    story.at(600)
    refused(story, 1)
    found, sentence = verdict(story)
    assert found is Verdict.INVALID
    assert "at least 349 ms before its time was over" in sentence


@pytest.mark.parametrize("ms", [960, 1_500])
def test_a_refusal_when_the_lease_may_be_over_is_right(ms):
    story = Story()
    story.ok({"lease_id": 7}, "grant", ttl_ms=1_000)
    acquire(story, 1, lease_id=7)
    story.at(ms)
    refused(story, 1)
    assert verdict(story)[0] is Verdict.VALID


def test_a_refusal_before_the_client_itself_lets_go_convicts():
    story = Story()
    acquire(story, 1)
    refused(story, 1)
    story.at(500)
    release(story, 1)
    assert verdict(story)[0] is Verdict.INVALID


def test_another_failure_is_no_refusal():
    story = Story()
    acquire(story, 1)
    story.fail("Unreachable: [UNREACHABLE]", "fenced_put", KEY, value="u", lock=NAME, token=1)
    write(story, 1, 2)
    assert verdict(story)[0] is Verdict.VALID


@pytest.mark.parametrize(
    ("logged", "word"),
    [
        ([(2, KEY, "v"), (3, KEY, "r")], "'r' of guarded/lock/a was refused"),
        ([], "stands in the log nowhere"),
        ([(2, KEY, "v"), (3, KEY, "g")], "which nobody wrote"),
        ([(2, KEY, "v"), (3, KEY, "v")], "stands in the log at revision 3"),
    ],
    ids=["refused", "accepted", "nobody's", "twice"],
)
def test_a_log_that_has_it_otherwise_than_was_told_convicts(logged, word):
    story = Story()
    acquire(story, 1)
    write(story, 1, 2)
    release(story, 1)
    refused(story, 1)
    story.log("guarded/", *logged)
    found, sentence = verdict(story)
    assert found is Verdict.INVALID
    assert word in sentence


@pytest.mark.parametrize(
    ("logged", "expected"), [([(2, KEY, "u")], Verdict.INVALID), ([], Verdict.VALID)]
)
def test_an_unknown_write_that_began_after_the_end_of_its_token_may_not_be_there(logged, expected):
    story = Story()
    acquire(story, 1)
    release(story, 1)
    story.info("fenced_put", KEY, value="u", lock=NAME, token=1)
    story.log("guarded/", *logged)
    assert verdict(story)[0] is expected


def test_parts_that_are_left_out_constrain_nothing():
    story = Story()
    acquire(story, 1)
    story.ok(None, "fenced_put", KEY, lock=NAME, token=1)
    assert verdict(story)[0] is Verdict.VALID
