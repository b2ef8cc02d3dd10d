"""The network falls apart: links between nodes that carry nothing, each direction by itself."""

from collections.abc import Mapping
from typing import Any, ClassVar

from kvraft_chaos.nemesis.argument import Choice, Minority, Order, Victim, taking
from kvraft_chaos.nemesis.stroke import Stroke, chosen, links_in, links_out
from kvraft_chaos.nemesis.target import Target
from kvraft_chaos.topology import around, peer_link, peer_links


class Halves(Stroke):
    name = "halves"
    sentence = "the nodes are split in two sides that do not hear each other"
    takes = taking(side=Minority())

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        side = set(arguments["side"])
        self.struck = tuple(arguments["side"])
        others = [name for name in cluster.names if name not in side]
        self.cut(
            cluster,
            [peer_link(a, b) for a, b in peer_links(cluster.names) if (a in side) != (b in side)],
        )
        return f"{' '.join(sorted(side))} | {' '.join(others)}"


class _Isolated(Stroke):
    role: ClassVar[str]

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        del arguments
        node = chosen(cluster, self.role)
        self.struck = (node,)
        self.cut(cluster, around(node, cluster.names))
        return f"{node} alone"


class IsolateLeader(_Isolated):
    name = "isolate-leader"
    sentence = "whoever leads is cut off from all other nodes, and not from its clients"
    role = "leader"


class IsolateFollower(_Isolated):
    name = "isolate-follower"
    sentence = "a follower is cut off from all other nodes, and not from its clients"
    role = "follower"


class OneWay(Stroke):
    name = "one-way"
    sentence = "a node is no longer heard by the others (out), or does not hear them (in)"
    takes = taking(node=Victim(), direction=Choice(("in", "out")))

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        node = chosen(cluster, arguments["node"])
        self.struck = (node,)
        if arguments["direction"] == "out":
            self.cut(cluster, links_out(cluster, node))
            return f"nobody hears {node}"
        self.cut(cluster, links_in(cluster, node))
        return f"{node} hears nobody"


class Bridge(Stroke):
    name = "bridge"
    sentence = "one node hears all, the others fall in two sides that only it connects"
    takes = taking(order=Order())

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        bridge, *others = arguments["order"]
        self.struck = (bridge,)
        left, right = others[: len(others) // 2], others[len(others) // 2 :]
        self.cut(cluster, [link for a in left for b in right for link in _both_ways(a, b)])
        return f"{' '.join(left)} - {bridge} - {' '.join(right)}"


class Ring(Stroke):
    name = "ring"
    sentence = "each node is heard only by the next one of a circle"
    takes = taking(order=Order())

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        order = arguments["order"]
        self.struck = tuple(order)
        after = dict(zip(order, [*order[1:], order[0]], strict=True))
        self.cut(cluster, [peer_link(a, b) for a, b in peer_links(cluster.names) if after[a] != b])
        return " > ".join([*order, order[0]])


class Disconnect(Stroke):
    name = "disconnect"
    sentence = "a node loses its whole network: neither peers nor clients reach it"
    takes = taking(node=Victim())

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        node = chosen(cluster, arguments["node"])
        self.struck = (node,)
        cluster.holds.take(f"disconnected {node}", self)
        self.undo(self._connect, cluster, node)
        cluster.disconnect(node)
        return node

    def _connect(self, cluster: Target, node: str) -> None:
        if cluster.holds.let_go(f"disconnected {node}", self):
            cluster.connect(node)


def _both_ways(a: str, b: str) -> list[str]:
    return [peer_link(a, b), peer_link(b, a)]
