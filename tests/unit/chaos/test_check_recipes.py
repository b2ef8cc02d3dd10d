"""Recipes: a seat sold twice, money from nowhere, a job done twice, and guests told otherwise."""

import pytest
from unit.chaos.story import Story

from kvraft_chaos.checkers.queues import check_queue
from kvraft_chaos.checkers.quotas import check_quota
from kvraft_chaos.checkers.seats import check_seats
from kvraft_chaos.checkers.verdict import Verdict

# -- seats

FREE, ANN, BOB = "seats/0/free", "seats/0/guests/ann", "seats/0/guests/bob"
ONE_SEAT = [(2, FREE, "1"), (3, FREE, "0"), (3, ANN, "")]


def guest(story, name, step, told):
    f, word = {"take": ("seats_take", "seated"), "give": ("seats_give_back", "freed")}[step]
    if told is None:
        story.info(f, "seats/0", guest=name)
    elif told == "fail":
        story.fail("NO_QUORUM", f, "seats/0", guest=name)
    else:
        story.ok({word: told}, f, "seats/0", guest=name)


def seats(log, *steps):
    story = Story()
    for step in steps:
        guest(story, *step)
    if log is not None:
        story.log("seats/", *log)
    finding = check_seats(story.events, "seats", 1)
    return finding.verdict, finding.sentence


GIVEN_BACK = [*ONE_SEAT, (4, ANN, None), (4, FREE, "1")]


@pytest.mark.parametrize(
    ("log", "steps"),
    [
        (ONE_SEAT, [("ann", "take", True), ("ann", "take", True), ("bob", "take", False)]),
        (ONE_SEAT, [("ann", "take", None)]),
        (ONE_SEAT[:1], [("ann", "take", None)]),
        (ONE_SEAT, [("ann", "take", True), ("ann", "give", None)]),
        (GIVEN_BACK, [("ann", "take", True), ("ann", "give", None)]),
        (GIVEN_BACK, [("ann", "take", True), ("ann", "give", True), ("ann", "give", False)]),
        (ONE_SEAT, [("ann", "take", True), ("ann", "give", "fail")]),
    ],
)
def test_seats_as_told_are_valid(log, steps):
    assert seats(log, *steps)[0] is Verdict.VALID


@pytest.mark.parametrize(
    ("log", "steps"),
    [
        ([*ONE_SEAT, (4, FREE, "-1"), (4, BOB, "")], []),
        ([*ONE_SEAT, (4, BOB, "")], []),
        ([*ONE_SEAT, (4, ANN, None)], []),
        ([(2, FREE, "2")], []),
        (ONE_SEAT[:1], [("ann", "take", True)]),
        (ONE_SEAT, [("ann", "take", False)]),
        (ONE_SEAT, [("ann", "take", "fail")]),
        (ONE_SEAT, [("ann", "take", True), ("ann", "take", False)]),
        (ONE_SEAT, [("ann", "take", True), ("ann", "give", True)]),
        (ONE_SEAT, [("ann", "take", True), ("ann", "give", False)]),
        (GIVEN_BACK, [("ann", "take", True)]),
        (GIVEN_BACK, [("ann", "take", None)]),
    ],
    ids=[
        "oversold",
        "a guest too many",
        "a seat lost",
        "a seat too many",
        "acknowledged, not there",
        "turned away, seated",
        "refused, seated",
        "turned away while seated",
        "given back, still there",
        "has none, has one",
        "gone by itself",
        "one unknown step, two done",
    ],
)
def test_seats_otherwise_than_told_convict(log, steps):
    assert seats(log, *steps)[0] is Verdict.INVALID


def test_a_finding_says_what_a_guest_was_told():
    told = [("ann", "take", True), ("ann", "take", False)]
    expected = "guest ann of seats/0 was turned away (event 3), and has a seat"
    assert seats(ONE_SEAT, *told) == (Verdict.INVALID, expected)


# -- quota

OPEN = [(2, "quota/pool", "10")]
SPENT = [*OPEN, (3, "quota/pool", "5"), (3, "quota/shares/eu", "2"), (3, "quota/spent/eu", "3")]


