"""Hand-made histories, guilty and innocent: a checker never seen to convict proves nothing."""

import itertools
import random
import time

import pytest

from kvraft_chaos.checkers.linearizability import check, check_key
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import HistoryError, Operation, Recorder, operations

VALID, INVALID, UNKNOWN = Verdict.VALID, Verdict.INVALID, Verdict.UNKNOWN


class Story:
    """Writes a history down: `a = s.call(...)`, later `s.ok(a, ...)`; `s.did` is both at once."""

    def __init__(self):
        self.recorder = Recorder()
        self.open = {}

    def call(self, f, key="k", **argument):
        process = self.recorder.process()
        self.recorder.record(process, "invoke", f, key=key, value=argument)
        self.open[process] = (f, key)
        return process

    def end(self, process, kind, result=None):
        f, key = self.open[process]
        self.recorder.record(process, kind, f, key=key, value=result)

    def ok(self, process, **result):
        self.end(process, "ok", result)

    def did(self, f, argument=None, key="k", **result):
        self.ok(self.call(f, key=key, **(argument or {})), **result)

    def put(self, value, revision):
        self.did("put", {"value": value}, mod_revision=revision)

    def saw(self, value, revision=None):
        self.did("get", value=value, mod_revision=revision)

    def swapped(self, value, revision, /, **expect):
        self.did("cas", {"value": value, "expect": expect}, succeeded=True, mod_revision=revision)

    def refused(self, value, current, /, **expect):
        self.did("cas", {"value": value, "expect": expect}, succeeded=False, current=current)

    def verdict(self):
        return check(self.recorder.events).verdict


@pytest.fixture
def s():
    return Story()


# --- innocent --------------------------------------------------------------------------------


def test_nothing_happened(s):
    assert s.verdict() is VALID


def test_one_after_another(s):
    s.saw(None)
    s.put("a", 2)
    s.saw("a", 2)
    s.swapped("b", 3, mod_revision=2)
    s.refused("c", {"value": "b", "mod_revision": 3}, mod_revision=2)
    s.did("delete", deleted=True, revision=4)
    s.did("delete", deleted=False, revision=9)
    s.refused("c", None, value="b")
    s.swapped("d", 10, absent=True)
    s.saw("d", 10)
    assert s.verdict() is VALID


def test_concurrent_reads_may_see_before_or_after(s):
    s.put("a", 2)
    write = s.call("put", value="b")
    s.saw("b", 3)
    s.ok(write, mod_revision=3)
    write = s.call("put", value="c")
    s.saw("b", 3)
    s.ok(write, mod_revision=4)
    assert s.verdict() is VALID


def test_an_unknown_write_may_be_seen_late(s):
    s.put("a", 2)
    s.end(s.call("put", value="u"), "info")
    s.saw("a", 2)
    s.saw("u", 7)
    s.saw("u", 7)
    assert s.verdict() is VALID


def test_an_unknown_write_may_never_be_seen(s):
    s.end(s.call("put", value="u"), "info")
    s.call("put", value="never answered")
    s.put("a", 2)
    s.saw("a", 2)
    assert s.verdict() is VALID


def test_an_unknown_cas_may_have_swapped(s):
    s.put("a", 2)
    s.end(s.call("cas", value="u", expect={"mod_revision": 2}), "info")
    s.saw("u", 3)
    assert s.verdict() is VALID


def test_an_unknown_write_that_only_a_delete_saw(s):
    s.end(s.call("put", value="u"), "info")
    s.did("delete", deleted=True, revision=3)
    assert s.verdict() is VALID


def test_an_unknown_write_that_only_an_expected_revision_shows(s):
    s.end(s.call("put", value="u"), "info")
    s.swapped("b", 8, mod_revision=5)
    assert s.verdict() is VALID


def test_an_unknown_delete(s):
    s.put("a", 2)
    s.end(s.call("delete"), "info")
    s.saw("a", 2)
    s.saw(None)
    assert s.verdict() is VALID


def test_keys_are_independent(s):
    s.did("put", {"value": "a"}, key="x", mod_revision=5)
    s.did("put", {"value": "b"}, key="y", mod_revision=4)
    assert s.verdict() is VALID
    assert [report.key for report in check(s.recorder.events).keys] == ["x", "y"]


# --- guilty ----------------------------------------------------------------------------------


def test_stale_read(s):
    s.put("a", 2)
    s.put("b", 3)
    s.saw("a", 2)
    assert s.verdict() is INVALID


def test_stale_read_by_revision_alone(s):
    s.put("same", 2)
    s.put("same", 3)
    s.saw("same", 2)
    assert s.verdict() is INVALID


