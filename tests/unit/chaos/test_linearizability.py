"""Hand-made histories, guilty and innocent: a checker never seen to convict proves nothing."""

import pytest

from kvraft_chaos.checkers.linearizability import check
from kvraft_chaos.checkers.model import Model
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Recorder

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
    assert report.sentence() == (
        'k: invalid (4 operations): after 2 of them at most (last: put {"value": "b"} -> '
        "{\"mod_revision\": 3} (process 1, events 2 to 3)) it holds 'b' at revision 3; then "
        'get -> {"value": "a", "mod_revision": 2} (process 2, events 4 to 5) fits nowhere'
    )
    assert (
        check(s.recorder.events).sentence().startswith("invalid: 4 operations on 1 keys\n  k: inv")
    )


def test_a_write_of_what_stands_there_is_not_taken_for_a_read():
    """It may have to wait: here until after another write that runs at the same time."""

    def step_of(operation):
        if operation.f == "write":
            return lambda _state: operation.argument
        return lambda state: state if state == operation.result else None

    model = Model("cell", None, step_of, lambda operation: operation.f == "read")
    recorder = Recorder()
    for process, kind, f, value in (
        (0, "invoke", "write", "a"), (0, "ok", "write", None),
        (0, "invoke", "write", "a"), (1, "invoke", "write", "b"),
        (0, "ok", "write", None), (1, "ok", "write", None),
        (0, "invoke", "read", None), (0, "ok", "read", "a"),
    ):  # fmt: skip
        recorder.record(process, kind, f, value=value)
    assert check(recorder.events, model=model).verdict is VALID
