"""Ctrl-C in the sync client: nothing of gRPC's runs where it is raised, in the main thread."""

import threading

import grpc
import pytest

from kvraft_client import Client


class Watched:
    """A channel that notes on which threads its calls begin."""

    def __init__(self, channel, threads):
        self._channel, self._threads = channel, threads

    def __getattr__(self, name):
        found = getattr(self._channel, name)
        if name not in ("unary_unary", "unary_stream", "stream_stream"):
            return found

        def made(*args):
            return WatchedCall(found(*args), f"{name} {args[0]}", self._threads)

        return made


class WatchedCall:
    def __init__(self, call, name, threads):
        self._call, self._name, self._threads = call, name, threads

    def __call__(self, *args, **more):
        self._threads.add((self._name, threading.current_thread()))
        return self._call(*args, **more)

    def future(self, *args, **more):
        self._threads.add((self._name, threading.current_thread()))
        return self._call.future(*args, **more)


@pytest.mark.parametrize("pipeline", [True, False])
def test_no_call_begins_in_the_main_thread(start, monkeypatch, pipeline):
    node = start(pipeline=pipeline)
    threads = set()
    made = grpc.insecure_channel
    monkeypatch.setattr(grpc, "insecure_channel", lambda *args: Watched(made(*args), threads))
    with Client(node.endpoint) as kv:
        kv.put("a", "1")
        assert kv.get("a").value == b"1"
        with kv.lock("l", ttl=60.0):
            pass
        with kv.lease(ttl=60.0):
            pass
        kv.status()
    assert len({name for name, _ in threads}) >= (2 if pipeline else 6), threads
    main = [name for name, thread in threads if thread is threading.main_thread()]
    assert main == []
