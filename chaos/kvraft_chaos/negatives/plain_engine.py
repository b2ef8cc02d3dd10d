"""Plain PySyncObj behind the port of consensus: its own transport, its own journal, no guard.

All the rest of the node is kvraft's: replica, state machine, service. So what a run finds is what
`kvraft.consensus` is there for. It is given more than most users give it: the journal is on the
disk, nothing is compacted (what it compacts it can lose), a follower reads through the log, and
whoever waits hears when leadership is lost. A leader reads its own state, for PySyncObj knows no
other way to read.
"""

import functools
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from pysyncobj.config import FAIL_REASON

from kvraft.config import ServerConfig
from kvraft.consensus.port import (
    Application,
    Applied,
    BarrierDone,
    ConsensusStatus,
    Doors,
    Failure,
    Hello,
    PeerStatus,
    ProposeDone,
    Role,
    SnapshotSink,
)
from kvraft.core.commands import COMMAND_VERSION
from kvraft_chaos.negatives.plain_library import (
    JOURNAL,
    MESSAGE,
    PlainMachine,
    PlainPeer,
    PlainTransport,
    configuration,
)

PROTOCOL: Final = 1
NOT_APPLIED: Final = frozenset(
    {
        FAIL_REASON.QUEUE_FULL,
        FAIL_REASON.MISSING_LEADER,
        FAIL_REASON.NOT_LEADER,
        FAIL_REASON.REQUEST_DENIED,
    }
)
"""As its documentation has them; all others count as unknown."""


class _NoSnapshot:
    """Nothing is compacted: what PySyncObj compacts it can lose."""

    def write(self, block: bytes) -> None:
        """Drop it."""

    def backlog_bytes(self) -> int:
        return 0

    def commit(self, done: Callable[[], None]) -> None:
        """There is none: the status says so."""
        done()

    def abort(self) -> None:
        """Nothing to drop."""


