"""One connection that a peer dialled: its HELLO, our single answer, then only its messages."""

import asyncio
from collections.abc import Callable

from kvraft.consensus.hello import (
    HelloReader,
    UnknownHelloVersionError,
    encode_ack,
    encode_refused,
)
from kvraft.consensus.link import LinkReceiver
from kvraft.consensus.plane import Plane
from kvraft.consensus.port import Hello, HelloRefused, ProtocolError
from kvraft.consensus.sockets import Address, tune


class InboundConnection(asyncio.Protocol):
    """A stranger until its HELLO is accepted; then the source of one peer's messages."""

    def __init__(
        self,
        plane: Plane,
        accepted: Callable[["InboundConnection"], None],
        lost: Callable[["InboundConnection"], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._plane = plane
        self._accepted = accepted
        self._lost = lost
        self.greeted: asyncio.Future[None] = self._loop.create_future()
        """Done when nothing is left to wait for: accepted, refused or lost."""
        self.ended: asyncio.Future[None] = self._loop.create_future()
        """Done when the connection is lost."""
        self.hello: Hello | None = None
        self._transport: asyncio.Transport | None = None
        self._reader = HelloReader(answer=False)
        self._receiver = LinkReceiver(plane.flow)
        self._dead = False

    @property
    def made(self) -> bool:
        """Whether there was a connection to lose: `ended` will be set."""
        return self._transport is not None

    @property
    def peer(self) -> str:
        """Whose it is, for lines and callbacks."""
        if self.hello is not None:
            return self.hello.name
        name = self._transport.get_extra_info("peername") if self._transport else None
        return f"a stranger at {Address(*name[:2])}" if name else "a stranger"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for HELLO."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._dead:
            transport.abort()
            return
        tune(transport, self._plane.timing, self._plane.flow)

    def data_received(self, data: bytes) -> None:
        """Take a HELLO, or messages after it."""
        if self._dead:
            return
        try:
            if self.hello is None:
                self._greet(data)
            else:
                self._deliver(data)
        except UnknownHelloVersionError as error:
            self._refuse(HelloRefused(str(error)), "a peer")
        except ProtocolError as error:
            self._plane.malformed(self.peer, error)
            self.abort()
        except OSError as error:
            # asyncio would take it for trouble of the connection; it is a fault of this node.
            self._loop.call_exception_handler(
                {"message": f"a message of {self.peer} failed", "exception": error}
            )
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End."""
        self.ended.set_result(None)
        self._dead = True
        self._done()
        if self.hello is not None:
            self._lost(self)

    def abort(self) -> None:
        """Close now and deliver nothing more; the loss is reported in a later turn of the loop."""
        self._dead = True
        # Aborting a transport that is lost makes asyncio report the loss twice.
        if self._transport is not None and not self.ended.done():
            self._transport.abort()
        self._done()

    def _done(self) -> None:
        if not self.greeted.done():
            self.greeted.set_result(None)

    def _greet(self, data: bytes) -> None:
        hello = self._reader.feed(data)
        if hello is None:
            return
        assert isinstance(hello, Hello)
        refused = self._check(hello)
        if refused is not None:
            self._refuse(refused, hello.name if hello.name in self._plane.peers else "a stranger")
            return
        assert self._transport is not None
        self._transport.write(encode_ack(self._plane.consensus.hello()))
        self.hello = hello
        self._plane.count("inbound_accepted")
        self._done()
        self._accepted(self)

    def _check(self, hello: Hello) -> HelloRefused | None:
        if hello.name not in self._plane.peers:
            us = self._plane.consensus.hello().name
            return HelloRefused(f"{hello.name!r} is not among the peers of {us!r}")
        return self._plane.consensus.check_hello(hello)

    def _refuse(self, refused: HelloRefused, who: str) -> None:
        self._plane.count("hellos_refused")
        self._plane.events.say(f"refused {who}", f"refused {who}: {refused.reason}")
        self._dead = True
        assert self._transport is not None
        self._transport.write(encode_refused(refused))
        self._transport.close()  # the acceptor's time limit ends it if the answer is not read

    def _deliver(self, data: bytes) -> None:
        receiver, peer = self._receiver, self.peer
        before = receiver.pieces
        messages = receiver.feed(data)
        self._plane.counters["bytes_received"] += len(data)
        self._plane.counters["messages_received"] += len(messages)
        if receiver.pieces - before > len(messages):
            self._plane.consensus.on_piece(peer)
        on_message = self._plane.consensus.on_message
        left = len(messages)
        for message in messages:
            if self._dead:  # closed by what the message before it led to
                return
            left -= 1
            on_message(peer, message, more=left > 0)
