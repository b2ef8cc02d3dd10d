"""Watches who leads, from outside and all the time."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Self

from kvraft_chaos.checkers.leaders import LeaderFact
from kvraft_chaos.node_client import NodeClient, NodeError

EVERY_SECONDS = 0.05
"""A tenth of the shortest election timeout: no term is missed for lack of looking."""
TIMEOUT_SECONDS = 0.5


class Observer:
    """One thread a node polls its status, so that a silent node does not delay the others."""

    def __init__(
        self,
        names: Sequence[str],
        connect: Callable[[str], NodeClient],
        told: Callable[[LeaderFact], None] = lambda _fact: None,
    ) -> None:
        """`told` hears of each leader as it is seen."""
        self.facts: list[LeaderFact] = []
        self._told = told
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(name, connect), daemon=True)
            for name in names
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _watch(self, name: str, connect: Callable[[str], NodeClient]) -> None:
        last: int | None = None
        with connect(name) as client:
            while not self._stop.wait(EVERY_SECONDS):
                with suppress(NodeError):
                    standing = client.standing(TIMEOUT_SECONDS)
                    if standing.leads and standing.term != last:
                        last = standing.term
                        fact = LeaderFact(name, standing.term, "its own status")
                        self.facts.append(fact)
                        self._told(fact)
