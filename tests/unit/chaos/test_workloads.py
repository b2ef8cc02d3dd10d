"""Each workload against an honest store, and against stores that are wrong in one way each."""

from random import Random

import pytest
from unit.chaos.sequential_store import Honest, Past, SequentialStore, honest

from kvraft_chaos.checkers.sequential import ask
from kvraft_chaos.checkers.verdict import Verdict, worst
from kvraft_chaos.history import Recorder, load
from kvraft_chaos.workloads.append import Append
from kvraft_chaos.workloads.bank import Bank
from kvraft_chaos.workloads.mix import Mix
from kvraft_chaos.workloads.register import Register
from kvraft_chaos.workloads.script import Answer, Call
from kvraft_chaos.workloads.unique_set import UniqueSet

WORKLOADS = (Register, Mix, Bank, Append, UniqueSet)
CALLS = 800
OFTEN = 0.03
"""How often a wrong store is wrong: not always, or anybody would see it."""


def verdict(workload, events):
    """As of another day: a new object judges."""
    return worst(finding.verdict for finding in workload().check(events))


class Wrong(SequentialStore):
    """Right but for some calls."""

    def __init__(self):
        super().__init__()
        self._chance = Random(7)

    def perform(self, call):
        if call.f != "log" and self._chance.random() < OFTEN:
            return self.wrong(call)
        return super().perform(call)

    def right(self, call):
        return SequentialStore.perform(self, call)


class Stale(Wrong):
    """Reads of a node that has fallen behind."""

    def wrong(self, call):
        if call.f not in {"get", "list"} or call.argument:
            return self.right(call)
        past = Past(self.log, max(1, self.revision - 40))
        _, result = ask(past, call.f, call.key, None, self.revision)
        result.pop("revision", None)
        return Answer("ok", result)


class Lossy(Wrong):
    """Acknowledges, and forgets."""

    def wrong(self, call):
        kept = self.revision, dict(self.entries), len(self.log)
        answer = self.right(call)
        self.revision, self.entries = kept[:2]
        del self.log[kept[2] :]
        return answer


class Rewound(Wrong):
    """Loses a write from the state, and has it in the log."""

    def wrong(self, call):
        entries = dict(self.entries)
        answer = self.right(call)
        self.entries = entries
        return answer


class Twice(Wrong):
    """A repeated request has a second effect."""

    def wrong(self, call):
        answer = self.right(call)
        self.right(call)
        return answer


class Sly(Wrong):
    """Says that it failed, and does it."""

    def wrong(self, call):
        self.right(call)
        return Answer("fail", error="not applied")


class Torn(Wrong):
    """A transaction whose writes come one after the other."""

    def _commit(self, writes):
        for key, value in writes.items():
            super()._commit({key: value})

    def wrong(self, call):
        return self.right(call)


GUILTY = [
    *((Stale, workload) for workload in (Register, Mix, Append, UniqueSet)),
    *((Lossy, workload) for workload in WORKLOADS),
    *((Rewound, workload) for workload in WORKLOADS),
    *((Twice, workload) for workload in (Mix, Bank, Append)),
    *((Sly, workload) for workload in WORKLOADS),
    (Stale, Bank),
    (Torn, Bank),
]


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("lost", [0.0, 0.1])
def test_a_right_store_is_valid(workload, lost):
    assert verdict(workload, honest(workload(), CALLS, lost=lost)) is Verdict.VALID


@pytest.mark.parametrize(("store", "workload"), GUILTY)
def test_a_wrong_store_is_convicted(store, workload):
    events = honest(workload(), CALLS, store=store())
    assert verdict(workload, events) is Verdict.INVALID
    for finding in workload().check(events):
        assert set(finding.contradiction) <= set(range(len(events)))


def test_a_register_that_is_convicted_is_explained_as_far_as_it_goes():
    events = honest(Register(), CALLS, store=Stale())
    found = [f for f in Register().check(events) if f.checker == "linearizability"]
    assert found
    for finding in found:
        at = [events[index] for index in finding.contradiction]
        assert [(event.type, event.key) for event in at] == [
            ("invoke", finding.key),
            ("ok", finding.key),
        ]
        legal = [events[index] for index in finding.prefix]
        assert {(event.type, event.key) for event in legal} == {("invoke", finding.key)}


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_file_is_judged_like_the_run(workload, tmp_path):
    recorder = Recorder(tmp_path / "history.jsonl")
    run = Honest(workload(), lost=0.1)
    run.recorder = recorder
    run.run(CALLS)
    recorder.close()
    events = load(tmp_path / "history.jsonl")
    assert workload().check(events) == workload().check(recorder.events)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_client_asks_the_same_again_for_the_same_chance(workload):
    def asked(seed):
        run = Honest(workload(), seed=seed)
        return [(e.f, e.key, e.value) for e in run.run(100) if e.type == "invoke"]

    assert asked(3) == asked(3)
    assert asked(3) != asked(4)


def test_the_bank_is_opened_whatever_it_takes():
    script = Bank().setup()
    call = next(script)
    again = script.send(Answer("info"))
    assert again == call == script.send(Answer("fail"))
    store = SequentialStore()
    for _ in range(2):  # the one that was unknown took effect after all
        answer = store.perform(again)
    assert sum(int(value) for value, _ in store.entries.values()) == 800
    with pytest.raises(StopIteration):
        script.send(answer)


def test_registers_are_left_for_new_ones():
    register = Register()
    honest(register, 2_001)
    assert register.keys() == [f"register-{e}-{p}" for e in (0, 1) for p in range(4)]
    assert [call.key for call in register.finals()] == register.keys()


def test_without_finals_effects_are_not_known():
    for workload in (Append, UniqueSet):
        events = [e for e in honest(workload(), 50) if e.key != f"{workload.name}/"]
        assert verdict(workload, events) is Verdict.UNKNOWN


def test_a_store_in_memory_looks_back():
    store = SequentialStore()
    for value in ("1", "2"):
        store.perform(Call("put", "a", {"value": value}))
    past = store.perform(Call("list", "", {"revision": 2}))
    assert past.result == {"entries": [["a", "1", 2]]}
