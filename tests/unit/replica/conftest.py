"""A scripted consensus and a jumpable clock, so that one replica can be driven by hand."""

from collections.abc import Callable

import pytest
from lock_desk import LockDesk, acquire

from kvraft.consensus.port import (
    Applied,
    ConsensusStatus,
    Failure,
    Hello,
    PeerStatus,
    Role,
)
from kvraft.core.codec import decode_entry, encode_entry
from kvraft.core.commands import Bootstrap, Confirm, Entry, Member
from kvraft.core.limits import ApplyLimits
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.replica import Replica


class FakeSink:
    """The test makes the snapshot CURRENT by `committed()`, or drops it by `dropped()`."""

    def __init__(self, consensus: "FakeConsensus") -> None:
        self.consensus, self.index = consensus, consensus.applied_index
        self.blocks: list[bytes] = []
        self.backlog = consensus.backlog
        self.committed: Callable[[], None] | None = None
        self.dropped: Callable[[], None] | None = None
        self.aborted = False

    def write(self, block: bytes) -> None:
        self.blocks.append(block)

    def backlog_bytes(self) -> int:
        return self.backlog

    def commit(self, done: Callable[[], None]) -> None:
        def current() -> None:
            self.consensus.snapshot_index = max(self.consensus.snapshot_index, self.index)
            done()

        self.committed, self.dropped = current, done

    def abort(self) -> None:
        self.aborted = True


class FakeConsensus:
    """Commits on demand; remembers what it was asked."""

    def __init__(self, name: str, peers: tuple[str, ...]) -> None:
        self.name, self.peers = name, peers
        self.role = Role.FOLLOWER
        self.term = 1
        self.reachable = True
        self.takes_messages = True
        self.proposed: list[tuple[bytes, Callable]] = []
        self.barriers: list[Callable] = []
        self.sent: list[tuple[str, bytes]] = []
        self.members: tuple[int, dict[str, int]] | None = None
        self.sinks: list[FakeSink] = []
        self.applied_index = 1
        self.snapshot_index = 0
        self.backlog = 0
        self.known = {name: self.hello(name)}
        self.transfers: list[tuple[str | None, Callable]] = []
        self.application: Replica

    def hello(self, name: str) -> Hello:
        return Hello(0, 0, name, 100 + len(name) + ord(name[-1]), 7, 1, 1, 1, f"{name}:1")

    def propose(self, payload: bytes, done) -> None:
        self.proposed.append((payload, done))

    def entries(self) -> list[Entry]:
        return [decode_entry(payload) for payload, _ in self.proposed]

    def commit(self, number: int | None = None) -> None:
        """Apply the oldest proposals, as consensus would."""
        for _ in range(len(self.proposed) if number is None else number):
            payload, done = self.proposed.pop(0)
            self.applied_index += 1
            done(Applied(self.applied_index, self.application.apply(self.applied_index, payload)))

    def fail(self, failure: Failure) -> None:
        proposed, self.proposed = self.proposed, []
        for _, done in proposed:
            done(failure)

    def read_barrier(self, done) -> None:
        self.barriers.append(done)

    def status(self) -> ConsensusStatus:
        peers = tuple(PeerStatus(peer, True, 0, 0) for peer in self.peers)
        at = self.applied_index
        snapshot = self.snapshot_index
        return ConsensusStatus(
            self.name, self.role, self.term, None, at, at, at, at, snapshot, peers
        )

    def quorum_reachable(self) -> bool:
        return self.reachable

    def set_members(self, cluster_id: int, disks) -> None:
        self.members = (cluster_id, dict(disks))

    def known_peers(self):
        return self.known

    def begin_snapshot(self):
        self.sinks.append(FakeSink(self))
        return self.applied_index, self.sinks[-1]

    def send_to_peer(self, peer: str, payload: bytes) -> bool:
        if self.takes_messages:
            self.sent.append((peer, payload))
        return self.takes_messages

    def transfer_leadership(self, to, done) -> None:
        self.transfers.append((to, done))


class FakeDoors:
    def __init__(self) -> None:
        self.time = 100.0
        self.woken = 0
        self.events: list[str] = []
        self.step = 0.0

    def now(self) -> float:
        self.time += self.step
        return self.time

    def random(self) -> float:
        return 0.25

    def wake(self) -> None:
        self.woken += 1

    def wake_in(self, seconds: float) -> None:
        self.time += seconds
        self.woken += 1

    def event(self, text: str) -> None:
        self.events.append(text)

    def counters(self) -> dict[str, int]:
        return {"fsyncs": 7}

    def open_backup(self) -> None:
        return None


class Rig:
    """One replica, its consensus and its doors."""

    def __init__(self, name: str = "n1", limits: ReplicaLimits | None = None) -> None:
        self.doors = FakeDoors()
        self.consensus = FakeConsensus(name, tuple({"n1", "n2", "n3"} - {name}))
        self.replica = Replica(name, self.doors, election_ms=500, limits=limits)
        self.consensus.application = self.replica
        self.replica.connect(self.consensus)

    @property
    def deadline(self) -> float:
        return self.doors.time + 5.0

    def lead(self) -> None:
        self.consensus.role = Role.LEADER
        self.replica.on_leading(1)

    def bootstrap(self) -> None:
        """Form the cluster, as the first leader's entry does."""
        members = tuple(Member(name, number) for number, name in enumerate(("n1", "n2", "n3"), 1))
        self.consensus.applied_index += 1
        index = self.consensus.applied_index
        entry = Entry(None, (Bootstrap(42, members, ApplyLimits()),))
        self.replica.apply(index, encode_entry(entry))

    def submit(self, command) -> list:
        """Submit, and return the list that the outcome will stand in."""
        outcomes: list = []
        self.replica.submit(command, self.deadline, outcomes.append)
        return outcomes

    def tick(self, seconds: float = 0.0) -> None:
        self.doors.time += seconds
        self.replica.tick()
        self.replica.expire()


@pytest.fixture
def rig() -> Rig:
    """A replica that leads a formed cluster."""
    rig = Rig()
    rig.bootstrap()
    rig.lead()
    return rig


@pytest.fixture
def follower() -> Rig:
    """A replica that follows n2 in a formed cluster."""
    rig = Rig()
    rig.bootstrap()
    rig.replica.on_following("n2", 1, "heard n2")
    return rig


@pytest.fixture
def make_rig() -> type[Rig]:
    return Rig


@pytest.fixture
def desk() -> LockDesk:
    """A lock hub, driven by hand."""
    return LockDesk()


@pytest.fixture
def held(desk: LockDesk) -> LockDesk:
    """... whose lock is held by somebody elsewhere."""
    desk.apply(acquire(b"holder"))
    desk.apply(Confirm(b"holder"))
    return desk
