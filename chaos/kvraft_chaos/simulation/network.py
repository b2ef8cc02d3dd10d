"""The simulated network: directed links, a connection on each, dialled and shaken hands on.

Node A dials B and only A's messages travel on that connection; B's own connection to A is another,
so either can break alone (RULES B1). A cut link holds bytes; a reset loses them but for a prefix; a
machine without power is silent, a killed process refuses.
"""

from functools import partial

from kvraft.consensus.port import Hello
from kvraft.consensus.timing import Flow, Timing
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.connection import Connection, Link, Phase
from kvraft_chaos.simulation.scheduler import Scheduler
from kvraft_chaos.simulation.station import Reach, Station
from kvraft_chaos.simulation.stream import Streams


class Network:
    """All links of a cluster."""

    def __init__(
        self,
        scheduler: Scheduler,
        chance: Chance,
        names: list[str],
        *,
        delay: tuple[float, float],
        timing: Timing,
        flow: Flow,
    ) -> None:
        self._scheduler = scheduler
        self._chance = chance
        self._timing = timing
        self._flow = flow
        self.links = {(a, b): Link(a, b, delay) for a in names for b in names if a != b}
        self._open: dict[tuple[str, str], Connection] = {}
        """The connection that the source of a link uses, or dials."""
        self._accepted: dict[tuple[str, str], Connection] = {}
        """The connection that the target of a link listens to."""
        self._waiting: dict[tuple[str, str], int] = {}
        """Links whose source pauses before its next dial, and the number of that pause."""
        self._urgent: set[tuple[str, str]] = set()
        """Links whose source shall skip its next pause."""
        self._boots: dict[tuple[str, str], int] = {}
        """(node, peer): the newest boot of the peer that this process has heard of."""
        self._cuts: dict[tuple[str, str], int] = {}
        self._serial = 0
        self.streams = Streams(
            scheduler, chance, lambda connection: self._end(connection, connection.link.target)
        )

    @property
    def stations(self) -> dict[str, Station]:
        """The nodes by name."""
        return self.streams.stations

    # -- the source's side

    def start(self, name: str) -> None:
        """A process of this node has started: it dials every peer."""
        for key in self.links:
            if key[0] == name:
                self._boots.pop(key, None)
                self._urgent.discard(key)
                self._dial(*key)

    def dial_now(self, source: str, target: str) -> None:
        """Skip the present pause between dials, or the next one if there is none now."""
        key = (source, target)
        if key in self._waiting:
            self._dial(source, target)
        else:
            self._urgent.add(key)

    def _dial(self, source: str, target: str) -> None:
        """Open the connection of a link, unless it is open or being opened."""
        key = (source, target)
        if key in self._open:
            return
        self._waiting.pop(key, None)
        connection = Connection(self.links[key], self._flow)
        self._open[key] = connection
        hello = self.stations[source].engine().hello()
        limit = self._timing.handshake_ms / 1000.0
        self._scheduler.after(limit, partial(self._on_handshake_limit, connection))
        self.streams.later(connection, partial(self._on_dial_arrives, connection, hello))

    def send(self, source: str, target: str, message: bytes, *, bulk: bool) -> bool:
        """Hand a message to the link's connection; False if it is down or has no room."""
        connection = self._open.get((source, target))
        if connection is None or connection.phase is not Phase.UP:
            return False
        if self.streams.send(connection, message, bulk=bulk):
            return True
        if not bulk:  # the peer does not read: the real link gives the connection up
            self._scheduler.after(0.0, partial(self._end, connection, by=source))
        return False

    def close(self, name: str, peer: str) -> None:
        """Node `name` closes both its connections with `peer`; the other side learns of it."""
        for key in ((name, peer), (peer, name)):
            for connection in self._both(key):
                self._end(connection, by=name)

    # -- faults

    def cut(self, source: str, target: str, *, noticed: bool = True) -> None:
        """Hold everything on this link; TCP gives its connection up after `unacknowledged_ms`.

        Not so where a proxy holds the bytes (`noticed` False): both ends still talk to the proxy.
        """
        key = (source, target)
        self.links[key].cut = True
        self._serial += 1
        self._cuts[key] = number = self._serial

        def give_up() -> None:
            if self._cuts.get(key) == number:
                self.reset(source, target)

        if noticed:
            self._scheduler.after(self._timing.unacknowledged_ms / 1000.0, give_up)

    def heal(self, source: str, target: str) -> None:
        """Let what was held go on its way."""
        key = (source, target)
        if self._cuts.pop(key, None) is None:
            return
        self.links[key].cut = False
        for connection in self._both(key):
            self.streams.release(connection)

    def reset(self, source: str, target: str, keep: int = 0) -> None:
        """Break a link's connection; the first `keep` messages in flight still arrive."""
        for connection in self._both((source, target)):
            self._break(connection, keep)

    def node_down(self, name: str, *, silent: bool, keep: int = 0) -> None:
        """The process is gone. A silent machine sends no reset: its peers do not notice."""
        for key in self.links:
            if name not in key:
                continue
            if key[0] == name:
                self._waiting.pop(key, None)
            for connection in self._both(key):
                self._drop_end(connection, name)
                if silent:
                    self._give_up_later(connection)
                else:
                    self._break(connection, keep if key[0] == name else 0)

    def _give_up_later(self, connection: Connection) -> None:
        limit = self._timing.unacknowledged_ms / 1000.0
        self._scheduler.after(limit, lambda: self._break(connection, 0))

    def node_up(self, name: str) -> None:
        """The machine answers again: whatever still believes in an old connection gets a reset."""
        for key in self.links:
            if name in key:
                for connection in self._both(key):
                    self._break(connection, 0)

    # -- what scripts look at

    def is_up(self, source: str, target: str) -> bool:
        """True where the source may send."""
        connection = self._open.get((source, target))
        return connection is not None and connection.phase is Phase.UP

    def in_flight(self, source: str, target: str) -> list[bytes]:
        """Messages that the source has sent and the target has not got, in order of arrival."""
        connection = self._open.get((source, target))
        return [] if connection is None else connection.messages_in_flight()

    def _both(self, key: tuple[str, str]) -> list[Connection]:
        """The connections of a link: one, or two where its ends disagree."""
        found = [each for each in (self._open.get(key), self._accepted.get(key)) if each]
        return found[:1] if len(found) == 2 and found[0] is found[1] else found

    # -- the handshake

    def _on_dial_arrives(self, connection: Connection, hello: Hello) -> None:
        link = connection.link
        if connection.phase is not Phase.DIALLING:
            return
        reach = self.stations[link.target].reach()
        if link.cut or reach is Reach.SILENT:  # asked again, as TCP repeats its SYN
            again = partial(self._on_dial_arrives, connection, hello)
            self._scheduler.after(self._timing.redial_ms / 1000.0, again)
        elif reach is Reach.REFUSING:
            self.streams.later(connection, partial(self._fail, connection, "refused"))
        else:
            self.stations[link.target].post(partial(self._accept, connection, hello))

    def _accept(self, connection: Connection, hello: Hello) -> None:
        link = connection.link
        if connection.phase is not Phase.DIALLING:
            return
        target = self.stations[link.target]
        refused = target.engine().check_hello(hello)
        if refused is not None:
            target.note(f"refuses {link.source}: {refused.reason}")
            fail = partial(self._fail, connection, refused.reason, refused=True)
            self.streams.later(connection, fail)
            return
        key = (link.source, link.target)
        before = self._accepted.get(key)
        if before is not None:  # the peer dialled anew, so it has given the old one up
            self._drop_end(before, link.target)
            target.engine().on_inbound_down(link.source)
        self._boot_seen(link.target, link.source, hello)
        self._accepted[key] = connection
        connection.target_open = True
        target.engine().on_inbound_up(link.source, hello)
        answer = target.engine().hello()
        self.streams.later(connection, partial(self._on_answer_arrives, connection, answer))

    def _on_answer_arrives(self, connection: Connection, answer: Hello) -> None:
        link = connection.link
        if connection.phase is not Phase.DIALLING:
            return
        if link.cut:
            again = partial(self._on_answer_arrives, connection, answer)
            self._scheduler.after(self._timing.redial_ms / 1000.0, again)
            return
        self.stations[link.source].post(partial(self._acknowledged, connection, answer))

    def _acknowledged(self, connection: Connection, answer: Hello) -> None:
        link = connection.link
        if connection.phase is not Phase.DIALLING:
            return
        source = self.stations[link.source]
        refused = source.engine().check_hello(answer)
        if refused is not None:
            source.note(f"refuses the answer of {link.target}: {refused.reason}")
            self._fail(connection, refused.reason, refused=True)
            return
        self._boot_seen(link.source, link.target, answer)
        connection.phase = Phase.UP
        connection.up_since = self._scheduler.now
        source.engine().on_outbound_up(link.target, answer)

    def _boot_seen(self, name: str, peer: str, hello: Hello) -> None:
        """A newer process of `peer`: what comes from the older one is not listened to any more."""
        before = self._boots.get((name, peer))
        self._boots[name, peer] = hello.boot_id
        if before is None or before == hello.boot_id:
            return
        stale = self._accepted.get((peer, name))
        if stale is not None:
            self._drop_end(stale, name)
            self.stations[name].engine().on_inbound_down(peer)
        stale = self._open.get((name, peer))
        if stale is not None and stale.phase is Phase.UP:
            self._tell(stale, name)

    def _on_handshake_limit(self, connection: Connection) -> None:
        if connection.phase is Phase.DIALLING:
            self._fail(connection, "no answer")

    def _fail(self, connection: Connection, reason: str, *, refused: bool = False) -> None:
        """A dial came to nothing."""
        if connection.phase is not Phase.DIALLING:
            return
        link = connection.link
        self._drop_end(connection, link.source)
        self._break(connection, 0)
        source = self.stations[link.source]
        source.note(f"dial of {link.target} failed: {reason}")
        source.post(lambda: source.engine().on_dial_failed(link.target))
        timing = self._timing
        self._redial(link, timing.refused_redial_ms if refused else timing.redial_ms)

    def _redial(self, link: Link, pause_ms: int) -> None:
        """Dial again after a pause, as the real dialler does."""
        key = (link.source, link.target)
        if key in self._urgent:
            self._urgent.discard(key)
            pause_ms = 0
        self._serial += 1
        number = self._serial
        self._waiting[key] = number
        source = self.stations[link.source]
        pause = pause_ms / 1000.0 * (1.0 + self._chance.random() / 2)
        dial = partial(self._dial_if_waiting, key, number)
        self._scheduler.after(pause, lambda: source.post(dial))

    def _dial_if_waiting(self, key: tuple[str, str], number: int) -> None:
        if self._waiting.get(key) == number:
            self._dial(*key)

    # -- ends

    def _drop_end(self, connection: Connection, name: str) -> None:
        """`name` no longer holds its end; nobody is told."""
        link = connection.link
        key = (link.source, link.target)
        if name == link.source and connection.source_open:
            connection.source_open = False
            connection.phase = Phase.CLOSED
            if self._open.get(key) is connection:
                del self._open[key]
        if name == link.target and connection.target_open:
            connection.target_open = False
            connection.clear()
            if self._accepted.get(key) is connection:
                del self._accepted[key]

    def _end(self, connection: Connection, by: str) -> None:
        """`by` closes the connection: it is told at once, the other side when the news arrives."""
        link = connection.link
        self._tell(connection, by)
        other = link.target if by == link.source else link.source
        self._news(connection, other)

    def _news(self, connection: Connection, other: str) -> None:
        if connection.link.cut:
            again = partial(self._news, connection, other)
            self._scheduler.after(self._timing.redial_ms / 1000.0, again)
        else:
            self.streams.later(connection, partial(self._tell, connection, other))

    def _break(self, connection: Connection, keep: int) -> None:
        """Both ends see the connection break; `keep` messages in flight arrive before it."""
        while keep > 0 and connection.target_open and (data := connection.take()) is not None:
            self.streams.hand_over(connection, data)
            keep -= 1
        self._tell(connection, connection.link.source)
        self._tell(connection, connection.link.target)

    def _tell(self, connection: Connection, name: str) -> None:
        """Close `name`'s end and tell its process."""
        link = connection.link
        station = self.stations[name]
        if name == link.source and connection.source_open:
            was_up = connection.phase is Phase.UP
            self._drop_end(connection, name)
            told = partial(self._tell_source, link, was_up=was_up)
            station.post(told)
            lived = (self._scheduler.now - connection.up_since) * 1000.0
            held = was_up and lived > self._timing.refused_redial_ms
            self._redial(link, 0 if held else self._timing.redial_ms)
        elif name == link.target and connection.target_open:
            station.post(partial(self._tell_target, connection))

    def _tell_source(self, link: Link, *, was_up: bool) -> None:
        engine = self.stations[link.source].engine()
        if was_up:
            engine.on_outbound_down(link.target)
        else:
            engine.on_dial_failed(link.target)

    def _tell_target(self, connection: Connection) -> None:
        if connection.target_open:
            link = connection.link
            self._drop_end(connection, link.target)
            self.stations[link.target].engine().on_inbound_down(link.source)
