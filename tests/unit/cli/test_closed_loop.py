"""Callers in a closed loop: what counts, and what does not."""

import asyncio

import pytest

from kvraft.cli.closed_loop import Measured, closed_loop
from kvraft_client import NotApplied, OutcomeUnknown

STEP_S = 0.01


def measure(operation, callers=1, seconds=0.2, **options):
    return asyncio.run(closed_loop(operation, callers, seconds, **options))


def test_every_caller_has_one_operation_under_way():
    under_way: dict[int, int] = {}
    most = []

    async def operation(caller):
        under_way[caller] = under_way.get(caller, 0) + 1
        most.append((under_way[caller], sum(under_way.values())))
        await asyncio.sleep(STEP_S)
        under_way[caller] -= 1

    found = measure(operation, callers=3)

    assert set(under_way) == {0, 1, 2}
    assert {alone for alone, _ in most} == {1}
    assert max(together for _, together in most) == 3
    assert found.took_ms == sorted(found.took_ms)
    assert found.took_ms[0] >= STEP_S * 1_000
    assert found.seconds >= 0.2
    assert found.rate == pytest.approx(len(found.took_ms) / found.seconds)


def test_what_is_done_while_it_warms_up_or_too_late_does_not_count():
    done = []

    async def operation(_):
        await asyncio.sleep(STEP_S)
        done.append(None)

    found = measure(operation, seconds=0.1, warm_s=0.1)

    assert 0 < len(found.took_ms) < len(done) - 1


def test_errors_count_apart_and_are_no_latencies():
    calls = iter(range(1_000_000))

    async def operation(_):
        await asyncio.sleep(0.001)
        number = next(calls)
        if number % 3 == 0:
            raise NotApplied("refused")
        if number % 3 == 1:
            raise OutcomeUnknown("lost")

    found = measure(operation)

    assert found.failed == pytest.approx(len(found.took_ms), abs=2)
    assert found.unknown == pytest.approx(len(found.took_ms), abs=2)
    assert found.first_error in {"refused", "lost"}


def test_an_error_that_comes_after_the_time_counts():
    async def operation(_):
        await asyncio.sleep(0.15)
        raise NotApplied("nobody answers")

    found = measure(operation, seconds=0.05)

    assert (found.took_ms, found.failed, found.rate) == ([], 1, 0.0)
    assert found.quantile_ms(0.5) is None


def test_another_error_ends_them_all():
    async def operation(caller):
        if caller == 1:
            raise ZeroDivisionError
        await asyncio.sleep(60)

    with pytest.raises(ExceptionGroup) as raised:
        measure(operation, callers=2, seconds=60)

    assert raised.group_contains(ZeroDivisionError)


def test_stopping_waits_for_nobody():
    async def run():
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, stop.set)
        return await closed_loop(lambda _: asyncio.sleep(60), 2, 60, stop=stop)

    found = asyncio.run(asyncio.wait_for(run(), 5))

    assert found.took_ms == []
    assert 0.05 <= found.seconds < 5


def test_the_edges_of_the_time_are_told():
    edges = []

    async def operation(_):
        edges.append("operation")
        await asyncio.sleep(STEP_S)

    measure(operation, seconds=0.05, warm_s=0.05, at_edge=lambda: edges.append("edge"))

    assert edges.count("edge") == 2
    assert edges[0] == "operation"
    assert edges.index("edge") < len(edges) - 2


def test_a_quantile_is_a_time_that_was_measured():
    found = Measured(1.0, [float(number) for number in range(1, 101)])

    assert [found.quantile_ms(share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert Measured(1.0, [7.0]).quantile_ms(0.99) == 7.0
