"""Accepts peers: bounds strangers, and keeps the newest inbound connection of each peer."""

import asyncio
import socket
from collections.abc import Callable

from kvraft.consensus.inbound import InboundConnection
from kvraft.consensus.plane import Plane
from kvraft.consensus.sockets import cause

_ACCEPT_RETRY_S = 0.1  # out of file descriptors or memory: what is open may close meanwhile


class Acceptor:
    """The listening sockets, the strangers on them, and one connection a peer."""

    def __init__(
        self, plane: Plane, sockets: list[socket.socket], boot_seen: Callable[[str, int], None]
    ) -> None:
        self._plane = plane
        self._sockets = sockets
        self._boot_seen = boot_seen
        self._strangers: dict[asyncio.Task[None], InboundConnection] = {}  # by arrival
        self._unclaimed: set[socket.socket] = set()  # of strangers whose task has yet to start
        self._inbound: dict[str, InboundConnection] = {}
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._watch()

    def connection(self, peer: str) -> InboundConnection | None:
        """Return the peer's present connection."""
        return self._inbound.get(peer)

    def drop(self, peer: str) -> None:
        """Close a peer's connection and report it now (not to be called from within consensus)."""
        connection = self._inbound.pop(peer, None)
        if connection is not None:
            connection.abort()
            self._plane.consensus.on_inbound_down(peer)

    async def close(self) -> None:
        """Stop listening and close everything, silently."""
        self._closing = True
        connections = [*self._inbound.values(), *self._strangers.values()]
        self._inbound.clear()
        self._unwatch()
        for sock in self._sockets:
            sock.close()
        tasks = list(self._strangers)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for connection in connections:
            connection.abort()
            if connection.made:
                await connection.ended

    def _watch(self) -> None:
        if not self._closing:
            for listener in self._sockets:
                self._loop.add_reader(listener, self._accept, listener)

    def _unwatch(self) -> None:
        for listener in self._sockets:
            self._loop.remove_reader(listener)

    def _accept(self, listener: socket.socket) -> None:
        """Accept one: a flood of connections must not keep the loop from its other work.

        (Not `sock_accept`: cancelled at the wrong moment, it loses the socket that it accepted.)
        """
        try:
            sock, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            self._plane.events.say("accept", f"cannot accept peers: {cause(error)}")
            self._unwatch()
            self._loop.call_later(_ACCEPT_RETRY_S, self._watch)
            return
        sock.setblocking(False)
        self._admit(sock)

    def _admit(self, sock: socket.socket) -> None:
        if len(self._strangers) >= self._plane.flow.handshakes:
            # The oldest goes: a peer says HELLO within a round trip, so it is not the oldest.
            oldest = next(iter(self._strangers))
            oldest.cancel()
            del self._strangers[oldest]
            self._plane.count("handshakes_evicted")
        connection = InboundConnection(self._plane, self._accepted, self._lost)
        task = asyncio.create_task(self._greet(sock, connection))
        self._strangers[task] = connection
        self._unclaimed.add(sock)

        def settle(_: asyncio.Task[None]) -> None:
            self._strangers.pop(task, None)
            if connection.hello is None:
                connection.abort()
            if sock in self._unclaimed:  # cancelled before its first step
                self._unclaimed.remove(sock)
                sock.close()

        task.add_done_callback(settle)

    async def _greet(self, sock: socket.socket, connection: InboundConnection) -> None:
        """See a stranger through TLS and HELLO, or end it at the time limit."""
        self._unclaimed.remove(sock)  # the transport's from now on
        try:
            async with asyncio.timeout(self._plane.timing.handshake_ms / 1_000):
                await self._loop.connect_accepted_socket(
                    lambda: connection, sock, ssl=self._plane.server_tls
                )
                await connection.greeted
        except TimeoutError:
            self._plane.count("handshakes_timed_out")
        except OSError as error:
            self._plane.count("handshakes_failed")
            self._plane.events.say("handshake", f"a stranger's connection failed: {cause(error)}")

    def _accepted(self, connection: InboundConnection) -> None:
        hello = connection.hello
        assert hello is not None
        if self._closing:
            connection.abort()
            return
        if hello.name in self._inbound:
            # The peer dialled anew, so it has given the old one up, whether we heard of it or not.
            self._plane.count("inbound_replaced")
            self.drop(hello.name)
        self._boot_seen(hello.name, hello.boot_id)
        self._inbound[hello.name] = connection
        self._plane.consensus.on_inbound_up(hello.name, hello)

    def _lost(self, connection: InboundConnection) -> None:
        if self._inbound.get(connection.peer) is connection:
            self.drop(connection.peer)
