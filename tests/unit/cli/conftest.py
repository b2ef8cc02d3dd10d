"""A node behind the command line."""

import socket

import pytest
from fake_node import FakeNode
from typer.testing import CliRunner

from kvraft.cli.app import app


@pytest.fixture
def node():
    started = FakeNode()
    yield started
    started.stop()


@pytest.fixture
def kvraft(node, monkeypatch):
    """Run a command line against the node; returns the result with stdout and stderr apart."""
    monkeypatch.setenv("KVRAFT_ENDPOINTS", node.endpoint)
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments, stdin=None):
        return CliRunner().invoke(app, list(arguments), input=stdin)

    return run


@pytest.fixture
def free_endpoint():
    """An endpoint where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"
