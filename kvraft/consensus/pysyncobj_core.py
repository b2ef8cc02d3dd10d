"""PySyncObj, made, driven and observed; the only module that imports it.

SyncObj keeps the log bookkeeping, nextIndex and matchIndex, the commit rule, vote granting and the
apply loop. It is driven through its extension points alone (`transport=`, the journal, `doTick`);
no name-mangled member is touched. What is relied on is pinned by `test_pysyncobj_contract.py`,
hence `check_version`.

SyncObj reads two globals of its module, `monotonicTime` and `random`. Production leaves them alone,
for all its own timeouts are set out of reach; the simulator patches both.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NoReturn

import pysyncobj.syncobj as library
from pysyncobj.config import SyncObjConf
from pysyncobj.node import Node
from pysyncobj.transport import Transport
from pysyncobj.version import VERSION

from kvraft.consensus import envelope
from kvraft.consensus.journal import Journal
from kvraft.consensus.timing import Timing

TESTED_VERSION: Final = "0.3.17"
TESTED_SHA256: Final = "e8bdf06797085d734df86e24ab4802fe87893dff77268565ec036f7ad4a1cfe4"

_NEVER_S: Final = 1e12
_ALWAYS_S: Final = -1.0
_UNLIMITED: Final = 1 << 60
FOLLOWER, CANDIDATE, LEADER = 0, 1, 2

# SyncObj's pipe would cost two descriptors a node and two system calls a command, and wakes a
# poller nobody waits on. It must stay off afterwards too: SyncObj asks again at each command.
library.PIPE_NOTIFIER_ENABLED = False


class UntestedLibraryError(Exception):
    """The installed PySyncObj is not the one whose behaviour the guards were tested against."""


class PeerNode(Node):  # type: ignore[misc]  # the library carries no types
    """A node whose hash is the same in every process: SyncObj sends in the order of a set."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._hash = zlib.crc32(name.encode())

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and bool(self.id == other.id)


class _Machine(library.SyncObj):  # type: ignore[misc]  # the library carries no types
    """SyncObj with one replicated method, number 0 in every command."""

    @library.replicated  # type: ignore[untyped-decorator]  # the library carries no types
    def entry(self, payload: bytes) -> None:
        self.on_entry(payload)

    on_entry: Callable[[bytes], None]


class _Outlet(Transport):  # type: ignore[misc]  # the library carries no types
    """SyncObj's messages on their way out."""

    def __init__(self, send: Callable[[str, dict[str, Any]], bool]) -> None:
        super().__init__(None, None, None)
        self._forward = send

    def send(self, node: Node, message: dict[str, Any]) -> bool:
        return self._forward(node.id, message)

    def deliver(self, node: Node | None, message: dict[str, Any]) -> None:
        self._onMessageReceived(node, message)

    def connected(self, node: Node) -> None:
        self._onNodeConnected(node)

    def disconnected(self, node: Node) -> None:
        self._onNodeDisconnected(node)


class NoPoller:
    """In the place of SyncObj's poller, which makes a system call a tick over no descriptors."""

    def subscribe(self, descr: object, callback: object, mask: object) -> NoReturn:
        """Nobody has sockets here; the pipe is off."""
        raise UntestedLibraryError(f"SyncObj wants to wait for {descr}: {callback}, {mask}")

    def unsubscribe(self, descr: object) -> None:
        """Nothing was subscribed."""

    def poll(self, timeout: float) -> None:
        """Nothing to wait for, and no time: SyncObj is ticked with 0."""


def check_version(source: Path | None = None, version: str = VERSION) -> None:
    """Raise UntestedLibraryError unless PySyncObj is byte for byte the tested one."""
    path = source or Path(library.__file__)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if version != TESTED_VERSION or digest != TESTED_SHA256:
        raise UntestedLibraryError(
            f"pysyncobj {version} (sha256 of syncobj.py {digest[:12]}) is installed; kvraft is "
            f"tested with {TESTED_VERSION} ({TESTED_SHA256[:12]}) only: "
            f"pip install --force-reinstall pysyncobj=={TESTED_VERSION}"
        )


