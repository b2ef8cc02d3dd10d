"""What a watcher sees, on a terminal and without one."""

from io import StringIO

from rich.console import Console

from kvraft_chaos.history import Recorder
from kvraft_chaos.nemesis.plan import Plan
from kvraft_chaos.run.directory import Mark
from kvraft_chaos.run.scoreboard import RATE_SECONDS, Scoreboard, words
from kvraft_chaos.run.view import Watching

S = 1_000_000_000
PLAN = Plan("register", 7, 20_000, ("n1", "n2", "n3"), ())


class Clock:
    now = 100 * S

    def __call__(self):
        return self.now


def board(clock):
    recorder = Recorder(now_ns=clock)
    return recorder, Scoreboard(recorder, now_ns=clock)


def test_marks_become_a_phase_a_leader_and_active_faults():
    clock = Clock()
    _, seen = board(clock)
    clock.now += 2 * S
    for mark in (
        Mark(clock.now, "phase", "faults"),
        Mark(clock.now, "leader", "n2", value=3),
        Mark(clock.now, "strike", "kill", 0, "n1", ("n1",)),
        Mark(clock.now, "strike", "delay", 1, "all", ("n1",)),
        Mark(clock.now, "heal", "kill", 0),
    ):
        seen.saw(mark)
    score = seen.score()

    assert (score.seconds, score.phase, score.leader, score.term) == (2.0, "faults", "n2", 3)
    assert score.active == ("delay (all)",)
    assert score.last[-1] == "   2.0 s  heal kill"


def test_answers_are_counted_and_the_rate_is_that_of_the_last_moments():
    clock = Clock()
    recorder, seen = board(clock)
    for process, completion in enumerate(("ok", "ok", "fail", "info")):
        recorder.record(process, "invoke", "get", key="k")
        recorder.record(process, completion, "get", key="k")
    first = seen.score()
    assert (first.ok, first.fail, first.info) == (2, 1, 1)
    assert first.per_second == 4 / RATE_SECONDS
    clock.now += int(RATE_SECONDS * S) + 1
    recorder.record(9, "invoke", "get", key="k")
    recorder.record(9, "ok", "get", key="k")
    later = seen.score()

    assert (later.ok, later.fail, later.info) == (3, 1, 1)
    assert later.per_second == 1 / RATE_SECONDS


def test_a_measured_recovery_is_told():
    mark = Mark(0, "recovered", "", value={"leader_ms": 300, "operations_ms": None})

    assert words(mark) == "recovered: a leader 300 ms, operations None ms after the last heal"


def shown(*, terminal, lines=False):
    out, clock = StringIO(), Clock()
    _, seen = board(clock)
    console = Console(file=out, force_terminal=terminal, width=100, color_system=None)
    with Watching(console, PLAN, lines)(seen) as told:
        told(Mark(clock.now + S, "strike", "kill", 0, "n1", ("n1",)))
    return out.getvalue()


def test_without_a_terminal_each_event_is_a_line():
    assert shown(terminal=False) == "   0.0 s  strike kill: n1  [0 ok, 0 fail, 0 unknown]\n"
    assert shown(terminal=True, lines=True) == shown(terminal=False)


def test_a_terminal_shows_everything_at_a_glance():
    drawn = shown(terminal=True)

    for word in (
        "register, seed 7, 20 s",
        "leader",
        "kill (n1)",
        "operations/s",
        "strike kill: n1",
    ):
        assert word in drawn
