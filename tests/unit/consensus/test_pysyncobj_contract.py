"""What the guards rely on in PySyncObj, held against a raw SyncObj on a fake transport.

On any other version this file, not the cluster, must be the first to know. Messages are private
content behind a public interface; so each kind is pinned, and so is the handling of each.
"""

import pickle
import zlib
from types import SimpleNamespace

import pysyncobj.syncobj as library
import pytest
from raw_syncobj import Raw, entries

from kvraft.consensus import envelope
from kvraft.consensus.envelope import NO_OP
from kvraft.consensus.pysyncobj_core import (
    CANDIDATE,
    FOLLOWER,
    LEADER,
    TESTED_SHA256,
    TESTED_VERSION,
    PeerNode,
    UntestedLibraryError,
    _configuration,
    check_version,
)
from kvraft.consensus.timing import Flow, Timing

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


def test_it_says_each_change_of_its_commit_index_before_anything_follows_from_it(raw):
    """So nobody has to ask it: `Core.commit` is what the journal was told last."""
    told = []

    def look(*_):
        told.append((raw.core.commit, raw.core._machine.raftCommitIndex))
        return True

    raw.core._machine.on_entry = look
    raw.core._outlet._forward = look
    look()
    raw.core.append("b", 1, (1, 0), entries((2, 1), (3, 1), (4, 1)), 3)
    raw.core.tick()
    raw.core.append("b", 2, (3, 1), entries((4, 2)), 4)  # truncates
    raw.core.tick()
    look()
    raw.core._machine.on_entry, raw.core._outlet._forward = look, raw.send
    raw.lead()
    raw.core._outlet._forward = look
    for at in range(5, 8):
        raw.core.propose(b"x")
        raw.core.tick()
        raw.core.matched("b", at + 1)
        raw.core.tick()
        look()
    raw.journal.reset(40, 3)
    assert raw.core.load(40, 3)
    look()
    assert {commit for commit, _ in told} >= {1, 3, 4, 6, 7, 8}
    assert all(commit == own for commit, own in told)


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
