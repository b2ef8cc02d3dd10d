"""Wall clocks that jump. Nothing in a node may depend on them: time there is monotonic."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kvraft_chaos import wall_clock
from kvraft_chaos.cluster import ChaosCluster
from kvraft_chaos.nemesis.argument import Number, Victim, taking
from kvraft_chaos.nemesis.node_processes import NotHere, processes
from kvraft_chaos.nemesis.stroke import Stroke, chosen
from kvraft_chaos.nemesis.target import Target
from kvraft_chaos.rig import clock_file, say

DAY_SECONDS = 86_400


class ClockJump(Stroke):
    name = "clock-jump"
    sentence = "a node's wall clock jumps, forwards or backwards, and back when this heals"
    takes = taking(
        node=Victim(),
        by_s=Number(-3_600, 3_600, least=-365 * DAY_SECONDS, most=365 * DAY_SECONDS),
    )
    shortest_ms = 2_500
    """libfaketime looks once a second."""

    @staticmethod
    def needs() -> str | None:
        return wall_clock.lacking()

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        nodes = processes(cluster)
        if not nodes.rig.clocks:
            raise NotHere("the nodes were not started with clocks that can jump")
        node, by_s = chosen(cluster, arguments["node"]), arguments["by_s"]
        self.struck = (node,)
        file = clock_file(nodes.nodes[node].directory)
        cluster.holds.take(f"clock {node}", self)
        self.undo(self._set_right, nodes, node, file)
        say(file, f"{by_s:+d}")
        return f"{node}: {by_s:+d} s"

    def _set_right(self, cluster: ChaosCluster, node: str, file: Path) -> None:
        if cluster.holds.let_go(f"clock {node}", self):
            say(file, "+0")
