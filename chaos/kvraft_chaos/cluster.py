"""Three real node processes, every directed peer link and every client link through a proxy."""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from kvraft_chaos.checkers.leaders import LeaderFact, facts_in_log
from kvraft_chaos.node_client import NodeClient, NodeError, Standing
from kvraft_chaos.ports import free_ports
from kvraft_chaos.proxies import Proxies, ProxySpec
from kvraft_chaos.topology import NODES, client_link, peer_link, peer_links
from kvraft_chaos.waiting import wait_until

HOST = "127.0.0.1"
READY_SECONDS = 20.0
"""From process start to a leader that all know; about a second on an idle machine."""
STOP_SECONDS = 10.0
"""A node that has not ended this long after SIGTERM is killed."""
STATUS_SECONDS = 0.5
"""Status needs no quorum: a node that does not answer this fast is paused, gone or cut off."""
KVRAFT = (sys.executable, "-m", "kvraft", "serve")

LAST_LINES = 20
"""Of a node's log, shown when something is not as it should be."""


class ClusterError(Exception):
    """A node that ended by itself, or is not in the state asked for; shows the end of its log."""


@dataclass(slots=True)
class Node:
    """One node's place; `process` None: not running."""

    name: str
    directory: Path
    listen: str
    peer_listen: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.directory.with_suffix(".log")

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def last_words(self) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-LAST_LINES:])
        return "(no log)"


class ChaosCluster:
    """Starts in the constructor's `with`; nothing of it is left running afterwards."""

    def __init__(
        self,
        directory: Path,
        proxies: Proxies,
        *,
        names: Sequence[str] = NODES,
        command: Sequence[str] = KVRAFT,
        prefix: str = "",
    ) -> None:
        """`prefix` keeps the links of two clusters on one Toxiproxy server apart."""
        self.proxies = proxies
        self.names = tuple(names)
        self._command = tuple(command)
        self._prefix = prefix
        links = len(self.names) + len(peer_links(self.names))
        free = iter(f"{HOST}:{port}" for port in free_ports(2 * len(self.names) + links))
        self.nodes = {
            name: Node(name, directory / name, next(free), next(free)) for name in self.names
        }
        self._link_addresses = tuple(free)
        self._addresses: dict[str, str] = {}
        self._observers: dict[str, NodeClient] = {}

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
            for name in self.names:
                self._observers[name] = self.client(name)
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
        return options

    def start(self, name: str) -> None:
        """Start a node that is not running; does not wait until it serves."""
        node = self.nodes[name]
        if node.running:
            raise ClusterError(f"{name} is running already")
        node.directory.parent.mkdir(parents=True, exist_ok=True)
        with node.log.open("ab") as log:
            node.process = subprocess.Popen(  # noqa: S603  (our own command)
                [*self._command, *self.arguments(name)],
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
        for observer in self._observers.values():
            observer.close()
        self._observers = {}
        for link in list(self._addresses):
            self.proxies.delete(link)
        self._addresses = {}

    def check_alive(self) -> None:
        """ClusterError where a node that should run has ended by itself."""
        for node in self.nodes.values():
            if node.process is not None and node.process.poll() is not None:
                status = node.process.returncode
                raise ClusterError(f"{node.name} ended with status {status}\n{node.last_words()}")

    def standings(self, names: Sequence[str] | None = None) -> dict[str, Standing]:
        """What each node that answers says of itself."""
        found: dict[str, Standing] = {}
        for name in names or self.names:
            with contextlib.suppress(NodeError):
                found[name] = self._observers[name].standing(STATUS_SECONDS)
        return found

    def leader(self, among: Sequence[str] | None = None) -> str | None:
        """The node of the highest term that says it leads, as seen by these nodes."""
        leading = [each for each in self.standings(among).values() if each.leads]
        return max(leading, key=lambda each: each.term).node if leading else None

    def logged_leaders(self) -> list[LeaderFact]:
        """Every term that a node led, by its own log: none is missed between two polls."""
        return [
            fact
            for node in self.nodes.values()
            for fact in facts_in_log(node.name, node.log.read_text(errors="replace").splitlines())
        ]

    def wait_ready(self, within_s: float = READY_SECONDS) -> float:
        """Until all running nodes follow one leader; seconds it took."""

        def agreed() -> bool:
            self.check_alive()
            expected = [name for name, node in self.nodes.items() if node.running]
            standings = self.standings(expected)
            leaders = {each.leader for each in standings.values()}
            terms = {each.term for each in standings.values()}
            everybody = len(standings) == len(expected)
            return everybody and len(terms) == 1 and len(leaders) == 1 and None not in leaders

        return self.wait(agreed, within_s, "all nodes follow one leader")

    def wait(self, condition: Callable[[], bool], within_s: float, what: str) -> float:
        """Like `wait_until`; the error shows the end of every node's log."""
        try:
            return wait_until(condition, within_s, what)
        except TimeoutError as error:
            logs = "\n".join(f"--- {n.name}\n{n.last_words()}" for n in self.nodes.values())
            raise ClusterError(f"{error}\n{logs}") from error
