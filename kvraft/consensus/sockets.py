"""Addresses and socket options of the peer plane."""

import asyncio
import contextlib
import os
import socket
import ssl
from typing import NamedTuple

from kvraft.consensus.timing import Flow, Timing

_KEEPALIVES = 3  # lost ones that end an idle connection
_BACKLOG = 128


class Address(NamedTuple):
    """Where to listen or dial."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return HOST:PORT, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class PeerListenError(Exception):
    """The peer port cannot be listened on; the text names address and cause."""


def cause(error: OSError) -> str:
    """Return what people know the error by; asyncio's own texts repeat the address."""
    if isinstance(error, ssl.SSLError) or not error.errno:
        return str(error)
    return os.strerror(error.errno) if error.errno > 0 else str(error.strerror)


def tune(transport: asyncio.BaseTransport, timing: Timing, flow: Flow) -> None:
    """Set what a peer connection needs, where the system knows it."""
    sock = transport.get_extra_info("socket")
    tcp = socket.IPPROTO_TCP
    keepalive_s = max(1, timing.keepalive_ms // 1_000)
    options = (
        (tcp, "TCP_NODELAY", 1),
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (tcp, "TCP_KEEPIDLE", keepalive_s),
        (tcp, "TCP_KEEPINTVL", keepalive_s),
        (tcp, "TCP_KEEPCNT", _KEEPALIVES),
        (tcp, "TCP_USER_TIMEOUT", timing.unacknowledged_ms),
        # What waits in the kernel cannot be overtaken by a heartbeat: keep it to two pieces.
        (tcp, "TCP_NOTSENT_LOWAT", 2 * flow.piece_bytes),
    )
    for level, name, value in options:
        option = getattr(socket, name, None)
        if option is not None:
            with contextlib.suppress(OSError):  # closed meanwhile, which shows elsewhere
                sock.setsockopt(level, option, value)


async def listen(address: Address) -> list[socket.socket]:
    """Return non-blocking listening sockets for all that `address` means. PeerListenError."""
    sockets: list[socket.socket] = []
    try:
        infos = await asyncio.get_running_loop().getaddrinfo(
            address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, kind, protocol, _, target in dict.fromkeys(infos):
            sockets.append(sock := socket.socket(family, kind, protocol))
            sock.setblocking(False)
            # A restart must not wait for TIME_WAIT; a second live listener is still refused.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(target)
            sock.listen(_BACKLOG)
    except OSError as error:
        for sock in sockets:
            sock.close()
        text = f"cannot listen for peers on {address}: {cause(error)}"
        raise PeerListenError(text) from error
    return sockets
