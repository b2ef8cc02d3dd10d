"""Effects once, by what clients read: each kind of lie about lists and sets convicts."""

import pytest

from kvraft_chaos.checkers.effects import check_appends, check_set
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import HistoryError, Recorder


class Story:
    def __init__(self):
        self.recorder = Recorder()

    def ask(self, f, key, argument=None):
        process = self.recorder.process()
        self.recorder.record(process, "invoke", f, key=key, value=argument)
        return process, f, key

    def end(self, call, kind, value=None):
        process, f, key = call
        self.recorder.record(process, kind, f, key=key, value=value)

    def append(self, word, kind="ok", value=None):
        value = {} if value is None else {"value": value}
        self.end(self.ask("update", "a/1", {"append": f"{word};"}), kind, value)

    def read(self, value):
        self.end(self.ask("get", "a/1"), "ok", {"value": value})

    def add(self, element, kind="ok", *, succeeded=True):
        argument = {"value": "x", "expect": {"absent": True}}
        call = self.ask("cas", f"s/0/{element}", argument)
        self.end(call, kind, {"succeeded": succeeded} if kind == "ok" else None)

    def list(self, *elements, prefix="s/0/"):
        entries = [[f"s/0/{element}", "x", 5] for element in elements]
        self.end(self.ask("list", prefix), "ok", {"entries": entries})

    def appends(self):
        return check_appends(self.recorder.events)

    def set(self):
        return check_set(self.recorder.events)


def test_appends_in_order_are_valid():
    story = Story()
    story.read(None)
    story.append("1", value="1;")
    story.append("2", "info")
    story.append("3", "fail")
    story.read("1;")
    story.append("4", value="1;2;4;")
    story.read("1;2;4;")
    assert story.appends().sentence == (
        "valid: 2 additions acknowledged, each there once in 5 reads"
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("1;1;2;", "shows 1 2 times"),
        ("1;", "does not show 2"),
        (None, "does not show 1"),
        ("2;1;", "comes after it"),
        ("1;2;9;", "which nobody added"),
        ("1;2;3;", "was not added by event 5"),
    ],
)
def test_a_wrong_list_convicts(value, words):
    story = Story()
    story.append("1")
    story.append("2")
    story.append("3", "fail")
    story.read(value)
    finding = story.appends()
    assert finding.verdict is Verdict.INVALID
    assert words in finding.sentence
    assert finding.key == "a/1"
    assert finding.contradiction


def test_a_word_cannot_be_read_before_it_was_asked_for():
    story = Story()
    story.read("1;")
    story.append("1")
    story.read("1;")
    assert "asked for later by event 2" in story.appends().sentence


@pytest.mark.parametrize("later", ["2;", "", "2;1;"])
def test_what_was_read_once_stays_where_it_was(later):
    """Of unknown outcome, both: it is the first read that settles them."""
    story = Story()
    story.append("1", "info")
    story.append("2", "info")
    story.read("1;2;")
    story.read("1;2;")
    assert story.appends().verdict is Verdict.VALID
    story.read(later)
    assert story.appends().verdict is Verdict.INVALID


def test_a_read_that_overlaps_may_miss_what_it_overlaps():
    story = Story()
    slow = story.ask("get", "a/1")
    story.append("1")
    story.end(slow, "ok", {"value": None})
    story.read("1;")
    assert story.appends().verdict is Verdict.VALID


def test_words_that_nobody_read_are_not_known():
    story = Story()
    story.append("1")
    assert story.appends().verdict is Verdict.UNKNOWN


def test_a_set_with_all_that_was_acknowledged_is_valid():
    story = Story()
    story.add(1)
    story.list(1)
    story.add(2, "info")
    story.add(3, "fail")
    story.add(4, succeeded=False)
    story.add(5)
    story.list(1, 5)
    story.list(1, 2, 5, prefix="s/")
    finding = story.set()
    assert finding.sentence == "valid: 2 additions acknowledged, each there once in 3 reads"


@pytest.mark.parametrize("prefix", ["s/0/", "s/"])
@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ((1,), "does not show s/0/5"),
        ((), "does not show s/0/1"),
        ((1, 5, 3), "was not added by event"),
        ((1, 5, 4), "was not added by event"),
        ((1, 5, 9), "which nobody added"),
        ((1, 5, 5), "shows s/0/5 2 times"),
    ],
)
def test_a_wrong_set_convicts(elements, words, prefix):
    story = Story()
    story.add(1)
    story.add(3, "fail")
    story.add(4, succeeded=False)
    story.add(5)
    story.list(*elements, prefix=prefix)
    finding = story.set()
    assert finding.verdict is Verdict.INVALID
    assert words in finding.sentence


def test_an_element_that_was_seen_once_stays():
    story = Story()
    story.add(2, "info")
    story.list(2)
    story.list()
    finding = story.set()
    assert finding.verdict is Verdict.INVALID
    assert finding.contradiction == [2, 3, 4, 5]


def test_an_element_that_is_added_by_two_cannot_be_judged():
    story = Story()
    story.add(1)
    story.add(1)
    with pytest.raises(HistoryError, match="events 0 and 2 add the same element"):
        story.set()
