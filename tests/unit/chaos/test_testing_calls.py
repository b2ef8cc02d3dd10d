"""The recorder for users' calls, and the assertion on what it recorded."""

import asyncio
import contextlib
import threading

import pytest

from kvraft_chaos.checkers.model import Model
from kvraft_chaos.history import HistoryError, load
from kvraft_client import ConditionFailed, OutcomeUnknown, Unavailable, Unmet
from kvraft_client.testing import History, assert_linearizable


@pytest.fixture
def history(tmp_path):
    recorded = History(tmp_path / "history.jsonl")
    yield recorded
    recorded.close()


def put(history, value, key="seat"):
    with history.call("put", key, {"value": value}):
        pass


def saw(history, value, key="seat"):
    with history.call("get", key) as call:
        call.result = {"value": value}


def kinds(history):
    return [event.type for event in history.events]


def test_a_call_is_written_before_and_after(history):
    with history.call("get", "seat") as call:
        assert kinds(history) == ["invoke"]
        call.result = {"value": b"ann"}

    assert [event.value for event in history.events] == [None, {"value": "ann"}]
    assert load(history.path) == list(history.events)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Unavailable("nobody"), "fail"),
        (ConditionFailed("no", current=None, unmet=Unmet(0, (), ())), "fail"),
        (OutcomeUnknown("who knows"), "info"),
        (RuntimeError("a bug of the program"), "info"),
        (KeyboardInterrupt(), "info"),
        (asyncio.CancelledError(), "info"),
    ],
)
def test_an_error_says_by_its_outcome_what_became_of_the_call(history, error, kind):
    with pytest.raises(type(error)), history.call("put", "seat", {"value": "ann"}):
        raise error

    assert kinds(history) == ["invoke", kind]
    assert type(error).__name__ in history.events[1].error


def test_the_program_may_know_better(history):
    with history.call("put", "seat", {"value": "ann"}) as call:
        call.fail()
    with contextlib.suppress(TimeoutError), history.call("put", "seat", {"value": "ann"}) as call:
        call.ok({})
        raise TimeoutError
    with history.call("put", "seat", {"value": "ann"}) as call:
        call.unknown()

    assert kinds(history)[1::2] == ["fail", "ok", "info"]


def test_after_an_unknown_outcome_the_caller_is_a_new_process(history):
    saw(history, None)
    with history.call("put", "seat", {"value": "ann"}) as call:
        call.unknown()
    saw(history, "ann")

    assert [event.process for event in history.events] == [0, 0, 0, 0, 1, 1]
    assert_linearizable(history)


def test_threads_tasks_and_inner_calls_are_processes_of_their_own(history):
    threads = [threading.Thread(target=saw, args=(history, None)) for _ in range(2)]
    with history.call("get", "outer") as call:
        call.result = {"value": None}
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        saw(history, None)

    async def meet():
        both = asyncio.Barrier(2)

        async def task():
            with history.call("get", "seat") as call:
                await both.wait()
                call.result = {"value": None}

        await asyncio.gather(task(), task())

    asyncio.run(meet())
    assert_linearizable(history)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_decorator_records_every_call(history, is_async):
    words = {
        "key": lambda name, _who: f"seat/{name}",
        "argument": lambda _name, who: {"value": who},
        "result": lambda revision: {"mod_revision": revision},
    }

    async def waited(_name, _who):
        return 2

    def called(_name, _who):
        return 2

    take = history.recorded("put", **words)(waited if is_async else called)
    answer = asyncio.run(take("1a", "ann")) if is_async else take("1a", "ann")

    assert answer == 2
    invoked, done = history.events
    assert (invoked.key, invoked.value) == ("seat/1a", {"value": "ann"})
    assert done.value == {"mod_revision": 2}


def test_what_is_no_json_is_refused_and_the_history_stays_whole(history):
    with pytest.raises(TypeError, match="not object: <object"):
        history.call("put", "seat", {"value": object()}).__enter__()
    with pytest.raises(TypeError, match="not set: "), history.call("get", "seat") as call:
        call.result = {"value": {1, 2}}
    saw(history, None)

    assert kinds(history) == ["invoke", "info", "invoke", "ok"]
    load(history.path)


def test_the_first_contradiction_is_told_in_words(history):
    put(history, "free")
    put(history, "ann")
    saw(history, "free")

    with pytest.raises(AssertionError) as raised:
        assert_linearizable(history)
    assert str(raised.value).splitlines() == [
        "no order of the operations explains this history of a register:",
        (
            "  linearizability: seat: invalid (3 operations): after 2 of them at most (last: put "
            '{"value": "ann"} -> null (process 0, events 2 to 3)) it holds \'ann\'; then get -> '
            '{"value": "free"} (process 0, events 4 to 5) fits nowhere'
        ),
        "    event 4: process 0 invoke get seat",
        '    event 5: process 0 ok get seat {"value": "free"}',
        f"  all of it: {history.path}",
    ]


def test_a_long_value_is_cut_short(history):
    put(history, "a" * 5_000)
    saw(history, "b" * 5_000)

    with pytest.raises(AssertionError) as raised:
        assert_linearizable(history)
    assert max(map(len, str(raised.value).splitlines())) < 6_000
    assert f'{{"value": "{"b" * 189}...' in str(raised.value)


def test_a_file_and_a_list_of_events_are_judged_too(history):
    put(history, "ann")
    for given in (history, history.path, str(history.path), history.events):
        assert_linearizable(given)
    saw(history, "bob")
    for given in (history, history.path, str(history.path), history.events):
        with pytest.raises(AssertionError, match="fits nowhere"):
            assert_linearizable(given)


def test_a_bank_and_a_lock(history):
    def did(f, argument=None, result=None, key=None):
        with history.call(f, key, argument) as call:
            call.result = result

    did("open", {"balances": {"ann": 10}})
    did("transfer", {"from": "ann", "to": "bob", "amount": 7})
    did("transfer", {"from": "ann", "to": "bob", "amount": 7}, {"done": False})
    did("read", None, {"balances": {"ann": 3, "bob": 7}})
    did("acquire", key="job")
    did("release", key="job")
    assert_linearizable(history, model="bank")

    did("read", None, {"balances": {"ann": 3, "bob": 6}})
    with pytest.raises(AssertionError, match="it holds ann: 3, bob: 7; then read"):
        assert_linearizable(history, model="bank")


def test_a_model_of_the_users_own(history):
    """A counter that says what it came to."""
    counter = Model(
        "counter",
        0,
        lambda operation: (
            lambda state: state + 1 if operation.result in (None, state + 1) else None
        ),
        lambda _operation: False,
    )
    for answer in (1, 2, 3):
        with history.call("next", "id") as call:
            call.result = answer
    assert_linearizable(history, model=counter)
    with history.call("next", "id") as call:
        call.result = 3
    with pytest.raises(AssertionError, match="history of a counter"):
        assert_linearizable(history, model=counter)


def test_what_cannot_be_judged_is_no_success(history):
    with history.call("acquire", "job") as call:
        call.unknown()
    with pytest.raises(AssertionError, match="it is not known whether this history of a lock is r"):
        assert_linearizable(history, model="lock")
    with pytest.raises(HistoryError, match="there is no model 'queue': register, bank, lock"):
        assert_linearizable(history, model="queue")
