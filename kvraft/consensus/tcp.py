"""The peer plane on TCP: one connection a direction and peer, dialled by the sender.

Node A dials B and only A's messages travel on that connection; backwards flows nothing but the
answer to HELLO (RULES B1). So a one-way partition is one proxied connection, and "up" means that B
itself answered, not a proxy in front of it.

All methods and callbacks run on the loop's thread. An exception out of a consensus callback reaches
the loop's exception handler; the composition root makes that fatal.
"""

import asyncio
import random
import ssl
from collections.abc import Callable, Mapping

from kvraft.consensus.acceptor import Acceptor
from kvraft.consensus.dialer import Dialer
from kvraft.consensus.plane import COUNTERS, EventLimiter, Plane
from kvraft.consensus.port import Consensus
from kvraft.consensus.sockets import Address, listen
from kvraft.consensus.timing import Flow, Timing


class PeerTransport:
    """Offers what `Doors` needs of the network, and calls `Consensus` back."""

    def __init__(
        self,
        listen_on: Address,
        peers: Mapping[str, Address],
        *,
        event: Callable[[str], None],
        dial: Mapping[str, Address] | None = None,
        timing: Timing | None = None,
        flow: Flow | None = None,
        server_tls: ssl.SSLContext | None = None,
        client_tls: ssl.SSLContext | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Prepare; nothing is opened yet.

        `peers` are all the others (not this node); `dial` says where to dial some of them instead,
        for example through a proxy. Both TLS contexts or none. `draw` gives numbers in [0, 1).
        """
        strangers = set(dial or {}) - set(peers)
        if strangers:
            raise ValueError(f"dial overrides name no peer: {', '.join(sorted(strangers))}")
        if (server_tls is None) != (client_tls is None):
            raise ValueError("TLS on the peer plane is mutual: give both contexts or none")
        self._listen_on = listen_on
        self._addresses = {name: Address(*at) for name, at in {**peers, **(dial or {})}.items()}
        self._event = event
        self._timing = timing or Timing()
        self._flow = flow or Flow()
        self._tls = (server_tls, client_tls)
        self._draw = draw
        self._plane: Plane | None = None
        self._acceptor: Acceptor | None = None
        self._dialers: dict[str, Dialer] = {}
        self.address = listen_on
        """Where peers reach this node; with the port the system chose, once started."""

    async def start(self, consensus: Consensus) -> None:
        """Listen, and dial every peer from now on. PeerListenError: the address cannot be had."""
        sockets = await listen(self._listen_on)
        self.address = Address(*sockets[0].getsockname()[:2])
        now = asyncio.get_running_loop().time
        plane = Plane(
            consensus=consensus,
            peers=frozenset(self._addresses),
            timing=self._timing,
            flow=self._flow,
            events=EventLimiter(self._event, now, self._timing.event_repeat_ms),
            random=self._draw,
            server_tls=self._tls[0],
            client_tls=self._tls[1],
        )
        self._plane = plane
        self._acceptor = Acceptor(plane, sockets, self._boot_seen)
        self._dialers = {
            name: Dialer(plane, name, address, self._boot_seen)
            for name, address in self._addresses.items()
        }

    async def close(self) -> None:
        """Stop; what was sent has `close_ms` to leave. No callback comes any more."""
        acceptor, self._acceptor = self._acceptor, None
        dialers, self._dialers = self._dialers, {}
        if acceptor is not None:
            await asyncio.gather(acceptor.close(), *(d.close() for d in dialers.values()))

    @property
    def counters(self) -> Mapping[str, int]:
        """What happened since the start; they only grow."""
        return self._plane.counters if self._plane else dict.fromkeys(COUNTERS, 0)

    def send(self, peer: str, message: bytes, *, bulk: bool) -> bool:
        """Hand over one message; False if the outbound connection is down or, for bulk, full.

        ValueError: empty, or above `Flow.message_bytes`.
        """
        dialer = self._dialers.get(peer)
        connection = dialer.connection if dialer else None
        return connection is not None and connection.send(message, bulk=bulk)

    def flush(self) -> None:
        """Let what was sent in this turn of the loop leave before its end."""
        for dialer in self._dialers.values():
            connection = dialer.connection
            if connection is not None and connection.flush_due:
                connection.flush()

    def dial_now(self, peer: str) -> None:
        """Skip the pause before the next dial; a connection that is up stays as it is."""
        if peer in self._dialers:
            self._dialers[peer].dial_now()

    def reset(self, peer: str, reason: str) -> None:
        """Close both connections of a peer at once; the callbacks come in a later turn."""
        if self._plane is None or peer not in self._dialers:
            return
        self._plane.events.say(f"reset {peer}", f"closing the connections of {peer}: {reason}")
        outbound = self._dialers[peer].connection
        if outbound is not None:
            outbound.abort(reason)
        inbound = self._acceptor.connection(peer) if self._acceptor else None
        if inbound is not None:
            inbound.abort()

    def _boot_seen(self, peer: str, boot_id: int) -> None:
        """Close what is left of another start of this peer: its connections are dead (RULES B1).

        Boot ids have no order. If the one just seen was the older after all (a proxy may hold a
        dead process' HELLO back), its connection ends by itself and all are dialled anew.
        """
        outbound = self._dialers[peer].connection if peer in self._dialers else None
        if outbound and outbound.up and outbound.ack and outbound.ack.boot_id != boot_id:
            outbound.drop()
        inbound = self._acceptor.connection(peer) if self._acceptor else None
        if inbound and inbound.hello and inbound.hello.boot_id != boot_id:
            assert self._acceptor is not None
            self._acceptor.drop(peer)
