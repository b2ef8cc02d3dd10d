"""The pair of connections to each peer, and everything that dies with one of them (RULES B1).

A pair's *epoch* changes whenever either connection is established or lost. Answers that were
awaited in an older epoch will not come, so what waits for them is cleared; frames held for the disk
are dropped. A peer is up for sending once our dial was acknowledged.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from kvraft.consensus import wire
from kvraft.consensus.messages import Message
from kvraft.consensus.port import Hello
from kvraft.consensus.shared import Shared

_RETIRED_BOOTS = 16
"""Boots of a peer remembered as over; a frame cannot be older than its connection."""


@dataclass(slots=True)
class Link:
    """Both connections of one peer."""

    outbound: bool = False
    inbound: bool = False
    epoch: int = 0
    hello: Hello | None = None
    """The newest heard from it, on either connection."""
    inbound_boot: int = 0
    retired: deque[int] = field(default_factory=lambda: deque(maxlen=_RETIRED_BOOTS))

    @property
    def up(self) -> bool:
        """Both connections stand."""
        return self.outbound and self.inbound


@dataclass(slots=True)
class _Held:
    sequence: int
    peer: str
    epoch: int
    data: bytes


class Links:
    """Sends, holds for the disk, and tells the other parts when an epoch ends."""

    def __init__(self, shared: Shared, on_epoch: Callable[[str], None]) -> None:
        self._shared = shared
        self._on_epoch = on_epoch
        self._of = {peer: Link() for peer in shared.peers}
        self._held: deque[_Held] = deque()

    def __getitem__(self, peer: str) -> Link:
        return self._of[peer]

    def hellos(self) -> dict[str, Hello]:
        """Return the newest HELLO of each peer heard from."""
        return {peer: link.hello for peer, link in self._of.items() if link.hello is not None}

    # -- sending
    def send(self, peer: str, message: Message) -> bool:
        """Send now, past bulk; False if the peer is not up."""
        return self._of[peer].outbound and self._shared.doors.send(
            peer, wire.encode(message), bulk=False
        )

    def send_bulk(self, peer: str, message: Message) -> bool:
        """Send in order behind other bulk; False if the peer is not up or its link is full."""
        return self._of[peer].outbound and self._shared.doors.send(
            peer, wire.encode(message), bulk=True
        )

    def send_durable(self, peer: str, message: Message, *, hold: bool = True) -> None:
        """Send once everything written so far is on disk; lost with the link's epoch."""
        link, journal = self._of[peer], self._shared.journal
        if not link.outbound:
            return
        data = wire.encode(message)
        if journal.durable or not hold:
            self._shared.doors.send(peer, data, bulk=False)
        else:
            self._held.append(_Held(journal.sequence, peer, link.epoch, data))

    def release(self, sequence: int) -> None:
        """Send what waited for the disk up to `sequence`."""
        while self._held and self._held[0].sequence <= sequence:
            held = self._held.popleft()
            link = self._of[held.peer]
            if link.outbound and link.epoch == held.epoch:
                self._shared.doors.send(held.peer, held.data, bulk=False)

    # -- connections
    def outbound_up(self, peer: str, ack: Hello) -> None:
        link = self._of[peer]
        self._greet(link, ack)
        link.outbound = True
        self._turn(peer, link)

    def outbound_down(self, peer: str) -> None:
        link = self._of[peer]
        link.outbound = False
        self._turn(peer, link)

    def inbound_up(self, peer: str, hello: Hello) -> None:
        link = self._of[peer]
        self._greet(link, hello)
        link.inbound, link.inbound_boot = True, hello.boot_id
        self._turn(peer, link)

    def inbound_down(self, peer: str) -> None:
        link = self._of[peer]
        link.inbound = False
        self._turn(peer, link)

    def is_current(self, peer: str) -> bool:
        """Is what arrives on the inbound connection from the peer's newest boot?"""
        link = self._of[peer]
        return link.hello is None or link.inbound_boot == link.hello.boot_id

    def is_retired(self, hello: Hello) -> bool:
        """Is this a HELLO of a boot that a newer one has replaced?"""
        link = self._of.get(hello.name)
        return link is not None and hello.boot_id in link.retired

    def _greet(self, link: Link, hello: Hello) -> None:
        if link.hello is not None and link.hello.boot_id != hello.boot_id:
            link.retired.append(link.hello.boot_id)
        link.hello = hello

    def _turn(self, peer: str, link: Link) -> None:
        if self._shared.switches.link_epochs:
            link.epoch += 1
            if self._held:
                self._held = deque(held for held in self._held if held.peer != peer)
        self._on_epoch(peer)
