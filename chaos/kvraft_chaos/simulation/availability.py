"""How much later than its TTL a lease may end: the published bound, computed from true time.

For each change of leader min(smallest TTL / 4, 10 s) and a commit, plus the time without a leader,
plus stalls, plus the time that proposals wait while leadership is handed over, whatever comes of
it. In doubt the time counts as without a leader: the check must not convict the innocent.
"""

from collections.abc import Mapping

from kvraft_chaos.simulation.node import SimulatedNode
from kvraft_chaos.simulation.store import Store

SAMPLE = 0.1
"""Seconds between two looks; a shorter outage costs no lease that much."""
COMMIT = 0.25
"""Seconds of a commit on a cluster that is not stuck: the slowest sound fsync and two samples."""
TICK_MAX = 10.0
"""The longest pause between stamps, as published."""


class Availability:
    """Adds up the time for which a lease may be late."""

    def __init__(self, nodes: Mapping[str, SimulatedNode]) -> None:
        self._nodes = nodes
        self.excused = 0.0
        """Seconds since the start; a lease renewed at `a` may be late by what was added since."""
        self._before = 0.0
        self._worked = False
        self._leader = ("", 0)
        self._commit = 0

    def look(self, now: float) -> None:
        """Look at the cluster; call it every `SAMPLE` seconds."""
        leader = self._leading()
        works = leader is not None and not leader.holds and not self._stuck(leader)
        if not (works and self._worked):
            self.excused += now - self._before
        if leader is not None:
            found = (leader.name, leader.term)
            if found != self._leader:
                self._leader = found
                self.excused += _period(leader) + COMMIT
            self._commit = leader.commit_index
        self._worked, self._before = works, now

    def _leading(self) -> SimulatedNode | None:
        """The newest leader, if it runs and has an entry of its own applied."""
        leading = [node for node in self._nodes.values() if node.leads]
        if not leading:
            return None
        newest = max(leading, key=lambda node: node.term)
        return newest if not newest.paused and newest.term in newest.ledger.leading else None

    def _stuck(self, leader: SimulatedNode) -> bool:
        """Whether what it proposed does not commit."""
        return leader.log.last_index > leader.commit_index == self._commit


def _period(leader: SimulatedNode) -> float:
    store = leader.ledger
    assert isinstance(store, Store)
    smallest_ms = store.machine.smallest_ttl_ms()
    return TICK_MAX if smallest_ms is None else min(smallest_ms / 4000.0, TICK_MAX)
