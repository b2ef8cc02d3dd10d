"""The front: one local port a node, each a link with faults, before a cluster of somebody else."""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Iterator, Sequence

from kvraft_chaos.call_proxy import CallFaults, CallProxy
from kvraft_chaos.nemesis.holds import Holds
from kvraft_chaos.nemesis.target import Pausable
from kvraft_chaos.observed import ClusterError, ObservedCluster
from kvraft_chaos.ports import free_ports
from kvraft_chaos.proxies import Proxies, ProxySpec, ToxiproxyError
from kvraft_chaos.run.errors import RunError
from kvraft_chaos.topology import client_link
from kvraft_chaos.toxiproxy.find import found_server

HOST = "127.0.0.1"
DIAL_SECONDS = 2.0
"""For a node that is asked, at the beginning, whether it is there at all."""


class Front(ObservedCluster):
    """A `Target` of which only the links of clients are in reach: nodes cannot be touched."""

    def __init__(self, proxies: Proxies, addresses: dict[str, str]) -> None:
        """`addresses`: where each node is."""
        super().__init__(tuple(addresses))
        self.proxies = proxies
        self.addresses = addresses
        self.holds = Holds()
        self.clients: list[Pausable] = []
        self._listening: dict[str, str] = {}

    @property
    def endpoints(self) -> str:
        """What the application is given."""
        return ",".join(self.endpoint(name) for name in self.names)

    def link(self, name: str) -> str:
        return f"front-{os.getpid()}-{name}"

    def endpoint(self, name: str) -> str:
        return self._listening[self.link(client_link(name))]

    def open(self, ports: Sequence[int], upstreams: dict[str, str]) -> None:
        """Listen; `upstreams` is where each link leads."""
        self._listening = self.proxies.populate(
            ProxySpec(self.link(client_link(name)), f"{HOST}:{port}", upstreams[name])
            for name, port in zip(self.names, ports, strict=True)
        )
        self.observe(self.addresses)  # beside the links: faults do not blind us

    def close(self) -> None:
        """Heal, and leave nothing on a Toxiproxy server that is not ours."""
        self.stop_observing()
        for link in self._listening:
            with contextlib.suppress(ToxiproxyError):
                self.proxies.delete(link)
        self._listening = {}

    def mend(self) -> None:
        """See `Target`."""
        self.holds.forget()
        self.proxies.heal(*self._listening)

    def running(self, name: str) -> bool:
        del name
        return True

    def check_alive(self) -> None:
        """Nobody here knows."""

    def last_words(self, name: str) -> str:
        return f"(the log of {name} is not in reach)"

    def out_of_reach(self, name: str) -> None:
        raise ClusterError(f"{name} is not in reach: only links are")

    start = kill = pause = resume = disconnect = connect = out_of_reach


@contextlib.contextmanager
def opened(
    endpoints: Sequence[str], first_port: int | None, calls: CallFaults, seed: int
) -> Iterator[Front]:
    """Open a front before these endpoints; at the end everything is healed and gone."""
    addresses = {f"n{number}": each for number, each in enumerate(endpoints, 1)}
    _reached(endpoints)
    with contextlib.ExitStack() as stack:
        front = Front(stack.enter_context(found_server(os.environ)), addresses)
        upstreams = dict(addresses)
        if calls.lost_replies or calls.repeated_requests:
            upstreams = stack.enter_context(_call_proxies(addresses, calls, seed))
        stack.callback(front.close)
        count = len(addresses)
        if first_port is None:
            ports = free_ports(count)
        else:
            ports = list(range(first_port, first_port + count))
        front.open(ports, upstreams)
        yield front


def _reached(endpoints: Sequence[str]) -> None:
    """RunError where no node is there: a front before nothing is a mistake."""
    problem: OSError | None = None
    for each in endpoints:
        host, _, port = each.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), DIAL_SECONDS).close()
        except OSError as error:
            problem = error
        else:
            return
    raise RunError(f"no node answers at {','.join(endpoints)}: {problem}")


@contextlib.contextmanager
def _call_proxies(
    addresses: dict[str, str], faults: CallFaults, seed: int
) -> Iterator[dict[str, str]]:
    """Run a proxy of calls before each node, on a loop of its own; where they listen."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="call-proxies", daemon=True)
    thread.start()
    proxies = {
        name: CallProxy(where, faults, f"{seed} {name}") for name, where in addresses.items()
    }

    async def enter() -> None:
        for proxy in proxies.values():
            await proxy.__aenter__()

    async def leave() -> None:
        for proxy in proxies.values():
            await proxy.__aexit__(None, None, None)

    asyncio.run_coroutine_threadsafe(enter(), loop).result()
    try:
        yield {name: proxy.endpoint for name, proxy in proxies.items()}
    finally:
        asyncio.run_coroutine_threadsafe(leave(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
