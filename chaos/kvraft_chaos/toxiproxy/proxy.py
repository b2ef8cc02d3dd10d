"""One proxy: its listener, its connections and its toxics."""

import asyncio
import socket
import struct
from random import Random
from typing import Any, cast

from kvraft_chaos.toxiproxy.pipe import Pipe
from kvraft_chaos.toxiproxy.settings import ApiError, Stream, Toxic

LINGER_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero: close() sends RST and throws away what is unsent."""


def split_address(address: str) -> tuple[str, int]:
    """host:port as Go reads it: an empty host is every interface; IPv6 stands in brackets."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65_535:
        raise ApiError(f"address {address}: missing or malformed port in address", 500)
    return host.removeprefix("[").removesuffix("]") or "0.0.0.0", int(port)  # noqa: S104  (asked for)


class _Side(asyncio.Protocol):
    """One of the two sockets; what it reads goes into its own pipe."""

    def __init__(self, connection: "Connection") -> None:
        self.connection = connection
        self.transport: asyncio.Transport | None = None
        self.pipe: Pipe | None = None
        self.peer: _Side | None = None
        self.early: list[bytes] = []
        self.early_end = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.connection.made(self)

    def start(self, pipe: Pipe, peer: "_Side") -> None:
        self.pipe = pipe
        self.peer = peer
        for data in self.early:
            pipe.feed(data)
        self.early.clear()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()
        if self.early_end:
            pipe.end()

    def data_received(self, data: bytes) -> None:
        if self.pipe is not None:
            self.pipe.feed(data)
            return
        self.early.append(data)  # the upstream is still being dialled
        if self.transport is not None:
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        self._ended()
        return True  # the other direction may still have something to say

    def connection_lost(self, _exc: Exception | None) -> None:
        self._ended()
        self.connection.lost(self)

    def _ended(self) -> None:
        if self.pipe is not None:
            self.pipe.end()
        self.early_end = True

    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.pipe is not None:
            self.peer.pipe.block(blocked=True)

    def resume_writing(self) -> None:
        if self.peer is not None and self.peer.pipe is not None:
            self.peer.pipe.block(blocked=False)


class Connection:
    """A client and its upstream. The client is accepted before the upstream is dialled."""

    def __init__(self, proxy: "Proxy") -> None:
        self.proxy = proxy
        self.client = _Side(self)
        self.upstream = _Side(self)
        self.pipes: dict[Stream, Pipe] = {}
        self._dialling: asyncio.Task[None] | None = None

    def made(self, side: _Side) -> None:
        if side is self.client:
            self.proxy.connections.add(self)
            self._dialling = asyncio.get_running_loop().create_task(self._dial())

    async def _dial(self) -> None:
        try:
            host, port = split_address(self.proxy.upstream)
            await asyncio.get_running_loop().create_connection(lambda: self.upstream, host, port)
        except (OSError, ApiError):
            self.abort()
            return
        client, upstream = self.client.transport, self.upstream.transport
        assert client is not None
        assert upstream is not None
        for stream, source, destination in (
            ("upstream", client, upstream),
            ("downstream", upstream, client),
        ):
            name = cast("Stream", stream)
            toxics = [toxic for toxic in self.proxy.toxics if toxic.stream == name]
            self.pipes[name] = Pipe(
                source, destination, toxics, random=self.proxy.random, reset=self.reset
            )
        self.upstream.start(self.pipes["downstream"], self.client)
        self.client.start(self.pipes["upstream"], self.upstream)

    def lost(self, side: _Side) -> None:
        other = self.upstream if side is self.client else self.client
        if not self.pipes:
            self.abort()
        if all(s.transport is None or s.transport.is_closing() for s in (self.client, other)):
            for pipe in self.pipes.values():
                pipe.discard()
            self.proxy.connections.discard(self)

    def reset(self) -> None:
        for side in (self.client, self.upstream):
            if side.transport is not None:
                sock: socket.socket | None = side.transport.get_extra_info("socket")
                if sock is not None and sock.fileno() >= 0:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        self.abort()

    def abort(self) -> None:
        if self._dialling is not None and self._dialling is not asyncio.current_task():
            self._dialling.cancel()
        for side in (self.client, self.upstream):
            if side.transport is not None:
                side.transport.abort()


class Proxy:
    """Listens, and pipes every connection to its upstream through the toxics."""

    def __init__(self, name: str, listen: str, upstream: str, random: Random) -> None:
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self.random = random
        self.enabled = False
        self.toxics: list[Toxic] = []
        self.connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Open the listener; the port that 0 stood for stays the proxy's own from then on."""
        if self.enabled:
            return
        host, port = split_address(self.listen)
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Connection(self).client, host, port)
        except OSError as error:
            raise ApiError(f"listen tcp {self.listen}: {error}", 500) from error
        name = self._server.sockets[0].getsockname()
        self.listen = f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
        self.enabled = True

    def stop(self) -> None:
        """Close the listener and every connection."""
        self.enabled = False
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self.connections):
            connection.abort()

    def differs(self, listen: str, upstream: str) -> bool:
        resolved = split_address(listen)
        host = "127.0.0.1" if resolved[0] == "localhost" else resolved[0]
        return (host, resolved[1]) != split_address(self.listen) or upstream != self.upstream

    async def update(self, listen: str, upstream: str, *, enabled: bool) -> None:
        if self.differs(listen, upstream):
            self.stop()
            self.listen, self.upstream = listen, upstream
        if enabled and not self.enabled:
            await self.start()
        elif not enabled and self.enabled:
            self.stop()

    def find(self, name: str) -> Toxic | None:
        return next((toxic for toxic in self.toxics if toxic.name == name), None)

    def add_toxic(self, toxic: Toxic) -> None:
        self.toxics.append(toxic)
        for pipe in self._pipes(toxic):
            pipe.add(toxic)

    def update_toxic(self, toxic: Toxic) -> None:
        for pipe in self._pipes(toxic):
            pipe.update(toxic)

    def remove_toxic(self, toxic: Toxic) -> None:
        self.toxics.remove(toxic)
        for pipe in self._pipes(toxic):
            pipe.remove(toxic)

    def _pipes(self, toxic: Toxic) -> list[Pipe]:
        return [c.pipes[toxic.stream] for c in list(self.connections) if c.pipes]

    def as_json(self) -> dict[str, Any]:
        ordered = sorted(self.toxics, key=lambda toxic: toxic.stream, reverse=True)
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.enabled,
            "toxics": [toxic.as_json() for toxic in ordered],
        }