def test_reads_that_go_back_in_time_during_one_write(s):
    s.put("a", 2)
    write = s.call("put", value="b")
    s.saw("b", 3)
    s.saw("a", 2)
    s.ok(write, mod_revision=3)
    assert s.verdict() is INVALID


def test_lost_update(s):
    s.put("a", 2)
    first = s.call("cas", value="b", expect={"mod_revision": 2})
    second = s.call("cas", value="c", expect={"mod_revision": 2})
    s.ok(first, succeeded=True, mod_revision=3)
    s.ok(second, succeeded=True, mod_revision=4)
    assert s.verdict() is INVALID


def test_lost_acknowledged_write(s):
    s.put("a", 2)
    s.saw(None)
    assert s.verdict() is INVALID


def test_cas_applied_twice(s):
    s.put("a", 2)
    s.swapped("b", 3, value="a")
    s.swapped("a", 4, value="b")
    s.saw("b", 5)
    assert s.verdict() is INVALID


def test_unknown_cas_applied_twice(s):
    s.put("a", 2)
    s.end(s.call("cas", value="b", expect={"value": "a"}), "info")
    s.saw("b", 3)
    s.put("a", 4)
    s.saw("b", 5)
    assert s.verdict() is INVALID


def test_phantom_read(s):
    s.put("a", 2)
    s.saw("nobody wrote this", 3)
    assert s.verdict() is INVALID


def test_read_of_a_write_that_certainly_failed(s):
    s.end(s.call("put", value="x"), "fail")
    s.saw("x", 2)
    assert s.verdict() is INVALID


def test_an_unknown_write_cannot_be_unseen_again(s):
    s.put("a", 2)
    s.end(s.call("put", value="u"), "info")
    s.saw("u", 3)
    s.saw("a", 2)
    assert s.verdict() is INVALID


def test_a_write_seen_before_it_was_asked_for(s):
    s.saw("a", 2)
    s.put("a", 2)
    assert s.verdict() is INVALID


def test_revisions_that_run_backwards(s):
    s.put("a", 5)
    s.put("b", 4)
    assert s.verdict() is INVALID


def test_a_revision_given_out_twice(s):
    s.put("a", 5)
    s.put("b", 5)
    assert s.verdict() is INVALID


def test_an_unknown_write_has_one_revision(s):
    s.end(s.call("put", value="u"), "info")
    s.saw("u", 3)
    s.saw("u", 4)
    assert s.verdict() is INVALID


def test_a_refusal_whose_expectation_held(s):
    s.put("a", 2)
    s.refused("b", {"value": "a", "mod_revision": 2}, mod_revision=2)
    assert s.verdict() is INVALID


def test_a_swap_whose_expectation_did_not_hold(s):
    s.put("a", 2)
    s.swapped("b", 3, absent=True)
    assert s.verdict() is INVALID


def test_a_delete_that_missed_what_was_there(s):
    s.put("a", 2)
    s.did("delete", deleted=False, revision=2)
    assert s.verdict() is INVALID


def test_the_report_names_the_longest_prefix_and_the_misfit(s):
    s.put("a", 2)
    s.put("b", 3)
    s.saw("a", 2)
    s.put("c", 4)
    (report,) = check(s.recorder.events).keys
    assert [op.argument.get("value") for op in report.prefix] == ["a", "b"]
    assert (report.stuck.f, report.stuck.invoked) == ("get", 4)
    assert report.state.value == "b"
    assert "k: invalid (4 operations): after 2 of them" in report.sentence()
    assert (
        check(s.recorder.events).sentence().startswith("invalid: 4 operations on 1 keys\n  k: inv")
    )


# --- bounds and bad input --------------------------------------------------------------------


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
    "shape", [{}, {"unknown": 0.1}, {"revisions": False, "values": 5}, {"unknown": 0.02}]
)
def test_a_thousand_operations_by_ten_clients_take_under_a_second(seed, shape):
    events = served(10, 1_000, seed=seed, **shape)
    start = time.process_time()
    report = check(events)
    assert report.verdict is VALID, report.sentence()
    assert time.process_time() - start < 1.0


def test_one_false_read_among_a_thousand_operations_convicts():
    events = served(10, 1_000, seed=3)
    reads = [e for e in events if e.type == "ok" and e.f == "get" and (e.value or {}).get("value")]
    falsified = reads[len(reads) // 2]
    stale = {"value": reads[5].value["value"], "mod_revision": reads[5].value["mod_revision"]}
    events[falsified.index] = type(falsified)(
        falsified.index, falsified.time_ns, falsified.process, "ok", "get", "k", stale
    )
    start = time.process_time()
    assert check(events).verdict is INVALID
    assert time.process_time() - start < 5.0


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
