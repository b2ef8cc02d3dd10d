"""Both clients and a call that is answered more than once: a place in a queue, on a pipeline."""

import threading

import pytest
from fake_node import NO_QUORUM
from waiting import until

from kvraft.v1 import kv_pb2, lock_pb2
from kvraft_client import Client, LockTimeout
from kvraft_client.pipelining import ended, settle_all, settle_broken
from kvraft_client.policy.lock import Phase
from kvraft_client.policy.pipeline import CALLS_MAX, PipelinedCall, Window

QUEUED = lock_pb2.AcquireResponse(queued=lock_pb2.Queued(place=1))
GRANTED = lock_pb2.AcquireResponse(granted=lock_pb2.Granted(place=1))


# -- the window


class Waiting:
    """One call for a place, and what it was told."""

    def __init__(self, window):
        self.told = []
        self.call = PipelinedCall("acquire", None, 10, 5.0, self.told.append)
        window.enter(self.call)


def reply(window, waiting, answer, *, more):
    replies = [kv_pb2.PipelineReply(id=waiting.call.call_id, acquire=answer, more=more)]
    settle_all(window, kv_pb2.PipelineResponse(replies=replies))


def test_each_reply_is_told_until_the_last():
    window = Window()
    waiting = Waiting(window)
    window.take()
    for more, answer in ((True, QUEUED), (True, QUEUED), (False, GRANTED), (False, GRANTED)):
        reply(window, waiting, answer, more=more)
    assert waiting.told == [QUEUED, QUEUED, GRANTED]
    assert not waiting.call.goes_on
    settle_broken(window, ended(None))
    assert len(waiting.told) == 3


def test_who_waits_takes_no_room_and_is_never_late():
    window = Window()
    waiting = [Waiting(window) for _ in range(CALLS_MAX)]
    while batch := window.take():
        assert batch
    Waiting(window)
    assert not window.can_send
    for each in waiting:
        reply(window, each, QUEUED, more=True)
    assert window.can_send
    assert window.late(6.0) == [window.take()[0]]


def test_a_break_is_told_to_who_waits():
    window = Window()
    waiting = Waiting(window)
    window.take()
    reply(window, waiting, QUEUED, more=True)
    settle_broken(window, ended(None))
    assert [type(each).__name__ for each in waiting.told] == ["AcquireResponse", "CallFailed"]


@pytest.mark.parametrize("answered", [True, False])
def test_who_has_gone_is_told_nothing(answered):
    window = Window()
    waiting = Waiting(window)
    window.take()
    if answered:
        reply(window, waiting, QUEUED, more=True)
    window.leave(waiting.call)
    reply(window, waiting, QUEUED, more=True)
    reply(window, waiting, GRANTED, more=False)
    settle_broken(window, ended(None))
    assert len(waiting.told) == answered
    assert window.broken() == ([], [])


# -- a client


def places(node):
    with node.store.lock:
        return [bool(each.tokens) for each in node.store.locks.places]


def test_a_lock_is_waited_for_on_the_stream_of_all_calls(start):
    node = start()
    had = []
    with Client(node.endpoint) as kv, kv.lock("a", ttl=60.0) as held:

        def wait():
            with kv.lock("a", ttl=60.0, owner="another") as lock:
                had.append((lock.token, lock.phase))

        thread = threading.Thread(target=wait)
        thread.start()
        until(lambda: places(node) == [True, False])
        held.release()
        thread.join(10)
    assert had == [(42, Phase.GRANTED)]
    assert len(node.named("Acquire")) == 2
    assert node.named("AcquireStream") == []
    assert (node.streams, node.named("Confirm")) == (1, [])


@pytest.mark.parametrize("follows", [True, False])
def test_a_wait_lasts_longer_than_any_call_may(start, follows):
    node = start(follows=follows)
    had = []
    with Client(node.endpoint, timeout=0.3) as kv, kv.lock("a", ttl=60.0) as held:

        def wait():
            with kv.lock("a", ttl=60.0, owner="another") as lock:
                had.append(lock.token)

        thread = threading.Thread(target=wait)
        thread.start()
        until(lambda: places(node) == [True, False])
        thread.join(1.0)  # three times as long as a call may take
        assert places(node) == [True, False]
        held.release()
        thread.join(10)
    assert had == [42]


def test_a_break_under_a_wait_is_made_good_and_the_grant_confirmed(start):
    """The node of the broken stream may be giving the place up at this moment."""
    node = start()
    with Client(node.endpoint) as kv:
        held, other = kv.lock("a", ttl=60.0), kv.lock("a", ttl=60.0, owner="another")
        held.acquire()
        waiting = threading.Thread(target=other.acquire)
        waiting.start()
        until(lambda: places(node) == [True, False])
        node.store.locks.attached = False
        node.script["Put"] = [node.cut]
        kv.put("k", "v", idempotency_key=b"one")  # breaks the stream, and is tried again
        until(lambda: node.named("AcquireStream"))
        assert not node.named("Confirm")
        held.release()
        waiting.join(10)
        assert other.held
        assert len(node.named("Confirm")) == 1
        keys = {each.key for each in node.named("AcquireStream")}
        assert keys == {node.named("Acquire")[1].key}
        other.release()


def test_who_gives_up_a_place_that_was_asked_for_once_withdraws_it(start):
    """The store says nothing until this side's time is up: a wait may be over there much later."""
    node = start()
    with Client(node.endpoint, timeout=0.3) as kv, kv.lock("l"):
        node.store.locks.silent = True
        with pytest.raises(LockTimeout):
            kv.lock("l", wait=0.2, owner=b"other").acquire()
        _, asked = node.named("Acquire")
        assert node.named("AcquireStream") == []
        until(lambda: [each.key for each in node.named("Release")] == [asked.key])
        until(lambda: places(node) == [True])


def test_a_grant_after_a_refusal_needs_no_confirmation(start):
    """A request that was refused has left no stream behind that could give its place up."""
    node = start()
    with Client(node.endpoint) as kv:
        node.script["Acquire"] = [NO_QUORUM]
        with kv.lock("l") as lock:
            assert len(node.named("Acquire")) == 2
            assert node.named("Confirm") == []
            assert lock.phase is Phase.GRANTED
