"""Histories: recorded, loaded, and each kind of damage named."""

import json

import pytest

from kvraft_chaos.history import Event, HistoryError, Recorder, decode_events, load, operations


def line(index, **changes):
    event = {
        "index": index,
        "time_ns": index,
        "process": 0,
        "type": "invoke",
        "f": "get",
        **changes,
    }
    return json.dumps(event) + "\n"


def test_what_was_recorded_is_loaded_again(tmp_path):
    path = tmp_path / "history.jsonl"
    ticks = iter(range(100, 200))
    with Recorder(path, now_ns=lambda: next(ticks)) as recorder:
        process = recorder.process()
        recorder.record(process, "invoke", "put", key="k", value={"value": "ä"}, node="n1")
        recorder.record(process, "ok", "put", key="k", value={"mod_revision": 2}, node="n1")
    events = load(path)
    assert events == recorder.events
    assert [event.time_ns for event in events] == [100, 101]
    assert recorder.process() == 1


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([line(0)[:-5]], "history:1: truncated"),
        ([line(0)[:-5] + "\n"], "history:1: not JSON"),
        (["[]\n"], "history:1: an event is an object, not list"),
        ([line(0, type="maybe")], "history:1: unknown event type 'maybe'"),
        ([line(0, type=["ok"])], "history:1: unknown event type"),
        ([line(0, colour=1)], "history:1: unknown fields \\['colour'\\]"),
        ([line(0, process="a")], "history:1: process must be an integer, not 'a'"),
        ([line(0, f=None)], "history:1: f must be a string"),
        ([line(0), line(2)], "history:2: index 2, but 1 comes here"),
    ],
)
def test_a_damaged_file_names_the_line(lines, words):
    with pytest.raises(HistoryError, match=words):
        list(decode_events(lines))


def event(index, process, kind, f="get", key="k", value=None):
    return Event(index, index, process, kind, f, key, value)


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([event(0, 0, "ok")], "event 0: process 0 completes get k, which is not open"),
        ([event(0, 0, "invoke"), event(1, 0, "invoke")], "while another call is open"),
        (
            [event(0, 0, "invoke"), event(1, 0, "info"), event(2, 0, "invoke")],
            "after an unknown outcome",
        ),
        ([event(0, 0, "invoke"), event(1, 0, "ok", f="put")], "completes put k"),
        ([event(0, 0, "invoke"), event(1, 0, "ok", key="other")], "completes get other"),
    ],
)
def test_events_that_do_not_pair_are_refused(events, words):
    with pytest.raises(HistoryError, match=words):
        operations(events)


def test_failed_operations_are_left_out_and_open_ones_are_unknown():
    found = operations(
        [
            event(0, 0, "invoke"),
            event(1, 1, "invoke", "put", value={"value": "x"}),
            event(2, 0, "fail"),
            event(3, 2, "invoke", "put", value={"value": "y"}),
            event(4, 2, "info", "put"),
        ]
    )
    assert [(op.process, op.completed) for op in found] == [(1, None), (2, None)]


def test_a_recorder_says_when_the_rest_is_for_what_comes_last():
    recorder = Recorder(max_events=200)
    for _ in range(197):
        recorder.record(0, "invoke", "get")
    assert not recorder.is_nearly_full
    recorder.record(0, "invoke", "get")
    assert recorder.is_nearly_full


def test_a_recorder_is_bounded():
    recorder = Recorder(max_events=1)
    recorder.record(0, "invoke", "get")
    with pytest.raises(HistoryError, match="full: 1 events"):
        recorder.record(0, "ok", "get")
