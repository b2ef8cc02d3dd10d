"""Free TCP ports of this machine, none of which another run on it takes meanwhile."""

import atexit
import contextlib
import errno
import random
import socket
from functools import cache
from pathlib import Path

LOWEST = 10_240
"""Below are the well-known services, and the ports that `kvraft cluster` uses by default."""
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
EPHEMERAL_LOW = 32_768
"""Linux' default, where the file cannot be read."""
BLOCK = 256
"""Ports of one process. A node that is down has its ports free, and another run would take them
(seed 98 of a campaign of three runs at a time): so each has a block, and goes round in it."""


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Distinct ports that were free a moment ago, none of them ephemeral.

    The kernel gives ephemeral ports to outgoing connections: a node that is down, or a proxy that
    is disabled, could find its port taken on return, by the very peers that dial it.
    """
    block = _block()
    sockets: list[socket.socket] = []
    try:
        for _ in range(BLOCK):
            if len(sockets) == count:
                break
            with contextlib.suppress(OSError):  # taken
                sockets.append(socket.create_server((host, block.next())))
        if len(sockets) < count:
            raise OSError(f"{count} free ports are needed from {block.first} on, in {BLOCK}")
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


def free_base_port(nodes: int, step: int, host: str = "127.0.0.1") -> int:
    """Return a port whose neighbours are free too, two for each node, `step` apart."""
    block = _block()
    for _ in range(BLOCK):
        base = block.next(nodes * step)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for node in range(nodes):
                for port in (0, 1):
                    probe = stack.enter_context(socket.socket())
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
                    probe.bind((host, base + node * step + port))
            return base
    raise OSError(f"no free ports for {nodes} nodes from {block.first} on, in {BLOCK}")


class _Block:
    """A process' ports, as long as it has the name: until it ends."""

    def __init__(self, first: int, name: socket.socket) -> None:
        self.first = first
        self._name = name
        self._used = 0

    def next(self, count: int = 1) -> int:
        """Return the first of so many that were not asked for lately."""
        if count > BLOCK:
            raise OSError(f"{count} ports in a row are needed; a process has {BLOCK}")
        if self._used + count > BLOCK:
            self._used = 0
        self._used += count
        return self.first + self._used - count


@cache
def _block() -> _Block:
    try:
        high = int(EPHEMERAL.read_text().split()[0])
    except OSError:
        high = EPHEMERAL_LOW
    if high < LOWEST + BLOCK:
        high = EPHEMERAL_LOW  # nearly all are ephemeral here: rather those than none
    firsts = range(LOWEST, high - BLOCK + 1, BLOCK)
    for first in random.sample(firsts, len(firsts)):
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0kvraft-ports-{first}")  # of no file: it goes with the process (unix(7))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                name.close()
                continue  # else there are no such names here, and none is kept
        atexit.register(name.close)
        return _Block(first, name)
    raise OSError(f"all ports between {LOWEST} and {high} are reserved by other runs")
