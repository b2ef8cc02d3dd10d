"""Links that come and go while the fault lasts."""

from collections.abc import Mapping
from typing import Any, ClassVar

from kvraft_chaos.nemesis.argument import Order, Victim, taking
from kvraft_chaos.nemesis.stroke import Stroke, chosen, links_of
from kvraft_chaos.nemesis.target import Target
from kvraft_chaos.topology import around


class Flapping(Stroke):
    name = "flapping"
    sentence = "the links of a node are closed and opened again, several times a second"
    takes = taking(node=Victim())
    beat_ms: ClassVar[int | None] = 300
    """Shorter than an election timeout: nobody has time to settle."""

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        node = chosen(cluster, arguments["node"])
        self.struck = (node,)
        self._links = around(node, cluster.names)
        for link in self._links:
            self.switch_off(cluster, link)
        return node

    def beat(self, cluster: Target, number: int) -> None:
        act = self.switch_on if number % 2 else self.switch_off
        for link in self._links:
            act(cluster, link)


class SwizzleClog(Stroke):
    """After FoundationDB's simulator: it finds what a plain partition does not."""

    name = "swizzle-clog"
    sentence = "nodes lose their links one after another, and get them back in another order"
    takes = taking(clog=Order(), unclog=Order())
    beat_ms: ClassVar[int | None] = 400
    shortest_ms = 3_000
    """All nodes are clogged and unclogged again in this."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead: list[tuple[bool, str]] = []

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        self.struck = tuple(arguments["clog"])
        self._ahead = [(True, node) for node in arguments["clog"]]
        self._ahead += [(False, node) for node in arguments["unclog"]]
        self.beat(cluster, 0)
        return f"{' '.join(arguments['clog'])}, back {' '.join(arguments['unclog'])}"

    def beat(self, cluster: Target, number: int) -> None:
        del number
        if not self._ahead:
            return
        clog, node = self._ahead.pop(0)
        links = [*links_of(cluster, node, "clients"), *links_of(cluster, node, "peers")]
        if clog:
            self.cut(cluster, links, label=node)
        else:
            self.clear(cluster, links, label=node)
