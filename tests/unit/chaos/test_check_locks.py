"""Locks: two holders, a token given twice and one that goes back convict; doubt does not."""

import pytest
from unit.chaos.story import Story

from kvraft_chaos.checkers.locks import check_exclusion, check_tokens
from kvraft_chaos.checkers.verdict import Verdict

NAME = "lock/a"
TTL_MS = 1_000


def acquire(story, token, *, lease_id=None, name=NAME, at=None):
    """With `lease_id` on a lease granted just before, that nobody renews."""
    if at is not None:
        story.at(at)
    if lease_id is None:
        story.ok({"token": token}, "acquire", name, wait_ms=0, ttl_ms=TTL_MS)
        return
    story.ok({"lease_id": lease_id}, "grant", ttl_ms=TTL_MS)
    story.ok({"token": token}, "acquire", name, wait_ms=0, lease_id=lease_id)


def release(story, token, *, held=True, released=True, at=None):
    if at is not None:
        story.at(at)
    story.ok({"held": held, "released": released}, "release", NAME, token=token)


def exclusion(story):
    finding = check_exclusion(story.events)
    return finding.verdict, finding.sentence


def test_one_after_the_other_is_valid():
    story = Story()
    acquire(story, 1)
    release(story, 1)
    acquire(story, 2)
    release(story, 2, at=500)
    assert exclusion(story) == (
        Verdict.VALID,
        "2 holds of 1 locks, never two of one at a time",
    )


@pytest.mark.parametrize(
    "evidence",
    [
        lambda story: release(story, 1, at=300),
        lambda story: release(story, 1, held=None, at=300),
        lambda story: story.at(300).ok({"held": True}, "check_fence", NAME, token=1),
        lambda story: story.at(200).ok({"held": True}, "hold", NAME, token=1, ms=100),
        lambda story: story.at(300).ok(
            {"mod_revision": 9}, "fenced_put", "k", value="v", lock=NAME, token=1
        ),
    ],
    ids=["clock at release", "store at release", "store", "clock after a while", "accepted write"],
)
def test_two_holders_convict_whatever_shows_the_first(evidence):
    story = Story()
    acquire(story, 1)
    acquire(story, 2, at=100)
    evidence(story)
    release(story, 2, at=400)
    found, sentence = exclusion(story)
    assert found is Verdict.INVALID
    assert "at least 199 ms: token 1 (event 1) and token 2 (event 3)" in sentence


def test_the_findings_name_the_events_that_contradict():
    story = Story()
    acquire(story, 1)
    acquire(story, 2, at=100)
    release(story, 1, at=300)
    release(story, 2)
    finding = check_exclusion(story.events)
    assert finding.key == NAME
    assert set(finding.contradiction) == set(range(8))


def test_a_lease_that_still_lives_is_a_holder():
    story = Story()
    acquire(story, 1, lease_id=7)  # granted at 0: safe until 950
    acquire(story, 2, at=800)
    release(story, 2, at=900)
    assert exclusion(story)[0] is Verdict.INVALID


@pytest.mark.parametrize("ends", ["release", "revoke", "time"])
def test_a_lease_that_may_be_over_is_none(ends):
    story = Story()
    acquire(story, 1, lease_id=7)
    story.at(600)
    if ends == "release":
        story.send("release", NAME, token=1)
    elif ends == "revoke":
        story.send("revoke", lease_id=7)
    acquire(story, 2, at=1_000 if ends == "time" else 700)
    release(story, 2, at=1_100)
    assert exclusion(story)[0] is Verdict.VALID


@pytest.mark.parametrize(
    ("renewal", "verdict"), [(True, Verdict.INVALID), (None, Verdict.VALID), (False, Verdict.VALID)]
)
def test_only_a_renewal_that_was_answered_counts(renewal, verdict):
    story = Story()
    acquire(story, 1, lease_id=7)
    keep = story.at(900).send("keep_alive", lease_id=7)
    if renewal is not None:
        story.end(keep, "ok", {"alive": renewal})
    acquire(story, 2, at=1_200)
    release(story, 2, at=1_300)
    assert exclusion(story)[0] is verdict


def test_a_grant_amid_a_hold_convicts_even_if_it_was_lost_at_once():
    story = Story()
    acquire(story, 1)
    acquire(story, 2, at=100)
    release(story, 1, at=300)
    release(story, 2, held=False)
    assert exclusion(story)[0] is Verdict.INVALID


