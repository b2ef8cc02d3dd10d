"""Mistakes in consensus: what is committed, what may be read, what a snapshot replaces."""

from collections.abc import Mapping
from dataclasses import replace

from kvraft.consensus import records
from kvraft.consensus.disk_door import NodeDisk, QueuedSnapshot, Writer
from kvraft.consensus.envelope import NO_OP
from kvraft.consensus.journal import Journal
from kvraft.consensus.membership import Membership
from kvraft.consensus.port import BarrierDone, Failure
from kvraft.consensus.proposals import Proposals
from kvraft.consensus.pysyncobj_core import LEADER, Core
from kvraft.consensus.reads import Reads
from kvraft.consensus.reception import Reception
from kvraft.consensus.records import Entry
from kvraft.consensus.snapshot_receiver import SnapshotReceiver
from kvraft.consensus.transfer import Transfer
from kvraft.storage.snapshot_file import SnapshotFile
from kvraft.storage.snapshots import SnapshotStore, SnapshotWriter
from kvraft_chaos.simulation.mutants.registry import Patch, mutant, replaced, together

MATCHES, COMMIT = "_SyncObj__raftMatchIndex", "_SyncObj__raftCommitIndex"
"""SyncObj's own, which no door gives."""


@mutant("an_entry_of_an_old_term_is_committed_by_none", "truncates-committed")
def commit_of_an_old_term_by_count() -> Patch:
    """A leader commits what a majority stores, whatever its term (Raft, figure 8)."""
    tick = Core.tick

    def counts_any_term(self: Core) -> None:
        if self.state == LEADER:
            machine = self._machine
            stored = sorted([*getattr(machine, MATCHES).values(), self._journal.last_index])
            commit = max(self.commit, stored[len(stored) // 2])
            setattr(machine, COMMIT, commit)
            self._journal.setRaftCommitIndex(commit)  # as SyncObj does
        tick(self)

    return replaced(Core, "tick", counts_any_term)


@mutant("an_old_answer_serves_no_newer_read", "stale-read")
def readindex_id_reused() -> Patch:
    """Every question of a follower to the leader has the same number."""
    ask = Reads._ask_leader  # noqa: SLF001 - the mistake is made there

    def without_new_number(self: Reads, now: float, leader: str) -> None:
        self._nonce = 0
        ask(self, now, leader)

    return replaced(Reads, "_ask_leader", without_new_number)


@mutant("n_isolated_leader_steps_down_and_reads_nothing_stale", "read-without-quorum")
def local_reads_sold_as_linearizable() -> Patch:
    """A read is answered from the node's own state, without asking anybody."""

    def ask(_: Reads, done: BarrierDone) -> None:
        done(None)

    return replaced(Reads, "ask", ask)


@mutant("a_follower_reads_only_what_it_has_applied", "stale-read")
def follower_reads_before_it_has_applied() -> Patch:
    """A follower reads as soon as it has the leader's answer, not once it has got that far."""
    on_answer = Reads.on_answer

    def at_once(self: Reads, peer: str, message: records.Stored) -> None:
        on_answer(self, peer, replace(message, index=0))  # type: ignore[type-var, arg-type]  # a ReadAnswer

    return replaced(Reads, "on_answer", at_once)


@mutant("an_old_snapshot_winds_nothing_back", "wound-back")
def snapshot_older_than_the_log_accepted() -> Patch:
    """A follower installs any snapshot that arrives, even one that it is far beyond."""

    def is_known(_: SnapshotReceiver, index: int, term: int) -> bool:
        del index, term
        return False

    return replaced(SnapshotReceiver, "_is_known", is_known)


@mutant("an_installed_snapshot_cuts_the_log", "RecordError")
def log_not_cut_after_snapshot_install() -> Patch:
    """What the log on disk held before an installed snapshot stays in it."""

    def reset(self: Journal, index: int, term: int) -> None:
        self.entries = [Entry(NO_OP, index, term)]
        self._sequences = [self._log.sequence]
        self.durable_index = index

    return replaced(Journal, "reset", reset)


@mutant("a_snapshot_of_a_newer_term_survives_a_crash", "UntestedLibraryError")
def snapshot_newer_than_the_vote_refused() -> Patch:
    """A node whose snapshot is of a newer term than its vote does not start (seed 1388)."""
    align = Journal.align

    def keeps_its_term(self: Journal, index: int, term: int, *, keep_suffix: bool = True) -> None:
        with replaced(Journal, "_set_vote", lambda *_: 0):
            align(self, index, term, keep_suffix=keep_suffix)

    return replaced(Journal, "align", keeps_its_term)


@mutant("leadership_is_not_handed_to_who_has_gone_silent", "held")
def leadership_handed_to_the_silent() -> Patch:
    """Leadership goes to whoever is connected, even if it has long not answered (seed 690)."""

    def is_connected(self: Transfer, peer: str, now: float) -> bool:
        return self._links[peer].outbound and self._contact.age(peer, now) is not None

    return replaced(Transfer, "_in_contact", is_connected)


@mutant("m_leadership_lost_is_reported_as_unknown_for_a_write_that_commits", "not-unknown")
def unknown_told_as_refused() -> Patch:
    """A deposed leader says of its pending proposals that they were not applied."""
    fail = Proposals.fail

    def refuses(self: Proposals) -> None:
        for index, done in self._appended.items():
            self._appended[index] = lambda _, done=done: done(Failure.NOT_LEADER)  # type: ignore[misc]  # bound now
        fail(self)

    return replaced(Proposals, "fail", refuses)


@mutant("a_snapshot_being_sent_stays_readable", "node-stopped")
def sent_snapshot_not_pinned() -> Patch:
    """A snapshot on its way to a follower is removed when a newer one is CURRENT (seed 5)."""

    def pin(self: NodeDisk) -> SnapshotFile | None:
        return self.current

    def unpin(_: NodeDisk, snapshot: SnapshotFile) -> None:
        del snapshot

    return together(replaced(NodeDisk, "pin", pin), replaced(NodeDisk, "unpin", unpin))


@mutant("blocks_do_not_wait_for_the_loop", "assertion")
def snapshot_file_known_late() -> Patch:
    """The loop notes a snapshot's file, and the writer needs it before the loop's next turn."""

    def begin(
        self: QueuedSnapshot, store: SnapshotStore, writer: Writer, index: int, term: int
    ) -> None:
        self._writer, self._file, self._backlog = writer, None, 0

        def created(file: SnapshotWriter) -> None:
            self._file = file

        writer.submit(lambda: store.create(index, term, b""), created)

    return replaced(QueuedSnapshot, "__init__", begin)


@mutant("a_restart_does_not_go_back_in_the_member_table", "goes-back")
def member_table_goes_back() -> Patch:
    """A node that replays its log believes the member tables of the past (seed 120)."""
    set_members = Membership.set_members

    def believes(self: Membership, cluster_id: int, disks: Mapping[str, int], index: int) -> None:
        journal = self._shared.journal
        journal.members = replace(journal.members, index=0)
        set_members(self, cluster_id, disks, index)

    return replaced(Membership, "set_members", believes)


@mutant("the_leader_changes_between_request_and_commit", "assertion")
def rejoined_voter_not_announced() -> Patch:
    """A node that counts again says nothing, so the leader never learns what it holds."""

    def announce(_: Reception) -> None:
        return

    return replaced(Reception, "announce", announce)
