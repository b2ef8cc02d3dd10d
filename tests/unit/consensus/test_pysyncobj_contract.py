"""What the guards rely on in PySyncObj, held against a raw SyncObj on a fake transport.

On any other version this file, not the cluster, must be the first to know. Messages are private
content behind a public interface; so each kind is pinned, and so is the handling of each.
"""

import pickle
import zlib
from types import SimpleNamespace

import pysyncobj.syncobj as library
import pytest
from pysyncobj import SyncObjConf

from kvraft.consensus import envelope
from kvraft.consensus.envelope import NO_OP
from kvraft.consensus.journal import Journal
from kvraft.consensus.pysyncobj_core import (
    CANDIDATE,
    FOLLOWER,
    LEADER,
    TESTED_SHA256,
    TESTED_VERSION,
    Core,
    PeerNode,
    UntestedLibraryError,
    _configuration,
    check_version,
)
from kvraft.consensus.timing import Flow, Timing


class Log:
    def __init__(self):
        self.sequence, self.recovered, self.preamble = 0, (), None

    def append(self, kind, version, payload):
        self.sequence += 1
        return self.sequence


class Raw:
    """One SyncObj as `Core` builds it, with everything it sends and does written down."""

    def __init__(self, monkeypatch, peers="bc"):
        self.now = 10.0
        monkeypatch.setattr(library, "monotonicTime", self.clock)
        self.sent, self.applied, self.states = [], [], []
        self.journal = Journal(Log())
        self.core = Core(
            "a",
            tuple(peers),
            self.journal,
            Timing(),
            send=self.send,
            on_entry=self.applied.append,
            on_state=lambda old, new: self.states.append((old, new)),
        )

    def clock(self):
        self.now += 1e-6
        return self.now

    def send(self, peer, message):
        self.sent.append((peer, message))
        return True

    def take(self, kind=None):
        sent, self.sent = self.sent, []
        return [(p, m) for p, m in sent if kind is None or m["type"] == kind]

    def deliver(self, peer, **message):
        self.core._outlet.deliver(self.core._nodes[peer] if peer else None, message)

    def lead(self):
        self.core.connected("b")
        self.core.connected("c")
        self.core.campaign()
        self.core.vote_granted("b", self.core.term)
        assert self.core.state == LEADER
        return self


@pytest.fixture
def raw(monkeypatch):
    return Raw(monkeypatch)


def entries(*numbered):
    return [(envelope.wrap(b"%d" % index), index, term) for index, term in numbered]


# -- which library


def test_the_tested_version_is_installed():
    check_version()


def test_another_version_is_refused_by_name():
    with pytest.raises(UntestedLibraryError, match=r"0\.3\.14.*0\.3\.17"):
        check_version(version="0.3.14")


def test_another_source_is_refused_by_its_hash(tmp_path):
    other = tmp_path / "syncobj.py"
    other.write_text("patched")
    with pytest.raises(UntestedLibraryError, match=TESTED_SHA256[:12]) as caught:
        check_version(source=other, version=TESTED_VERSION)
    assert "pip install" in str(caught.value)


# -- construction


def test_the_journal_is_injected_and_the_module_is_as_before(monkeypatch):
    before = library.createJournal
    raw = Raw(monkeypatch)
    assert library.createJournal is before
    raw.lead()
    assert raw.journal.last_index == 2, "SyncObj appends to our journal"
    assert raw.journal.vote.voted_for == "a"


def test_a_library_that_ignores_the_journal_is_refused(monkeypatch):
    def build(*_args, **_kwargs):
        return SimpleNamespace(_methodToID={"entry_v0": 0})

    monkeypatch.setattr("kvraft.consensus.pysyncobj_core._Machine", build)
    with pytest.raises(UntestedLibraryError, match="did not take the journal"):
        Raw(monkeypatch)


def test_no_pipe_no_threads_no_sockets(raw):
    assert library.PIPE_NOTIFIER_ENABLED is False
    assert not hasattr(raw.core._machine, "_SyncObj__pipeNotifier")
    assert not raw.core._machine.tick_thread_alive()


def test_an_empty_journal_would_start_with_the_no_op_we_assume():
    class Recorded(list):
        def add(self, command, index, term):
            self.append((command, index, term))

        def getCurrentTerm(self):  # noqa: N802
            return 0

        def getVotedForNodeId(self):  # noqa: N802
            return None

        def getRaftCommitIndex(self):  # noqa: N802
            return 1

    recorded, original = Recorded(), library.createJournal
    library.createJournal = lambda _path: recorded
    try:
        library.SyncObj(
            PeerNode("a"),
            [PeerNode("b")],
            conf=_configuration(Timing(), lambda *_: None),
            transport=library.Transport(None, None, None),
        )
    finally:
        library.createJournal = original
    assert recorded == [(NO_OP, 1, 0)]


