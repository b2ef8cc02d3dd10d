"""One connection that this node dialled: HELLO, its answer, then only our messages."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from kvraft.consensus.hello import HelloReader, encode_hello
from kvraft.consensus.link import LinkSender
from kvraft.consensus.plane import Plane
from kvraft.consensus.port import Hello, HelloRefused, ProtocolError
from kvraft.consensus.sockets import tune


@dataclass(frozen=True, slots=True)
class DialFailure:
    """Why a dial did not end in HELLO-ACK."""

    reason: str
    refused: bool = False
    """By a HELLO check, on either side; dialling again at once would not help."""


class OutboundConnection(asyncio.Protocol):
    """Up between HELLO-ACK and its loss; everything that goes wrong ends in `lost`."""

    def __init__(self, plane: Plane, peer: str, boot_seen: Callable[[str, int], None]) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._plane = plane
        self._peer = peer
        self._boot_seen = boot_seen
        self.handshake: asyncio.Future[DialFailure | None] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self.ack: Hello | None = None
        self._up = False
        self._dead = False
        self._transport: asyncio.Transport | None = None
        self._reader = HelloReader(answer=True)
        self._sender = LinkSender(plane.flow)
        self._paused = False
        self.flush_due = False
        """Something was sent in this turn of the loop."""

    # -- asyncio's side
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say HELLO."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._dead:
            transport.abort()
            return
        tune(transport, self._plane.timing, self._plane.flow)
        # What waits in the transport cannot be overtaken: one write at most. (1, because asyncio's
        # TLS pauses at `size >= high` and with 0 never resumes.)
        transport.set_write_buffer_limits(high=1, low=0)
        transport.write(encode_hello(self._plane.consensus.hello()))

    def data_received(self, data: bytes) -> None:
        """Take the answer; anything else is a violation."""
        if self._dead:
            return
        try:
            self._take_answer(data)
        except ProtocolError as error:
            self._plane.malformed(self._peer, error)
            self.abort(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        """End; the dialler waits for `lost`."""
        self.lost.set_result(None)
        self._fail(DialFailure(str(exc) if exc else "closed by the other side"))
        self.drop()

    def pause_writing(self) -> None:
        """The transport holds unsent bytes."""
        self._paused = True

    def resume_writing(self) -> None:
        """It holds none; may be called from inside `write`, so the rest happens later."""
        self._paused = False
        self._schedule_flush()

    # -- the node's side
    @property
    def made(self) -> bool:
        """Whether there was a connection to lose: `lost` will be set."""
        return self._transport is not None

    @property
    def up(self) -> bool:
        """Whether messages may be sent."""
        return self._up and not self._dead

    def send(self, message: bytes, *, bulk: bool) -> bool:
        """Queue a message; it leaves with all others of this turn of the loop."""
        if not self._up or self._dead:
            return False
        if not self._sender.push(message, bulk=bulk):
            if not bulk:
                self._plane.count("control_overflows")
                self.abort("its control buffer is full: the peer does not read")
            return False
        self._plane.counters["messages_sent"] += 1
        if not self.flush_due and not self._paused:
            self._schedule_flush()
        return True

    def abort(self, reason: str) -> None:
        """Give up now; `on_outbound_down` follows in a later turn of the loop."""
        self._fail(DialFailure(reason))
        self._dead = True
        # Aborting a transport that is lost makes asyncio report the loss twice.
        if self._transport is not None and not self.lost.done():
            self._transport.abort()

    def drop(self) -> None:
        """Give up and report it now (not to be called from within consensus)."""
        self.abort("dropped")
        if self._up:
            self._up = False
            self._plane.consensus.on_outbound_down(self._peer)

    def close(self) -> None:
        """Let what was sent leave, then close, silently; `lost` follows."""
        if self.up and self._transport is not None:
            while self._sender:
                self._write()
            self._transport.close()
        else:
            self.abort("closing")
        self._up = False
        self._dead = True

    def _fail(self, failure: DialFailure) -> None:
        if not self.handshake.done():
            self.handshake.set_result(failure)

    def _take_answer(self, data: bytes) -> None:
        if self.ack is not None:
            raise ProtocolError("bytes flow backwards after HELLO-ACK")
        answer = self._reader.feed(data)
        if answer is None:
            return
        if isinstance(answer, HelloRefused):
            self._refuse("refused by", f"{self._peer} refuses us: {answer.reason}")
            return
        refusal = self._check(answer)
        if refusal is not None:
            self._refuse("refused", f"{self._peer} refused: {refusal}")
            return
        self.ack = answer
        self._boot_seen(self._peer, answer.boot_id)
        self.handshake.set_result(None)
        self._up = True
        self._plane.consensus.on_outbound_up(self._peer, answer)

    def _check(self, answer: Hello) -> str | None:
        if answer.name != self._peer:
            return f"{answer.name!r} answered where {self._peer!r} was dialled"
        refused = self._plane.consensus.check_hello(answer)
        return refused.reason if refused else None

    def _refuse(self, kind: str, text: str) -> None:
        self._plane.count("hellos_refused")
        self._plane.events.say(f"{kind} {self._peer}", text)
        self._fail(DialFailure(text, refused=True))
        self.abort(text)

    def _schedule_flush(self) -> None:
        if not self.flush_due:
            self.flush_due = True
            self._loop.call_soon(self._flush)

    def flush(self) -> None:
        """Let what was sent leave now, as far as the transport takes it."""
        if not self.up:
            return
        assert self._transport is not None
        while self._sender and not self._paused and not self._transport.is_closing():
            self._write()

    def _flush(self) -> None:
        self.flush_due = False
        self.flush()
        if self.up and self._sender.take_writable():
            self._plane.consensus.on_writable(self._peer)

    def _write(self) -> None:
        assert self._transport is not None
        data = self._sender.next_bytes(self._plane.flow.piece_bytes)
        self._plane.counters["bytes_sent"] += len(data)
        self._transport.write(data)
