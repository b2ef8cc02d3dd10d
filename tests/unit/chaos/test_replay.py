"""Replay in the order of revisions: honest histories pass, and each kind of lie convicts."""

import time
from dataclasses import replace
from functools import cache

import pytest
from unit.chaos.sequential_store import honest

from kvraft_chaos.checkers.replay import check_replay
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import HistoryError, Recorder
from kvraft_chaos.workloads.append import Append
from kvraft_chaos.workloads.bank import Bank
from kvraft_chaos.workloads.mix import Mix
from kvraft_chaos.workloads.unique_set import UniqueSet

PREFIXES = {Mix: "mix/", Bank: "bank/", Append: "append/", UniqueSet: "set/"}


@cache
def story(workload, *, lost=0.1, seed=1, calls=600):
    return tuple(honest(workload(), calls, lost=lost, seed=seed))


def judged(events, workload=Mix):
    return check_replay(events, PREFIXES[workload])


def convicted(events, workload=Mix, words=""):
    """The finding, which must name events of the history that it judged."""
    finding = judged(events, workload)
    assert finding.verdict is Verdict.INVALID
    assert words in finding.sentence
    assert {events[index].index for index in finding.contradiction} == set(finding.contradiction)
    assert {events[index].type for index in finding.prefix} <= {"invoke"}
    return finding


def told(events, index, **parts):
    """The history, with an answer that says something else."""
    changed = list(events)
    changed[index] = replace(events[index], value={**events[index].value, **parts})
    return changed


def logged(events, change):
    """The history, with another log: `change` takes its rows and returns new ones."""
    index = next(event.index for event in events if event.f == "log" and event.type == "ok")
    changed = list(events)
    changed[index] = replace(events[index], value=change([*events[index].value]))
    return changed


def log_of(events):
    return next(event.value for event in events if event.f == "log" and event.type == "ok")


def answers(events, f, holds=lambda _value: True):
    """Indexes of the answers to one kind of call."""
    return [e.index for e in events if (e.f, e.type) == (f, "ok") and holds(e.value)]


def invoke_of(events, index):
    """The invoke of an answer."""
    process = events[index].process
    return max(e.index for e in events[:index] if e.process == process and e.type == "invoke")


@pytest.mark.parametrize("workload", PREFIXES)
@pytest.mark.parametrize("lost", [0.0, 0.1])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_honest_history_is_valid(workload, lost, seed):
    finding = judged(story(workload, lost=lost, seed=seed), workload)
    assert finding.verdict is Verdict.VALID, finding.sentence


def test_unknown_calls_are_settled_both_ways():
    events = story(Mix)
    unknown = [e for e in events if e.type == "info"]
    log = {tuple(row[1:]) for row in log_of(events)}
    puts = [events[invoke_of(events, e.index)] for e in unknown if e.f == "put"]
    done = [put for put in puts if (put.key, put.value["value"]) in log]
    assert done
    assert len(done) < len(puts)
    settled = int(judged(events).sentence.split()[-4])
    assert len(done) <= settled < len(unknown)


def test_an_unknown_call_that_is_taken_back_where_it_was_seen_convicts():
    events = story(Mix)
    unknown = {e.index for e in events if e.type == "info" and e.f == "put"}
    values = {events[invoke_of(events, index)].value["value"] for index in unknown}
    seen = {events[index].value["value"] for index in answers(events, "get")} & values
    assert seen
    convicted(logged(events, lambda rows: [row for row in rows if row[2] not in seen]))


@pytest.mark.parametrize("which", range(6))
def test_a_stale_read_convicts(which):
    events = story(Mix)
    reads = answers(events, "get", lambda value: value["value"] is not None)
    index = reads[-1 - which]
    revision, _, value = next(
        row for row in log_of(events) if row[1] == events[index].key and row[2] is not None
    )
    changed = told(events, index, value=value, mod_revision=revision)
    finding = convicted(changed, words=f"event {index}: get")
    assert index in finding.contradiction


