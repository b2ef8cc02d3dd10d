"""Free TCP ports of this machine."""

import contextlib
import random
import socket
from pathlib import Path

LOWEST = 10_240
"""Below are the well-known services, and the ports that `kvraft cluster` uses by default."""
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
EPHEMERAL_LOW = 32_768
"""Linux' default, where the file cannot be read."""


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Distinct ports that were free a moment ago, none of them ephemeral.

    The kernel gives ephemeral ports to outgoing connections: a node that is down, or a proxy that
    is disabled, could find its port taken on return, by the very peers that dial it.
    """
    try:
        high = int(EPHEMERAL.read_text().split()[0])
    except OSError:
        high = EPHEMERAL_LOW
    candidates = iter(random.sample(range(LOWEST, high), high - LOWEST))
    sockets: list[socket.socket] = []
    try:
        while len(sockets) < count:
            port = next(candidates, None)
            if port is None:
                raise OSError(f"{count} free ports are needed between {LOWEST} and {high}")
            try:
                sockets.append(socket.create_server((host, port)))
            except OSError:
                continue  # taken
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


def free_base_port(nodes: int, step: int, host: str = "127.0.0.1") -> int:
    """Return a port whose neighbours are free too, two for each node, `step` apart."""
    bases = range(LOWEST, EPHEMERAL_LOW - nodes * step)
    for base in random.sample(bases, len(bases)):  # in order, two callers would meet
        with contextlib.ExitStack() as stack:
            try:
                for node in range(nodes):
                    for port in (0, 1):
                        probe = stack.enter_context(socket.socket())
                        probe.bind((host, base + node * step + port))
            except OSError:
                continue
            return base
    raise OSError(f"no free ports for {nodes} nodes between {LOWEST} and {EPHEMERAL_LOW}")
