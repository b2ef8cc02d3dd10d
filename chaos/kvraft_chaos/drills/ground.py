"""The ground a drill is played on: three nodes in a temp folder, every link through the proxy."""

import contextlib
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from kvraft_chaos.cluster import ChaosCluster
from kvraft_chaos.proxies import Proxies
from kvraft_chaos.topology import around, client_link, peer_link, peer_links
from kvraft_chaos.toxiproxy.find import embedded_server
from kvraft_client import Client

ELECTION_SECONDS = 5.0
"""Far longer than an election takes."""

COMMIT_MS = 250
"""How long a write takes where it is slowed down: with a heartbeat's 100 ms, still less than the
shortest time after which another node would stand for election."""


class Ground:
    """A cluster, the faults on its clients' links, and whatever else has to end with the drill."""

    def __init__(self, cluster: ChaosCluster) -> None:
        """Use a cluster that is ready."""
        self.cluster = cluster
        self._children: list[subprocess.Popen[str]] = []
        self._lock, self._is_over = threading.Lock(), False

    @property
    def proxies(self) -> Proxies:
        """The links and the faults on them. Not for threads."""
        return self.cluster.proxies

    @property
    def endpoints(self) -> str:
        """Where clients reach the nodes."""
        return ",".join(self.cluster.endpoint(name) for name in self.cluster.names)

    def client(self, *, timeout: float = 5.0) -> Client:
        """Make a client as any application would."""
        return Client(self.endpoints, timeout=timeout)

    def leader(self) -> str:
        """Wait until somebody leads, and return who."""
        self.cluster.wait_ready()
        leader = self.cluster.leader()
        if leader is None:
            raise RuntimeError("nobody leads a cluster that was ready")
        return leader

    @contextlib.contextmanager
    def replies_lost(self, first: str) -> Iterator[None]:
        """Requests arrive, answers do not: on the links of all clients, this node's first."""
        links = sorted(self._client_links(), key=self.cluster.link(client_link(first)).__ne__)
        for link in links:
            self.proxies.add_toxic(link, "timeout", "downstream", {"timeout": 0})
        with self._healed(links):
            yield

    @contextlib.contextmanager
    def slow_commits(self) -> Iterator[str]:
        """Messages of the leader, who is returned, take longer, and so does every write.

        What is asked meanwhile arrives before it is done: its answer can be lost for certain.
        """
        leader = self.leader()
        links = [self.cluster.link(peer_link(a, b)) for a, b in peer_links() if a == leader]
        self.proxies.latency(*links, latency_ms=COMMIT_MS)
        with self._healed(links):
            yield leader

    @contextlib.contextmanager
    def isolated(self, name: str) -> Iterator[None]:
        """Cut a node off from the other nodes, not from its clients."""
        links = [self.cluster.link(each) for each in around(name, self.cluster.names)]
        self.proxies.cut_silent(*links)
        with self._healed(links):
            yield

    def elected_without(self, name: str) -> tuple[str, float]:
        """Wait for a leader among the others; who leads, and the seconds it took."""
        others = [each for each in self.cluster.names if each != name]
        leaders: list[str | None] = []

        def leads() -> bool:
            leaders.append(self.cluster.leader(others))
            return leaders[-1] is not None

        took = self.cluster.wait(leads, ELECTION_SECONDS, f"a leader other than {name}")
        return str(leaders[-1]), took

    @contextlib.contextmanager
    def distant(self, latency_ms: int) -> Iterator[None]:
        """All clients are so far away."""
        links = self._client_links()
        self.proxies.latency(*links, latency_ms=latency_ms)
        with self._healed(links):
            yield

    def start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        """Start a process that is talked to by lines, and ends with the drill, whatever happens."""
        with self._lock:
            if self._is_over:
                raise RuntimeError("the drill was stopped")
            child = subprocess.Popen(  # noqa: S603 - our own command
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,  # Ctrl-C ends the drill, and the drill ends this
            )
            self._children.append(child)
        return child

    def end_children(self) -> None:
        """Kill what the drill started, paused or not."""
        for child in self._children:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):  # what it did not read any more
                        pipe.close()
        self._children = []

    def end(self) -> None:
        """Kill everything at once: a clean end is of no use to nodes whose data is thrown away."""
        with self._lock:
            self._is_over = True
        self.end_children()
        for name, node in self.cluster.nodes.items():
            if node.running:
                self.cluster.kill(name)

    def _client_links(self) -> list[str]:
        return [self.cluster.link(client_link(name)) for name in self.cluster.names]

    @contextlib.contextmanager
    def _healed(self, links: list[str]) -> Iterator[None]:
        try:
            yield
        finally:
            self.proxies.heal(*links)


@contextlib.contextmanager
def private_ground() -> Iterator[Ground]:
    """Start a cluster on free ports; nothing of it is left afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kvraft-drill-")))
        proxies = stack.enter_context(embedded_server(seed=os.getpid()))
        ground = Ground(stack.enter_context(ChaosCluster(folder / "nodes", proxies)))
        stack.callback(ground.end)
        yield ground
