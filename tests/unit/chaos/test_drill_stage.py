"""How a drill is told, and what becomes of it when it is stopped."""

import contextlib
import json
import os
import signal
import threading
import time
from io import StringIO
from pathlib import Path

import pytest

from kvraft_chaos.drills.actors import together
from kvraft_chaos.drills.catalogue import DRILLS
from kvraft_chaos.drills.drill import Drill
from kvraft_chaos.drills.run import run
from kvraft_chaos.drills.stage import Stage

PAGE = Path(__file__).resolve().parents[3] / "docs/drills.md"


class FakeGround:
    """Keeps what was done with it."""

    def __init__(self):
        self.done = []

    @contextlib.contextmanager
    def __call__(self):
        self.done.append("begun")
        try:
            yield self
        finally:
            self.done.append("ended")

    def end_children(self):
        self.done.append("children")


def told(stage, *, naive=True, store=True):
    stage.open("last-seat", "How many tickets?")
    stage.act("the naive way")
    stage.say("alice", "reads [1] seat")
    stage.figure("tickets", naive=2, store=1)
    stage.figure("until then", naive=1.23456)
    stage.foretold(naive, "two are sold")
    stage.promised(store, "one is sold")
    stage.close("Take it in one step.", "kv.txn(...)")
    return stage.report


def test_the_play_is_plain_text_where_there_is_no_terminal():
    out = StringIO()
    report = told(Stage(out))
    text = out.getvalue()

    assert text.startswith("last-seat\nHow many tickets?\n\nAct 1: the naive way\n")
    assert " s  alice        reads [1] seat\n" in text
    assert "measured      naive   store" in text
    assert "tickets           2       1" in text
    assert "until then   1.23 s       -" in text
    assert "ok     store: one is sold\n" in text
    assert text.endswith("Lesson: Take it in one step.\n        kv.txn(...)\n")
    assert "\x1b" not in text
    assert report.passed


def test_long_lines_are_not_broken():
    out = StringIO()
    Stage(out).say("alice", "word " * 60)

    assert out.getvalue().count("\n") == 1


def test_the_audience_is_waited_for_before_each_act():
    out, waited = StringIO(), []
    stage = Stage(out, lambda: waited.append(out.getvalue()))
    stage.act("one")
    stage.act("two")

    assert len(waited) == 2
    assert "Act 1" not in waited[0]
    assert "Act 1" in waited[1]
    assert "Act 2" not in waited[1]


@pytest.mark.parametrize(("naive", "store"), [(True, False), (False, True)])
def test_one_check_that_does_not_hold_fails_the_drill(naive, store):
    out = StringIO()
    report = told(Stage(out), naive=naive, store=store)

    assert not report.passed
    assert "FAILED" in out.getvalue()
    assert ("NOT AS PROMISED" in out.getvalue()) is not store
    assert ("NOT AS FORETOLD" in out.getvalue()) is not naive


def test_a_drill_without_an_end_or_with_one_side_has_not_passed():
    stage = Stage(StringIO())
    stage.open("half", "?")
    stage.foretold(held=True, what="it goes wrong")
    assert not stage.report.passed
    stage.close("lesson", "call")
    assert not stage.report.passed
    stage.promised(held=True, what="it does not")
    assert stage.report.passed
    stage.report.interrupted = True
    assert not stage.report.passed


def test_the_report_for_programs():
    report = json.loads(json.dumps(told(Stage(StringIO())).as_json()))

    assert report["drill"] == "last-seat"
    assert report["figures"] == {
        "tickets": {"naive": 2, "store": 1},
        "until then": {"naive": 1.235, "store": None},
    }
    assert report["checks"][1] == {"side": "store", "what": "one is sold", "held": True}
    assert report["passed"] is True
    assert (report["lesson"], report["call"]) == ("Take it in one step.", "kv.txn(...)")


def test_all_eight_drills_ask_something():
    assert list(DRILLS) == [
        "lost-update",
        "last-seat",
        "paused-worker",
        "retry-storm",
        "deadlock",
        "ambiguous-timeout",
        "split-brain",
        "hold-over-slow-call",
    ]
    assert all(each.question.endswith("?") for each in DRILLS.values())


def test_the_page_asks_the_same_questions():
    page = " ".join(PAGE.read_text().replace('"', "'").split())

    for name, drill in DRILLS.items():
        assert f"## {name} *{drill.question}*" in page


def test_a_play_ends_with_its_ground():
    ground = FakeGround()
    report = run(Drill("d", "why?", lambda stage, _: told(stage)), Stage(StringIO()), ground)

    assert report.passed
    assert ground.done == ["begun", "children", "ended"]


def test_an_error_of_the_play_is_raised_after_the_clean_up():
    def play(_stage, _ground):
        raise ValueError("oh")

    ground = FakeGround()
    with pytest.raises(ValueError, match="oh"):
        run(Drill("d", "why?", play), Stage(StringIO()), ground)
    assert ground.done[-1] == "ended"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_play_and_its_ground(number):
    before, release = signal.getsignal(number), threading.Event()

    def play(_stage, _ground):
        os.kill(os.getpid(), number)
        release.wait(10)

    ground, begun = FakeGround(), time.monotonic()
    report = run(Drill("d", "why?", play), Stage(StringIO()), ground)
    release.set()

    assert report.interrupted
    assert not report.passed
    assert ground.done == ["begun", "children", "ended"]
    assert time.monotonic() - begun < 5
    assert signal.getsignal(number) is before


def test_a_signal_during_the_start_waits_for_its_end():
    class SlowGround(FakeGround):
        @contextlib.contextmanager
        def __call__(self):
            os.kill(os.getpid(), signal.SIGINT)
            self.done.append("all nodes are started")
            with super().__call__():
                yield self

    ground = SlowGround()
    play = threading.Event().wait
    report = run(Drill("d", "why?", lambda *_: play(10)), Stage(StringIO()), ground)

    assert report.interrupted
    assert ground.done == ["all nodes are started", "begun", "children", "ended"]


def test_actors_act_together_and_an_error_of_one_is_raised():
    meeting = threading.Barrier(3, timeout=10)

    assert together([lambda each=each: (meeting.wait(), each)[1] for each in range(3)]) == [0, 1, 2]
    with pytest.raises(ZeroDivisionError):
        together([lambda: 1, lambda: 1 // 0])