def test_node_hashes_do_not_depend_on_the_process():
    assert hash(PeerNode("n1")) == zlib.crc32(b"n1")
    assert PeerNode("n1") == PeerNode("n1")
    assert PeerNode("n1") != PeerNode("n2")


# -- commands


@pytest.mark.parametrize("payload", [b"", b"x", b"\x00" * 300, b"y" * 70_000])
def test_the_envelope_is_the_pickle_that_syncobj_reads(payload):
    command = envelope.wrap(payload)
    assert command[:1] == b"\x00"
    assert pickle.loads(command[1:]) == (0, (payload,))
    assert bytes(envelope.payload_of(command)) == payload


def test_a_proposal_is_appended_at_the_next_tick_and_applied_once(raw):
    raw.lead()
    raw.core.propose(b"hello")
    assert raw.journal.last_index == 2
    raw.core.tick()
    assert raw.journal.entries[-1].command == envelope.wrap(b"hello")
    raw.core.matched("b", 3)
    raw.core.tick()
    assert raw.applied == [b"hello"]
    assert raw.core.applied == raw.core.commit == 3


def test_applied_is_one_behind_while_an_entry_is_applied(raw):
    seen = []
    raw.core._machine.on_entry = lambda _payload: seen.append(raw.core.applied)
    raw.lead()
    raw.core.propose(b"x")
    raw.core.tick()
    raw.core.matched("b", 3)
    raw.core.tick()
    assert seen == [2]


def test_an_exception_in_apply_leaves_the_tick(raw):
    def fail(_payload):
        raise RuntimeError("bug")

    raw.core._machine.on_entry = fail
    raw.lead()
    raw.core.propose(b"x")
    raw.core.tick()
    raw.core.matched("b", 3)
    with pytest.raises(RuntimeError):
        raw.core.tick()
    assert raw.core.applied == 2, "it would be applied again: the node must stop"


def test_a_proposal_of_a_deposed_leader_is_dropped_not_kept(raw):
    raw.lead()
    raw.core.propose(b"x")
    raw.core.adopt_term(9)
    raw.core.tick()
    assert raw.journal.last_index == 2
    assert raw.take("apply_command") == []
    raw.core.campaign()
    raw.core.vote_granted("b", raw.core.term)
    raw.core.tick()
    assert raw.journal.entries[-1].command == NO_OP


def test_it_applies_a_bounded_part_a_tick_and_goes_on(raw):
    """Gap row 24: the slice it takes to apply may be shorter than it asked for."""
    raw.journal._flow = Flow(apply_batch=10)
    raw.core.append("b", 1, (1, 0), entries(*((at, 1) for at in range(2, 27))), 26)
    counts = []
    for _ in range(4):
        raw.core.tick()
        counts.append(len(raw.applied))
    assert counts == [10, 20, 25, 25]
    assert raw.core.applied == raw.core.commit == 26


# -- elections


def test_its_own_timer_never_fires(raw):
    raw.core.connected("b")
    raw.now += 1e9
    raw.core.tick()
    assert raw.core.state == FOLLOWER
    assert raw.core.term == 0


def test_campaign_asks_every_peer_in_the_next_term(raw):
    raw.core.connected("b")
    raw.core.campaign()
    assert raw.core.state == CANDIDATE
    assert sorted(raw.take("request_vote"), key=str) == [
        (peer, {"type": "request_vote", "term": 1, "last_log_index": 1, "last_log_term": 0})
        for peer in "bc"
    ]
    assert (raw.journal.vote.term, raw.journal.vote.voted_for) == (1, "a")


def test_campaign_works_while_another_is_followed(raw):
    raw.core.append("b", 3, (1, 0), [], 0)
    raw.core.connected("b")
    raw.core.campaign()
    assert raw.core.state == CANDIDATE
    assert raw.core.term == 4


def test_votes_are_counted_by_reply_not_by_voter(monkeypatch):
    raw = Raw(monkeypatch, peers="bcde")
    raw.core.connected("b")
    raw.core.campaign()
    raw.core.vote_granted("b", 1)
    assert raw.core.state == CANDIDATE
    raw.core.vote_granted("b", 1)
    assert raw.core.state == LEADER, "so the guard must count each voter once"


def test_a_vote_is_granted_once_a_term_and_recorded(raw):
    raw.core.request_vote("b", 5, 1, 0)
    assert raw.take() == [("b", {"type": "response_vote", "term": 5})]
    assert (raw.journal.vote.term, raw.journal.vote.voted_for) == (5, "b")
    raw.core.request_vote("c", 5, 9, 4)
    raw.core.request_vote("b", 5, 1, 0)
    assert raw.take() == [], "not even again to the same candidate"