def quota(log, *spends):
    story = Story()
    for amount, told in spends:
        argument = {"region": "eu", "amount": amount, "request": "r"}
        if told is None:
            story.info("quota_spend", "quota", **argument)
        else:
            story.ok({"spent": told}, "quota_spend", "quota", **argument)
    if log is not None:
        story.log("quota/", *log)
    return check_quota(story.events, "quota", 10).verdict


AGAIN = [*SPENT, (4, "quota/shares/eu", "0"), (4, "quota/spent/eu", "5")]


@pytest.mark.parametrize(
    ("log", "spends"),
    [
        (SPENT, [(3, True), (9, False)]),
        (SPENT, [(3, None)]),
        (OPEN, [(3, None)]),
        (AGAIN, [(3, True), (2, None)]),
    ],
)
def test_a_quota_that_is_always_the_total_is_valid(log, spends):
    assert quota(log, *spends) is Verdict.VALID


@pytest.mark.parametrize(
    ("log", "spends"),
    [
        ([*OPEN, (3, "quota/pool", "9")], []),
        ([*OPEN, (3, "quota/pool", "11"), (3, "quota/spent/eu", "-1")], []),
        (OPEN, [(3, True)]),
        (SPENT, [(3, False)]),
        (SPENT, [(2, None)]),
        (AGAIN, [(3, True)]),
        (SPENT, [(3, True), (3, True)]),
    ],
    ids=["lost", "below zero", "not counted", "refused, counted", "other", "unasked", "once for 2"],
)
def test_a_quota_that_is_not_convicts(log, spends):
    assert quota(log, *spends) is Verdict.INVALID


# -- work queue

X, Y = "queue/red/x", "queue/red/y"
QUEUE = [(2, X, "x"), (3, Y, "y"), (4, X, None), (5, Y, None)]
OTHER_WAY = [(4, "queue-done/y", "1"), (5, "queue-done/x", "2")]
DONE = [(4, "queue-done/x", "1"), (5, "queue-done/y", "2")]


def queue(log, done, *adds):
    story = Story()
    for item, type_ in adds:
        add = story.send("queue_add", "queue", of="red", item=item)
        story.end(add, type_, {} if type_ == "ok" else None)
    if log is not None:
        story.log("queue/", *log)
        story.log("queue-done/", *done)
    finding = check_queue(story.events, "queue")
    return finding.verdict, finding.sentence


@pytest.mark.parametrize("adds", [[("x", "ok"), ("y", "info"), ("z", "info"), ("q", "fail")]])
def test_items_that_are_done_once_are_valid(adds):
    assert queue(QUEUE, DONE, *adds)[0] is Verdict.VALID


@pytest.mark.parametrize(
    ("log", "done", "adds"),
    [
        (QUEUE, [*DONE, (6, "queue-done/x", "3")], []),
        ([*QUEUE, (6, X, "x")], DONE, []),
        (QUEUE, DONE[:1], []),
        (QUEUE, [DONE[0], (6, "queue-done/y", "2")], []),
        (QUEUE[:3], DONE, []),
        ([*QUEUE[:2], (4, Y, None), (5, X, None)], OTHER_WAY, []),
        (QUEUE, DONE, [("z", "ok")]),
        (QUEUE, DONE, [("x", "fail")]),
    ],
    ids=[
        "effect twice",
        "added twice",
        "removed without effect",
        "effect at another time",
        "effect without removal",
        "overtaken",
        "acknowledged, never there",
        "refused, there",
    ],
)
def test_items_that_are_not_convict(log, done, adds):
    assert queue(log, done, *adds)[0] is Verdict.INVALID


def test_a_finding_says_what_was_done_twice():
    again = [*DONE, (6, "queue-done/x", "3")]
    expected = "queue-done/x was done twice: at revisions 4 and 6"
    assert queue(QUEUE, again) == (Verdict.INVALID, expected)


def test_items_that_nobody_did_leave_it_open():
    assert queue(QUEUE[:3], DONE[:1])[0] is Verdict.UNKNOWN


def test_without_a_log_nothing_is_known():
    assert seats(None, ("ann", "take", True))[0] is Verdict.UNKNOWN
    assert quota(None, (3, True)) is Verdict.UNKNOWN
    assert queue(None, None, ("x", "ok"))[0] is Verdict.UNKNOWN