class Core:
    """One SyncObj. Whatever it raises is fatal to the node: it would go on half way."""

    def __init__(
        self,
        name: str,
        peers: Iterable[str],
        journal: Journal,
        timing: Timing,
        *,
        send: Callable[[str, dict[str, Any]], bool],
        on_entry: Callable[[bytes], None],
        on_state: Callable[[int, int], None],
    ) -> None:
        check_version()
        self._nodes = {peer: PeerNode(peer) for peer in peers}
        self._journal = journal
        self._snapshot_node = PeerNode("(snapshot)")
        self._outlet = _Outlet(send)
        self.state = FOLLOWER
        self._on_state = on_state
        self._configuration = _configuration(timing, self._state_changed)
        self._send_pause = timing.tick_ms / 1000
        self._look_pause = timing.heartbeat_ms / 1000
        self._pressing = self._commands = False  # something to act on; commands are among it
        self._moved = self._sending = False  # a peer's position was set; not yet acted on for sure
        self._send_until = self._look_at = 0.0
        self._machine = self._build(name)
        self._machine.on_entry = on_entry

    def _build(self, name: str) -> _Machine:
        asked: list[object] = []

        def create_journal(path: object) -> Journal:
            asked.append(path)
            return self._journal

        def create_poller(kind: object) -> NoPoller:
            asked.append(kind)
            return NoPoller()

        original = library.createJournal, library.createPoller
        library.createJournal, library.createPoller = create_journal, create_poller
        try:
            machine = _Machine(
                PeerNode(name),
                list(self._nodes.values()),
                conf=self._configuration,
                transport=self._outlet,
            )
        finally:
            library.createJournal, library.createPoller = original
        if asked != [None, "auto"]:
            raise UntestedLibraryError(
                f"SyncObj did not take the journal and the poller given to it: {asked}"
            )
        if machine.raftCommitIndex != self._journal.commit:
            raise UntestedLibraryError("SyncObj starts with another commit index than it was given")
        if machine.raftCurrentTerm != self._journal.vote.term:
            raise UntestedLibraryError("SyncObj starts in another term than its journal says")
        if machine._methodToID.get("entry_v0") != 0:  # noqa: SLF001 (its decorators use it too)
            raise UntestedLibraryError("SyncObj numbers replicated methods in another way")
        return machine

    # -- state
    @property
    def is_candidate(self) -> bool:
        return self.state == CANDIDATE

    @property
    def term(self) -> int:
        return self._journal.vote.term  # SyncObj's own, which it never changes without recording

    @property
    def commit(self) -> int:
        return self._journal.commit  # SyncObj's own, which it never changes without saying so

    @property
    def applied(self) -> int:
        index: int = self._machine.raftLastApplied
        return index

    @property
    def behind(self) -> bool:
        """Whether something committed is not applied yet."""
        return bool(self._machine.raftLastApplied < self._journal.commit)

    def tick(self) -> None:
        """Commit, apply, send what is new; never waits."""
        commands, self._commands = self._commands, False
        begun = library.monotonicTime() if commands else 0.0
        self._pressing = False
        # What is appended is sent at once. After applying SyncObj would look for what to send, too,
        # where nothing is new: half of all its looking.
        self._configuration.appendEntriesUseBatch = not commands
        self._machine.doTick(0.0)
        # It takes commands for one pause between sends: a tick that long may have left some.
        if commands and library.monotonicTime() - begun >= self._send_pause:
            self._commands = True

    def turn(self, now: float) -> None:
        """Tick, if there is anything to do: most turns of a node concern SyncObj in nothing.

        It acts on commands, votes, on what may commit and on what is committed and not applied. A
        leader sends what a peer's new position calls for once a pause since it last sent is over:
        so it is ticked until after that, and once a heartbeat in any case.
        """
        leads = self.state == LEADER
        if leads and self._moved:
            self._moved, self._sending, self._send_until = False, True, now + self._send_pause
        if (
            self._pressing
            or self._commands
            or self.behind
            or (leads and (self._sending or now >= self._look_at))
        ):
            self._look_at = now + self._look_pause
            self.tick()
            if now > self._send_until:
                self._sending = False

    # -- what a node may do
    def propose(self, payload: bytes) -> bytes:
        """Leader only: append at the next tick; returns the command that the journal will see."""
        command = envelope.wrap(payload)
        self._commands = True
        self._machine._applyCommand(command, None)  # noqa: SLF001 (the decorator's)
        return command

    def campaign(self) -> None:
        """Campaign now, by the library's own TimeoutNow path, in the next term."""
        leader = self._machine._getLeader()  # noqa: SLF001 (public by use; None == None passes)
        self._outlet.deliver(leader, {"type": "timeout_now", "term": self.term})
        self.tick()

    def adopt_term(self, term: int) -> None:
        """Step down into a higher term, by a vote request that must be refused."""
        node = next(iter(self._nodes.values()))
        message = {"type": "request_vote", "last_log_index": 0, "last_log_term": -1}
        self._outlet.deliver(node, {**message, "term": term})

    def resign(self) -> None:
        """Step down in this term: SyncObj's own fall-back, made to find nobody answering."""
        self._configuration.leaderFallbackTimeout = _ALWAYS_S
        try:
            self.tick()
        finally:
            self._configuration.leaderFallbackTimeout = _NEVER_S

    # -- what peers said
    def request_vote(self, peer: str, term: int, last_index: int, last_term: int) -> None:
        self._outlet.deliver(
            self._nodes[peer],
            {
                "type": "request_vote",
                "term": term,
                "last_log_index": last_index,
                "last_log_term": last_term,
            },
        )

    def vote_granted(self, peer: str, term: int) -> None:
        self._pressing = True
        self._outlet.deliver(self._nodes[peer], {"type": "response_vote", "term": term})

    def append(
        self,
        peer: str,
        term: int,
        previous: tuple[int, int],
        entries: list[tuple[bytes, int, int]],
        commit: int,
    ) -> None:
        self._outlet.deliver(
            self._nodes[peer],
            {
                "type": "append_entries",
                "term": term,
                "commit_index": commit,
                "entries": entries,
                "prevLogIdx": previous[0],
                "prevLogTerm": previous[1],
            },
        )

    def snapshot_piece(self, peer: str, term: int, commit: int) -> None:
        """What SyncObj is told of a part of a snapshot by SyncObj's own protocol (gap row 3)."""
        message = {"type": "append_entries", "serialized": None, "commit_index": commit}
        self._outlet.deliver(self._nodes[peer], {**message, "term": term})

    def matched(self, peer: str, index: int) -> None:
        """The peer's log matches ours up to `index`."""
        if index > self.commit:
            self._pressing = True
        self._position(peer, index + 1, reset=False, success=True)

    def next_index(self, peer: str, index: int) -> None:
        """Go on sending to the peer from `index`; says nothing about what it has."""
        self._moved = True
        self._position(peer, index, reset=True, success=False)

    def _position(self, peer: str, index: int, *, reset: bool, success: bool) -> None:
        message = {"type": "next_node_idx", "next_node_idx": index}
        message |= {"reset": reset, "success": success}
        self._outlet.deliver(self._nodes[peer], message)

    def connected(self, peer: str) -> None:
        self._moved = True
        self._outlet.connected(self._nodes[peer])

    def disconnected(self, peer: str) -> None:
        self._outlet.disconnected(self._nodes[peer])

    def load(self, index: int, term: int) -> bool:
        """Tell SyncObj that the state holds everything up to (index, term); is it so now?

        It reads this from a pickle, made here. The journal was aligned before.
        """
        message = {"type": "append_entries", "term": self.term, "commit_index": index}
        notice = (envelope.snapshot_notice(index, term), True, True)
        with self._journal.adopting():
            self._outlet.deliver(self._snapshot_node, {**message, "serialized": notice})
        return self.applied == index

    def _state_changed(self, old: int, new: int) -> None:
        self.state = new
        self._on_state(old, new)


def _configuration(timing: Timing, on_state: Callable[[int, int], None]) -> SyncObjConf:
    return SyncObjConf(
        autoTick=False,
        appendEntriesUseBatch=True,  # see `Core.tick`
        appendEntriesPeriod=timing.tick_ms / 1000,  # how soon it looks again for what to send
        appendEntriesBatchSizeBytes=_UNLIMITED,  # gap row 20: never in pieces; the guard splits
        raftMinTimeout=_NEVER_S,  # elections are the guard's
        raftMaxTimeout=2 * _NEVER_S,
        connectionTimeout=3 * _NEVER_S,
        leaderFallbackTimeout=_NEVER_S,  # see `Core.resign`
        commandsWaitLeader=False,
        commandsQueueSize=0,
        useFork=False,
        logCompactionMinEntries=_UNLIMITED,  # gap rows 4, 7, 12: snapshots are the guard's
        logCompactionMinTime=_NEVER_S,
        dynamicMembershipChange=False,  # gap row 22
        onStateChanged=on_state,
    )