def test_a_request_with_last_term_minus_one_bumps_the_term_and_votes_for_nobody(raw):
    raw.lead()
    raw.take()
    raw.core.adopt_term(7)
    assert (raw.core.state, raw.core.term) == (FOLLOWER, 7)
    assert raw.journal.vote.voted_for is None
    assert raw.take() == []
    assert raw.states[-1] == (LEADER, FOLLOWER)


def test_an_older_log_gets_no_vote(raw):
    raw.core.append("b", 1, (1, 0), entries((2, 1)), 0)
    raw.take()
    raw.core.request_vote("c", 2, 1, 0)
    assert raw.take() == []


def test_resign_steps_down_in_the_same_term(raw):
    raw.lead()
    raw.core.resign()
    assert (raw.core.state, raw.core.term) == (FOLLOWER, 1)
    raw.core.tick()
    assert raw.core._configuration.leaderFallbackTimeout == 1e12


def test_a_leader_never_falls_back_by_itself(raw):
    raw.lead()
    raw.now += 1e6
    raw.core.tick()
    assert raw.core.state == LEADER


def test_a_new_leader_appends_a_no_op(raw):
    raw.lead()
    assert raw.journal.entries[-1] == (NO_OP, 2, 1)
    assert raw.states == [(FOLLOWER, CANDIDATE), (CANDIDATE, LEADER)]


# -- replication


def test_appends_go_to_connected_peers_only_and_move_next_index(raw):
    raw.lead()
    appends = raw.take("append_entries")
    first = appends[0][1]
    assert first == {
        "type": "append_entries",
        "term": 1,
        "commit_index": 1,
        "entries": [(NO_OP, 2, 1)],
        "prevLogIdx": 1,
        "prevLogTerm": 0,
    }
    raw.core.disconnected("c")
    raw.core.propose(b"x")
    raw.core.tick()
    sent = raw.take("append_entries")
    assert {peer for peer, _ in sent} == {"b"}
    assert sent[0][1]["prevLogIdx"] == 2, "it takes what it sent for sent"


def test_disconnecting_inside_send_ends_the_burst(raw):
    raw.lead()
    raw.take()
    for at in range(1000):
        raw.core.propose(b"%d" % at)
    raw.core.disconnected("b")
    raw.core.disconnected("c")
    raw.core.tick()
    assert raw.take() == []
    raw.core.connected("b")
    raw.core._outlet._forward = lambda p, m: (raw.sent.append((p, m)), raw.core.disconnected(p))
    raw.now += 1
    raw.core.tick()
    assert len(raw.take()) == 1


def test_reset_moves_next_index_and_leaves_match(raw):
    raw.lead()
    raw.core.propose(b"x")
    raw.core.tick()
    raw.take()
    raw.core.next_index("b", 4)
    raw.now += 1
    raw.core.tick()
    message = next(m for p, m in raw.take() if p == "b")
    assert (message["prevLogIdx"], message["entries"]) == (3, [])
    assert raw.core.commit == 1, "a position is no acknowledgement"


def test_a_growing_match_rewinds_next_index_a_repeated_one_does_not(raw):
    raw.lead()
    for at in range(3):
        raw.core.propose(b"%d" % at)
    raw.core.tick()
    raw.take()
    raw.core.matched("b", 3)
    raw.now += 1
    raw.core.tick()
    assert next(m for p, m in raw.take() if p == "b")["prevLogIdx"] == 3
    raw.core.next_index("b", 6)
    raw.core.matched("b", 3)
    raw.now += 1
    raw.core.tick()
    assert next(m for p, m in raw.take() if p == "b")["prevLogIdx"] == 5


def test_it_counts_itself_at_once(raw):
    """Why matches are clamped to our own durable index (gap row 5)."""
    raw.lead()
    assert raw.journal.durable_index == 1
    raw.core.matched("b", 2)
    raw.core.tick()
    assert raw.core.commit == 2


def test_only_entries_of_the_own_term_commit_by_counting(monkeypatch):
    raw = Raw(monkeypatch)
    raw.core.append("b", 1, (1, 0), entries((2, 1), (3, 1)), 0)
    raw.lead()
    raw.core.matched("b", 3)
    raw.core.tick()
    assert raw.core.commit == 1
    raw.core.matched("b", 4)
    raw.core.tick()
    assert raw.core.commit == 4


def test_an_unknown_position_is_sent_with_no_previous_entry(raw):
    raw.lead()
    raw.take()
    raw.core.next_index("b", 50)
    raw.now += 1
    raw.core.tick()
    assert next(m for p, m in raw.take() if p == "b")["prevLogIdx"] is None


