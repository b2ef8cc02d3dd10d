"""Makes the faults of a plan happen to a world, and heals it at the end."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from kvraft.storage.errors import DiskFailed
from kvraft_chaos.simulation.client_network import DELAY, ClientLink
from kvraft_chaos.simulation.connection import UNLIMITED
from kvraft_chaos.simulation.disk import UNLIMITED_BYTES, Step
from kvraft_chaos.simulation.faults import Fault
from kvraft_chaos.simulation.node import SimulatedNode
from kvraft_chaos.simulation.rot import flip
from kvraft_chaos.simulation.world import World

WHOLE_CLIENT_SECONDS = 4.0
"""A fault of a client that is longer hits its links to all nodes: it is cut off, or slow."""
FLAP_SECONDS = 0.15
"""Half a period of a flapping link: shorter than an election, longer than a redial."""


class Nemesis:
    """Every fault ends by itself; what a fault draws, it draws from its own numbers."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._delay = world.settings.delay
        self.crashes = 0
        self.wipes = 0
        self.flips = 0

    def schedule(self, plan: Sequence[Fault]) -> None:
        """Let the plan happen, its times counted from now."""
        for fault in plan:
            self._world.scheduler.after(fault.time, partial(self._begin, fault))

    def heal_everything(self) -> None:
        """End every fault; whoever is down starts."""
        world = self._world
        world.heal()
        world.front.heal()
        for link in world.network.links.values():
            link.delay, link.bytes_per_second = self._delay, UNLIMITED
        for node in world.nodes.values():
            node.resume()
            node.clock.set_rate(1.0)
            node.speed.extra = 0.0
            node.disk.on_step = None
            node.disk.capacity_bytes = UNLIMITED_BYTES
            if node.wiped and not node.rejoin:
                self._rejoin(node)
            elif node.process is None:
                node.start()

    def _begin(self, fault: Fault) -> None:
        self._world.log.append(f"{self._world.now:9.4f} fault {fault}")
        act: Callable[[Fault], None] = getattr(self, f"_{fault.kind}")
        act(fault)

    def _after(self, seconds: float, action: Callable[[], object]) -> None:
        self._world.scheduler.after(seconds, action)

    def _node(self, fault: Fault) -> SimulatedNode:
        return self._world.nodes[fault.nodes[0]]

    # -- processes

    def _crash(self, node: SimulatedNode, *, power: bool, keep: int = 0) -> None:
        if node.process is not None:
            self.crashes += 1
            node.crash(power=power, keep=keep)

    def _start(self, node: SimulatedNode) -> None:
        """Start a node that is down; now and then it dies again while it recovers."""
        if node.process is not None:
            return
        chance = node.disk_chance
        steps = chance.below(12) if chance.happens(0.1) else None
        if not node.start(crash_after_steps=steps):
            self._after(0.3, partial(self._start, node))

    def _kill(self, fault: Fault) -> None:
        self._crash(self._node(fault), power=False, keep=int(fault.amount))
        self._after(fault.seconds, partial(self._start, self._node(fault)))

    def _power_loss(self, fault: Fault) -> None:
        self._crash(self._node(fault), power=True)
        self._after(fault.seconds, partial(self._start, self._node(fault)))

    def _kill_all(self, fault: Fault) -> None:
        self._all(fault, power=False)

    def _power_loss_all(self, fault: Fault) -> None:
        self._all(fault, power=True)

    def _all(self, fault: Fault, *, power: bool) -> None:
        nodes = list(self._world.nodes.values())
        for position, node in enumerate(nodes):
            self._crash(node, power=power)
            pause = fault.seconds * (position + 1) / (2 * len(nodes))
            self._after(pause, partial(self._start, node))

    def _pause(self, fault: Fault) -> None:
        node = self._node(fault)
        node.pause()
        self._after(fault.seconds, node.resume)

    _suspend = _pause  # for longer than any TTL of the campaigns

    def _clock_rate(self, fault: Fault) -> None:
        clock = self._node(fault).clock
        clock.set_rate(fault.amount)
        self._after(fault.seconds, lambda: clock.set_rate(1.0))

    def _transfer(self, fault: Fault) -> None:
        leader = self._world.leader()
        if leader is not None:
            self._world.transfer(leader, fault.nodes[0])

    # -- disks

    def _slow_fsync(self, fault: Fault) -> None:
        speed = self._node(fault).speed
        speed.extra = fault.amount

        def end() -> None:
            speed.extra = 0.0

        self._after(fault.seconds, end)

    def _failed_fsync(self, fault: Fault) -> None:
        node = self._node(fault)

        def on_step(step: Step) -> None:
            if step.operation == "sync":
                raise DiskFailed(step.path, "fdatasync", "Input/output error")

        if node.process is not None:
            node.disk.on_step = on_step
        self._after(fault.seconds, partial(self._start, node))

    def _disk_full(self, fault: Fault) -> None:
        """So many bytes are left; the leader refuses what needs space, or the node stops."""
        disk = self._node(fault).disk
        disk.fill(left=int(fault.amount))

        def end() -> None:
            disk.capacity_bytes = UNLIMITED_BYTES
            self._start(self._node(fault))

        self._after(fault.seconds, end)

    def _bit_flip(self, fault: Fault) -> None:
        """The node must refuse to start on a damaged disk, and then comes back with --rejoin."""
        node = self._node(fault)
        if not self._may_lose_a_disk() or node.process is None:
            return
        disk_id = node.process.directory.identity.disk_id
        self._crash(node, power=False)
        spot = flip(node.disk, disk_id, node.disk_chance)
        if spot is None:
            self._after(fault.seconds, partial(self._start, node))
            return
        self.flips += 1
        node.wiped, node.rejoin = True, False
        if node.start():
            self._world.invariants.report("damage-accepted", f"{node.name} started on {spot}")
            return
        self._after(fault.seconds, partial(self._rejoin, node))

    def _may_lose_a_disk(self) -> bool:
        """One disk at a time: the promise is for a majority of disks that survive."""
        nodes = self._world.nodes.values()
        return all(n.process is not None and n.process.is_member() for n in nodes)

    def _wipe_and_rejoin(self, fault: Fault) -> None:
        if self._may_lose_a_disk():
            self._lose_disk(self._node(fault))
            self._node(fault).rejoin = True
            self._after(fault.seconds, partial(self._start, self._node(fault)))

    def _wipe_without_flag(self, fault: Fault) -> None:
        if self._may_lose_a_disk():
            node = self._node(fault)
            self._lose_disk(node)
            self._start(node)
            self._after(fault.seconds, partial(self._rejoin, node))

    def _lose_disk(self, node: SimulatedNode) -> None:
        self.wipes += 1
        self._crash(node, power=False)
        node.wipe()

    def _rejoin(self, node: SimulatedNode) -> None:
        """What an operator does who reads the refusal: an empty directory and --rejoin."""
        if node.process is not None:
            node.crash()
        node.wipe()
        node.rejoin = True
        self._start(node)

    # -- links

    def _block(self, links: Iterable[tuple[str, str]], seconds: float) -> None:
        for link in links:
            self._world.network.cut(*link)
            self._after(seconds, partial(self._world.network.heal, *link))

    def _isolate(self, fault: Fault) -> None:
        self._split(fault.nodes[:1], fault.seconds)

    def _halves(self, fault: Fault) -> None:
        self._split(fault.nodes, fault.seconds)

    def _split(self, side: Sequence[str], seconds: float) -> None:
        links = self._world.network.links
        self._block([(a, b) for a, b in links if (a in side) != (b in side)], seconds)

    def _cut_pair(self, fault: Fault) -> None:
        a, b = fault.nodes
        self._block([(a, b), (b, a)], fault.seconds)

    def _cut_one_way(self, fault: Fault) -> None:
        a, b = fault.nodes
        self._block([(a, b)], fault.seconds)

    def _flap(self, fault: Fault) -> None:
        for number in range(int(fault.seconds / (2 * FLAP_SECONDS))):
            cut = fault._replace(seconds=FLAP_SECONDS)
            self._after(number * 2 * FLAP_SECONDS, partial(self._cut_pair, cut))

    def _reset_pair(self, fault: Fault) -> None:
        a, b = fault.nodes
        self._world.network.reset(a, b, keep=int(fault.amount))
        self._world.network.reset(b, a, keep=int(fault.amount))

    def _reset_one_way(self, fault: Fault) -> None:
        a, b = fault.nodes
        self._world.network.reset(a, b, keep=int(fault.amount))

    def _slow_link(self, fault: Fault) -> None:
        link = self._world.network.links[fault.nodes[0], fault.nodes[1]]
        link.delay = (0.0, fault.amount)

        def end() -> None:
            link.delay = self._delay

        self._after(fault.seconds, end)

    def _snapshot_in_lag(self, fault: Fault) -> None:
        """One node is cut off while the others snapshot and drop what it would need of the log."""
        self._split(fault.nodes[:1], fault.seconds)

        def take() -> None:
            for name, node in self._world.nodes.items():
                if name != fault.nodes[0]:
                    node.post(partial(_snapshot, node))

        for part in (0.5, 0.9):
            self._after(fault.seconds * part, take)

    def _narrow_link(self, fault: Fault) -> None:
        link = self._world.network.links[fault.nodes[0], fault.nodes[1]]
        link.bytes_per_second = fault.amount

        def end() -> None:
            link.bytes_per_second = UNLIMITED

        self._after(fault.seconds, end)

    # -- clients

    def _client_links(self, fault: Fault) -> list[ClientLink]:
        """Links of the client: to one node, or to all of them."""
        client, node = fault.nodes
        every = fault.seconds > WHOLE_CLIENT_SECONDS
        links = self._world.front.links
        return [links[a, b] for a, b in links if a == client and (every or b == node)]

    def _client_crash(self, fault: Fault) -> None:
        self._world.front.crash_client(fault.nodes[0], fault.seconds)

    def _client_reset(self, fault: Fault) -> None:
        self._world.front.reset(*fault.nodes)

    def _client_cut(self, fault: Fault) -> None:
        for link in self._client_links(fault):
            link.cut = True

        def end() -> None:
            for link in self._client_links(fault):
                link.cut = False

        self._after(fault.seconds, end)

    def _client_loss(self, fault: Fault) -> None:
        for link in self._client_links(fault):
            link.loss = fault.amount

        def end() -> None:
            for link in self._client_links(fault):
                link.loss = 0.0

        self._after(fault.seconds, end)

    def _client_slow(self, fault: Fault) -> None:
        for link in self._client_links(fault):
            link.delay = (0.0, fault.amount)

        def end() -> None:
            for link in self._client_links(fault):
                link.delay = DELAY

        self._after(fault.seconds, end)


def _snapshot(node: SimulatedNode) -> None:
    node.ledger.snapshot()
