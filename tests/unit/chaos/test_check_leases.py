"""Leases: one that ends early, torn keys and keys left behind convict; how late is a figure."""

import pytest
from unit.chaos.story import Story

from kvraft_chaos.checkers.leases import LATE_MS, check_lease_keys, check_lease_times
from kvraft_chaos.checkers.verdict import Verdict

PREFIX, HEALED = "lease/", "lease/healed/"
KEYS = ("lease/0-0/0", "lease/0-0/1")
TTL_MS = 1_000
ENDED = [(4, KEYS[0], None), (4, KEYS[1], None)]


def value(key):
    return f"{key} of 7"


WRITTEN = [(2, KEYS[0], value(KEYS[0])), (3, KEYS[1], value(KEYS[1]))]


def granted(keys=KEYS, lease_id=7):
    """Sent at 0, answered at 1; then its keys, at revisions 2 and 3."""
    story = Story()
    story.ok({"lease_id": lease_id}, "grant", ttl_ms=TTL_MS)
    for revision, key in enumerate(keys, 2):
        put = story.send("put_leased", key, value=value(key), lease_id=lease_id)
        story.end(put, "ok", {"mod_revision": revision})
    return story


def looked(story, key, *, sent, ended, there):
    look = story.at(sent).send("get", key)
    found = {"value": value(key), "mod_revision": 2} if there else {"value": None}
    story.at(ended).end(look, "ok", found)


def kept(story, *, sent, ended, alive=True):
    keep = story.at(sent).send("keep_alive", lease_id=7)
    story.at(ended).end(keep, "ok", {"alive": alive})


def times(story):
    finding = check_lease_times(story.events, HEALED)
    return finding.verdict, finding.sentence


def test_a_lease_that_lives_its_time_is_valid_and_its_lateness_a_figure():
    story = granted()
    looked(story, KEYS[0], sent=1_100, ended=1_101, there=True)
    looked(story, KEYS[0], sent=1_200, ended=1_210, there=False)
    found, sentence = times(story)
    assert found is Verdict.VALID
    assert sentence == (
        "1 of 1 leases were seen to run out, none early; the latest between 89 and 220 ms late, "
        "faults included"
    )


@pytest.mark.parametrize("sign", ["key", "keep_alive", "put"])
def test_a_lease_that_is_over_early_convicts(sign):
    story = granted()
    story.at(900)
    if sign == "key":
        looked(story, KEYS[1], sent=900, ended=950, there=False)
    elif sign == "keep_alive":
        kept(story, sent=900, ended=950, alive=False)
    else:
        story.fail("[LEASE_NOT_FOUND]", "put_leased", "lease/x", value="x", lease_id=7)
    found, sentence = times(story)
    assert found is Verdict.INVALID
    assert "lease 7 (TTL 1000 ms) was over" in sentence


@pytest.mark.parametrize("sign", ["same key", "other key", "keep_alive"])
def test_a_lease_that_lives_again_convicts(sign):
    story = granted()
    looked(story, KEYS[0], sent=1_100, ended=1_101, there=False)
    if sign == "keep_alive":
        kept(story, sent=1_200, ended=1_201)
    else:
        key = KEYS[sign == "other key"]
        looked(story, key, sent=1_200, ended=1_201, there=True)
    found, sentence = times(story)
    assert found is Verdict.INVALID
    if sign != "keep_alive":  # a renewal promises a whole TTL, so it was over early
        assert "lives (event 9) after it was over" in sentence


def test_who_looked_while_it_ended_may_have_seen_the_key():
    story = granted()
    look = story.at(1_100).send("get", KEYS[1])
    looked(story, KEYS[0], sent=1_110, ended=1_111, there=False)
    story.at(1_120).end(look, "ok", {"value": value(KEYS[1]), "mod_revision": 3})
    assert times(story)[0] is Verdict.VALID


@pytest.mark.parametrize(
    ("ended", "verdict"), [(988, Verdict.INVALID), (990, Verdict.VALID)], ids=["early", "in time"]
)
def test_the_ttl_counts_from_the_moment_the_renewal_was_sent(ended, verdict):
    story = Story()
    grant = story.send("grant", ttl_ms=TTL_MS)
    story.at(100).end(grant, "ok", {"lease_id": 7})
    put = story.send("put_leased", KEYS[0], value=value(KEYS[0]), lease_id=7)
    story.end(put, "ok", {"mod_revision": 2})
    looked(story, KEYS[0], sent=500, ended=ended, there=False)
    assert times(story)[0] is verdict


def test_a_renewal_that_was_answered_prolongs_it():
    story = granted()
    kept(story, sent=600, ended=700)
    looked(story, KEYS[0], sent=1_500, ended=1_510, there=False)
    assert times(story)[0] is Verdict.INVALID


