"""Engines on a virtual clock: directed connections, disks that sync late, clocks that never stand.

A minimal world for the tests of this directory; `kvraft_chaos.simulation` is the real one.
"""

import heapq
import random
from collections import deque
from dataclasses import dataclass, field, replace
from itertools import count
from types import SimpleNamespace

import pysyncobj.syncobj as library

from kvraft.consensus.engine import RaftEngine
from kvraft.consensus.membership import Identity
from kvraft.consensus.port import Applied
from kvraft.consensus.switches import Switches
from kvraft.consensus.timing import Flow, Timing


class StoppedError(Exception):
    """The engine called `fatal`."""


@dataclass
class Rec:
    sequence: int
    kind: int
    version: int
    payload: bytes


class MemoryLog:
    """The write-ahead log of one directory; `durable` survives a power loss."""

    def __init__(self):
        self.records, self.durable, self.sequence = [], 0, 0
        self.preamble = lambda: ()

    @property
    def recovered(self):
        return iter(self.records)

    def append(self, kind, version, payload):
        self.sequence += 1
        self.records.append(Rec(self.sequence, kind, version, payload))
        return self.sequence

    def reopen(self, *, power_loss):
        if power_loss:
            self.records = [one for one in self.records if one.sequence <= self.durable]
        self.sequence = self.records[-1].sequence if self.records else 0
        self.durable = self.sequence

    def drop_before(self, sequence):
        """Like segments of 8 records: the newest segment begins with the preamble."""
        keep = [one for one in self.records if one.sequence >= sequence]
        head = [Rec(0, *one) for one in self.preamble()]
        self.records = head + keep


@dataclass
class Snapshot:
    index: int
    term: int
    data: bytes = b""

    @property
    def state_bytes(self):
        return len(self.data)

    def read(self, offset, size):
        return self.data[offset : offset + size]


class Sink:
    def __init__(self, node, index, term):
        self.node, self.file, self.aborted = node, Snapshot(index, term), False

    def write(self, block):
        self.file.data += block

    def backlog_bytes(self):
        return 0

    def commit(self, done):
        def finish():
            self.node.directory.current = self.file
            done()

        self.node.world.at(0.005, self.node.guarded(finish))

    def abort(self):
        self.aborted = True


@dataclass
class Directory:
    """What survives a restart."""

    disk_id: int
    log: MemoryLog = field(default_factory=MemoryLog)
    current: Snapshot | None = None
    cluster_id: int = 0
    rejoining: bool = False


