"""`modify`: a race while nobody else writes, a queue while many do."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from fake_node import bare, deny

from kvraft_client import (
    AsyncClient,
    Client,
    Conflict,
    DeadlineExceeded,
    InvariantViolated,
    ModifyResult,
    OutcomeUnknown,
)
from kvraft_client.policy.contention import KeyLine, KeyLines, Place


def increment(value):
    return b"%d" % (int(value or 0) + 1)


def test_alone_it_is_a_read_and_a_swap(start, connect):
    node = start()
    kv = connect(node)

    made = kv.modify("n", increment)
    again = kv.modify("n", increment)

    assert isinstance(made, ModifyResult)
    assert (made.entry.value, again.entry.value) == (b"1", b"2")
    assert (again.attempts, again.conflicts, again.waited_s) == (1, 0, 0.0)
    assert len(node.named("Get")) == len(node.named("CompareAndSet")) == 2
    assert kv.metrics().queued == 0


def test_none_leaves_the_key_alone(start, connect):
    kv = connect(start())

    assert kv.modify("n", lambda value: None).entry is None
    kv.put("n", "1")
    assert kv.modify("n", lambda value: None).entry.value == b"1"
    assert kv.get("n").version == 1


def test_a_conflict_goes_on_from_what_stands_without_another_read(start):
    node = start()
    with Client(node.endpoint) as kv:
        kv.put("n", "1")
        seen = []

        def meet(value):
            seen.append(value)
            if len(seen) == 1:
                kv.put("n", "10")
            return increment(value)

        made = kv.modify("n", meet)
    assert seen == [b"1", b"10"]
    assert (made.entry.value, made.attempts, made.conflicts) == (b"11", 2, 1)
    assert len(node.named("Get")) == 1


def test_it_gives_up_after_so_many_attempts(start):
    with Client(start().endpoint) as kv:

        def meet(value):
            kv.put("n", increment(value))
            return increment(value)

        with pytest.raises(Conflict) as raised:
            kv.modify("n", meet, max_attempts=3)
        assert raised.value.current.value == b"3"
        assert kv.metrics().conflicts == 3


def test_what_the_function_raises_is_raised_and_the_queue_goes_on(start):
    with Client(start().endpoint) as kv:
        kv._lines.enter(b"n").queueing = True
        with pytest.raises(ZeroDivisionError):
            kv.modify("n", lambda value: 1 / 0)
        assert kv.modify("n", increment).entry.value == b"1"


def test_a_refused_change_does_not_hold_up_those_behind_it(start):
    node = start()
    node.script["CompareAndSet"] = [deny(grpc.StatusCode.FAILED_PRECONDITION, "INVARIANT")]
    with Client(node.endpoint) as kv:
        kv._lines.enter(b"n").queueing = True
        with pytest.raises(InvariantViolated):
            kv.modify("n", increment)
        assert kv.modify("n", increment, timeout=2).entry.value == b"1"


def test_64_threads_on_one_key_all_make_progress(start):
    node = start()
    slowest = []
    with Client(node.endpoint) as kv, ThreadPoolExecutor(64) as pool:

        def work(number):
            begun = time.monotonic()
            result = kv.modify("n", increment, timeout=20)
            slowest.append(time.monotonic() - begun)
            return result

        made = list(pool.map(work, range(256)))
        metrics = kv.metrics()

    assert node.store.entries[b"n"].value == b"256"
    assert metrics.queued > 100
    assert sum(each.conflicts for each in made) == metrics.conflicts < 256


def test_64_tasks_on_one_key_take_turns_in_their_order(start):
    node = start()

    async def main():
        async with AsyncClient(node.endpoint) as kv:
            line = kv._lines.enter(b"n")
            line.queueing = True
            line._window_max = 1  # the fake node answers in any order
            order = []

            async def work(number):
                def change(value):
                    order.append(number)
                    return increment(value)

                return await kv.modify("n", change, timeout=20)

            made = await asyncio.gather(*(work(number) for number in range(64)))
            assert order == list(range(64))
            assert sum(each.conflicts for each in made) == 0
            assert len(node.named("Get")) == 1

    asyncio.run(main())
    assert node.store.entries[b"n"].value == b"64"


def test_64_tasks_build_on_each_other_and_nothing_is_lost(start):
    node = start()

    async def main():
        async with AsyncClient(node.endpoint) as kv:
            await asyncio.gather(*(kv.modify("n", increment, timeout=30) for _ in range(256)))

    asyncio.run(main())
    assert node.store.entries[b"n"].value == b"256"


def test_a_large_value_is_compared_by_its_revision(start):
    node = start()
    with Client(node.endpoint) as kv:
        kv._lines.enter(b"n").queueing = True
        kv.modify("n", lambda value: b"x" * 70_000)
        kv.modify("n", lambda value: value + b"y")
        kv.modify("n", lambda value: value + b"z")
        assert kv.get("n").value[-2:] == b"yz"
    expected = [request.expect for request in node.named("CompareAndSet")]
    assert [each.HasField("mod_revision") for each in expected] == [False, True, True]


def test_in_a_queue_none_leaves_the_key_alone_and_tells_what_stands(start):
    with Client(start().endpoint) as kv:
        kv.put("n", "7")
        kv._lines.enter(b"n").queueing = True
        assert kv.modify("n", increment).entry.value == b"8"
        assert kv.modify("n", lambda value: None).entry.value == b"8"
        assert kv.modify("n", increment).entry.value == b"9"


def test_to_leave_the_key_alone_is_not_decided_on_a_guess(start):
    with Client(start().endpoint) as kv:
        kv.put("left", "1")
        line = kv._lines.enter(b"left")
        line.queueing = line.tail_known = True
        line.tail = b"0"  # what a change under way would leave that is then refused
        made = kv.modify("left", lambda value: None if value == b"0" else b"0")
    assert (made.entry.value, made.entry.version) == (b"0", 2)


def test_who_waits_too_long_leaves_the_queue_and_the_rest_goes_on(start):
    node = start()
    with Client(node.endpoint) as kv:
        line = kv._lines.enter(b"n")
        line.queueing = True
        first = Place(lambda: None)
        line.enter(first)
        with pytest.raises(DeadlineExceeded, match="no turn"):
            kv.modify("n", increment, timeout=0.1)
        done = threading.Thread(target=kv.modify, args=("n", increment))
        done.start()
        line.leave(first)
        done.join(5)
        assert not done.is_alive()


def test_an_unknown_outcome_is_told_with_its_identity(start):
    node = start()
    node.script["CompareAndSet"] = [bare(grpc.StatusCode.UNAVAILABLE)] * 100
    with Client(node.endpoint) as kv, pytest.raises(OutcomeUnknown) as raised:
        kv.modify("n", increment, timeout=0.4)
    assert raised.value.identity is not None


def test_a_line_queues_when_conflicts_are_many_and_stays_so():
    line = KeyLine(64)
    line.attempted(conflict=True)
    assert not line.queueing
    line.attempted(conflict=True)
    assert line.queueing
    for _ in range(50):
        line.attempted(conflict=False)
    assert line.queueing

    rare = KeyLine(64)
    for number in range(100):
        rare.attempted(conflict=number % 5 == 0)
    assert not rare.queueing


def test_turns_are_taken_in_order_and_passed_on_by_whoever_leaves():
    line, woken = KeyLine(64), []
    places = [Place(lambda number=number: woken.append(number)) for number in range(4)]
    for place in places:
        line.enter(place)
    assert woken == [0]
    line.leave(places[1])
    line.leave(places[0])
    assert woken == [0, 2]
    line.leave(places[2])
    line.leave(places[3])
    assert woken == [0, 2, 3]


def sent(line, value):
    """Have a turn, send a value, pass the turn on."""
    place = Place(lambda: None)
    line.enter(place)
    epoch = line.sends(value)
    line.leave(place)
    return epoch


def test_the_window_grows_with_each_success_and_turns_wait_for_it():
    line, woken = KeyLine(64), []
    sent(line, b"1")
    line.enter(Place(lambda: woken.append("second")))
    assert woken == []
    line.succeeded()
    assert (woken, line.window, line.tail) == (["second"], 2, b"1")
    small = KeyLine(1)
    sent(small, b"1")
    small.succeeded()
    assert small.window == 1


def test_one_conflict_tells_what_stands_and_those_behind_it_say_nothing_new():
    line = KeyLine(64)
    line.window = 8
    first, second = sent(line, b"1"), sent(line, b"2")
    line.failed(first, known=True, value=b"9")
    assert (line.tail, line.window) == (b"9", 4)
    third = sent(line, b"10")
    line.failed(second, known=True, value=b"8")
    assert (line.tail, line.tail_known, line.window) == (b"10", True, 4)
    line.failed(third, known=False)
    assert (line.tail_known, line.window) == (False, 2)


def test_a_key_that_nobody_uses_is_forgotten():
    lines = KeyLines(64)
    first = lines.enter(b"k")
    assert lines.enter(b"k") is first
    lines.leave(b"k")
    first.queueing = True
    assert lines.enter(b"k") is first
    lines.leave(b"k")
    lines.leave(b"k")
    assert not lines.enter(b"k").queueing
