"""Both clients over one stream, and without one: batches, breaks, deadlines, cancelled calls."""

import asyncio
import signal
import threading
import time

import grpc
import pytest
from fake_node import NO_QUORUM, bare, deny, lost

from kvraft.v1 import kv_pb2
from kvraft_client import AsyncClient, Client, NotApplied, OutcomeUnknown, actions
from kvraft_client._backends import aio, thread_pipeline, threads
from kvraft_client.policy import pipeline
from kvraft_client.rpc import GET

Code = grpc.StatusCode


def hold(event):
    """An action that answers by default, once the test says so."""

    def action(request, context):
        assert event.wait(20)

    return action


@pytest.fixture
def event():
    found = threading.Event()
    yield found
    found.set()


def test_calls_go_over_one_stream(start, connect):
    node = start()
    kv = connect(node)
    kv.put("a", "1")
    assert kv.get("a").value == b"1"
    kv.update("a", actions.add(1))
    assert node.pipeline.batches == [1, 1, 1, 1], "the session's opening came first"
    assert node.streams == 1


def test_a_node_without_it_is_asked_for_it_once(start, connect):
    node = start(pipeline=False)
    kv = connect(node)
    kv.put("a", "1")
    kv.put("a", "2")
    assert kv.get("a").value == b"2"
    again = kv.metrics().attempts - kv.metrics().calls  # a connection may break on a busy machine
    assert 1 <= node.streams <= 1 + again
    assert 2 <= len(node.named("Put")) <= 2 + again


def test_a_failed_call_disturbs_no_other(start, connect):
    node = start()
    kv = connect(node)
    node.script["Put"] = [deny(Code.INVALID_ARGUMENT, "INVALID", message="no")]
    with pytest.raises(NotApplied, match="no"):
        kv.put("a", "1")
    kv.put("a", "2")
    assert node.streams == 1


def test_what_the_store_says_is_retried_as_before(start, connect):
    node = start()
    kv = connect(node)
    node.script["Put"] = [NO_QUORUM, NO_QUORUM]
    kv.put("a", "1")
    assert len(node.named("Put")) == 3


@pytest.mark.parametrize("exactly_once", [True, False])
def test_a_stream_that_breaks_leaves_a_mutation_unknown(start, connect, exactly_once):
    """Answered by the next stream where the store knows who asks; else nobody knows."""
    first, second = start(2)
    kv = connect(first, second, exactly_once=exactly_once)
    kv.put("b", "0")
    first.script["Put"] = [lost(first.cut)]
    if exactly_once:
        kv.put("a", "1")
        assert kv.metrics().retried_unknown == 1
    else:
        with pytest.raises(OutcomeUnknown):
            kv.put("a", "1")
    puts = [each for node in (first, second) for each in node.named("Put") if each.key == b"a"]
    assert len(puts) == 1 + exactly_once
    assert first.store.entries[b"a"].version == 1


def test_a_broken_stream_is_followed_by_another(start, connect):
    node = start()
    kv = connect(node)
    kv.put("a", "1")
    node.script["Get"] = [node.cut]
    assert kv.get("a").value == b"1"
    assert node.streams == 2


def test_no_answer_in_time_is_unknown_after_it_was_sent(start, connect, event):
    node = start()
    kv = connect(node)
    kv.put("a", "1")
    node.script["Put"] = [hold(event)] * 9
    begun = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        kv.put("a", "2", timeout=0.3)
    assert time.monotonic() - begun < 2
    event.set()
    assert kv.get("a").value in (b"1", b"2")
    assert node.streams == 1


def test_callers_share_messages_and_none_waits_for_another(start, event):
    """While one call hangs, the others are answered; what queued leaves together."""
    node = start()

    async def run():
        async with AsyncClient(node.endpoint) as kv:
            await kv.put("warm", "1")
            node.script["Get"] = [hold(event)]
            slow = asyncio.create_task(kv.get("slow"))
            await asyncio.sleep(0.05)
            await asyncio.gather(*(kv.put(f"k{number}", "v") for number in range(40)))
            assert not slow.done()
            event.set()
            assert await slow is None

    asyncio.run(run())
    assert max(node.pipeline.batches) == 40
    assert node.streams == 1


def test_a_cancelled_call_disturbs_no_other(start, event):
    node = start()

    async def run():
        async with AsyncClient(node.endpoint) as kv:
            await kv.put("a", "1")
            node.script["Put"] = [hold(event)]
            cancelled = asyncio.create_task(kv.put("a", "2"))
            other = asyncio.create_task(kv.put("b", "1"))
            await asyncio.sleep(0.05)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            assert (await other).value == b"1"
            event.set()
            assert (await kv.get("b")).value == b"1"

    asyncio.run(run())
    assert node.streams == 1


