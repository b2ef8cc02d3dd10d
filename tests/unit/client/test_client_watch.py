"""Watches: order, breaks, bookmarks, and how they end."""

import asyncio
import signal
import subprocess
import sys
import threading
import time

import grpc
import pytest
from fake_node import NO_QUORUM, bare

from kvraft_client import (
    AsyncClient,
    Client,
    ClientClosed,
    Compacted,
    InvalidRequest,
    NoQuorum,
)
from kvraft_client.policy.watch import WatchPosition

Code = grpc.StatusCode


def take(watch, count):
    return [next(watch) for _ in range(count)]


def write(kv, count, prefix="k"):
    return [kv.put(f"{prefix}/{number}", str(number)).mod_revision for number in range(count)]


def test_changes_in_order_with_what_was_before(start):
    with Client(start().endpoint) as kv, kv.watch(prefix="k/", previous=True) as watch:
        kv.put("k/1", "a")
        kv.put("other", "x")
        kv.put("k/1", "b")
        kv.delete("k/1")
        events = take(watch, 3)

    assert [event.type for event in events] == ["put", "put", "delete"]
    assert [event.revision for event in events] == [2, 4, 5]
    assert [event.entry.value for event in events] == [b"a", b"b", b""]
    assert [event.previous and event.previous.value for event in events] == [None, b"a", b"b"]
    assert {event.cause for event in events} == {"request"}


def test_a_broken_stream_is_resumed_without_gap_or_repeat(start):
    nodes = start(3)
    with Client([node.endpoint for node in nodes]) as kv:
        revisions = write(kv, 30)
        for node in nodes:
            node.cut_after = 4
        watch = kv.watch(prefix="k/", start_revision=revisions[0])
        events = take(watch, 30)
        assert kv.metrics().watch_resumes >= 3
        watch.close()

    assert [event.revision for event in events] == revisions
    starts = [request.start_revision for node in nodes for request in node.named("Watch")]
    assert len(set(starts)) == len(starts) >= 4


def test_a_node_that_dies_is_left(start):
    nodes = start(3)
    with Client([node.endpoint for node in nodes]) as kv, kv.watch(prefix="k/") as watch:
        first = write(kv, 3)
        assert [event.revision for event in take(watch, 3)] == first
        nodes[0].store.leader = "n2"
        nodes[0].stop()
        second = write(kv, 3)
        assert [event.revision for event in take(watch, 3)] == second


def test_a_watch_outlives_refusals_and_its_patience_ends_it(start):
    node = start()
    with Client(node.endpoint) as kv:
        (revision,) = write(kv, 1)
        node.script["Watch"] = [NO_QUORUM, bare(Code.UNAVAILABLE), bare(Code.INTERNAL)]
        assert next(kv.watch("k/0", start_revision=revision)).revision == revision
        node.script["Watch"] = [NO_QUORUM] * 1_000
        begun = time.monotonic()
        with pytest.raises(NoQuorum):
            next(kv.watch("k/0", start_revision=revision, patience=0.5))
        assert time.monotonic() - begun < 2.0


def test_patience_is_for_one_outage_and_begins_with_it(start):
    node = start()
    with Client(node.endpoint) as kv, kv.watch(prefix="k/", patience=0.6) as watch:
        for _ in range(3):
            (revision,) = write(kv, 1)
            assert next(watch).revision == revision
            time.sleep(0.4)
            node.cut_after = 0
            while node.cut_after == 0:
                time.sleep(0.01)


def test_a_start_that_is_kept_no_more_says_what_is(start):
    node = start()
    node.store.compacted = 41
    with Client(node.endpoint) as kv:
        with pytest.raises(Compacted) as raised:
            next(kv.watch(prefix="", start_revision=7))
        assert raised.value.oldest_revision == 42


def test_the_bookmark_is_where_to_go_on(start):
    with Client(start().endpoint) as kv:
        revisions = write(kv, 4)
        watch = kv.watch(prefix="k/", start_revision=revisions[0])
        assert watch.revision == revisions[0] - 1
        take(watch, 2)
        again = kv.watch(prefix="k/", start_revision=watch.revision + 1)
        assert [event.revision for event in take(again, 2)] == revisions[2:]
        assert kv.watch("k").revision is None


def test_events_of_one_revision_count_as_handed_out_together(start):
    with Client(start().endpoint) as kv:
        write(kv, 3)
        with kv.watch(prefix="k/") as watch:
            kv.delete_prefix("k/")
            first = next(watch)
            assert watch.revision == first.revision - 1
            take(watch, 2)
            assert watch.revision == first.revision


@pytest.mark.parametrize(
    "target",
    [
        {},
        {"key": "k", "prefix": "p"},
        {"prefix": "p", "range": ("a", "b")},
    ],
)
def test_a_watch_is_of_one_thing(start, target):
    with Client(start().endpoint) as kv, pytest.raises(InvalidRequest, match="give one of"):
        kv.watch(**target)


def test_kinds_and_ranges(start):
    with Client(start().endpoint) as kv:
        first = kv.put("b", "1").mod_revision
        kv.put("c", "1")
        kv.delete("b")
        deletes = kv.watch(range=("a", "c"), start_revision=first, puts=False)
        assert next(deletes).type == "delete"
        puts = kv.watch(range=("b", None), start_revision=first, deletes=False)
        assert [event.key for event in take(puts, 2)] == [b"b", b"c"]


