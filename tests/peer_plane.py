"""Stand-ins around the peer plane: a recording consensus, a relay that cuts, a little cluster."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from kvraft.consensus.port import Hello, HelloRefused
from kvraft.consensus.sockets import Address
from kvraft.consensus.tcp import PeerTransport
from kvraft_chaos.ports import free_ports

LIMIT_S = 10.0


class Recorder:
    """The part of `Consensus` that links call; keeps what they said, in order."""

    def __init__(self, name: str, *, cluster_id: int = 1, boot_id: int = 1) -> None:
        self.name = name
        self.cluster_id = cluster_id
        self.boot_id = boot_id
        self.events: list[tuple] = []
        self.messages: list[tuple[str, bytes]] = []
        self.lines: list[str] = []
        self.react: Callable[[str, bytes], None] | None = None
        self._changed = asyncio.Event()

    def _record(self, *event) -> None:
        self.events.append(event)
        self._changed.set()

    def note(self, text: str) -> None:
        self.lines.append(text)
        self._changed.set()

    def hello(self) -> Hello:
        return Hello(
            cluster_id=self.cluster_id,
            origin=0,
            name=self.name,
            disk_id=1,
            boot_id=self.boot_id,
            protocol_min=1,
            protocol_max=1,
            command_version=1,
            endpoint="",
        )

    def check_hello(self, hello: Hello) -> HelloRefused | None:
        if hello.cluster_id == self.cluster_id:
            return None
        return HelloRefused(f"cluster {hello.cluster_id} is not cluster {self.cluster_id}")

    def on_outbound_up(self, peer: str, ack: Hello) -> None:
        self._record("out up", peer, ack.boot_id)

    def on_outbound_down(self, peer: str) -> None:
        self._record("out down", peer)

    def on_inbound_up(self, peer: str, hello: Hello) -> None:
        self._record("in up", peer, hello.boot_id)

    def on_inbound_down(self, peer: str) -> None:
        self._record("in down", peer)

    def on_message(self, peer: str, message: bytes, *, more: bool = False) -> None:
        self.messages.append((peer, message))
        self._record("message", peer, len(message))
        if self.react:
            self.react(peer, message)

    def on_piece(self, peer: str) -> None:
        self._record("piece", peer)

    def on_writable(self, peer: str) -> None:
        self._record("writable", peer)

    def on_dial_failed(self, peer: str) -> None:
        self._record("dial failed", peer)

    def links(self, peer: str) -> list[tuple]:
        """What happened to the connections of one peer."""
        kinds = {"out up", "out down", "in up", "in down"}
        return [e for e in self.events if e[0] in kinds and e[1] == peer]

    def count(self, *event) -> int:
        """How often an event with this beginning was recorded."""
        return sum(e[: len(event)] == event for e in self.events)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for `condition`, looking again whenever something was recorded."""
        try:
            async with asyncio.timeout(LIMIT_S):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{self.name} saw only {self.events[-20:]} {self.lines}") from None

    async def until_up(self, *peers: str) -> None:
        """Wait until both directions of all `peers` have come up."""
        await self.until(
            lambda: all(self.count("out up", p) and self.count("in up", p) for p in peers)
        )


class Relay:
    """A proxy in front of one directed link."""

    def __init__(self, target: Address) -> None:
        self._target = target
        self.silent = False  # swallows what it reads, in both directions; stays connected
        self.mangle: Callable[[bytes], bytes] = lambda data: data
        self.dials = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task] = set()

    async def start(self) -> Address:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return Address(*self._server.sockets[0].getsockname()[:2])

    def reset(self) -> None:
        """Kill what runs through it, as a middlebox does."""
        for writer in self._writers:
            writer.transport.abort()

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self.reset()
        closing = (writer.wait_closed() for writer in self._writers)
        await asyncio.gather(*closing, return_exceptions=True)

    async def _serve(self, reader, writer) -> None:
        self.dials += 1
        self._writers.append(writer)
        self._keep(asyncio.current_task())
        if self.silent:
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.append(far_writer)
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            self._keep(asyncio.create_task(self._pump(source, sink)))

    def _keep(self, task) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pump(self, source, sink) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                if not self.silent:
                    sink.write(self.mangle(data))
                    await sink.drain()
        sink.transport.abort()


def free_addresses(count: int) -> list[Address]:
    """Return loopback addresses that nothing listens on, nor will: a relay's port is ephemeral."""
    return [Address("127.0.0.1", port) for port in free_ports(count)]


class Node:
    """A transport and the recorder behind it."""

    def __init__(self, recorder: Recorder, transport: PeerTransport) -> None:
        self.saw = recorder
        self.transport = transport

    @property
    def counters(self):
        return self.transport.counters


def make(name: str, addresses: dict[str, Address], *, recorder=None, **options) -> Node:
    """Return a node that is not started; `options` go to its transport."""
    recorder = recorder or Recorder(name)
    peers = {peer: at for peer, at in addresses.items() if peer != name}
    options.setdefault("event", recorder.note)
    return Node(recorder, PeerTransport(addresses[name], peers, **options))


@contextlib.asynccontextmanager
async def running(*nodes: Node) -> AsyncIterator[None]:
    """Run nodes from start to close; nothing may reach the loop's exception handler meanwhile.

    A test that expects something there sets a handler of its own first.
    """
    troubles: list[dict] = []
    loop = asyncio.get_running_loop()
    if loop.get_exception_handler() is None:
        loop.set_exception_handler(lambda _, context: troubles.append(context))
    try:
        for node in nodes:
            await node.transport.start(node.saw)
        yield
    finally:
        await asyncio.gather(*(node.transport.close() for node in nodes))
    assert troubles == []


@contextlib.asynccontextmanager
async def pair(**options) -> AsyncIterator[tuple[Node, Node]]:
    """Run a and b, connected in both directions."""
    addresses = dict(zip("ab", free_addresses(2), strict=True))
    a, b = (make(name, addresses, **options) for name in "ab")
    async with running(a, b):
        await a.saw.until_up("b")
        await b.saw.until_up("a")
        yield a, b
