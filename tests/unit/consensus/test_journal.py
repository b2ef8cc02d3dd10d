"""The journal: every change recorded, durable as far as the disk says, whole after a restart."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvraft.consensus import envelope, records
from kvraft.consensus.journal import Journal, JournalError
from kvraft.consensus.records import Members, RecordError, Vote
from kvraft.consensus.timing import Flow


@dataclass
class Rec:
    sequence: int
    kind: int
    version: int
    payload: bytes


class Log:
    def __init__(self, found=()):
        self.found = list(found)
        self.sequence = self.found[-1].sequence if self.found else 0
        self.preamble = None

    @property
    def recovered(self):
        return iter(self.found)

    def append(self, kind, version, payload):
        self.sequence += 1
        self.found.append(Rec(self.sequence, kind, version, payload))
        return self.sequence


def command(text):
    return envelope.wrap(text.encode())


def filled(count, term=1):
    journal = Journal(Log())
    for index in range(2, count + 2):
        journal.add(command(f"c{index}"), index, term)
    return journal


def reopened(journal, upto=None):
    found = [one for one in journal._log.found if upto is None or one.sequence <= upto]
    return Journal(Log(found))


def test_a_fresh_journal_is_what_every_node_has():
    journal = Journal(Log())
    assert list(journal.entries) == [(envelope.NO_OP, 1, 0)]
    assert journal.durable
    assert journal.durable_index == 1


def test_all_of_it_comes_back():
    journal = filled(5)
    journal.setCurrentTerm(3, "b")
    journal.set_members(Members(7, 4, {"a": 1, "b": 2}))
    again = reopened(journal)
    assert again.entries == journal.entries
    assert again.vote == Vote(3, "b")
    assert again.members == Members(7, 4, {"a": 1, "b": 2})
    assert again.durable_index == 6


def test_a_power_loss_keeps_a_prefix():
    journal = filled(5)
    again = reopened(journal, upto=3)
    assert again.last_index == 4


def test_durable_index_follows_the_disk_through_cuts():
    journal = filled(5)
    assert journal.durable_index == 1
    journal.on_durable(3)
    assert journal.durable_index == 4
    assert not journal.durable
    journal.deleteEntriesFrom(3)  # entries from index 4 on
    assert journal.durable_index == 3
    journal.add(command("new"), 4, 2)
    journal.on_durable(5)
    assert journal.durable_index == 3, "the old entry 4 was durable, the new one is not"
    journal.on_durable(7)
    assert journal.durable_index == 4
    assert journal.durable


def test_a_gap_is_refused():
    with pytest.raises(JournalError, match="entry 9 behind entry 3"):
        filled(2).add(command("x"), 9, 1)


def test_the_term_never_falls():
    journal = Journal(Log())
    journal.setCurrentTerm(3, None)
    with pytest.raises(JournalError, match="term 2 after term 3"):
        journal.setCurrentTerm(2, None)


def test_syncobj_may_neither_clear_nor_compact():
    journal = filled(2)
    with pytest.raises(JournalError):
        journal.clear()
    with pytest.raises(JournalError):
        journal.deleteEntriesTo(1)
    with journal.adopting():
        journal.clear()
        journal.add(command("ignored"), 77, 1)
    assert journal.last_index == 3


def test_slices_are_bounded_in_entries_and_bytes():
    journal = filled(400)
    assert len(journal[0:]) == len(journal[0:300]) == Flow().apply_batch
    assert journal[5:7] == journal.entries[5:7]
    assert journal[400:] == journal.entries[400:]
    assert journal[401:402] == []
    assert journal[-1] == journal.entries[-1]
    small = filled(5)
    small._flow = Flow(apply_bytes=2 * len(small.entries[1].command))
    assert len(small[1:6]) == 2
    small._flow = Flow(apply_bytes=1)
    assert len(small[1:6]) == 1, "never nothing"


def test_the_commit_index_is_not_believed():
    journal = filled(4)
    journal.setRaftCommitIndex(5)
    assert reopened(journal).getRaftCommitIndex() == 1
    again = Journal(Log(journal._log.found), distrust_stored_commit=False)
    assert again.getRaftCommitIndex() == 5


def test_align_keeps_what_extends_the_snapshot():
    journal = filled(5)
    journal.align(4, 1)
    assert (journal.first_index, journal.last_index) == (1, 6)


def test_align_restarts_where_the_log_differs_or_ends():
    for index, term in ((4, 9), (50, 1)):
        journal = filled(5)
        journal.align(index, term)
        assert [entry[1:] for entry in journal.entries] == [(index, term)]
        assert journal.durable_index == 0
        again = reopened(journal)
        assert [entry[1:] for entry in again.entries] == [(index, term)]


def test_align_takes_the_term_of_a_snapshot_that_the_log_has_not_heard_of():
    """The crash came between the fsync of an installed snapshot and that of the log's new term."""
    journal = filled(5)
    term = journal.vote.term
    journal.align(50, term + 2)
    assert journal.vote == Vote(term + 2, None)
    assert reopened(journal).vote == journal.vote


