"""A client asks what its script asks, and the history has it as it was."""

import asyncio
import threading

import pytest

from kvraft_chaos.history import Recorder, operations
from kvraft_chaos.run.client import Client
from kvraft_chaos.run.errors import RunError
from kvraft_chaos.run.loops import loops
from kvraft_chaos.waiting import wait_until
from kvraft_chaos.workloads.script import Answer, Call

PATIENCE_S = 10.0


class Connection:
    async def __aenter__(self):
        return self

    async def __aexit__(self, *_exc):
        return None


class Performer:
    """Answers from a list; then `at_the_end` decides."""

    def __init__(self, answers=(), at_the_end=None):
        self.answers, self.at_the_end = list(answers), at_the_end
        self.calls, self.dropped = [], False
        self.asked = threading.Event()

    async def perform(self, call):
        self.calls.append(call)
        self.asked.set()
        if self.answers:
            return self.answers.pop(0)
        if self.at_the_end is not None:
            raise self.at_the_end
        await asyncio.sleep(3_600)
        return None

    async def drop(self):
        self.dropped = True


def puts(count, heard):
    for number in range(count):
        heard.append((yield Call("put", f"k{number}", {"value": "v"})))


@pytest.fixture
def recorder():
    with Recorder() as made:
        yield made


@pytest.fixture
def loop():
    with loops(own=False) as made:
        yield made.get()


def client(script, recorder, performer):
    return Client("1", script, recorder, Connection, lambda _client: performer)


def events(recorder):
    return [(each.process, each.type, each.f, each.key) for each in recorder.events]


def test_it_follows_the_script_and_goes_on_as_another_process_after_an_unknown_outcome(
    recorder, loop
):
    answers = [Answer("ok", 1), Answer("info", error="?"), Answer("fail", error="no")]
    heard, performer = [], Performer(answers)
    asked = client(puts(3, heard), recorder, performer)
    asked.begin(loop)

    assert asked.join(PATIENCE_S)
    assert heard == answers
    assert performer.dropped
    assert events(recorder) == [
        (0, "invoke", "put", "k0"),
        (0, "ok", "put", "k0"),
        (0, "invoke", "put", "k1"),
        (0, "info", "put", "k1"),
        (1, "invoke", "put", "k2"),
        (1, "fail", "put", "k2"),
    ]
    assert [each.error for each in recorder.events if each.error] == ["?", "no"]
    operations(recorder.events)  # a legal history


def test_it_ends_between_two_calls_when_it_is_told_to(recorder, loop):
    def for_ever():
        while True:
            yield Call("get", "k")

    asked = client(for_ever(), recorder, Performer([Answer("ok")] * 100_000))
    asked.begin(loop)
    asked.end()

    assert asked.join(PATIENCE_S)
    assert len(recorder.events) % 2 == 0


def test_a_call_that_does_not_end_is_broken_off_and_unknown(recorder):
    performer = Performer()
    with loops(own=False) as made:
        asked = client(puts(1, []), recorder, performer)
        asked.begin(made.get())
        assert performer.asked.wait(PATIENCE_S)

        assert not asked.join(0.0)
        wait_until(lambda: len(recorder.events) == 2, PATIENCE_S, "it is broken off")
    assert [each.type for each in recorder.events] == ["invoke", "info"]
    assert performer.dropped


def test_a_performer_that_breaks_breaks_the_run(recorder, loop):
    asked = client(puts(1, []), recorder, Performer(at_the_end=KeyError("f")))
    asked.begin(loop)

    with pytest.raises(RunError, match=r"client 1 broke: KeyError\('f'\)"):
        asked.join(PATIENCE_S)
    assert asked.broke
    assert [each.type for each in recorder.events] == ["invoke", "info"]


def test_only_clients_that_are_to_be_paused_have_loops_of_their_own():
    with loops(own=True) as own, loops(own=False) as shared:
        assert own.get() is not own.get()
        assert shared.get() is shared.get()
