"""Bytes on their way: from the sender's queue through the socket to the other node's loop."""

from collections.abc import Callable
from functools import partial

from kvraft.consensus.port import ProtocolError
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.connection import UNLIMITED, Connection, Link, Phase
from kvraft_chaos.simulation.scheduler import Scheduler
from kvraft_chaos.simulation.station import Station

Tap = Callable[[str, str, bytes], None]


class Streams:
    """Moves the bytes of every connection."""

    def __init__(
        self, scheduler: Scheduler, chance: Chance, on_malformed: Callable[[Connection], None]
    ) -> None:
        self._scheduler = scheduler
        self._random = chance.random
        self._on_malformed = on_malformed
        self.stations: dict[str, Station] = {}
        self.taps: list[Tap] = []
        """Called with each message that arrives."""
        self.delivered = 0
        self.malformed = 0

    def delay(self, link: Link) -> float:
        """Draw how long one thing takes on this link, in seconds."""
        low, high = link.delay
        return low if low == high else low + (high - low) * self._random()

    def later(self, connection: Connection, action: Callable[[], None]) -> None:
        """Run `action` after one delay of the connection's link."""
        self._scheduler.after(self.delay(connection.link), action)

    def send(self, connection: Connection, message: bytes, *, bulk: bool) -> bool:
        """Queue one message; False if there is no room."""
        if not connection.sender.push(message, bulk=bulk):
            return False
        self._pump(connection)
        return True

    def release(self, connection: Connection) -> None:
        """The link is healed: what was held goes on its way."""
        stalled, connection.stalled = connection.stalled, 0
        for _ in range(stalled):
            self.later(connection, partial(self._arrive, connection))

    def hand_over(self, connection: Connection, data: bytes) -> None:
        """Let `data` reach the target's loop."""
        station = self.stations[connection.link.target]
        station.post(partial(self._on_bytes, connection, station, data))

    def _pump(self, connection: Connection) -> None:
        """Send what the socket takes; on a link of limited bandwidth one portion at a time."""
        link, scheduler = connection.link, self._scheduler
        now = scheduler.now
        while connection.sender and not connection.pumping:
            due = connection.next_departure(now, self.delay(link))
            if due is None:
                return
            scheduler.after(due - now, partial(self._arrive, connection))
            if link.bytes_per_second != UNLIMITED:
                connection.pumping = True
                left = connection.busy_until - now
                scheduler.after(left, partial(self._on_departed, connection))

    def _on_departed(self, connection: Connection) -> None:
        connection.pumping = False
        if connection.phase is Phase.UP:
            self._pump(connection)
            self._tell_room(connection)

    def _arrive(self, connection: Connection) -> None:
        if not connection.target_open:
            return
        if connection.link.cut:
            connection.stalled += 1
            return
        data = connection.take()
        if data is None:
            return
        self.hand_over(connection, data)
        if connection.phase is Phase.UP and connection.sender:
            self._pump(connection)
            self._tell_room(connection)

    def _on_bytes(self, connection: Connection, station: Station, data: bytes) -> None:
        if not connection.target_open:
            return
        engine, receiver = station.engine(), connection.receiver
        source, target = connection.link.source, connection.link.target
        before = receiver.pieces
        try:
            messages = receiver.feed(data)
            if receiver.pieces - before > len(messages):
                engine.on_piece(source)
            left = len(messages)
            for message in messages:
                if not connection.target_open:
                    return
                left -= 1
                self.delivered += 1
                for tap in self.taps:
                    tap(source, target, message)
                engine.on_message(source, message, more=left > 0)
        except ProtocolError as error:
            self.malformed += 1
            station.note(f"closes {source}: {error}")
            self._on_malformed(connection)

    def _tell_room(self, connection: Connection) -> None:
        if connection.sender.take_writable():
            link = connection.link
            source = self.stations[link.source]
            source.post(lambda: source.engine().on_writable(link.target))
