"""The cluster of docker-compose.yml as a target of faults, through the `docker` command.

Tested here against a stand-in for that command only: what the commands do to containers was not
seen. Links need the profile `chaos`; kill, pause and disconnect do without.
"""

import subprocess
from collections.abc import Callable, Sequence
from typing import Self

from kvraft_chaos.compose import CLIENT_LINK_OFFSET, client_port
from kvraft_chaos.nemesis.holds import Holds
from kvraft_chaos.nemesis.target import Pausable
from kvraft_chaos.node_client import NodeClient
from kvraft_chaos.observed import ClusterError, ObservedCluster
from kvraft_chaos.proxies import Proxies
from kvraft_chaos.topology import NODES

HOST = "127.0.0.1"
TOXIPROXY_URL = f"http://{HOST}:8474"
NETWORK = "kvraft_default"
"""Compose's own: the project's name and `default`."""
COMMAND_SECONDS = 30.0
"""A container starts within seconds; an engine that hangs must not hang the run."""
LAST_LINES = 20

Docker = Callable[[Sequence[str]], str]
"""Runs `docker` with these arguments; its output, or ClusterError in one line."""


def docker(arguments: Sequence[str]) -> str:
    command = ["docker", *arguments]
    what = " ".join(command)
    try:
        done = subprocess.run(  # noqa: S603 - our own command
            command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise ClusterError("there is no docker command on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{what}: no answer within {COMMAND_SECONDS:g} s") from error
    if done.returncode:
        reason = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise ClusterError(f"{what}: {reason[-1]}")
    return done.stdout


class ComposeCluster(ObservedCluster):
    """Containers that are up already (`docker compose up --wait`), and stay up afterwards."""

    def __init__(
        self,
        *,
        with_links: bool,
        run: Docker = docker,
        proxies: Proxies | None = None,
    ) -> None:
        """`with_links`: the profile `chaos` is on, and clients go through Toxiproxy."""
        super().__init__(NODES)
        self.proxies = proxies or Proxies(TOXIPROXY_URL)
        self.holds = Holds()
        self.clients: list[Pausable] = []
        self._offset = CLIENT_LINK_OFFSET if with_links else 0
        self._with_links = with_links
        self._run = run

    def __enter__(self) -> Self:
        self.observe({name: f"{HOST}:{client_port(name)}" for name in self.names})
        try:
            if self._with_links:
                self.proxies.version()
            self.wait_ready()
        except BaseException:
            self.stop_observing()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop_observing()

    def link(self, name: str) -> str:
        return name

    def endpoint(self, name: str) -> str:
        """Where clients reach the node: through its link, where there are links."""
        return f"{HOST}:{self._offset + client_port(name)}"

    def client(self, name: str) -> NodeClient:
        return NodeClient(name, self.endpoint(name))

    def running(self, name: str) -> bool:
        return self._state(name) in ("running", "paused")

    def start(self, name: str) -> None:
        self._run(["start", self._container(name)])

    def kill(self, name: str) -> None:
        """The engine kills no paused container; after a kill it does not restart it either."""
        self.resume(name)
        self._run(["kill", "--signal", "KILL", self._container(name)])

    def pause(self, name: str) -> None:
        if self._state(name) == "running":
            self._run(["pause", self._container(name)])

    def resume(self, name: str) -> None:
        if self._state(name) == "paused":
            self._run(["unpause", self._container(name)])

    def disconnect(self, name: str) -> None:
        """Take the network away; the ports that the node publishes go with it."""
        if self._connected(name):
            self._run(["network", "disconnect", NETWORK, self._container(name)])

    def connect(self, name: str) -> None:
        """Under its name again: peers and proxies look it up, and it is lost with the network."""
        if not self._connected(name):
            self._run(["network", "connect", "--alias", name, NETWORK, self._container(name)])

    def mend(self) -> None:
        """See `Target`. A container that ended by itself is restarted by the engine."""
        self.holds.forget()
        failed = []
        for client in self.clients:
            client.resume()
        for name in self.names:
            try:
                self.resume(name)
                self.connect(name)
                if not self.running(name):
                    self.start(name)
            except ClusterError as error:
                failed.append(str(error))
        if self._with_links:
            self.proxies.heal_all()
        if failed:
            raise ClusterError("; ".join(failed))

    def check_alive(self) -> None:
        """ClusterError where a container runs no more, and no stroke keeps it down."""
        for name in self.names:
            if not self.running(name) and not self.holds.held(f"down {name}"):
                raise ClusterError(f"{name} is {self._state(name)}\n{self.last_words(name)}")

    def last_words(self, name: str) -> str:
        return self._run(["logs", "--tail", str(LAST_LINES), self._container(name)])

    def _container(self, name: str) -> str:
        return f"kvraft-{name}-1"

    def _state(self, name: str) -> str:
        return self._run(
            ["inspect", "--format", "{{.State.Status}}", self._container(name)]
        ).strip()

    def _connected(self, name: str) -> bool:
        template = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}"
        return (
            NETWORK in self._run(["inspect", "--format", template, self._container(name)]).split()
        )