def test_below_the_log_it_offers_a_snapshot(raw):
    assert raw.core.load(1, 0)  # as every start does: else it has nothing to offer, and logs that
    raw.lead()
    raw.take()
    raw.core.next_index("b", 1)
    raw.core._outlet._forward = lambda p, m: (raw.sent.append((p, m)), raw.core.disconnected(p))
    raw.now += 1
    raw.core.tick()
    kinds = [set(m) for p, m in raw.take() if p == "b"]
    assert kinds == [{"type", "term", "commit_index", "serialized"}]


def test_big_entries_are_never_cut(raw):
    raw.lead()
    raw.take()
    raw.core.propose(b"z" * (5 << 20))
    raw.core.tick()
    assert all("transmission" not in message for _, message in raw.take())


# -- following


def test_a_plain_append_truncates_even_where_all_matches(raw):
    """Gap row 1, the reason for `reception`."""
    raw.core.append("b", 1, (1, 0), entries((2, 1), (3, 1), (4, 1)), 0)
    raw.core.append("b", 1, (1, 0), entries((2, 1)), 0)
    assert raw.journal.last_index == 2


def test_an_empty_append_at_the_own_end_changes_nothing(raw):
    raw.core.append("b", 1, (1, 0), entries((2, 1), (3, 1)), 0)
    before = raw.journal.sequence
    raw.core.append("b", 1, (3, 1), [], 2)
    assert raw.journal.sequence == before
    assert raw.core.commit == 2


def test_a_normalised_append_is_added_and_answered(raw):
    raw.core.append("b", 2, (1, 0), entries((2, 2)), 0)
    assert raw.core.term == 2
    answer = raw.take()[-1]
    assert answer == (
        "b",
        {"type": "next_node_idx", "next_node_idx": 3, "reset": False, "success": True},
    )


def test_a_candidate_follows_an_append_of_its_term(raw):
    raw.core.connected("b")
    raw.core.campaign()
    raw.core.append("b", 1, (1, 0), [], 0)
    assert raw.core.state == FOLLOWER


def test_commit_is_bounded_by_the_log(raw):
    raw.core.append("b", 1, (1, 0), entries((2, 1)), 99)
    assert raw.core.commit == 2


def test_a_snapshot_piece_commits_what_is_here(raw):
    """Gap row 3, the reason why SyncObj never sees one."""
    raw.core.append("b", 1, (1, 0), entries((2, 1)), 0)
    raw.core.snapshot_piece("b", 1, 2)
    assert raw.core.commit == 2


# -- snapshots


def test_load_moves_applied_and_commit_and_leaves_the_journal_alone(raw):
    raw.journal.reset(40, 3)
    before = raw.journal.sequence
    assert raw.core.load(40, 3)
    assert (raw.core.applied, raw.core.commit) == (40, 40)
    assert raw.journal.sequence == before
    raw.core.append("b", 3, (40, 3), entries((41, 3)), 41)
    raw.core.tick()
    assert raw.applied == [b"41"]


def test_load_keeps_a_suffix(raw):
    raw.core.append("b", 1, (1, 0), entries((2, 1), (3, 1), (4, 1)), 0)
    assert raw.core.load(3, 1)
    assert (raw.core.applied, raw.journal.last_index) == (3, 4)


def test_load_does_not_change_the_role_or_the_term(raw):
    raw.core.append("b", 6, (1, 0), [], 0)
    raw.journal.reset(9, 5)
    assert raw.core.load(9, 5)
    assert (raw.core.state, raw.core.term, raw.states) == (FOLLOWER, 6, [])


def test_a_failing_load_is_swallowed_so_the_result_is_checked(raw, monkeypatch):
    monkeypatch.setattr(envelope, "snapshot_notice", lambda *_: b"not gzip")
    library.logger.disabled = True
    try:
        raw.journal.reset(9, 1)
        assert not raw.core.load(9, 1)
    finally:
        library.logger.disabled = False


def test_it_never_compacts_by_itself(raw):
    raw.lead()
    for at in range(50):
        raw.core.propose(b"%d" % at)
    raw.core.tick()
    raw.core.matched("b", raw.journal.last_index)
    for _ in range(20):
        raw.now += 1e6
        raw.core.tick()
    assert raw.journal.first_index == 1


def test_no_utility_message_reaches_it():
    conf = _configuration(Timing(), lambda *_: None)
    assert isinstance(conf, SyncObjConf)
    assert not conf.dynamicMembershipChange
    assert conf.fullDumpFile is None
    assert conf.journalFile is None
    assert conf.password is None
