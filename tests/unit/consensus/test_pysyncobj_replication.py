"""What the guards rely on in PySyncObj's replication, following and snapshots (raw SyncObj)."""

import pysyncobj.syncobj as library
from pysyncobj import SyncObjConf
from raw_syncobj import Raw, entries

from kvraft.consensus import envelope
from kvraft.consensus.envelope import NO_OP
from kvraft.consensus.pysyncobj_core import (
    FOLLOWER,
    _configuration,
)
from kvraft.consensus.timing import Timing

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
