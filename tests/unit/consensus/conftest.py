"""SyncObj's module clock and chance, replaced for every test of this folder."""

import pytest
from consensus_world import patch_syncobj
from raw_syncobj import Raw


@pytest.fixture
def virtual_time(monkeypatch):
    """SyncObj reads the clock of whichever simulated node runs."""
    patch_syncobj(monkeypatch)


@pytest.fixture
def raw(monkeypatch):
    """A SyncObj among three, following nobody yet."""
    return Raw(monkeypatch)
