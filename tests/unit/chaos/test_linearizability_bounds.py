"""How much of a search is needed, and what happens when it is more than there is."""

import itertools
import random
import time

import pytest

from kvraft_chaos.checkers.linearizability import check, check_key
from kvraft_chaos.checkers.search import _Ranks
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import HistoryError, Operation, Recorder, operations

VALID, INVALID, UNKNOWN = Verdict.VALID, Verdict.INVALID, Verdict.UNKNOWN

IN_A_SECOND = 30_000
"""Configurations; a core visits three times as many. `make bench PART=checker` takes the time."""


def served(clients, count, *, seed, unknown=0.0, revisions=True, values=10**9):
    """What a correct register answers: `count` operations, `clients` of them at any time."""
    rng = random.Random(seed)
    recorder = Recorder()
    numbers = itertools.count()
    waiting, value, revision = {}, None, 1
    for _ in range(count):
        while len(waiting) < clients:
            process, word = recorder.process(), str(next(numbers) % values)
            f = rng.choice(("get", "put", "cas"))
            argument = {
                "get": None,
                "put": {"value": word},
                "cas": {"value": word, "expect": {"value": value or "0"}},
            }[f]
            recorder.record(process, "invoke", f, key="k", value=argument)
            waiting[process] = (f, argument)
        process = rng.choice(list(waiting))
        f, argument = waiting.pop(process)
        known = {"mod_revision": revision} if revisions else {}
        result = {"value": value, **(known if value is not None else {})}
        if f == "cas":
            swapped = argument["expect"]["value"] == value
            current = {"value": value, **known} if value is not None else None
            result = {"succeeded": False, "current": current}
        if f == "put" or (f == "cas" and swapped):
            revision, value = revision + 1, argument["value"]
            result = (
                {"succeeded": True, "mod_revision": revision} if revisions else {"succeeded": True}
            )
        lost = rng.random() < unknown
        kind = "info" if lost else "ok"
        recorder.record(process, kind, f, key="k", value=None if lost else result)
    return recorder.events


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"unknown": 0.1},
        {"unknown": 0.02},
        {"revisions": False, "values": 5},
        {"revisions": False, "values": 5, "unknown": 0.02},
    ],
)
def test_a_thousand_operations_by_ten_clients_take_under_a_second(seed, shape):
    events = served(10, 1_000, seed=seed, **shape)
    report = check(events)
    assert report.verdict is VALID, report.sentence()
    assert report.keys[0].configurations < IN_A_SECOND


def test_one_false_read_among_a_thousand_operations_convicts():
    events = served(10, 1_000, seed=3)
    reads = [e for e in events if e.type == "ok" and e.f == "get" and (e.value or {}).get("value")]
    falsified = reads[len(reads) // 2]
    stale = {"value": reads[5].value["value"], "mod_revision": reads[5].value["mod_revision"]}
    events[falsified.index] = type(falsified)(
        falsified.index, falsified.time_ns, falsified.process, "ok", "get", "k", stale
    )
    report = check(events)
    assert report.verdict is INVALID
    assert report.keys[0].configurations < IN_A_SECOND


def hopeless():
    """Unknown writes of few values and no revisions: too many orders to try."""
    recorder = Recorder()
    for value in range(40):
        process = recorder.process()
        recorder.record(process, "invoke", "put", key="k", value={"value": str(value)})
    for value in [*range(40), "never written"]:
        process = recorder.process()
        recorder.record(process, "invoke", "get", key="k")
        recorder.record(process, "ok", "get", key="k", value={"value": str(value)})
    process = recorder.process()
    recorder.record(process, "invoke", "get", key="k")
    recorder.record(process, "ok", "get", key="k", value={"value": "1"})
    return recorder.events


def test_time_that_runs_out_is_unknown():
    start = time.monotonic()
    report = check(hopeless(), seconds_per_key=0.3)
    assert report.verdict is UNKNOWN
    assert time.monotonic() - start < 2.0


def test_time_for_the_whole_history_is_bounded_too():
    report = check(hopeless(), seconds=0.0)
    assert report.verdict is UNKNOWN


def test_configurations_that_run_out_are_unknown():
    report = check_key("k", operations(hopeless()), configurations=2_000)
    assert report.verdict is UNKNOWN
    assert report.configurations < 5_000


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (
            Operation(0, "incr", "k", None, None, 0, 1),
            "event 0: a register knows no operation 'incr'",
        ),
        (Operation(0, "cas", "k", {"value": "a"}, {}, 0, 1), "event 0: malformed cas"),
        (Operation(0, "put", "k", None, {}, 0, 1), "event 0: malformed put"),
    ],
)
def test_operations_that_are_no_register_operations_are_refused(operation, words):
    with pytest.raises(HistoryError, match=words):
        check_key("k", [operation])


def test_the_memory_of_a_search_is_bounded_in_bytes():
    report = check_key("k", operations(hopeless()), memory_bytes=1_000_000)
    assert report.verdict is UNKNOWN
    assert 2_000 < report.configurations < 6_000


def test_what_is_undone_has_the_lowest_rank_again():
    ranks = _Ranks([5, 3, None, 3])
    assert [ranks.forbid(number) for number in range(4)] == [True, False, False, False]
    ranks.done(1)
    ranks.done(3)
    assert not ranks.forbid(0)
    ranks.undone(3)
    assert ranks.forbid(0)
