"""One node's behaviour, sans-I/O: who answers what, when, and with which certainty.

Imports: core, the consensus port. Everything runs on one thread; time, chance and the loop come
through `Doors`, peers and the log through `Consensus`. The same object runs in production and in
the simulator.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from kvraft.consensus.port import Consensus, Loading, SnapshotSource
from kvraft.core.codec import decode_entry
from kvraft.core.commands import EMPTY_SLOT, Bootstrap, Command, Entry, HashMarker, MemberDisk
from kvraft.core.errors import CodecError, Outcome, Reason
from kvraft.core.limits import RequestLimits
from kvraft.core.machine import StateMachine
from kvraft.core.results import MarkerResult, MemberResult
from kvraft.replica.admission import Admission
from kvraft.replica.batcher import AppliedBatch, Batcher
from kvraft.replica.clock import ClusterClock
from kvraft.replica.congestion import will_queue
from kvraft.replica.contention import Contention
from kvraft.replica.costs import EntryCosts
from kvraft.replica.forwarder import Forwarder
from kvraft.replica.handover import Handover
from kvraft.replica.hashes import Hashes
from kvraft.replica.intake import Intake
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.loading import StateLoading
from kvraft.replica.lock_hub import LockHub
from kvraft.replica.membership import Membership
from kvraft.replica.messages import Forward, ForwardReply, HashReport, decode
from kvraft.replica.outcomes import BarrierDone, Denied, Done
from kvraft.replica.port import BackupReader, NodeStatus, StateHash
from kvraft.replica.readers import Readers
from kvraft.replica.snapshotter import Snapshotter
from kvraft.replica.ticker import Ticker
from kvraft.replica.watch_hub import WatchHub


class Doors(Protocol):
    """What the replica needs of the world."""

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def random(self) -> float:
        """Uniform in [0, 1)."""
        ...

    def wake(self) -> None:
        """Call `tick` soon (once, after what runs now)."""
        ...

    def wake_in(self, seconds: float) -> None:
        """Call `tick` about so much later, or sooner."""
        ...

    def event(self, text: str) -> None:
        """A line for people."""
        ...

    def counters(self) -> Mapping[str, int]:
        """What the disk and the links have done, for `status`."""
        ...

    def open_backup(self) -> BackupReader:
        """Open the CURRENT snapshot file."""
        ...


class Replica:
    """The `Application` of consensus and the `Node` of the service."""

    def __init__(
        self,
        name: str,
        doors: Doors,
        *,
        election_ms: int,
        disk_id: int = 0,
        version: str = "",
        limits: ReplicaLimits | None = None,
        request_limits: RequestLimits | None = None,
    ) -> None:
        """`election_ms`: the shortest election timeout, the longest step of cluster time."""
        self.name = name
        self.now = doors.now
        """Monotonic seconds, the clock of every deadline here."""
        self.disk_id = disk_id
        self.version = version
        self.machine = StateMachine()
        self._doors = doors
        self._limits = limits or ReplicaLimits()
        self._request_limits = request_limits or RequestLimits()
        self._clock = ClusterClock(election_ms)
        self.admission = Admission(self._request_limits, self._limits)
        self.watches = WatchHub(doors, self._limits, lambda: self.machine)
        self.locks = LockHub(doors, self._limits, lambda: self.machine, self.submit)
        self.contention = Contention()
        self._leader: str | None = None
        self._leading = False
        self._slice_at = 0.0

    def connect(self, consensus: Consensus) -> None:
        """Give this node its consensus; once, before anything else is called."""
        self.consensus = consensus
        limits = self._limits
        first_id = int(self._doors.random() * (1 << 53)) << 10
        self._batcher = Batcher(
            consensus,
            limits,
            stamp_ms=self._clock.stamp_ms,
            costs=lambda: EntryCosts(self.machine, limits.wide_cost),
            is_patient=lambda command: will_queue(command, self.machine),
            wake=self._doors.wake,
        )
        self._readers = Readers(consensus, limits)
        self._forwarder = Forwarder(consensus, limits, first_id)
        self._intake = Intake(
            self,
            consensus,
            requests=self._request_limits,
            limits=limits,
            admission=self.admission,
            batcher=self._batcher,
            forwarder=self._forwarder,
            wake=self._doors.wake,
        )
        self._handover = Handover(consensus)
        self._snapshotter = Snapshotter(consensus, limits, self._doors.now)
        self._hashes = Hashes(consensus, limits, self.name)
        self._ticker = Ticker(limits.tick_max_ms)
        self._membership = Membership(
            consensus,
            limits,
            submit=self._submit_own,
            random=self._doors.random,
            event=self._doors.event,
        )

    # -- for the service

    def submit(self, command: Command, deadline: float, done: Done) -> None:
        """Order and apply one command, here or, forwarded once, at the leader."""
        self._intake.submit(command, deadline, done)

    def read_barrier(self, deadline: float, done: BarrierDone, reads: int = 1) -> None:
        """Call `done(None)` when a read of `machine` in the same turn is linearizable."""
        intake = self._intake
        denied = None if intake.is_open else intake.denied()
        if denied is not None:
            done(denied)
            return
        self._readers.add(deadline, done, reads)
        intake.let_in()

    def state_hash(self, deadline: float, done: Callable[[list[StateHash] | Denied], None]) -> None:
        """Propose a marker and gather every node's digest at its index."""
        nonce = int(self._doors.random() * (1 << 53)) + 1
        limit = self._doors.now() + self._limits.hash_wait_ms / 1000
        if self._hashes.gather(nonce, min(deadline, limit), done):
            self._intake.submit(
                HashMarker(nonce), deadline, lambda told: self._hashes.on_marked(nonce, told)
            )

    def take_snapshot(self, deadline: float, done: Callable[[int | Denied], None]) -> None:
        """Snapshot the present state; `done` gets an index once it is durable and CURRENT."""
        denied = self._intake.denied_alone()
        if denied is not None:
            done(denied)
            return
        self._snapshotter.ask(deadline, done)
        self._doors.wake()

    def transfer_leadership(self, to: str | None, deadline: float, done: BarrierDone) -> None:
        """Hand leadership to `to`, or to the most caught-up peer."""
        self._handover.start(to, deadline, done)

    def open_backup(self) -> BackupReader:
        """Open the CURRENT snapshot file."""
        return self._doors.open_backup()

    @property
    def crowded(self) -> Denied | None:
        """What new work would be told now, where that is known without asking; else None."""
        crowded = self._batcher.crowded
        return crowded if crowded is None or self._intake.denied() is None else None

    @property
    def leader(self) -> str | None:
        """The node that leads, as far as this one knows."""
        return self._leader

    @property
    def term(self) -> int:
        """The present Raft term; a role is only true together with it."""
        return self.consensus.term

    def quorum_reachable(self) -> bool:
        """Return False where requests that need a quorum are answered NO_QUORUM now."""
        return self.consensus.quorum_reachable()

    def endpoints(self) -> Mapping[str, str]:
        """Where clients reach each node, as far as this one knows."""
        return {name: hello.endpoint for name, hello in self.consensus.known_peers().items()}

    def status(self) -> NodeStatus:
        """Return the present figures."""
        machine, consensus = self.machine, self.consensus.status()
        return NodeStatus(
            consensus=consensus,
            cluster_id=machine.cluster_id,
            disk_id=self.disk_id,
            revision=machine.revision,
            cluster_time_ms=machine.cluster_time_ms,
            keys=machine.key_count,
            leases=machine.lease_count,
            state_bytes=machine.state_bytes,
            version=self.version,
            counters={**consensus.counters, **self._doors.counters(), **self.counters()},
        )

    # -- for the driver

    def tick(self) -> None:
        """Let time pass; before consensus' own tick, which sends what is proposed here."""
        now = self._doors.now()
        self._intake.is_open = False
        if self._leading:  # nobody else stamps or proposes
            self._clock.advance(now)
            if not self.machine.cluster_id:
                self._membership.step(self.machine, now)
            self._batcher.flush(now)
            if self._ticker.due(self.machine, self._clock.stamp_ms()):
                self._batcher.tick()
        if self._readers.waiting:
            self._readers.flush()
        is_led = self._leader is not None
        self.watches.tick(now, is_led=is_led)
        self.locks.tick(now, is_led=is_led)
        if now >= self._slice_at:
            self._slice(now)

    def _slice(self, now: float) -> None:
        """Do a slice of what takes long, then leave the loop to the requests for a while.

        A write takes about ten turns of the loop: with a slice in each, it pays for ten of them.
        """
        more = self._snapshotter.step(self.machine)
        if self._hashes.hashing:
            more = self._hashes.step(self._doors.now) or more
        if more:
            end = self._doors.now()
            pause_s = (end - now) * self._limits.slice_pause
            self._slice_at = end + pause_s
            self._doors.wake_in(pause_s)

    def expire(self) -> None:
        """Answer whoever's deadline has passed; every few milliseconds is enough."""
        now = self._doors.now()
        self._batcher.expire(now)
        self._readers.expire(now)
        self._forwarder.expire(now)
        self._handover.expire(now)
        self._snapshotter.expire(now)
        self._hashes.expire(now)

    def stop_accepting(self) -> None:
        """Refuse new work, NOT_APPLIED, so that what is in flight can finish."""
        self._intake.stopping, self._intake.is_open = True, False

    @property
    def idle(self) -> bool:
        """Whether no mutation is waiting, in flight or forwarded."""
        return self._batcher.idle and self._forwarder.idle

    def counters(self) -> Mapping[str, int]:
        """Return counts since this process started."""
        seen = self.contention
        return {
            "entries": self._batcher.entries,
            "commands": self._batcher.commands,
            "barriers": self._readers.barriers,
            "forwarded": self._forwarder.forwarded,
            "snapshots": self._snapshotter.taken,
            "watches": len(self.watches),
            "watches_fallen_behind": self.watches.fell_behind,
            "lock_streams": len(self.locks),
            "lock_grants": seen.grants,
            "lock_waits": seen.waits,
            "lock_waits_abandoned": seen.abandoned,
            "lock_wait_ms": seen.waited_ms,
            "conditions": seen.decided,
            "conflicts": seen.conflicts,
            "longest_snapshot_slice_us": int(self._snapshotter.longest_slice_ms * 1000),
        }

    # -- Application: what consensus asks

    def apply(self, index: int, payload: bytes) -> AppliedBatch:
        """Apply one committed entry."""
        entry = self._batcher.known(payload) or self._decode(payload)
        machine = self.machine
        results = machine.apply(index, entry)
        self._snapshotter.on_applied(len(payload))
        self.watches.feed(machine.changes)
        self.locks.feed(entry.commands)
        self.contention.observe(entry.commands, results, machine.lock_changes)
        for result in results:
            if isinstance(result, MemberResult):
                self._members_changed()
            elif isinstance(result, MarkerResult):
                self._hashes.on_marker(machine, index, result.nonce)
        if self._leading and self._ticker.overdue(machine):
            self._doors.wake()  # more was due than one entry may end: the next one at once
        return AppliedBatch(results, machine.revisions)

    def begin_load(self, source: SnapshotSource) -> Loading:
        """Start to build a state beside the live one."""
        return StateLoading(source)

    def adopt(self, loading: Loading, index: int) -> None:
        """Replace the state by the loaded one."""
        assert isinstance(loading, StateLoading), "consensus hands back what begin_load gave it"
        self._snapshotter.abort()
        self._hashes.abort()
        self.machine = loading.machine()
        assert self.machine.index <= index, "a snapshot holds nothing newer than its index"
        self.watches.replaced()
        self.locks.replaced()
        self.contention.replaced()
        self._members_changed()

    def on_leading(self, term: int) -> None:
        """An entry of the own term is applied: stamps and proposals may begin."""
        now = self._doors.now()
        del term
        self._leading, self._leader = True, self.name
        self._clock.start(self.machine.cluster_time_ms, now)
        self._membership.start(now)
        self._doors.wake()

    def on_following(self, leader: str | None, term: int, reason: str) -> None:
        """Another node leads, or none: nothing of the queue was proposed."""
        del term
        self._leader, self._leading = leader, False
        self._intake.is_open = False
        if leader is None:
            self._intake.leader_lost_at = self._doors.now()
        self._clock.stop()
        self._membership.stop()
        text = f"this node does not lead any more: {reason}"
        self._batcher.refuse_queued(
            Denied(Reason.NOT_LEADER, Outcome.NOT_APPLIED, text, leader, retry_after_ms=50)
        )

    def on_join_request(self, name: str, disk_id: int, command_version: int) -> None:
        """A disk asks for its name; this node leads."""
        self._membership.join(name, disk_id, command_version, self._doors.now())

    def on_peer_message(self, peer: str, payload: bytes) -> None:
        """A forwarded command, an answer to one, or a digest."""
        try:
            message = decode(payload)
        except CodecError as error:
            self._doors.event(f"dropped a message from {peer}: {error}")
            return
        match message:
            case Forward():
                self._intake.on_forward(peer, message)
            case ForwardReply():
                self._forwarder.on_reply(peer, message)
            case HashReport():
                self._hashes.on_report(peer, message)

    def on_peer_lost(self, peer: str) -> None:
        """What was forwarded to this peer may be lost."""
        self._forwarder.on_peer_lost(peer)

    # -- inside

    def _decode(self, payload: bytes) -> Entry:
        return decode_entry(payload)

    def _submit_own(self, command: Bootstrap | MemberDisk, done: Done) -> None:
        """Membership's own proposals: no admission, no deadline of a client."""
        self._batcher.submit(command, float("inf"), done, first=True)

    def _members_changed(self) -> None:
        machine = self.machine
        members = machine.members.values()
        disks = {each.name: each.disk_id for each in members if each.disk_id != EMPTY_SLOT}
        self.consensus.set_members(machine.cluster_id, disks)
