"""Three real node processes, every directed peer link and every client link through a proxy."""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from kvraft_chaos.checkers.leaders import LeaderFact, facts_in_log
from kvraft_chaos.nemesis.holds import Holds
from kvraft_chaos.nemesis.target import Pausable
from kvraft_chaos.node import Node
from kvraft_chaos.node_client import NodeClient
from kvraft_chaos.observed import ClusterError, ObservedCluster
from kvraft_chaos.ports import free_ports
from kvraft_chaos.proxies import STREAMS, Proxies, ProxySpec
from kvraft_chaos.rig import Rig
from kvraft_chaos.topology import NODES, around, client_link, peer_link, peer_links

HOST = "127.0.0.1"
STOP_SECONDS = 10.0
"""A node that has not ended this long after SIGTERM is killed."""
KVRAFT = (sys.executable, "-m", "kvraft", "serve")


class ChaosCluster(ObservedCluster):
    """Starts in the constructor's `with`; nothing of it is left running afterwards."""

    def __init__(
        self,
        directory: Path,
        proxies: Proxies,
        *,
        names: Sequence[str] = NODES,
        command: Sequence[str] = KVRAFT,
        prefix: str = "",
        rig: Rig = Rig(),  # noqa: B008 - it cannot be changed
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`prefix` keeps the links of two clusters on one Toxiproxy server apart; `environment` is
        what all nodes get in addition.
        """
        super().__init__(names)
        self.proxies = proxies
        self.rig = rig
        self.holds = Holds()
        self.clients: list[Pausable] = []
        self._without_disk: set[str] = set()
        self._command = rig.command(tuple(command))
        self._environment = dict(environment or {})
        self._prefix = prefix
        links = len(self.names) + len(peer_links(self.names))
        free = iter(f"{HOST}:{port}" for port in free_ports(2 * len(self.names) + links))
        self.nodes = {
            name: Node(name, directory / name, next(free), next(free)) for name in self.names
        }
        self._link_addresses = tuple(free)
        self._addresses: dict[str, str] = {}

    def link(self, name: str) -> str:
        """The proxy of a link of `topology`."""
        return self._prefix + name

    def endpoint(self, name: str) -> str:
        """Where clients reach the node: through its link."""
        return self._addresses[self.link(client_link(name))]

    def client(self, name: str) -> NodeClient:
        return NodeClient(name, self.endpoint(name))

    def __enter__(self) -> Self:
        atexit.register(self.stop)
        try:
            self._addresses = self.proxies.populate(self._specs())
            self.observe({name: node.listen for name, node in self.nodes.items()})
            for name in self.names:
                self.nodes[name].directory.parent.mkdir(parents=True, exist_ok=True)
                self.rig.prepare(self.nodes[name].directory)
                self.start(name)
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def _specs(self) -> list[ProxySpec]:
        upstreams = [
            (peer_link(a, b), self.nodes[b].peer_listen) for a, b in peer_links(self.names)
        ]
        upstreams += [(client_link(name), node.listen) for name, node in self.nodes.items()]
        return [
            ProxySpec(self.link(name), listen, upstream)
            for (name, upstream), listen in zip(upstreams, self._link_addresses, strict=True)
        ]

    def arguments(self, name: str) -> list[str]:
        """The options of `kvraft serve` for this node."""
        node = self.nodes[name]
        peers = ",".join(f"{each.name}={each.peer_listen}" for each in self.nodes.values())
        options = ["--name", name, "--data-dir", str(node.directory), "--listen", node.listen]
        options += ["--peer-listen", node.peer_listen, "--peers", peers]
        options += ["--advertise", self.endpoint(name)]
        for peer in self.names:
            if peer != name:
                options += ["--dial", f"{peer}={self._addresses[self.link(peer_link(name, peer))]}"]
        if name in self._without_disk and not (node.directory / "identity").exists():
            options += ["--rejoin"]  # once: its new directory remembers that it is rejoining
        return options

    def start(self, name: str) -> None:
        """Start a node that is not running; does not wait until it serves."""
        node = self.nodes[name]
        if node.running:
            raise ClusterError(f"{name} is running already")
        additional = {**self._environment, **self.rig.environment(node.directory)}
        with node.log.open("ab") as log:
            node.process = subprocess.Popen(  # noqa: S603  (our own command)
                [*self._command, *self.arguments(name)],
                env={**os.environ, **additional},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C ends the test, and the test ends the nodes
            )

    def kill(self, name: str) -> None:
        """Send SIGKILL, and wait until the process is gone."""
        self._signal(name, signal.SIGKILL)
        process = self.nodes[name].process
        assert process is not None
        process.wait(STOP_SECONDS)
        self.nodes[name].process = None

    def pause(self, name: str) -> None:
        """SIGSTOP: alive for the kernel, silent for everybody else."""
        self._signal(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        self._signal(name, signal.SIGCONT)

    def running(self, name: str) -> bool:
        return self.nodes[name].running

    def last_words(self, name: str) -> str:
        return self.nodes[name].last_words()

    def wipe(self, name: str) -> None:
        """Take everything from the directory of a node that is down: it comes back by rejoining."""
        if self.running(name):
            raise ClusterError(f"{name} runs: its directory stays")
        self.nodes[name].wipe()
        self._without_disk.add(name)

    def without_disk(self) -> list[str]:
        """Return who was wiped, and is no member again yet."""
        if self._without_disk:
            for name, standing in self.standings(sorted(self._without_disk)).items():
                if not standing.rejoining:
                    self._without_disk.discard(name)
        return sorted(self._without_disk)

    def disconnect(self, name: str) -> None:
        """Take the node's whole network away, peers and clients."""
        for link in (*around(name, self.names), client_link(name)):
            for stream in STREAMS:
                self.proxies.add_toxic(
                    self.link(link), "timeout", stream, {"timeout": 0}, toxic=_gone(name, stream)
                )

    def connect(self, name: str) -> None:
        for link in (*around(name, self.names), client_link(name)):
            present = self.proxies.toxics(self.link(link))
            for stream in STREAMS:
                if _gone(name, stream) in present:
                    self.proxies.remove_toxic(self.link(link), _gone(name, stream))

    def mend(self) -> None:
        """See `Target`."""
        self.holds.forget()
        with contextlib.ExitStack() as everything:  # goes on where one of them fails
            everything.callback(self.proxies.heal, *self._addresses)
            for name, node in self.nodes.items():
                everything.callback(self.rig.prepare, node.directory)
                if node.running:
                    everything.callback(self.resume, name)
                elif node.process is None:
                    everything.callback(self.start, name)
            for client in self.clients:
                everything.callback(client.resume)

    def restart(self, name: str) -> None:
        """Kill it if it runs, and start it on the same directory."""
        if self.nodes[name].running:
            self.kill(name)
        self.start(name)

    def _signal(self, name: str, number: signal.Signals) -> None:
        process = self.nodes[name].process
        if process is None or process.poll() is not None:
            raise ClusterError(f"{name} is not running\n{self.nodes[name].last_words()}")
        os.kill(process.pid, number)

    def stop(self) -> None:
        """End every node, gently first, and remove the links. May be called again."""
        atexit.unregister(self.stop)
        processes = [node.process for node in self.nodes.values() if node.process is not None]
        for process in processes:
            for number in (signal.SIGCONT, signal.SIGTERM):
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(number)
        deadline = time.monotonic() + STOP_SECONDS
        for process in processes:
            try:
                process.wait(max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for node in self.nodes.values():
            node.process = None
        self.stop_observing()
        for link in list(self._addresses):
            self.proxies.delete(link)
        self._addresses = {}

    def check_alive(self) -> None:
        """ClusterError where a node that should run has ended by itself."""
        for node in self.nodes.values():
            kept_down = self.holds.held(f"down {node.name}")  # by a full disk: it ends by itself
            if node.process is not None and node.process.poll() is not None and not kept_down:
                status = node.process.returncode
                raise ClusterError(f"{node.name} ended with status {status}\n{node.last_words()}")

    def logged_leaders(self) -> list[LeaderFact]:
        """Every term that a node led, by its own log: none is missed between two polls."""
        return [
            fact
            for node in self.nodes.values()
            for fact in facts_in_log(node.name, node.log.read_text(errors="replace").splitlines())
        ]


def _gone(name: str, stream: str) -> str:
    """The toxic of a link that belongs to a node without a network."""
    return f"disconnected-{name}-{stream}"
