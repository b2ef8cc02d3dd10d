"""What all scenarios share: a Toxiproxy server, a cluster behind it, and lines for people."""

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path

import pytest

from kvraft_chaos.cluster import ChaosCluster
from kvraft_chaos.leader_faults import endpoints_of, under_faults, undisturbed
from kvraft_chaos.proxies import ToxiproxyError
from kvraft_chaos.toxiproxy.find import found_server
from kvraft_client import AsyncClient


def pytest_collection_modifyitems(config, items):
    """`pytest chaos` plays the scenarios; what is `long` needs `-m long`, or its file's name."""
    if config.option.markexpr or not all(Path(each).is_dir() for each in config.args):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def progress(capsys):
    """`progress("text")` prints a line at once, also where pytest captures output."""
    start = time.monotonic()

    def say(text):
        with capsys.disabled():
            sys.stdout.write(f"\n    {time.monotonic() - start:5.1f} s  {text}")
            sys.stdout.flush()

    return say


@pytest.fixture(scope="session")
def proxies():
    """$TOXIPROXY_URL, the real server where it is found, else the embedded one."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(found_server(os.environ, ROOT / ".tools"))
        except ToxiproxyError as error:
            pytest.exit(str(error), returncode=1)
        yield server


@pytest.fixture
def cluster(tmp_path, proxies, progress):
    progress(f"Toxiproxy {proxies.version()} at {proxies.url}; starting three nodes")
    with ChaosCluster(tmp_path / "nodes", proxies) as nodes:
        yield nodes


@pytest.fixture(scope="session")
def recipe_cluster(tmp_path_factory, proxies):
    """One cluster for all recipes: each has its own keys, and leaves a node that is coming back."""
    directory = tmp_path_factory.mktemp("recipes") / "nodes"
    with ChaosCluster(directory, proxies, prefix="recipes-") as nodes:
        yield nodes


class Recipes:
    """Workers of a recipe, and then an audit: a function of a client that returns its findings."""

    def __init__(self, nodes, progress):
        self.nodes, self._progress = nodes, progress

    def audited(self, work, audit, *, workers=6):
        """The findings after a leader was cut off and a leader was killed, during the work."""
        self._progress(f"{asyncio.run(under_faults(self.nodes, work, workers))}")
        return self.findings(audit)

    def undisturbed(self, work, *, workers=6):
        asyncio.run(undisturbed(self.nodes, work, workers))

    def convict(self, work, audit, *, workers=6):
        """The control: a naive form, which the audit must find out without any fault."""
        self.undisturbed(work, workers=workers)
        found = self.findings(audit)
        self._progress(f"negative control, a naive form: {found[:1]}")
        assert found, "the naive form broke nothing: the audit could not fail"

    def findings(self, audit):
        async def ask():
            async with AsyncClient(endpoints_of(self.nodes)) as kv:
                return await audit(kv)

        return asyncio.run(ask())


@pytest.fixture
def recipes(recipe_cluster, progress):
    return Recipes(recipe_cluster, progress)