def test_two_who_both_go_on_convict_whoever_asked_first():
    story = Story()
    early = story.send("acquire", NAME, wait_ms=500, ttl_ms=TTL_MS)
    acquire(story, 2)
    story.at(100).end(early, "ok", {"token": 1})
    release(story, 1, at=200)
    release(story, 2, at=300)
    assert exclusion(story)[0] is Verdict.INVALID


def test_every_holder_counts_and_not_only_the_first():
    story = Story()
    for token, at in ((1, 0), (2, 300)):
        acquire(story, token, at=at)
        release(story, token, at=at + 100)
    acquire(story, 3, at=500)
    acquire(story, 4, at=600)
    release(story, 3, at=700)
    assert exclusion(story)[0] is Verdict.INVALID


def test_a_grant_that_was_asked_for_before_a_hold_may_have_been_before_it():
    story = Story()
    early = story.send("acquire", NAME, wait_ms=0, ttl_ms=TTL_MS)
    acquire(story, 2)
    story.at(100).end(early, "ok", {"token": 1})
    release(story, 2, at=300)
    assert exclusion(story)[0] is Verdict.VALID


def test_who_is_not_heard_of_again_may_have_lost_it():
    story = Story()
    acquire(story, 1)
    story.send("release", NAME, token=1)
    acquire(story, 2, at=100)
    refused = "[STALE_FENCE]"
    story.fail(refused, "fenced_put", "k", value="v", lock=NAME, token=1)
    story.info("fenced_put", "k", value="v", lock=NAME, token=1)
    story.at(200).ok({"held": False}, "hold", NAME, token=1, ms=10)
    release(story, 1, held=False, released=False)
    story.info("check_fence", NAME, token=1)
    release(story, 2, at=300)
    assert exclusion(story)[0] is Verdict.VALID


def test_the_holders_of_two_locks_do_not_meet():
    story = Story()
    acquire(story, 1)
    acquire(story, 2, name="lock/b")
    story.at(100).ok({"held": True}, "check_fence", NAME, token=1)
    story.ok({"held": True}, "check_fence", "lock/b", token=2)
    assert exclusion(story)[0] is Verdict.VALID


def test_a_long_hold_is_not_forgotten_over_a_short_one():
    story = Story()
    early = story.send("acquire", NAME, wait_ms=0, ttl_ms=TTL_MS)
    acquire(story, 2)
    story.at(100).end(early, "ok", {"token": 1})  # lost by then, for all that is known
    acquire(story, 3, at=200)
    release(story, 2, at=300)
    found, sentence = exclusion(story)
    assert found is Verdict.INVALID
    assert "token 2 (event 2) and token 3 (event 5)" in sentence


def test_a_history_without_a_hold_proves_nothing():
    story = Story()
    story.fail("LockTimeout", "acquire", NAME, wait_ms=0, ttl_ms=TTL_MS)
    assert exclusion(story)[0] is Verdict.UNKNOWN
    assert check_tokens(story.events).verdict is Verdict.UNKNOWN


# -- tokens


def test_tokens_that_grow_are_valid_and_concurrent_ones_in_any_order():
    story = Story()
    first = story.send("acquire", NAME, wait_ms=0, ttl_ms=TTL_MS)
    second = story.send("acquire", "lock/b", wait_ms=0, ttl_ms=TTL_MS)
    story.end(first, "ok", {"token": 2})
    story.end(second, "ok", {"token": 1})
    story.info("acquire", NAME, wait_ms=0, ttl_ms=TTL_MS)
    acquire(story, 4)
    finding = check_tokens(story.events)
    assert finding.verdict is Verdict.VALID
    assert finding.sentence == "3 tokens, each above those before it"


@pytest.mark.parametrize("name", [NAME, "lock/b"])
def test_a_token_given_twice_convicts_on_any_lock(name):
    story = Story()
    first = story.send("acquire", NAME, wait_ms=0, ttl_ms=TTL_MS)
    second = story.send("acquire", name, wait_ms=0, ttl_ms=TTL_MS)
    story.end(first, "ok", {"token": 3})
    story.end(second, "ok", {"token": 3})
    finding = check_tokens(story.events)
    assert finding.verdict is Verdict.INVALID
    assert "token 3 was given twice" in finding.sentence
    assert finding.contradiction == (0, 2, 1, 3)


def test_a_token_that_goes_back_convicts():
    story = Story()
    acquire(story, 5)
    acquire(story, 9, name="lock/b")
    acquire(story, 6)
    finding = check_tokens(story.events)
    assert finding.verdict is Verdict.INVALID
    assert "token 6 of lock/a was asked for after token 9 of lock/b" in finding.sentence