class PlainEngine:
    """What the replica, the driver and the server ask of consensus."""

    def __init__(
        self, config: ServerConfig, endpoint: str, doors: Doors, application: Application
    ) -> None:
        self._name, self._endpoint = config.name, endpoint
        self._doors, self._application = doors, application
        self._names = {str(address): name for name, address in config.peers.items()}
        self._nodes = {
            name: PlainPeer(str(address), str(config.dial.get(name, address)))
            for name, address in config.peers.items()
        }
        self._waiting: dict[object, Callable[[Failure], None]] = {}
        self._stood: tuple[Role, str | None, int] = (Role.FOLLOWER, None, -1)
        self._peers = sorted(config.peers.keys() - {config.name})
        self._machine = self._build(config)

    def _build(self, config: ServerConfig) -> PlainMachine:
        made: list[PlainTransport] = []

        def transport(*given: Any) -> PlainTransport:
            made.append(PlainTransport(*given))
            made[0].on_message = self._on_message
            made[0].on_lost = lambda node_id: self._application.on_peer_lost(self._names[node_id])
            return made[0]

        machine = PlainMachine(
            self._nodes[config.name],
            [self._nodes[peer] for peer in self._peers],
            conf=configuration(config.data_dir / JOURNAL, str(config.peer_listen)),
            transportClass=transport,
        )
        machine.on_entry = self._apply
        self._transport = made[0]
        return machine

    # -- what the node above asks

    def propose(self, payload: bytes, done: ProposeDone) -> None:
        """Hand it over; SyncObj calls back when it has applied it here."""

        def told(result: tuple[int, object] | None, error: int) -> None:
            if self._waiting.pop(told, None) is None:
                return
            if result is not None and error == FAIL_REASON.SUCCESS:
                done(Applied(*result))
            elif error in NOT_APPLIED:
                done(Failure.NOT_LEADER)
            else:
                done(Failure.LEADERSHIP_LOST)

        self._waiting[told] = done
        self._machine.entry(payload, callback=told)

    def read_barrier(self, done: BarrierDone) -> None:
        """A leader asks nobody; a follower puts an empty entry into the log, and waits for it."""
        if self.role is Role.LEADER:
            done(None)
            return
        if self._leader is None:
            done(Failure.NO_QUORUM)
            return

        def seen(_result: object, error: int) -> None:
            if self._waiting.pop(seen, None) is not None:
                done(None if error == FAIL_REASON.SUCCESS else Failure.NO_QUORUM)

        self._waiting[seen] = done
        self._machine.entry(b"", callback=seen)

    def quorum_reachable(self) -> bool:
        """As far as SyncObj knows: its leader steps down after 30 s alone."""
        return self._leader is not None

    def send_to_peer(self, peer: str, payload: bytes) -> bool:
        return bool(self._transport.send(self._nodes[peer], {"type": MESSAGE, "payload": payload}))

    def status(self) -> ConsensusStatus:
        machine = self._machine
        return ConsensusStatus(
            name=self._name,
            role=self.role,
            term=self.term,
            leader=self._leader,
            commit_index=machine.raftCommitIndex,
            applied_index=machine.raftLastApplied,
            last_index=machine.getStatus()["log_len"],
            durable_index=0,
            snapshot_index=0,
            peers=tuple(
                PeerStatus(peer, machine.isNodeConnected(self._nodes[peer]), 0, None)
                for peer in self._peers
            ),
        )

    @property
    def role(self) -> Role:
        """A candidate counts as a follower without a leader."""
        leads = self._machine._isLeader()  # noqa: SLF001 (public by use)
        return Role.LEADER if leads else Role.FOLLOWER

    @property
    def term(self) -> int:
        return int(self._machine.raftCurrentTerm)

    @property
    def _leader(self) -> str | None:
        node = self._machine._getLeader()  # noqa: SLF001 (public by use)
        return None if node is None else self._names[node.id]

    def known_peers(self) -> Mapping[str, Hello]:
        """It has no handshake: every name has one disk, for ever."""
        return {name: self._hello(name) for name in self._nodes}

    def set_members(self, cluster_id: int, disks: Mapping[str, int]) -> None:
        """Membership is what the command line says."""

    def transfer_leadership(self, to: str | None, done: Callable[[str | None], None]) -> None:
        del to
        done("plain PySyncObj is not asked to")

    def begin_snapshot(self) -> tuple[int, SnapshotSink]:
        """Of nothing: its log begins at the first entry."""
        return 0, _NoSnapshot()

    # -- what the server and the driver call

    def start(self) -> None:
        """Nothing is loaded: the journal is applied again from its first entry."""

    def tick(self) -> None:
        self._machine.doTick(0.0)
        stands = self.role, self._leader, self.term
        if stands == self._stood:
            return
        self._stood = role, leader, term = stands
        waiting, self._waiting = self._waiting, {}
        for done in waiting.values():
            done(Failure.LEADERSHIP_LOST)
        if role is Role.LEADER:
            self._doors.event(f"leads term {term}")
            self._machine.entry(b"", callback=functools.partial(self._own_entry, term))
        else:
            self._application.on_following(leader, term, "PySyncObj says so")

    def on_durable(self, sequence: int) -> None:
        """Nobody writes kvraft's own log."""

    # -- inside

    def _apply(self, index: int, payload: bytes) -> object:
        return self._application.apply(index, payload) if payload else None

    def _own_entry(self, term: int, _result: object, error: int) -> None:
        if error == FAIL_REASON.SUCCESS and (Role.LEADER, term) == (self.role, self.term):
            self._application.on_leading(term)

    def _on_message(self, node_id: str, payload: bytes) -> None:
        self._application.on_peer_message(self._names[node_id], payload)

    def _hello(self, name: str) -> Hello:
        return Hello(
            cluster_id=0,
            origin=0,
            name=name,
            disk_id=zlib.crc32(name.encode()) or 1,
            boot_id=1,
            protocol_min=PROTOCOL,
            protocol_max=PROTOCOL,
            command_version=COMMAND_VERSION,
            endpoint=self._endpoint if name == self._name else "",
        )
