"""What every fault shares: each act is noted before it is done, so that it is healed in any case.

Healing undoes all acts, the last one first, and goes on where one of them fails.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from itertools import count
from typing import Any, Literal, ParamSpec

from kvraft_chaos.nemesis.fault import Fault
from kvraft_chaos.nemesis.target import Target
from kvraft_chaos.observed import ClusterError
from kvraft_chaos.proxies import STREAMS, Proxies
from kvraft_chaos.topology import around, client_link, peer_link, peer_links

Arguments = ParamSpec("Arguments")
Stream = Literal["upstream", "downstream"]

_NUMBERS = count(1)
"""Of strokes: in the names of toxics, so that two strokes on one link never share one."""


class Stroke(Fault):
    """A fault that heals itself by undoing its acts."""

    def __init__(self) -> None:
        self._number = next(_NUMBERS)
        self._acts = ExitStack()

    def undo(
        self, act: Callable[Arguments, Any], *given: Arguments.args, **named: Arguments.kwargs
    ) -> None:
        """Note what heals the act that comes now; it must be harmless if the act did not happen."""
        self._acts.callback(act, *given, **named)

    def heal(self, cluster: Target) -> None:
        del cluster
        self._acts.close()

    # Links. A toxic has a name of its own, so Toxiproxy keeps strokes apart.

    def toxic(
        self,
        cluster: Target,
        link: str,
        kind: str,
        stream: Stream,
        attributes: Mapping[str, int],
        *,
        label: str = "",
    ) -> None:
        """Put a toxic on a link; a stroke that puts several there tells them apart by labels."""
        proxy, toxic = cluster.link(link), self._toxic(label, stream)
        self.undo(_take_off, cluster.proxies, proxy, toxic)
        cluster.proxies.add_toxic(proxy, kind, stream, attributes, toxic=toxic)

    def cut(self, cluster: Target, links: Iterable[str], *, label: str = "") -> None:
        """Black hole: connections stay open, nothing arrives, new ones hang."""
        for link in links:
            for stream in STREAMS:
                self.toxic(cluster, link, "timeout", stream, {"timeout": 0}, label=label)

    def clear(self, cluster: Target, links: Iterable[str], *, label: str = "") -> None:
        """Take this stroke's toxics off before it is healed."""
        for link in links:
            for stream in STREAMS:
                _take_off(cluster.proxies, cluster.link(link), self._toxic(label, stream))

    def _toxic(self, label: str, stream: Stream) -> str:
        return "-".join(part for part in (self.name, str(self._number), label, stream) if part)

    def switch_off(self, cluster: Target, link: str) -> None:
        """Close what is open and refuse what is dialled."""
        cluster.holds.take(f"off {link}", self)
        self.undo(self.switch_on, cluster, link)
        cluster.proxies.set_enabled(cluster.link(link), enabled=False)

    def switch_on(self, cluster: Target, link: str) -> None:
        if cluster.holds.let_go(f"off {link}", self):
            cluster.proxies.set_enabled(cluster.link(link), enabled=True)

    # Nodes.

    def take_down(self, cluster: Target, node: str) -> None:
        """Kill it, and keep it from being started until this stroke lets go."""
        if not cluster.running(node) and not cluster.holds.held(f"down {node}"):
            raise ClusterError(f"{node} ended by itself")  # a finding: no heal may hide it
        self.keep_down(cluster, node)
        if cluster.running(node):
            cluster.kill(node)

    def keep_down(self, cluster: Target, node: str) -> None:
        cluster.holds.take(f"down {node}", self)
        self.undo(self.bring_up, cluster, node)

    def bring_up(self, cluster: Target, node: str) -> None:
        """Start it, unless another stroke keeps it down."""
        if cluster.holds.let_go(f"down {node}", self) and not cluster.running(node):
            cluster.start(node)

    def suspend(self, cluster: Target, node: str) -> None:
        """Stop the process where it is; it does not notice."""
        cluster.holds.take(f"paused {node}", self)
        self.undo(self._go_on, cluster, node)
        if cluster.running(node):
            cluster.pause(node)

    def _go_on(self, cluster: Target, node: str) -> None:
        if cluster.holds.let_go(f"paused {node}", self) and cluster.running(node):
            cluster.resume(node)


def chosen(cluster: Target, who: str) -> str:
    """The node that a plan means: by its name, or by the role it has now.

    Where nobody leads, or the answer is late, the first node stands in.
    """
    if who not in ("leader", "follower"):
        return who
    leader = cluster.leader() or cluster.names[0]
    if who == "leader":
        return leader
    return cluster.names[(cluster.names.index(leader) + 1) % len(cluster.names)]


def links_out(cluster: Target, node: str) -> list[str]:
    return [peer_link(node, peer) for peer in cluster.names if peer != node]


def links_in(cluster: Target, node: str) -> list[str]:
    return [peer_link(peer, node) for peer in cluster.names if peer != node]


def links_of(cluster: Target, node: str, where: str) -> list[str]:
    """A node's links to clients, or to and from its peers; of `all` nodes."""
    if where == "clients":
        return [client_link(each) for each in cluster.names if node in ("all", each)]
    if node == "all":
        return [peer_link(a, b) for a, b in peer_links(cluster.names)]
    return around(node, cluster.names)


def _take_off(proxies: Proxies, proxy: str, toxic: str) -> None:
    if toxic in proxies.toxics(proxy):
        proxies.remove_toxic(proxy, toxic)