def test_a_read_of_nothing_where_something_is_convicts():
    events = story(Mix, lost=0.0)
    index = answers(events, "list", lambda value: value["entries"])[-1]
    convicted(told(events, index, entries=events[index].value["entries"][1:]))
    convicted(told(events, index, entries=[*events[index].value["entries"], ["mix/0/9", "v", 7]]))


def test_nothing_has_no_revision():
    events = story(Mix)
    index = answers(events, "get", lambda value: value["value"] is None)[3]
    convicted(told(events, index, mod_revision=2))


def test_a_false_look_back_convicts():
    events = story(Mix)
    past = [
        index
        for index in answers(events, "list", lambda value: value["entries"])
        if events[invoke_of(events, index)].value
    ]
    entries = [[key, "v-1", revision] for key, _, revision in events[past[0]].value["entries"]]
    convicted(told(events, past[0], entries=entries), words="is right")


@pytest.mark.parametrize("f", ["put", "cas", "delete"])
def test_a_lost_write_convicts(f):
    events = story(Mix)
    writes = answers(events, f, lambda value: value.get("succeeded", value.get("deleted", True)))
    index = writes[len(writes) // 2]
    lost = events[index].value.get("mod_revision") or events[index].value["revision"]
    finding = convicted(logged(events, lambda rows: [row for row in rows if row[0] != lost]))
    assert finding.prefix


@pytest.mark.parametrize("workload", PREFIXES)
def test_an_effect_that_comes_twice_convicts(workload):
    events = story(workload, lost=0.0)
    rows = log_of(events)
    late = rows[-1][0] + 1
    again = [row for row in rows if row[0] == rows[len(rows) // 2][0]]
    if workload is Append:  # once more, on what stands there now
        _, key, value = again[0]
        last = [row[2] for row in rows if row[1] == key][-1]
        again = [[0, key, f"{last}{value.split(';')[-2]};"]]
    if workload is Bank:
        balances = {row[1]: row[2] for row in rows}
        before = {row[1]: row[2] for row in rows if row[0] < again[0][0]}
        again = [
            [0, key, value]
            if key.startswith("bank/transfer")
            else [0, key, str(int(balances[key]) + int(value) - int(before[key]))]
            for _, key, value in again
        ]
    more = [[late, *row[1:]] for row in again]
    # A set's element or a transfer that is there already is refused; others could happen again.
    words = "which no call explains" if workload is UniqueSet else "took effect twice"
    if workload is Bank:
        words = ""
    convicted(logged(events, lambda rows: rows + more), workload, words)


def test_a_failed_write_that_is_there_convicts():
    events = story(Mix)
    failed = next(e for e in events if e.type == "fail" and e.f == "put")
    asked = events[invoke_of(events, failed.index)]
    late = log_of(events)[-1][0] + 1
    changed = logged(events, lambda rows: [*rows, [late, asked.key, asked.value["value"]]])
    finding = convicted(changed, words=f"event {failed.index} denies it")
    assert finding.contradiction == [asked.index, failed.index]


def test_a_write_of_nobody_convicts():
    events = story(Mix)
    late = log_of(events)[-1][0] + 1
    changed = logged(events, lambda rows: [*rows, [late, "mix/0/1", "not asked for"]])
    convicted(changed, words="which no call explains")


def swapped(events, first, second):
    """Two writes exchange their revisions, in their answers and in the log."""
    a, b = (events[index].value["mod_revision"] for index in (first, second))
    other = {a: b, b: a}
    changed = told(told(events, first, mod_revision=b), second, mod_revision=a)
    rows = sorted([other.get(row[0], row[0]), *row[1:]] for row in log_of(events))
    return logged(changed, lambda _rows: rows)


def test_writes_that_exchange_their_revisions_convict():
    """No reader between them could tell: real time does."""
    recorder = Recorder()
    store_log = []
    for number, key in enumerate(("mix/a", "mix/b")):
        process = recorder.process()
        value = {"value": f"v{number}"}
        recorder.record(process, "invoke", "put", key=key, value=value)
        recorder.record(process, "ok", "put", key=key, value={"mod_revision": 2 + number})
        store_log.append([2 + number, key, f"v{number}"])
    finish(recorder, store_log)
    assert judged(recorder.events).verdict is Verdict.VALID
    convicted(swapped(recorder.events, 1, 3), words="had shown 3 before")


def test_a_revision_given_out_twice_convicts():
    events = story(Mix)
    first, second = answers(events, "put")[:2]
    revision = events[first].value["mod_revision"]
    convicted(told(events, second, mod_revision=revision))


def test_a_delete_that_two_claim_convicts():
    recorder = Recorder()
    call(recorder, "put", "mix/a", {"value": "1"}, "ok", {"mod_revision": 2})
    both = [recorder.process(), recorder.process()]
    for process in both:
        recorder.record(process, "invoke", "delete", key="mix/a")
    for process in both:
        value = {"deleted": True, "revision": 3}
        recorder.record(process, "ok", "delete", key="mix/a", value=value)
    finish(recorder, [[2, "mix/a", "1"], [3, "mix/a", None]])
    finding = convicted(recorder.events, words="event 4 did too")
    assert finding.contradiction == [2, 3, 4, 5]
    assert finding.prefix == [0, 2]


def test_a_write_that_is_not_what_the_log_has_convicts():
    events = story(Mix)
    rows = log_of(events)
    forged = [*rows[:9], [rows[9][0], rows[9][1], "another value"], *rows[10:]]
    convicted(logged(events, lambda _rows: forged))


def finish(recorder, log):
    process = recorder.process()
    recorder.record(process, "invoke", "log", key="mix/")
    recorder.record(process, "ok", "log", key="mix/", value=log)


def call(recorder, f, key, argument, kind, value=None):
    process = recorder.process()
    recorder.record(process, "invoke", f, key=key, value=argument)
    recorder.record(process, kind, f, key=key, value=value)


def test_an_unknown_write_cannot_have_been_before_it_was_asked_for():
    recorder = Recorder()
    call(recorder, "put", "mix/a", {"value": "1"}, "ok", {"mod_revision": 3})
    call(recorder, "put", "mix/b", {"value": "2"}, "info")
    early, late = [[2, "mix/b", "2"], [3, "mix/a", "1"]], [[3, "mix/a", "1"], [4, "mix/b", "2"]]
    finish(recorder, late)
    assert judged(recorder.events).verdict is Verdict.VALID
    convicted(logged(recorder.events, lambda _rows: early), words="which no call explains")


def test_an_unknown_write_settles_one_change_only():
    recorder = Recorder()
    call(recorder, "put", "mix/b", {"value": "2"}, "info")
    finish(recorder, [[2, "mix/b", "2"]])
    assert judged(recorder.events).verdict is Verdict.VALID
    twice = [[2, "mix/b", "2"], [3, "mix/b", "2"]]
    finding = convicted(logged(recorder.events, lambda _rows: twice), words="took effect twice")
    assert finding.contradiction == [0, 1]


def test_a_transaction_that_only_deletes_writes_where_something_was():
    recorder = Recorder()
    deleting = {"then": [["delete", "mix/a"]]}
    for revision, deleted in ((1, False), (3, True), (3, False)):
        value = {"succeeded": True, "revision": revision, "results": [{"deleted": deleted}]}
        call(recorder, "txn", "mix/", deleting, "ok", value)
        if revision == 1:
            call(recorder, "put", "mix/a", {"value": "1"}, "ok", {"mod_revision": 2})
    finish(recorder, [[2, "mix/a", "1"], [3, "mix/a", None]])
    assert judged(recorder.events).verdict is Verdict.VALID
    convicted(told(recorder.events, 5, results=[{"deleted": False}]), words="event 5 denies it")


def test_reads_of_several_keys_go_one_way_only():
    """Each is right by itself; no one order has both."""
    recorder = Recorder()
    log = [[2, "mix/a", "1"], [3, "mix/b", "2"]]
    writers = [recorder.process(), recorder.process()]
    for process, (_, key, value) in zip(writers, log, strict=True):
        recorder.record(process, "invoke", "put", key=key, value={"value": value})
    call(recorder, "get", "mix/b", None, "ok", {"value": "2", "mod_revision": 3})
    call(recorder, "get", "mix/a", None, "ok", {"value": None})
    for process, (revision, key, _) in zip(writers, log, strict=True):
        recorder.record(process, "ok", "put", key=key, value={"mod_revision": revision})
    finish(recorder, log)
    finding = convicted(recorder.events, words="had shown 3 before it began")
    assert finding.contradiction == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("f", "holds", "parts"),
    [
        ("cas", lambda value: not value["succeeded"], {"current": None}),
        ("delete", lambda value: value["deleted"], {"deleted": False}),
        ("delete", lambda value: not value["deleted"], {"deleted": True}),
    ],
)
def test_a_wrong_answer_to_a_condition_convicts(f, holds, parts):
    events = story(Mix)
    index = answers(events, f, holds)[3]
    assert index in convicted(told(events, index, **parts)).contradiction


def test_a_transfer_decided_wrongly_convicts():
    events = story(Bank)
    refused = answers(events, "txn", lambda value: not value["succeeded"])[0]
    convicted(told(events, refused, succeeded=True), Bank)
    done = answers(events, "txn", lambda value: value["succeeded"])[5]
    convicted(told(events, done, succeeded=False, results=[]), Bank)


def test_a_count_of_another_time_convicts():
    events = story(Bank)
    counts = answers(events, "txn", lambda value: len(value.get("results", ())) == 8)
    convicted(told(events, counts[-1], **events[counts[0]].value), Bank, "before it began")


def test_half_of_a_transaction_convicts():
    events = story(Bank)
    row = log_of(events)[-1]
    convicted(logged(events, lambda rows: [each for each in rows if each != row]), Bank)


def test_a_count_of_two_times_convicts():
    """A sum that is right, of balances that never stood together."""
    events = story(Bank)
    index = answers(events, "list")[5]
    (a, x, at), (b, y, by), *rest = events[index].value["entries"]
    mixed = [[a, str(int(x) + 1), at], [b, str(int(y) - 1), by], *rest]
    convicted(told(events, index, entries=mixed), Bank)


def test_the_value_that_an_append_answers_is_checked():
    events = story(Append)
    index = answers(events, "update")[20]
    wrong = events[index].value["value"].partition(";")[2]
    convicted(told(events, index, value=wrong), Append, "had to answer")
    part = {"mod_revision": events[index].value["mod_revision"]}  # a value may be left out
    changed = [*events[:index], replace(events[index], value=part), *events[index + 1 :]]
    assert judged(changed, Append).verdict is Verdict.VALID


def test_without_a_final_log_nothing_is_known():
    events = [event for event in story(Mix) if event.f != "log"]
    assert judged(events).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({}, "without its revision"),
        ({"mod_revision": "two"}, "malformed put"),
        ({"mod_revision": [2]}, "malformed put"),
    ],
)
def test_a_malformed_answer_is_one_clear_line(answer, words):
    recorder = Recorder()
    call(recorder, "put", "mix/a", {"value": "1"}, "ok", answer)
    finish(recorder, [[2, "mix/a", "1"]])
    with pytest.raises(HistoryError, match=f"event 1: .*{words}"):
        judged(recorder.events)


def test_a_hundred_thousand_events_take_seconds():
    recorder, log = Recorder(), []
    for number in range(25_000):
        key, revision = f"mix/{number // 500}/{number % 7}", number + 2
        value = {"value": f"v{number}"}
        call(recorder, "put", key, value, "ok", {"mod_revision": revision})
        call(recorder, "get", key, None, "ok", {**value, "mod_revision": revision})
        log.append([revision, key, f"v{number}"])
    finish(recorder, log)
    start = time.process_time()
    assert judged(recorder.events).verdict is Verdict.VALID
    assert time.process_time() - start < 8
