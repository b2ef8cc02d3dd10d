"""Node processes that die, come back, and stop where they are."""

from collections.abc import Mapping
from typing import Any, ClassVar

from kvraft_chaos.nemesis.argument import Victim, taking
from kvraft_chaos.nemesis.stroke import Stroke, chosen
from kvraft_chaos.nemesis.target import Target

PAUSE_MS = 2_500
"""Longer than an election (at most 1 s) and than the leases that workloads hold (2 s)."""


class Kill(Stroke):
    name = "kill"
    sentence = "kill -9 of a node, which is started again when this heals"
    takes = taking(node=Victim())

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        node = chosen(cluster, arguments["node"])
        self.struck = (node,)
        self.take_down(cluster, node)
        return node


class KillAll(Stroke):
    name = "kill-all"
    sentence = "kill -9 of all nodes at once, as when the power fails"

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        del arguments
        self.struck = cluster.names
        for node in cluster.names:
            self.take_down(cluster, node)
        return "all"


class Pause(Stroke):
    name = "pause"
    sentence = "SIGSTOP of a node, for longer than an election and than a lease"
    takes = taking(node=Victim())
    shortest_ms = PAUSE_MS

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        node = chosen(cluster, arguments["node"])
        self.struck = (node,)
        self.suspend(cluster, node)
        return node


class RestartStorm(Stroke):
    name = "restart-storm"
    sentence = "kill -9 of one node after another, each started again at once"
    beat_ms: ClassVar[int | None] = 700
    """About what a start takes: some are killed before they serve."""
    shortest_ms = 2_500

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        del arguments
        self.struck = cluster.names
        self._restart(cluster, 0)
        return "all, in turn"

    def beat(self, cluster: Target, number: int) -> None:
        self._restart(cluster, number)

    def _restart(self, cluster: Target, number: int) -> None:
        node = cluster.names[number % len(cluster.names)]
        self.take_down(cluster, node)
        self.bring_up(cluster, node)
