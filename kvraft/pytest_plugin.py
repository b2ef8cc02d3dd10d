"""Fixtures for tests of users' programs; pytest loads this in every run, so it imports nothing.

It is not in `kvraft_client.testing`, where it belongs, because that would load gRPC.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kvraft_client.testing import History, LocalCluster

SCOPE = "kvraft_cluster_scope"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of the ini file."""
    text = "how long one kvraft cluster is used: function (default), module or session"
    parser.addini(SCOPE, text, default="function")


def _scope(fixture_name: str, config: pytest.Config) -> Any:
    del fixture_name
    scope = config.getini(SCOPE)
    if scope not in {"function", "class", "module", "package", "session"}:
        raise pytest.UsageError(f"{SCOPE} is function, module or session, not {scope!r}")
    return scope


def _testing(name: str) -> Any:
    try:
        return getattr(import_module("kvraft_client.testing"), name)
    except ImportError as error:
        return pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope=_scope)
def _kvraft_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    cluster = _testing("LocalCluster")
    with cluster(tmp_path_factory.mktemp("kvraft") / "nodes") as nodes:
        yield nodes


@pytest.fixture
def kvraft_cluster(
    _kvraft_nodes: "LocalCluster", request: pytest.FixtureRequest
) -> Iterator["LocalCluster"]:
    """Three nodes of a cluster on this machine, and what can go wrong with them.

    They are started for each test, unless the ini file says `kvraft_cluster_scope = session`; then
    a test finds everything healed, and the data of those before it.
    """
    yield _kvraft_nodes
    if request.config.getini(SCOPE) != "function":
        _kvraft_nodes.heal()


@pytest.fixture
def kvraft_history(tmp_path_factory: pytest.TempPathFactory) -> Iterator["History"]:
    """A recorder for the calls of the program under test; `history.jsonl` in a temp folder."""
    history = _testing("History")(tmp_path_factory.mktemp("kvraft") / "history.jsonl")
    yield history
    history.close()
