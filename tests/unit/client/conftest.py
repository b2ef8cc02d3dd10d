"""Nodes that stop with the test, and one driver for both clients."""

import asyncio
import inspect
import socket
import threading

import pytest
from fake_node import FakeNode, FakeStore

from kvraft_client import AsyncClient, Client


class SyncDriver:
    """The sync client, as it is."""

    def __init__(self, endpoints, **options):
        self.kv = Client(endpoints, **options)

    def __getattr__(self, name):
        return getattr(self.kv, name)

    def list(self, *arguments, **options):
        return list(self.kv.list(*arguments, **options))

    def run(self, function):
        """Run a test's own function of the client."""
        return function(self.kv)


class AsyncDriver:
    """The async client with each call run to its end, so that one test serves both."""

    def __init__(self, endpoints, **options):
        self.runner = asyncio.Runner()
        self.kv = AsyncClient(endpoints, **options)

    def __getattr__(self, name):
        method = getattr(self.kv, name)

        def run(*arguments, **options):
            async def call():
                result = method(*arguments, **options)
                if inspect.isasyncgen(result):
                    return [each async for each in result]
                return await result if inspect.isawaitable(result) else result

            return self.runner.run(call())

        return run

    def close(self):
        self.runner.run(self.kv.close())
        self.runner.close()


@pytest.fixture(params=["sync", "async"])
def connect(request):
    """Make clients that are closed with the test."""
    made = []

    def make(*nodes, **options):
        kind = SyncDriver if request.param == "sync" else AsyncDriver
        endpoints = [node if isinstance(node, str) else node.endpoint for node in nodes]
        made.append(kind(endpoints, **options))
        return made[-1]

    yield make
    for driver in made:
        driver.close()


@pytest.fixture
def start():
    """Start fake nodes that are stopped with the test."""
    nodes = []

    def begin(count=1, **options):
        store = FakeStore()
        started = [FakeNode(f"n{number + 1}", store, **options) for number in range(count)]
        nodes.extend(started)
        return started if count > 1 else started[0]

    yield begin
    for node in nodes:
        node.stop()


@pytest.fixture
def closed_port():
    """An endpoint where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{listener.getsockname()[1]}"  # bound, not listening: refused


@pytest.fixture
def black_hole():
    """An endpoint that accepts connections and never says a word."""
    listener = socket.create_server(("127.0.0.1", 0))
    accepted = []

    def accept():
        while True:
            try:
                accepted.append(listener.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=accept)
    thread.start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    for connection in accepted:
        connection.close()
