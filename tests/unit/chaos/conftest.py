"""The conformance suite runs against the embedded Toxiproxy, and the real one where it is."""

import os
from pathlib import Path

import pytest

from kvraft_chaos.toxiproxy.find import embedded_server, find_binary, real_server

TOOLS = Path(__file__).resolve().parents[3] / ".tools"


@pytest.fixture(scope="module", params=["embedded", "real"])
def proxies(request):
    """The adapter on each kind of server; the real one where scripts/install_toxiproxy.sh ran."""
    if request.param == "embedded":
        with embedded_server() as server:
            yield server
        return
    binary = find_binary(os.environ, TOOLS)
    if binary is None:
        pytest.skip("no toxiproxy-server found (scripts/install_toxiproxy.sh builds it)")
    with real_server(binary) as server:
        yield server