class Node:
    """One process: engine, doors, disk door and a state machine that lists what it applied."""

    def __init__(self, world, name):
        self.world, self.name = world, name
        self.directory = Directory(disk_id=world.rng.getrandbits(60))
        self.alive, self.life, self.tiny = False, 0, 0.0
        self.fsync_s = 0.001
        self.disk_hangs = False
        self.events, self.fatals = [], []
        self.engine = None

    # life
    def start(self, *, switches=None):
        self.life += 1
        self.alive, self.applied, self.roles, self.joins = True, [], [], []
        self.syncing = self.woken = False
        self.peer_messages, self.lost = [], []
        directory = self.directory
        world = self.world
        with world.running(self):
            self.engine = RaftEngine(
                self.name,
                tuple(peer for peer in world.nodes if peer != self.name),
                identity=Identity(
                    disk_id=directory.disk_id,
                    boot_id=world.rng.getrandbits(60),
                    cluster_id=directory.cluster_id,
                    origin=0,
                    rejoining=directory.rejoining,
                    command_version=1,
                    endpoint=f"{self.name}:1",
                ),
                save_identity=self.save_identity,
                log=directory.log,
                disk=self,
                doors=self,
                application=self,
                timing=world.timing,
                flow=world.flow,
                switches=switches or world.switches,
            )
            self.engine.start()
        self._timer(self.life)

    def _timer(self, life):
        if self.alive and self.life == life:
            self.tick()
            self.world.at(self.world.timing.tick_ms / 1000, lambda: self._timer(life))

    def save_identity(self, cluster_id, rejoining):
        self.directory.cluster_id, self.directory.rejoining = cluster_id, rejoining

    def guarded(self, action):
        life = self.life

        def run():
            if self.alive and self.life == life:
                self.call(action)

        return run

    def call(self, action, *args):
        with self.world.running(self):
            try:
                return action(*args)
            except StoppedError:
                self.world.crash(self.name)

    def tick(self):
        self.woken = False
        if self.alive:
            self.call(self.engine.tick)

    # doors
    def now(self):
        self.tiny += 1e-7
        return self.world.now + self.tiny

    def random(self):
        return self.world.rng.random()

    def send(self, peer, message, *, bulk):
        return self.world.send(self.name, peer, message, bulk=bulk)

    def dial_now(self, peer):
        self.world.at(0.0005, lambda: self.world.dial(self.name, peer))

    def reset(self, peer, reason):
        self.world.at(0, lambda: self.world.reset_pair(self.name, peer))

    def wake(self):
        if not self.woken:
            self.woken = True
            self.world.at(0, self.guarded_tick(self.life))

    def guarded_tick(self, life):
        def run():
            if self.alive and self.life == life:
                self.tick()

        return run

    def event(self, text):
        self.events.append((round(self.world.now, 3), text))

    def fatal(self, reason):
        self.fatals.append(reason)
        raise StoppedError(reason)

    # disk door
    @property
    def current(self):
        return self.directory.current

    def pin(self):
        return self.directory.current

    def unpin(self, snapshot):
        pass

    def kick(self):
        if not self.syncing and not self.disk_hangs:
            self.syncing = True
            upto = self.directory.log.sequence
            self.world.at(self.fsync_s, self.guarded(lambda: self._synced(upto)))

    def _synced(self, upto):
        self.syncing = False
        log = self.directory.log
        log.durable = max(log.durable, upto)
        self.engine.on_durable(upto)
        if log.sequence > upto:
            self.kick()

    def create(self, index, term):
        return Sink(self, index, term)

    def drop_before(self, sequence):
        self.directory.log.drop_before(sequence)

    # application
    def apply(self, index, payload):
        self.applied.append((index, payload))
        text = payload.decode(errors="replace")
        if text.startswith("members "):
            _, cluster, *pairs = text.split()
            disks = {name: int(disk) for name, disk in (pair.split("=") for pair in pairs)}
            self.members = (int(cluster), disks)
            self.engine.set_members(*self.members)
        return len(self.applied)

    def state(self):
        return repr((self.applied, getattr(self, "members", None))).encode()

    def begin_load(self, source):
        data, node = b"", self
        while chunk := source.read(len(data), 1000):
            data += chunk

        class Loading:
            steps = 3

            def step(self):
                self.steps -= 1
                if not self.steps:
                    self.applied, self.members = eval(data)  # our own repr
                return not self.steps

        del node
        return Loading()

    def adopt(self, loading, index):
        self.applied = loading.applied
        self.adopted_at = index
        if loading.members:
            self.members = loading.members
            self.engine.set_members(*loading.members)

    def on_leading(self, term):
        self.roles.append(("leading", term))

    def on_following(self, leader, term, reason):
        self.roles.append((leader, term, reason))

    def on_join_request(self, name, disk_id, command_version):
        self.joins.append((name, disk_id))
        if self.world.auto_join:
            cluster, disks = self.members
            self.propose(members(cluster, {**disks, name: disk_id}))

    def on_peer_message(self, peer, payload):
        self.peer_messages.append((peer, payload))

    def on_peer_lost(self, peer):
        self.lost.append(peer)

    # what tests ask
    def propose(self, payload):
        answers = []
        self.call(self.engine.propose, payload, answers.append)
        return answers

    def barrier(self):
        answers = []
        self.call(self.engine.read_barrier, answers.append)
        return answers

    @property
    def payloads(self):
        return [payload for _, payload in self.applied]

    @property
    def status(self):
        return self.engine.status()

    @property
    def leads(self):
        return self.alive and self.engine._node.leading

    def snapshot(self):
        def take():
            _, sink = self.engine.begin_snapshot()
            sink.write(self.state())
            sink.commit(lambda: None)

        self.call(take)


def members(cluster_id, disks):
    return f"members {cluster_id} {' '.join(f'{k}={v}' for k, v in disks.items())}".encode()


