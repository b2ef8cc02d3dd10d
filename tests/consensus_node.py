"""One engine on a virtual clock: its log, snapshots and doors, in memory.

A minimal node for the tests of consensus; `kvraft_chaos.simulation` has the real one.
"""

from dataclasses import dataclass, field

from kvraft.consensus.engine import RaftEngine
from kvraft.consensus.membership import Identity


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

    def flush(self):
        pass

    def dial_now(self, peer):
        self.world.at(0.0005, lambda: self.world.dial(self.name, peer))

    def reset(self, peer, reason):
        self.world.at(0, lambda: self.world.reset_pair(self.name, peer))

    def wake(self):
        if not self.woken:
            self.woken = True
            self.world.at(0, self.guarded_tick(self.life))

    def wake_in(self, seconds):
        self.world.at(seconds, self.wake)

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
        self.wake()
        return answers

    def barrier(self):
        answers = []
        self.call(self.engine.read_barrier, answers.append)
        self.wake()
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