@pytest.mark.parametrize("ending", ["info", "fail", "open"])
@pytest.mark.parametrize(("ms", "there"), [(1_100, False), (9_000, True)])
def test_a_renewal_that_was_not_answered_promises_nothing_and_excuses_lateness(ending, ms, there):
    story = granted([f"{HEALED}0"])
    looked(story, f"{HEALED}0", sent=500, ended=510, there=True)
    keep = story.at(600).send("keep_alive", lease_id=7)
    if ending != "open":
        story.end(keep, ending, error="UNKNOWN_RESULT")
    looked(story, f"{HEALED}0", sent=ms, ended=ms + 10, there=there)
    finding = check_lease_times(story.events, HEALED)
    assert finding.verdict is (Verdict.UNKNOWN if there else Verdict.VALID)


@pytest.mark.parametrize("ending", ["ok", "info", "fail"])
def test_a_revoke_that_was_sent_may_end_it(ending):
    story = granted()
    revoke = story.at(100).send("revoke", lease_id=7)
    story.end(revoke, ending, {"deleted": 2} if ending == "ok" else None)
    looked(story, KEYS[0], sent=200, ended=210, there=False)
    found, sentence = times(story)
    assert found is Verdict.UNKNOWN
    assert sentence == "no lease was seen to run out"


def test_a_revoke_after_the_early_end_does_not_excuse_it():
    story = granted()
    looked(story, KEYS[0], sent=200, ended=210, there=False)
    story.ok({"deleted": 0}, "revoke", lease_id=7)
    assert times(story)[0] is Verdict.INVALID


@pytest.mark.parametrize("sign", ["key", "keep_alive"])
def test_a_lease_that_lives_after_it_was_revoked_convicts(sign):
    story = granted()
    story.ok({"deleted": 2}, "revoke", lease_id=7)
    if sign == "key":
        looked(story, KEYS[0], sent=200, ended=210, there=True)
    else:
        kept(story, sent=200, ended=210)
    found, sentence = times(story)
    assert found is Verdict.INVALID
    assert "after it was revoked" in sentence


def test_a_key_that_was_never_written_for_sure_shows_nothing():
    story = Story()
    story.ok({"lease_id": 7}, "grant", ttl_ms=TTL_MS)
    story.info("put_leased", KEYS[0], value=value(KEYS[0]), lease_id=7)
    looked(story, KEYS[0], sent=200, ended=210, there=False)
    assert times(story)[0] is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("key", "late_ms", "verdict"),
    [
        (f"{HEALED}0", LATE_MS + 50, Verdict.INVALID),
        (f"{HEALED}0", LATE_MS - 50, Verdict.VALID),
        (KEYS[0], 60_000, Verdict.VALID),
    ],
    ids=["healed, too late", "healed", "under faults"],
)
def test_lateness_is_bounded_only_where_no_fault_is_left(key, late_ms, verdict):
    story = granted([key])
    seen = 1_011 + late_ms
    looked(story, key, sent=seen, ended=seen + 1, there=True)
    looked(story, key, sent=seen + 10, ended=seen + 11, there=False)
    assert times(story)[0] is verdict


# -- keys


def keys(story):
    finding = check_lease_keys(story.events, PREFIX, HEALED)
    return finding.verdict, finding.sentence


def test_keys_that_go_together_are_valid():
    story = granted()
    story.log(PREFIX, *WRITTEN, *ENDED)
    assert keys(story) == (Verdict.VALID, "2 keys went, those of each lease in one revision")


def test_without_the_log_nothing_is_known():
    assert keys(granted())[0] is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "ends",
    [[(4, KEYS[0], None), (5, KEYS[1], None)], [(4, KEYS[0], None)]],
    ids=["two revisions", "one stays"],
)
def test_keys_that_go_in_parts_convict(ends):
    story = granted()
    story.log(PREFIX, *WRITTEN, *ends)
    found, sentence = keys(story)
    assert found is Verdict.INVALID
    assert "took its keys in parts" in sentence


def test_a_key_whose_write_nobody_knows_of_may_stay_away():
    story = granted(KEYS[:1])
    story.info("put_leased", KEYS[1], value=value(KEYS[1]), lease_id=7)
    story.log(PREFIX, WRITTEN[0], ENDED[0])
    assert keys(story)[0] is Verdict.VALID


@pytest.mark.parametrize(
    ("read_ms", "verdict"),
    [(20_000 + LATE_MS + 10, Verdict.INVALID), (20_000 + LATE_MS - 50, Verdict.VALID)],
)
def test_keys_that_outlive_their_lease_convict_once_the_faults_are_over_for_long(read_ms, verdict):
    story = granted()
    story.at(20_000).ok({"value": None}, "get", f"{HEALED}0")
    story.at(read_ms).log(PREFIX, *WRITTEN)
    assert keys(story)[0] is verdict


def test_a_write_that_the_log_does_not_have_convicts():
    story = granted()
    story.log(PREFIX, WRITTEN[0], (4, KEYS[0], None))
    found, sentence = keys(story)
    assert found is Verdict.INVALID
    assert "nowhere" in sentence


def test_a_log_of_what_nobody_wrote_convicts():
    story = granted()
    story.log(PREFIX, *WRITTEN, *ENDED, (9, "lease/9-9/0", "ghost"))
    found, sentence = keys(story)
    assert found is Verdict.INVALID
    assert "which nobody wrote" in sentence