def test_a_reply_in_the_turn_in_which_its_caller_is_cancelled_disturbs_nobody(start, event):
    """The future is cancelled at once, the caller hears of it a turn later."""
    node = start()

    async def run():
        channel = aio.Channel(node.endpoint, None)
        await channel.unary(GET, kv_pb2.GetRequest(key=b"a"), 5)
        node.script["Get"] = [hold(event)]
        waiting = asyncio.create_task(channel.unary(GET, kv_pb2.GetRequest(key=b"a"), 5))
        await asyncio.sleep(0.05)
        (call,) = channel._pipeline.current._window._out.values()
        waiting.cancel()
        call.settle(kv_pb2.GetResponse())
        with pytest.raises(asyncio.CancelledError):
            await waiting
        event.set()
        assert await channel.unary(GET, kv_pb2.GetRequest(key=b"a"), 5) is not None
        await channel.close()

    asyncio.run(run())
    assert node.streams == 1


def test_threads_share_messages(start):
    node = start()
    with Client(node.endpoint) as kv:
        kv.put("warm", "1")
        callers = [
            threading.Thread(target=lambda: [kv.update("n", actions.add(1)) for _ in range(20)])
            for _ in range(16)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert kv.get("n").value == b"320"
    assert node.streams == 1


@pytest.mark.parametrize("backend", [aio, threads])
def test_a_closed_client_ends_its_calls(start, event, backend):
    node = start()
    node.script["Get"] = [hold(event)]
    if backend is aio:

        async def run():
            kv = AsyncClient(node.endpoint, exactly_once=False)
            waiting = asyncio.create_task(kv.get("a"))
            await asyncio.sleep(0.2)
            await kv.close()
            with pytest.raises(NotApplied):
                await waiting
            left = [each for each in asyncio.all_tasks() if "pipeline" in each.get_name()]
            assert left == []

        asyncio.run(run())
        return
    kv = Client(node.endpoint, exactly_once=False)
    errors = []

    def call():
        try:
            kv.get("a")
        except NotApplied as error:
            errors.append(error)

    waiting = threading.Thread(target=call)
    waiting.start()
    time.sleep(0.2)
    kv.close()
    waiting.join(5)
    assert len(errors) == 1
    assert [each for each in threading.enumerate() if each.name == "kvraft pipeline"] == []


def test_a_stream_closed_before_its_tasks_began_ends_its_calls():
    async def run():
        channel = aio.Channel("127.0.0.1:1", None)
        waiting = asyncio.create_task(channel.unary(GET, kv_pb2.GetRequest(key=b"a"), 20))
        await asyncio.sleep(0)
        async with asyncio.timeout(2):
            await channel.close()
            with pytest.raises(grpc.RpcError, match="closed"):
                await waiting

    asyncio.run(run())


def test_a_channel_closed_under_a_call_is_an_error_of_grpc():
    channel = grpc.insecure_channel("127.0.0.1:1")
    made = thread_pipeline.Pipeline(channel)
    channel.close()
    with pytest.raises(grpc.RpcError, match="closed"):
        made.call("get", kv_pb2.GetRequest(key=b"a"), 5)


def test_an_interrupted_caller_leaves_what_was_not_sent_unsent(start, event, monkeypatch):
    monkeypatch.setattr(pipeline, "CALLS_MAX", 1)
    node = start()
    with Client(node.endpoint, exactly_once=False) as kv:
        kv.put("warm", "1")
        node.script["Put"] = [hold(event)]
        out = threading.Thread(target=kv.put, args=("a", "1"))
        out.start()
        time.sleep(0.1)

        def interrupt(*_):
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            with pytest.raises(KeyboardInterrupt):
                kv.put("b", "1")
        finally:
            signal.signal(signal.SIGALRM, before)
        event.set()
        out.join()
        assert kv.get("b") is None
    assert [each.key for each in node.named("Put")] == [b"warm", b"a"]


def test_a_status_without_a_word_of_the_store_is_unknown(start, connect):
    node = start()
    kv = connect(node, exactly_once=False)
    kv.put("a", "1")
    node.script["Put"] = [bare(Code.UNAVAILABLE)]
    with pytest.raises(OutcomeUnknown):
        kv.put("a", "2")


def test_what_was_not_sent_yet_is_sent_again_after_a_break(start, event, monkeypatch):
    """Without identities: of two calls the one that is out is unknown, the other is not."""
    monkeypatch.setattr(pipeline, "CALLS_MAX", 1)
    node = start()

    def cut(request, context):
        assert event.wait(20)
        node.cut(request, context)

    async def run():
        async with AsyncClient(node.endpoint, exactly_once=False) as kv:
            await kv.put("warm", "1")
            node.script["Put"] = [cut]
            out = asyncio.create_task(kv.put("a", "1"))
            await asyncio.sleep(0.05)
            waiting = asyncio.create_task(kv.put("b", "1"))
            await asyncio.sleep(0.05)
            event.set()
            with pytest.raises(OutcomeUnknown):
                await out
            assert (await waiting).value == b"1"

    asyncio.run(run())
    assert [each.key for each in node.named("Put")] == [b"warm", b"a", b"b"]
