"""Many keys on several processes: the same verdicts, and a process that dies costs its key only."""

import os
import sys

from kvraft_chaos.checkers.linearizability import check
from kvraft_chaos.checkers.parallel import spread
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Recorder


def history(keys, stale=()):
    recorder = Recorder()

    def did(f, key, argument, result):
        process = recorder.process()
        recorder.record(process, "invoke", f, key=key, value=argument)
        recorder.record(process, "ok", f, key=key, value=result)

    for number in range(keys):
        key = f"k{number}"
        did("put", key, {"value": "a"}, {})
        did("put", key, {"value": "b"}, {})
        did("get", key, None, {"value": "a" if number in stale else "b"})
    return recorder.events


def dies_of_seven(number):
    if number == 7:
        os._exit(9)
    return os.getpid()


def test_the_reports_are_those_of_one_process():
    events = history(9, stale={3, 5})
    alone, spread_out = check(events, jobs=1), check(events, jobs=2)

    assert [report.verdict for report in alone.keys].count(Verdict.INVALID) == 2
    assert spread_out == alone


def test_two_processes_do_it():
    done = dict(spread(dies_of_seven, iter(range(7)), 2))

    assert os.getpid() not in done.values()
    assert set(done) == set(range(7))
    assert 1 <= len(set(done.values())) <= 2


def test_a_process_that_dies_costs_its_own_task_only():
    done = dict(spread(dies_of_seven, iter(range(20)), 2))

    assert [number for number in done if done[number] is None] == [7]
    assert set(done) == set(range(20))


def test_what_no_process_can_judge_is_unknown(monkeypatch):
    monkeypatch.setattr(
        "kvraft_chaos.checkers.linearizability.spread",
        lambda function, tasks, jobs: spread(
            function, tasks, jobs, command=(sys.executable, "-c", "")
        ),
    )

    assert check(history(4), jobs=2).verdict is Verdict.UNKNOWN


def test_the_time_of_a_key_is_what_is_left_when_its_turn_comes(monkeypatch):
    given = []
    monkeypatch.setattr(
        "kvraft_chaos.checkers.linearizability.spread",
        lambda function, tasks, _jobs: [(t, given.append(t.seconds) or function(t)) for t in tasks],
    )
    ticks = iter(range(100))
    check(history(4), jobs=2, seconds=10.0, seconds_per_key=9.0, now=lambda: float(next(ticks)))

    assert given == [9.0, 8.0, 7.0, 6.0]
