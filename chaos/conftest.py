"""What all scenarios share: a Toxiproxy server, a cluster behind it, and lines for people."""

import contextlib
import os
import sys
import time
from pathlib import Path

import pytest

from kvraft_chaos.cluster import ChaosCluster
from kvraft_chaos.proxies import ToxiproxyError
from kvraft_chaos.toxiproxy.find import found_server

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
