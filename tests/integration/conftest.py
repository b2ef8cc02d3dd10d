"""A local cluster of three real processes, on ports of its own, for a whole test module."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.processes import start

from kvraft.cli import local_cluster
from kvraft.cli.local_cluster import LocalCluster
from kvraft.config import PORT_STEP
from kvraft_chaos.ports import free_base_port


@pytest.fixture
def idle_cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    """A described cluster, nothing started; whatever runs in the end is stopped."""
    cluster = local_cluster.describe(tmp_path / ".kvraft", 3, free_base_port(3, PORT_STEP))
    yield cluster
    local_cluster.stop(list(cluster.nodes))


@pytest.fixture
def cluster(idle_cluster: LocalCluster) -> LocalCluster:
    """Three running nodes that answer."""
    start(idle_cluster)
    return idle_cluster


@pytest.fixture(scope="module")
def module_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Three running nodes for a whole module: for tests that leave them as they were."""
    directory = tmp_path_factory.mktemp("module") / ".kvraft"
    cluster = local_cluster.describe(directory, 3, free_base_port(3, PORT_STEP))
    try:
        start(cluster)
        yield cluster
    finally:
        local_cluster.stop(list(cluster.nodes))