def test_closing_from_another_thread_ends_the_iteration(start):
    with Client(start().endpoint) as kv:
        watch = kv.watch(prefix="")
        closer = threading.Timer(0.2, watch.close)
        closer.start()
        begun = time.monotonic()
        assert list(watch) == []
        assert time.monotonic() - begun < 2.0


def test_closing_the_client_ends_its_watches_with_an_error(start):
    kv = Client(start().endpoint)
    watch = kv.watch(prefix="")
    closer = threading.Timer(0.2, kv.close)
    closer.start()
    with pytest.raises(ClientClosed):
        next(watch)

    async def main():
        kv = AsyncClient(start().endpoint)
        watching = asyncio.create_task(anext(kv.watch(prefix="")))
        await asyncio.sleep(0.2)
        await kv.close()
        with pytest.raises(ClientClosed):
            await watching

    asyncio.run(main())


def test_ctrl_c_ends_a_watch_at_once(start):
    node = start()
    code = (
        "import signal, sys; from kvraft_client import Client\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's & ignores it
        "with Client(sys.argv[1]) as kv:\n"
        "    with kv.watch(prefix='') as watch:\n"
        "        print('watching', flush=True)\n"
        "        for event in watch: pass\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, node.endpoint], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout.readline() == b"watching\n"
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
        assert time.monotonic() - begun < 1.5
        assert b"KeyboardInterrupt" in errors
    finally:
        process.kill()
        process.communicate()


IN_THE_BOOKKEEPING = """
import sys, threading
from grpc import _channel
from kvraft_client import Client

follow = _channel._run_channel_spin_thread

def interrupted(state):
    if threading.current_thread() is threading.main_thread():
        raise KeyboardInterrupt
    follow(state)

_channel._run_channel_spin_thread = interrupted
with Client(sys.argv[1]) as kv:
    if sys.argv[2] == "put":
        kv.put("k", "v")
    for event in kv.watch(prefix="", start_revision=1):
        raise KeyboardInterrupt
"""


@pytest.mark.parametrize("call", ["watch", "put"])
def test_ctrl_c_inside_of_grpc_does_not_hang_the_close(start, call):
    """gRPC 1.85 notes a call before anything follows it: to close the channel waits for it."""
    node = start()
    node.store.put(b"k", b"v")
    run = subprocess.run(
        [sys.executable, "-c", IN_THE_BOOKKEEPING, node.endpoint, call],
        capture_output=True, timeout=10, check=False,
    )  # fmt: skip
    assert b"KeyboardInterrupt" in run.stderr


def reading():
    """The threads that read a stream for somebody."""
    return {each for each in threading.enumerate() if each.name == "kvraft stream"}


def test_a_watch_that_is_dropped_ends_at_the_node(start):
    node = start()
    others = reading()  # a test that failed or timed out before may have left one behind
    with Client(node.endpoint) as kv:
        (revision,) = write(kv, 1)
        for event in kv.watch(prefix="k/", start_revision=revision):
            assert event.revision == revision
            assert reading() - others
            break
        until = time.monotonic() + 5
        while (node.watchers or reading() - others) and time.monotonic() < until:
            time.sleep(0.02)
        assert (node.watchers, reading() - others) == (0, set())


def test_the_same_with_tasks(start):
    nodes = start(2)

    async def main():
        async with AsyncClient([node.endpoint for node in nodes]) as kv:
            async with kv.watch(prefix="k/") as watch:
                written = [(await kv.put(f"k/{n}", "v")).mod_revision for n in range(10)]
                nodes[0].cut_after = 3
                seen = []
                async for event in watch:
                    seen.append(event.revision)
                    if len(seen) == 10:
                        break
                assert seen == written
                asyncio.get_running_loop().call_later(0.1, watch.close)
                assert [event async for event in watch] == []
            idle = asyncio.create_task(anext(kv.watch("nothing")))
            await asyncio.sleep(0.2)
            idle.cancel()
            with pytest.raises(asyncio.CancelledError):
                await idle

    asyncio.run(main())


def test_a_position_goes_on_behind_what_it_has_and_drops_repeats():
    position = WatchPosition(None)
    assert position.next_revision is None
    assert position.take(7, []) == 0
    assert position.next_revision == 8
    assert position.take(9, [8, 8, 9]) == 0
    assert position.take(10, [9, 10, 10]) == 1
    assert position.take(9, [9]) == 1
    assert position.next_revision == 11
    with pytest.raises(ValueError, match="out of order"):
        position.take(13, [13, 12])


def test_a_revision_in_parts_is_had_once_over_any_streams():
    position = WatchPosition(8)
    assert position.take(9, [8, 10, 10]) == 0
    assert position.next_revision == 10
    position.resume()
    assert position.take(9, [10]) == 1
    assert position.take(9, [10, 10]) == 1
    position.resume()
    assert position.take(9, [10, 10, 10]) == 3
    assert position.take(11, [10, 11]) == 0
    assert position.next_revision == 12
    assert position.take(12, [10, 12]) == 1


def test_a_start_in_the_future_is_not_forgotten():
    position = WatchPosition(100)
    position.take(40, [])
    assert position.next_revision == 100
