"""After the last heal: how soon somebody leads, and from when on every operation succeeds."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

from kvraft_chaos.cluster import ChaosCluster
from kvraft_chaos.node_client import NodeClient, NodeError, Standing
from kvraft_chaos.waiting import wait_until

RISING_SECONDS = 20.0
"""Until every node answers: one that a heal starts again needs about a second of a free core for
it. That is the machine's time; the last heal is over when all nodes run."""
PATIENCE_SECONDS = 15.0
"""Longer than what is allowed, so that a miss is told in figures."""
STATUS_SECONDS = 0.5
PROBE_SECONDS = 1.0
PROBE_KEY = "~recovery/{}"
"""Outside of every workload's keys. Probes are no part of the history."""


class Recovery:
    """Looks at the nodes themselves for who leads, and through the clients' links for the rest."""

    def __init__(self, cluster: ChaosCluster) -> None:
        self._cluster = cluster

    def silent(self) -> list[str]:
        """Wait until every node answers; those that do not."""
        with ThreadPoolExecutor(len(self._cluster.names)) as pool:
            rise = pool.map(self._rises, self._cluster.names)
            return [
                name for name, rises in zip(self._cluster.names, rise, strict=True) if not rises
            ]

    def measure(self) -> dict[str, int | None]:
        """Milliseconds from now until a majority follows one leader, and until every node serves
        a write and a read. None: not within PATIENCE_SECONDS.
        """
        begun = time.monotonic()
        with ThreadPoolExecutor(len(self._cluster.names) + 1) as pool:
            leads = pool.submit(_took, self._leads, begun)
            serve = [
                pool.submit(_took, partial(self._serves, name), begun)
                for name in self._cluster.names
            ]
        served = [each.result() for each in serve]
        in_time = [ms for ms in served if ms is not None]
        slowest = max(in_time) if len(in_time) == len(served) else None
        return {"leader_ms": leads.result(), "operations_ms": slowest}

    def _rises(self, name: str) -> bool:
        with self._direct(name) as client:
            try:
                wait_until(lambda: _standing(client) is not None, RISING_SECONDS, f"{name} answers")
            except TimeoutError:
                return False
            return True

    def _direct(self, name: str) -> NodeClient:
        return NodeClient(name, self._cluster.nodes[name].listen)

    def _leads(self) -> None:
        names = self._cluster.names
        with ExitStack() as stack:
            clients = [stack.enter_context(self._direct(name)) for name in names]

            def agreed() -> bool:
                seen = [each for each in map(_standing, clients) if each is not None]
                leading = {each.node: each.term for each in seen if each.leads}
                return any(
                    sum(each.leader == node and each.term == term for each in seen) * 2 > len(names)
                    for node, term in leading.items()
                )

            wait_until(agreed, PATIENCE_SECONDS, "a majority follows one leader")

    def _serves(self, name: str) -> None:
        key = PROBE_KEY.format(name)
        with self._cluster.client(name) as client:

            def served() -> bool:
                try:
                    client.put(key, "", PROBE_SECONDS)
                    client.get(key, PROBE_SECONDS)
                except NodeError:
                    return False
                return True

            wait_until(served, PATIENCE_SECONDS, f"{name} serves")


def _standing(client: NodeClient) -> Standing | None:
    try:
        return client.standing(STATUS_SECONDS)
    except NodeError:
        return None


def _took(wait: Callable[[], None], begun: float) -> int | None:
    """Milliseconds since `begun` when it has come to pass."""
    try:
        wait()
    except TimeoutError:
        return None
    return round((time.monotonic() - begun) * 1_000)
