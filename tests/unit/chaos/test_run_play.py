"""The order of a run, and what ends it: the cluster, its faults and its clients are fakes."""

import asyncio
import contextlib
import threading
import time

import pytest

from kvraft_chaos.history import Recorder
from kvraft_chaos.nemesis.plan import Plan, Step
from kvraft_chaos.run import play
from kvraft_chaos.run.errors import RunError
from kvraft_chaos.run.loops import loops
from kvraft_chaos.run.marks import Marks, load_marks
from kvraft_chaos.run.play import Play, pauses_clients
from kvraft_chaos.workloads.script import Answer, Call, Workload

NAMES = ("n1", "n2", "n3")
PHASES = ["setup", "faults", "healed", "finals", "end"]
LONG_MS = 600_000
PATIENCE_S = 20.0


class Connection:
    async def __aenter__(self):
        return self

    async def __aexit__(self, *_exc):
        return None


class FakePerformer:
    breaks_at, hangs_at = "", ""

    def __init__(self, _client):
        pass

    async def perform(self, call):
        if call.f == self.breaks_at:
            raise ValueError(f"nobody performs {call.f}")
        if call.f == self.hangs_at:
            await asyncio.sleep(3_600)
        return Answer("ok", {})

    async def drop(self):
        pass


class FakeWorkload(Workload):
    name, sentence, clients = "fake", "asks for ever", 2

    def setup(self):
        yield Call("prepare")

    def script(self, number, chance):
        del chance
        while True:
            yield Call("ask", str(number))

    def finals(self):
        yield Call("read")

    def check(self, events):
        del events
        return []


class FakeRecovery:
    def __init__(self, _cluster):
        pass

    def silent(self):
        return []

    def measure(self):
        return {"leader_ms": 1, "operations_ms": 2}


class FakeCluster:
    names = NAMES

    def __init__(self):
        self.clients = []

    def endpoint(self, name):
        return name


class Run:
    """A play in a thread, so that a test can stop it."""

    def __init__(self, tmp_path, nemesis, duration_ms, steps):
        self.recorder, self.cluster = Recorder(), FakeCluster()
        self.stop, self.nemesis = threading.Event(), nemesis
        self._path = tmp_path / "faults.jsonl"
        self._plan = Plan("fake", 1, duration_ms, NAMES, steps)

    def play(self):
        clients = loops(own=pauses_clients(self._plan))
        with Marks(self._path) as marks, clients as made:
            Play(self._plan, self.cluster, self.recorder, marks, made, self.stop).play()

    def phases(self):
        return [mark.name for mark in load_marks(self._path) if mark.type == "phase"]

    def asked(self, f):
        return [event for event in self.recorder.events if (event.type, event.f) == ("invoke", f)]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """`run(nemesis, duration_ms)`: with this in the place of the conductor of faults."""
    monkeypatch.setattr(play, "WORKLOADS", {"fake": FakeWorkload})
    monkeypatch.setattr(play, "Performer", FakePerformer)
    monkeypatch.setattr(play, "ordinary", lambda *_where: Connection())
    monkeypatch.setattr(play, "Observer", lambda *_whom: contextlib.nullcontext())
    monkeypatch.setattr(play, "Recovery", FakeRecovery)
    monkeypatch.setattr(play, "HEALED_SECONDS", 0.1)
    monkeypatch.setattr(play, "END_SECONDS", 1.0)
    monkeypatch.setattr(
        play,
        "record_states",
        lambda _cluster, recorder: recorder.record(99, "invoke", "state_hash"),
    )
    monkeypatch.setattr(FakePerformer, "breaks_at", "")
    monkeypatch.setattr(FakePerformer, "hangs_at", "")

    def made(nemesis=lambda *_given: None, duration_ms=300, steps=()):
        monkeypatch.setattr(play, "conduct", nemesis)
        return Run(tmp_path, nemesis, duration_ms, steps)

    return made


def until_told(_plan, _cluster, _mark, stop):
    """A nemesis that heals only when it is told to."""
    assert stop.wait(PATIENCE_S)


def test_the_phases_of_a_run(run):
    made = run()
    begun = time.monotonic()
    made.play()

    assert time.monotonic() - begun >= 0.3
    assert made.phases() == PHASES
    order = [event.f for event in made.recorder.events if event.type == "invoke"]
    assert (order[0], order[-2:]) == ("prepare", ["read", "state_hash"])
    assert {event.key for event in made.asked("ask")} == {"0", "1"}
    assert set(order[1:-2]) == {"ask"}


def test_what_is_measured_is_measured_when_the_last_fault_healed(run):
    """Not when the plan is over: the clients go on until then."""
    made = run(duration_ms=600)
    made.play()
    marks = {mark.name or mark.type: mark.time_ns for mark in load_marks(made._path)}

    assert marks["recovered"] - marks["faults"] < 300_000_000
    assert marks["finals"] - marks["faults"] >= 600_000_000


def test_a_stop_heals_and_reads_the_finals(run):
    made = run(until_told, LONG_MS)
    threading.Timer(0.3, made.stop.set).start()
    made.play()

    assert made.phases() == PHASES
    assert made.asked("read")


def test_a_history_that_is_nearly_full_ends_the_run_while_there_is_room(run, monkeypatch):
    monkeypatch.setattr(Recorder, "is_nearly_full", True)
    made = run(duration_ms=60_000)
    made.play()

    assert made.phases() == PHASES


def test_a_client_that_breaks_ends_the_run_and_heals_first(run, monkeypatch):
    monkeypatch.setattr(FakePerformer, "breaks_at", "ask")
    healed = []

    def nemesis(*given):
        until_told(*given)
        healed.append(True)

    made = run(nemesis, LONG_MS)
    with pytest.raises(RunError, match=r"client [01] broke: .*nobody performs ask"):
        made.play()
    assert healed
    assert "end" not in made.phases()


def test_a_nemesis_that_breaks_ends_the_run(run):
    def nemesis(*_given):
        raise RuntimeError("the cluster could not be healed")

    with pytest.raises(RunError, match="the nemesis broke: the cluster could not be healed"):
        run(nemesis, LONG_MS).play()


@pytest.mark.parametrize(("what", "f"), [("setup", "prepare"), ("finals", "read")])
def test_what_is_asked_alone_has_a_bound(run, monkeypatch, what, f):
    monkeypatch.setattr(FakePerformer, "hangs_at", f)
    monkeypatch.setattr(play, f"{what.upper()}_SECONDS", 0.2)

    with pytest.raises(RunError, match=f"{what}: not done within 0.2 s"):
        run().play()


def test_a_call_that_hangs_does_not_keep_the_run_from_ending(run, monkeypatch):
    monkeypatch.setattr(FakePerformer, "hangs_at", "ask")
    made = run()
    made.play()

    assert made.phases() == PHASES
    assert [event.f for event in made.recorder.events if event.type == "info"] == ["ask", "ask"]


def test_only_a_plan_that_pauses_clients_finds_some_to_pause(run):
    seen = []

    def nemesis(_plan, cluster, _mark, _stop):
        seen.append([client.name for client in cluster.clients])

    run(nemesis).play()
    pausing = run(nemesis, steps=(Step(0, 1, "pause-client", {"client": 0}),))
    pausing.play()

    assert seen == [[], ["0", "1"]]
    assert pausing.cluster.clients == []  # their loops are gone
