"""Three nodes on this machine for a test, and what can go wrong with them."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, Self

from kvraft_chaos.cluster import ChaosCluster
from kvraft_chaos.nemesis.stroke import Stroke
from kvraft_chaos.nemesis.target import Target
from kvraft_chaos.observed import ClusterError
from kvraft_chaos.topology import NODES, client_link, peer_link, peer_links
from kvraft_chaos.toxiproxy.find import embedded_server
from kvraft_client import Client

LEADER_SECONDS = 10.0
"""Many elections: nobody leads for so long only where no majority can."""


class _Links(Stroke):
    """What one fault of a test does to links."""

    name = "test"
    sentence = "whatever the test asks for"

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        """Nothing: the test says what."""
        del cluster, arguments
        return ""


class Fault:
    """Goes on until `heal`, or until the end of the `with` block that it was given to."""

    def __init__(self, undo: Callable[[], None], *nodes: str) -> None:
        """Take what heals it, and whom it struck."""
        self.nodes = nodes
        self._undo = ExitStack()
        self._undo.callback(undo)

    def heal(self) -> None:
        """End it. Harmless where that was done already."""
        self._undo.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.heal()


class LocalCluster:
    """`with LocalCluster(folder) as cluster:`, or the fixture `kvraft_cluster`.

    Every link, of nodes with each other and of clients with nodes, goes through a proxy in this
    process. All methods block, and none is safe in two threads at once. A node is called by its
    name (`n1`, `n2`, `n3`), or `"leader"`: whoever leads when the method is called.
    """

    def __init__(self, folder: Path) -> None:
        """Start with `with`; nothing is left running afterwards."""
        self._folder = folder
        self._stack = ExitStack()
        self._nodes: ChaosCluster

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            proxies = stack.enter_context(embedded_server(seed=os.getpid()))
            self._nodes = stack.enter_context(ChaosCluster(self._folder, proxies))
            stack.callback(self._kill_all)  # a clean end is of no use to data thrown away
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()

    def _kill_all(self) -> None:
        for name in self.names:
            if self._nodes.running(name):
                self._nodes.kill(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the nodes."""
        return NODES

    @property
    def endpoints(self) -> str:
        """What `Client`, `AsyncClient` and $KVRAFT_ENDPOINTS take: every node through its link."""
        return ",".join(self.endpoint(name) for name in self.names)

    def endpoint(self, name: str) -> str:
        """One node's, for a client that shall ask no other."""
        return self._nodes.endpoint(self._named(name))

    def client(self, **options: Any) -> Client:
        """Make a client, as `Client(cluster.endpoints)` does; it is closed with the cluster."""
        return self._stack.enter_context(Client(self.endpoints, **options))

    def log(self, name: str) -> str:
        """What a node wrote to its log."""
        return self._nodes.nodes[name].log.read_text(errors="replace")

    def leader(self, *, other_than: str | None = None) -> str:
        """Wait until somebody leads, or another one than this, and return who."""
        among = [name for name in self.names if name != other_than]
        found: list[str] = []

        def leads() -> bool:
            leader = self._nodes.leader(among)
            if leader is not None:
                found.append(leader)
            return bool(found)

        self._nodes.wait(leads, LEADER_SECONDS, f"one of {', '.join(among)} leads")
        return found[-1]

    def wait_ready(self) -> None:
        """Wait until all nodes that run follow one leader."""
        self._nodes.wait_ready()

    def partition(self, *sides: str | Sequence[str], clients: bool = False) -> Fault:
        """Cut the sides off from each other; nodes that are not named are one more side.

        `partition("n1")` isolates n1. Clients reach all nodes, unless `clients`: then they do not
        reach the nodes that are named.
        """
        named = [[self._named(n) for n in ([s] if isinstance(s, str) else s)] for s in sides]
        side_of = {name: number for number, side in enumerate(named) for name in side}
        if not side_of:
            raise ClusterError("a partition needs at least one node's name")
        cut = [
            peer_link(a, b)
            for a, b in peer_links(self.names)
            if side_of.get(a, -1) != side_of.get(b, -1)
        ]
        cut += [client_link(name) for name in side_of if clients]
        links = _Links()
        fault = Fault(lambda: links.heal(self._nodes), *side_of)
        links.cut(self._nodes, cut)
        return fault

    def lose_replies(self, *names: str) -> Fault:
        """Requests arrive at the nodes (all, if none is named) and are done; no answer comes back.

        Connections hang; when it is healed they break, as they do in real life.
        """
        chosen = [self._named(name) for name in names or self.names]
        links = _Links()
        fault = Fault(lambda: links.heal(self._nodes), *chosen)
        for name in chosen:
            links.toxic(self._nodes, client_link(name), "timeout", "downstream", {"timeout": 0})
        return fault

    def delay(
        self, latency_ms: int, *names: str, where: Literal["clients", "peers"] = "clients"
    ) -> Fault:
        """Let everything to and from the nodes (all, if none is named) take longer."""
        chosen = [self._named(name) for name in names or self.names]
        links = _Links()
        fault = Fault(lambda: links.heal(self._nodes), *chosen)
        slow = [client_link(name) for name in chosen]
        if where == "peers":
            slow = [
                peer_link(a, b) for a, b in peer_links(self.names) if a in chosen or b in chosen
            ]
        for link in slow:
            links.toxic(self._nodes, link, "latency", "upstream", {"latency": latency_ms})
        return fault

    def kill(self, name: str) -> str:
        """`kill -9`; who it was."""
        name = self._named(name)
        self._nodes.kill(name)
        return name

    def kill_leader(self) -> str:
        """`kill -9` of whoever leads; who it was."""
        return self.kill("leader")

    def restart(self, name: str) -> None:
        """Start a node, on its data; kill it before, if it runs. `wait_ready` waits for it."""
        self._nodes.restart(self._named(name))

    def pause(self, name: str) -> Fault:
        """SIGSTOP: the node stands still, and does not notice."""
        name = self._named(name)
        self._nodes.pause(name)
        return Fault(lambda: self._resume(name), name)

    def _resume(self, name: str) -> None:
        if self._nodes.running(name):
            self._nodes.resume(name)

    def heal(self) -> None:
        """End every fault, start every node that is down, and wait until they follow one leader."""
        self._nodes.mend()
        self.wait_ready()

    def _named(self, name: str) -> str:
        if name == "leader":
            return self.leader()
        if name not in self.names:
            raise ClusterError(f"there is no node {name!r}: {', '.join(self.names)}, or leader")
        return name