class World:
    """Directed connections: a link a>b carries a's messages, in order; cut ones hold them."""

    def __init__(self, names="abc", *, seed=1, switches=None, flow=None, start=True):
        self.now, self.rng = 100.0, random.Random(seed)
        self.timing, self.flow = Timing(), flow or Flow()
        self.switches = switches or Switches()
        self.heap, self.order = [], count()
        self.nodes = {}
        self.auto_join = True
        for name in names:
            self.nodes[name] = Node(self, name)
        self.links = {}  # (a, b) -> deque while the connection stands
        self.blocked = set()
        self.latency_s = 0.0005
        self.capture = None  # sees (a, b, message); False drops nothing, only looks
        if start:
            for node in self.nodes.values():
                node.start()
            self._redial()

    def __getattr__(self, name):
        try:
            return self.__dict__["nodes"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __getitem__(self, name):
        return self.nodes[name]

    def running(self, node):
        return _Running(self, node)

    def at(self, delay, action):
        heapq.heappush(self.heap, (self.now + delay, next(self.order), action))

    def run(self, seconds):
        end = self.now + seconds
        while self.heap and self.heap[0][0] <= end:
            self.now, _, action = heapq.heappop(self.heap)
            action()
        self.now = end

    def until(self, condition, seconds=5.0, step=0.005):
        end = self.now + seconds
        while not condition():
            assert self.now < end, f"not within {seconds} s: {self.describe()}"
            self.run(step)

    def describe(self):
        return [
            (n.name, str(n.status.role), n.status.term, n.status.commit_index, n.status.last_index)
            if n.alive
            else (n.name, "down", n.fatals)
            for n in self.nodes.values()
        ]

    # network
    def _redial(self):
        for a in self.nodes:
            for b in self.nodes:
                if a != b and (a, b) not in self.links:
                    self.dial(a, b, report=False)
        self.at(self.timing.redial_ms / 1000, self._redial)

    def dial(self, a, b, *, report=True):
        one, two = self.nodes[a], self.nodes[b]
        if not one.alive or (a, b) in self.links or (a, b) in self.blocked:
            return
        hello = one.engine.hello()
        refused = two.alive and two.engine.check_hello(hello)
        if not two.alive or refused or one.engine.check_hello(two.engine.hello()):
            if report or refused:
                one.call(one.engine.on_dial_failed, b)
            return
        self.links[a, b] = deque()
        answer = two.engine.hello()
        two.call(two.engine.on_inbound_up, a, hello)
        if one.alive and (a, b) in self.links:
            one.call(one.engine.on_outbound_up, b, answer)

    def send(self, a, b, message, *, bulk):
        queue = self.links.get((a, b))
        if queue is None:
            return False
        if self.capture:
            self.capture(a, b, message)
        queue.append(message)
        self.at(self.latency_s, lambda: self._deliver(a, b, queue))
        return True

    def _deliver(self, a, b, queue):
        if self.links.get((a, b)) is not queue or (a, b) in self.blocked or not queue:
            return
        message = queue.popleft()
        node = self.nodes[b]
        if node.alive:
            node.call(node.engine.on_message, a, message)

    def block(self, a, b):
        """Hold what a sends to b (a silent cut)."""
        self.blocked.add((a, b))

    def unblock(self, *pairs):
        for pair in pairs or tuple(self.blocked):
            self.blocked.discard(pair)
            queue = self.links.get(pair)
            for _ in range(len(queue or ())):
                self.at(0, lambda pair=pair, queue=queue: self._deliver(*pair, queue))

    def lose(self, a, b):
        """Break the connection a>b; what is on it is lost."""
        if self.links.pop((a, b), None) is None:
            return
        one, two = self.nodes[a], self.nodes[b]
        if one.alive:
            one.call(one.engine.on_outbound_down, b)
        if two.alive:
            two.call(two.engine.on_inbound_down, a)

    def reset_pair(self, a, b):
        self.lose(a, b)
        self.lose(b, a)

    def cut(self, *names):
        """Cut these nodes off from all others, silently, both ways."""
        for a in names:
            for b in self.nodes:
                if b not in names:
                    self.block(a, b)
                    self.block(b, a)

    def crash(self, name, *, power_loss=False):
        node = self.nodes[name]
        if not node.alive:
            return
        node.alive = False
        for other in self.nodes:
            self.lose(name, other)
            self.lose(other, name)
        node.directory.log.reopen(power_loss=power_loss)

    def wipe(self, name, *, rejoin):
        node = self.nodes[name]
        self.crash(name)
        node.directory = Directory(disk_id=self.rng.getrandbits(60), rejoining=rejoin)

    # cluster
    def leader(self):
        leaders = [node for node in self.nodes.values() if node.leads]
        return max(leaders, key=lambda node: node.status.term) if leaders else None

    def elect(self, seconds=5.0):
        self.until(lambda: self.leader() is not None, seconds)
        return self.leader()

    def lead(self, name):
        """Make this node the leader."""
        leader = self.elect()
        if leader.name != name:
            answers = []
            self.until(
                lambda: (
                    leader.status.peers[
                        sorted(set(self.nodes) - {leader.name}).index(name)
                    ].match_index
                    == leader.status.last_index
                )
            )
            leader.call(leader.engine.transfer_leadership, name, answers.append)
            self.until(lambda: answers)
            assert answers == [None], answers
            self.until(lambda: self.nodes[name].leads)
        return self.nodes[name]

    def write(self, payload, seconds=3.0):
        """Propose at the leader, again while the outcome is known not to have happened."""
        end = self.now + seconds
        while True:
            leader = self.elect(seconds)
            answers = leader.propose(payload)
            self.until(lambda answers=answers: answers, seconds)
            if isinstance(answers[0], Applied):
                return answers[0]
            assert self.now < end, answers

    def converge(self, seconds=5.0):
        alive = [node for node in self.nodes.values() if node.alive]
        self.until(lambda: len({tuple(node.applied) for node in alive}) == 1, seconds)

    def bootstrap(self):
        disks = {name: node.directory.disk_id for name, node in self.nodes.items()}
        self.write(members(77, disks))
        self.converge()


class _Running:
    """SyncObj's clock and chance are module globals: point them at the node whose turn it is."""

    current = None

    def __init__(self, world, node):
        self.node = node

    def __enter__(self):
        self.before, _Running.current = _Running.current, self.node

    def __exit__(self, *exc):
        _Running.current = self.before


def _now():
    return _Running.current.now()


def _random():
    return _Running.current.random()


def patch_syncobj(monkeypatch):
    """Give SyncObj the clock and the chance of the node that runs."""
    monkeypatch.setattr(library, "monotonicTime", _now)
    chance = SimpleNamespace(random=_random)
    monkeypatch.setattr(library, "random", chance)


def without(*names):
    """Return the switches with these guards off."""
    return replace(Switches(), **dict.fromkeys(names, False))
