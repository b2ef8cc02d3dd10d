"""A node for tests of the service: a real state machine, no consensus, every answer scriptable."""

import asyncio
import time
from collections.abc import Callable, Mapping

from kvraft.consensus.port import ConsensusStatus, PeerStatus, Role
from kvraft.core.commands import Bootstrap, Command, Entry, Member
from kvraft.core.limits import ApplyLimits, RequestLimits
from kvraft.core.machine import StateMachine
from kvraft.core.validation import validate
from kvraft.replica.contention import Contention
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.lock_hub import LockHub
from kvraft.replica.outcomes import Answer, BarrierDone, Denied, Done
from kvraft.replica.port import NodeStatus, StateHash
from kvraft.replica.watch_hub import WatchHub

CLUSTER_ID = 0x1234


class BytesBackup:
    """A backup that lies in memory."""

    def __init__(self, data: bytes, index: int, revision: int) -> None:
        self.data = data
        self.index = index
        self.revision = revision
        self.total_bytes = len(data)
        self.closed = False

    def read(self, offset: int, size: int) -> bytes:
        assert not self.closed
        return self.data[offset : offset + size]

    def close(self) -> None:
        self.closed = True


class ScriptedNode:
    """Applies at once, unless `script` holds an answer or `hold` keeps the callbacks."""

    def __init__(self, name: str = "n1") -> None:
        self.name = name
        self.machine = StateMachine()
        self.term = 7
        self.leader: str | None = name
        self.reachable = True
        self.crowded: Denied | None = None
        self.requests = RequestLimits()
        self.submitted: list[tuple[Command, float]] = []
        self.barriers: list[float] = []
        self.script: list[Answer | Denied] = []
        """Answers that are given instead of applying, or instead of a barrier, first one first."""
        self.hold = False
        self.held: list[tuple[Command | None, Callable[[], None]]] = []
        self.time_ms = 0
        self.backup = BytesBackup(b"", 0, 0)
        self.transfer: Denied | None = None
        self.hashes: list[StateHash] | Denied = []
        self._arrived = asyncio.Event()
        self.clock: Callable[[], float] | None = None
        self.watches = WatchHub(self, ReplicaLimits(), lambda: self.machine)
        self.locks = LockHub(self, ReplicaLimits(), lambda: self.machine, self.submit)
        self.contention = Contention()

    def form(self) -> None:
        """Make the node a member of a cluster of three."""
        members = tuple(Member(f"n{number}", number) for number in (1, 2, 3))
        self.apply(Bootstrap(CLUSTER_ID, members, ApplyLimits()))

    def apply(self, command: Command) -> Answer:
        machine = self.machine
        (result,) = machine.apply(machine.index + 1, Entry(self.time_ms, (command,)))
        self.watches.feed(machine.changes)
        self.locks.feed((command,))
        self.contention.observe((command,), (result,), machine.lock_changes)
        return Answer(result, machine.revision, machine.index)

    # -- what the hub asks of a node's driver

    def wake(self) -> None:
        if self.watches or self.locks.is_busy:
            asyncio.get_running_loop().call_soon(self.tick)

    def wake_in(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.tick)

    def tick(self) -> None:
        self.watches.tick(self.now(), is_led=self.leader is not None)
        self.locks.tick(self.now(), is_led=self.leader is not None)

    # -- Node

    def now(self) -> float:
        return self.clock() if self.clock else time.monotonic()

    def submit(self, command: Command, deadline: float, done: Done) -> None:
        self.submitted.append((command, deadline))
        if self.script:
            done(self.script.pop(0))
            return
        refused = validate(command, self.requests)
        if refused is not None:
            done(Answer(refused, self.machine.revision, self.machine.index))
            return
        self._when_released(command, lambda: done(self.apply(command)))

    def read_barrier(self, deadline: float, done: BarrierDone, reads: int = 1) -> None:
        self.barriers += [deadline] * reads
        if self.script:
            denied = self.script.pop(0)
            assert isinstance(denied, Denied)
            done(denied)
            return
        self._when_released(None, lambda: done(None))

    def _when_released(self, command: Command | None, finish: Callable[[], None]) -> None:
        if self.hold:
            self.held.append((command, finish))
            self._arrived.set()
        else:
            asyncio.get_running_loop().call_soon(finish)

    async def until_held(self, count: int) -> None:
        """Wait until `count` calls are held."""
        while len(self.held) < count:
            self._arrived.clear()
            await self._arrived.wait()

    def release(self) -> None:
        """Finish what was held, in order of arrival."""
        held, self.held = self.held, []
        for _, finish in held:
            finish()

    def status(self) -> NodeStatus:
        machine = self.machine
        seen = ConsensusStatus(
            name=self.name,
            role=Role.LEADER if self.leader == self.name else Role.FOLLOWER,
            term=self.term,
            leader=self.leader,
            commit_index=machine.index,
            applied_index=machine.index,
            last_index=machine.index + 2,
            durable_index=machine.index + 1,
            snapshot_index=3,
            peers=(PeerStatus("n2", True, 5, 40), PeerStatus("n3", False, 0, None)),
            counters={"elections": 1},
        )
        return NodeStatus(
            consensus=seen,
            cluster_id=machine.cluster_id,
            disk_id=0xABCDEF,
            revision=machine.revision,
            cluster_time_ms=machine.cluster_time_ms,
            keys=machine.key_count,
            leases=machine.lease_count,
            state_bytes=machine.state_bytes,
            version="9.9",
            counters={"fsyncs": 11, "commands": 12},
        )

    def quorum_reachable(self) -> bool:
        return self.reachable

    def endpoints(self) -> Mapping[str, str]:
        return {"n1": "127.0.0.1:4379", "n2": "127.0.0.1:4389"}

    def state_hash(self, deadline: float, done: Callable[[list[StateHash] | Denied], None]) -> None:
        done(self.hashes)

    def transfer_leadership(self, to: str | None, deadline: float, done: BarrierDone) -> None:
        if self.transfer is None:
            self.leader = to or "n2"
        done(self.transfer)

    def take_snapshot(self, deadline: float, done: Callable[[int | Denied], None]) -> None:
        self.barriers.append(deadline)
        done(self.script.pop(0) if self.script else self.backup.index)

    def open_backup(self) -> BytesBackup:
        self.backup.closed = False
        return self.backup
