"""Recording: what an answer, a refusal and silence become in the history."""

import threading

import pytest

from kvraft_chaos.checkers.linearizability import check
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Recorder
from kvraft_chaos.node_client import NodeError, Standing
from kvraft_chaos.observer import Observer
from kvraft_chaos.waiting import wait_until
from kvraft_chaos.workload import RegisterWorkload, recorded
from kvraft_client.policy.failure import Effect, Failure, Outcome


def failing(outcome, effect=Effect.MUTATION):
    def call():
        raise NodeError(Failure("UNAVAILABLE", "no", "n1", True, outcome=outcome), effect)

    return call


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: {"mod_revision": 2}, "ok"),
        (failing(Outcome.NOT_APPLIED), "fail"),
        (failing(Outcome.UNKNOWN), "info"),
        (failing(None), "info"),
        (failing(None, Effect.READ), "fail"),
    ],
)
def test_an_outcome_becomes_an_event(call, kind):
    recorder = Recorder()
    result, error = recorded(recorder, 7, "put", "k", {"value": "v"}, "n1", call)
    assert [event.type for event in recorder.events] == ["invoke", kind]
    assert {event.node for event in recorder.events} == {"n1"}
    assert (error is None) == (kind == "ok")
    assert recorder.events[1].value == result


class Store:
    """One correct register a key, behind a lock; `stale` answers reads of the past."""

    def __init__(self, *, stale=False):
        self.lock = threading.Lock()
        self.revision = 1
        self.entries = {}
        self.first = {}
        self.stale = stale

    def write(self, key, value):
        self.revision += 1
        self.entries[key] = {"value": value, "mod_revision": self.revision}
        self.first.setdefault(key, self.entries[key])
        return {"mod_revision": self.revision}


class Client:
    def __init__(self, store, node, lost):
        self.store, self.node, self.lost, self.calls = store, node, lost, 0

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        pass

    def get(self, key, _timeout_s):
        with self.store.lock:
            entries = self.store.first if self.store.stale else self.store.entries
            return dict(entries.get(key, {"value": None}))

    def put(self, key, value, _timeout_s):
        with self.store.lock:
            return self._lossy(self.store.write(key, value))

    def cas(self, key, value, expect, _timeout_s):
        with self.store.lock:
            current = self.store.entries.get(key)
            held = current is None if "absent" in expect else current is not None
            if held and "mod_revision" in expect:
                held = current["mod_revision"] == expect["mod_revision"]
            if not held:
                return {"succeeded": False, "current": current}
            return self._lossy({"succeeded": True, **self.store.write(key, value)})

    def _lossy(self, answer):
        self.calls += 1
        if self.lost and self.calls % self.lost == 0:
            failing(Outcome.UNKNOWN)()
        return answer


def run(store, *, lost=0, swaps=200):
    recorder = Recorder()
    workload = RegisterWorkload(
        ("n1", "n2"), lambda node: Client(store, node, lost), recorder, clients=6, seed=1
    )
    with workload:
        wait_until(lambda: workload.accepted_cas() >= swaps, 30, "swaps")
        workload.check()
    assert workload.accepted_cas(["n1"]) + workload.accepted_cas(["n2"]) == workload.accepted_cas()
    assert {event.key for event in recorder.events} <= set(workload.keys())
    return check(recorder.events)


def test_the_workload_on_a_correct_store_is_valid():
    assert run(Store()).verdict is Verdict.VALID


def test_the_workload_on_a_correct_store_that_loses_answers_is_valid():
    assert run(Store(), lost=10).verdict is Verdict.VALID


def test_the_workload_convicts_a_store_with_stale_reads():
    assert run(Store(stale=True)).verdict is Verdict.INVALID


def test_what_ends_a_client_ends_the_run():
    def connect(_node):
        raise OSError("no more sockets")

    workload = RegisterWorkload(("n1",), connect, Recorder(), clients=1, seed=1)
    with pytest.raises(OSError, match="no more sockets"), workload:
        pass


def test_the_observer_notes_each_term_that_a_node_leads_in():
    terms = iter([1, 1, 2, 2])

    class Leading(Client):
        def standing(self, _timeout_s):
            return Standing(self.node, True, next(terms, 3), self.node, 1, 1)

    with Observer(("n1",), lambda node: Leading(None, node, 0)) as observer:
        wait_until(lambda: len(observer.facts) >= 3, 10, "three terms")
    assert [(fact.node, fact.term) for fact in observer.facts] == [("n1", 1), ("n1", 2), ("n1", 3)]
