"""SyncObj's module clock and chance, replaced for every test of this folder."""

import pytest
from consensus_world import patch_syncobj


@pytest.fixture
def virtual_time(monkeypatch):
    """SyncObj reads the clock of whichever simulated node runs."""
    patch_syncobj(monkeypatch)