def test_align_leaves_a_newer_vote_alone():
    journal = filled(5)
    journal.setCurrentTerm(7, "b")
    journal.align(50, 6)
    assert journal.vote == Vote(7, "b")


def test_a_hole_is_refused_with_advice():
    journal = filled(20)
    journal.trim(15, 0)
    with pytest.raises(JournalError, match=r"begins at entry 15.*ends at 9.*--rejoin"):
        journal.align(9, 1)


def test_trim_keeps_a_tail_and_names_what_the_disk_needs():
    journal = filled(20)
    size = len(journal.entries[-1].command)
    needed = journal.trim(18, 3 * size)
    assert journal.first_index == 15
    assert needed == 14  # record 14 added entry 15
    later = [one for one in journal._log.found if one.sequence >= needed]
    again = Journal(Log(later))
    again.align(18, 1)
    assert again.first_index == 15
    assert again.last_index == 21


def test_trim_never_takes_what_the_snapshot_lacks():
    journal = filled(5)
    journal.trim(3, 0)
    assert journal.first_index == 3
    assert journal.last_index == 6


def test_a_segment_opens_with_vote_and_members():
    journal = filled(3)
    journal.setCurrentTerm(5, "c")
    journal.set_members(Members(9, 3, {"a": 4}))
    head = [Rec(0, *one) for one in journal._log.preamble()]
    again = Journal(Log(head))
    assert again.vote == journal.vote
    assert again.members == journal.members


def test_a_spent_vote_lasts_for_its_term_only():
    journal = Journal(Log())
    journal.setCurrentTerm(4, None)
    journal.spend_vote()
    again = reopened(journal)
    assert again.vote == Vote(4, None, spent=True, rejoined=True)
    again.setCurrentTerm(5, "b")
    assert again.vote == Vote(5, "b", spent=False, rejoined=True)


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (Rec(1, records.ADD, 2, b""), "version 2"),
        (Rec(1, records.ADD, 1, b"short"), "malformed"),
        (Rec(1, 9, 1, b""), "unknown kind 9"),
        (Rec(1, records.TERM, 1, records.pack_vote(Vote(1)) + b"\xff"), "malformed"),
        (
            Rec(1, records.MEMBERS, 1, records.pack_members(Members(1, 1, {"a": 1})) + b"x"),
            "behind",
        ),
    ],
)
def test_a_record_that_makes_no_sense_stops_the_start(record, text):
    with pytest.raises(RecordError, match=text):
        Journal(Log([record]))


def test_entries_out_of_order_stop_the_start():
    journal = filled(3)
    del journal._log.found[1]
    with pytest.raises(RecordError, match="adds entry 4 behind entry 2"):
        reopened(journal)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.binary(max_size=5)),
            st.tuples(st.just("cut"), st.integers(1, 8)),
            st.tuples(st.just("term"), st.integers(0, 2)),
            st.tuples(st.just("trim"), st.integers(0, 40)),
        ),
        max_size=40,
    ),
    st.integers(0, 40),
)
def test_any_prefix_on_disk_is_the_log_of_that_moment(operations, survive):
    journal = Journal(Log())
    states = {0: (list(journal.entries), journal.vote)}
    for kind, value in operations:
        if kind == "add":
            journal.add(envelope.wrap(value), journal.last_index + 1, journal.vote.term)
        elif kind == "cut" and value < len(journal):
            journal.deleteEntriesFrom(value)
        elif kind == "term":
            journal.setCurrentTerm(journal.vote.term + value, None)
        elif kind == "trim":
            journal.trim(journal.last_index, value)
        states[journal.sequence] = (list(journal.entries), journal.vote)
    survive = min(survive, journal.sequence)
    again = reopened(journal, upto=survive)
    entries, vote = states[survive]
    assert again.vote == vote
    assert again.entries[-len(entries) :] == entries, "trimming forgets, it does not change"
