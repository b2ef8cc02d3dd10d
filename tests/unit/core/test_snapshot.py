"""A state as bytes and back: every section, and the first state after a restore."""

from dataclasses import replace

import pytest
from core_sections import (
    DONE,
    HASH,
    counters,
    event,
    history,
    invariants,
    key,
    keyed,
    keys,
    leases,
    sequences,
    sessions,
    state,
)
from core_states import (
    MEMBERS,
    apply,
    asked,
    bootstrapped,
    digest,
    encoding,
    full,
    loaded,
    with_locks,
)

from kvraft.core.commands import (
    Bootstrap,
    GuardPrefix,
    KeyIdentity,
    LeaseGrant,
    Member,
    MemberDisk,
    Put,
    Resolve,
    SessionIdentity,
    SessionOpen,
    SetInvariant,
)
from kvraft.core.errors import CodecError, Reason
from kvraft.core.history import Cause, Event, Revision
from kvraft.core.layout import MAGIC, SECTION_HEADER, Section
from kvraft.core.limits import REVISION_LEAP, ApplyLimits
from kvraft.core.machine import StateMachine
from kvraft.core.outcomes import ABANDONED, sequence_number
from kvraft.core.results import DeleteResult, KeyValue, Refused, Replayed, Resolved
from kvraft.core.snapshot import restored, revision_of
from kvraft.core.state import State

FIRST = SetInvariant(b"a", False, minimum=-5, maximum=5)
SECOND = SetInvariant(b"a", True, immutable=True)


def test_the_sections_are_these():
    """Whoever adds state adds a section, or a version: this list is the promise (RULES I15)."""
    assert [item.name for item in Section] == [
        "COUNTERS",
        "CLUSTER",
        "MEMBERS",
        "LIMITS",
        "LEASES",
        "KEYS",
        "SESSIONS",
        "SESSION_OUTCOMES",
        "KEY_OUTCOMES",
        "INVARIANTS",
        "HISTORY",
        "PLACES",
        "ENDED_PLACES",
        "GUARDS",
        "END",
    ]
    assert sections_of(encoding(StateMachine())) == list(Section)


def sections_of(empty):
    offset, seen = len(MAGIC), []
    while offset < len(empty):
        kind, version, size = SECTION_HEADER.unpack_from(empty, offset)
        assert version == (3 if kind in {Section.COUNTERS, Section.LIMITS} else 1)
        seen.append(Section(kind))
        offset += SECTION_HEADER.size + size
    return seen


def test_every_field_of_the_machine_is_in_the_encoding():
    """Each of these changes one thing of the state, and so must change the bytes."""
    machine = full()
    seen = {encoding(machine)}

    def counts_as_new():
        before = len(seen)
        seen.add(encoding(machine))
        return len(seen) == before + 1

    machine.index += 1
    assert counts_as_new()
    machine.revision += 1
    assert counts_as_new()
    machine.cluster_time_ms += 1
    assert counts_as_new()
    machine.next_token += 1
    assert counts_as_new()
    machine._leases.next_id += 1
    assert counts_as_new()
    machine.cluster_id += 1
    assert counts_as_new()
    machine.limits = ApplyLimits(leases=1)
    assert counts_as_new()
    machine._member_disk(MemberDisk(Member("n1", 1)))
    assert counts_as_new()
    machine._leases.renew(5, 99_999)
    assert counts_as_new()
    machine._keyspace.put(b"c", (b"4", 6, 6, 2, 0))
    assert counts_as_new()
    machine._identities.sessions.next_id += 1
    assert counts_as_new()
    machine._identities.sessions.use(1, 2, 50)
    assert counts_as_new()
    machine._identities.sessions.use(1, 2, 51)
    assert counts_as_new()
    machine._identities.outcomes.add_sequence(2, 9, 1, ABANDONED)
    assert counts_as_new()
    machine._identities.outcomes.add_key(b"new", 60, 1, ABANDONED)
    assert counts_as_new()
    machine._invariants.replace(SetInvariant(b"i", True, minimum=1), machine.limits)
    assert counts_as_new()
    machine._history.compacted_revision += 1
    assert counts_as_new()
    machine._places.next_id += 1
    assert counts_as_new()
    event = Event(b"d", (b"", 99, 99, 1, 0), None, Cause.REQUEST)
    machine._history.append(Revision(99, 60, (event,)))
    assert counts_as_new()


def test_every_slot_of_the_machine_is_accounted_for():
    assert StateMachine.__slots__ == ()
    assert set(State.__slots__) == {
        "_ended",
        "_ending_leases",  # of the entry that is being applied: no state
        "_ending_places",  # the same
        "_grants_left",  # the same
        "_guards",
        "_history",
        "_identities",
        "_invariants",
        "_keyspace",
        "_leases",
        "_members",
        "_places",
        "_unsettled",  # follows from the places
        "changes",  # of the last entry only: no state
        "cluster_id",
        "cluster_time_ms",
        "index",
        "limits",
        "lock_changes",  # of the last entry only: no state
        "next_token",
        "revision",
        "revisions",  # of the last entry only: no state
    }


def test_the_encoding_of_a_small_state_stays():
    """Snapshots outlive the code: this literal may only ever be joined by another version's."""
    machine = bootstrapped()
    apply(machine, Put(b"k", b"v", ttl_ms=1_000), at=5)
    assert digest(machine) == "1a03bee0c3118b55fdabf3558b9bde27912fc4b60ca33a2842d8e7d6a0f437ee"


@pytest.mark.parametrize("piece", [1, 5, 1 << 20])
def test_a_state_returns_fed_in_any_pieces(piece):
    machine = full()
    again = loaded(encoding(machine), piece)
    assert digest(again) == digest(machine)
    everything = {"limit": 99, "max_bytes": 999}
    assert again.page(b"", None, **everything) == machine.page(b"", None, **everything)
    assert again.list_leases(0, 9) == machine.list_leases(0, 9)
    assert again.members == machine.members
    assert again.limits == machine.limits
    for name in (
        "index",
        "revision",
        "cluster_time_ms",
        "cluster_id",
        "state_bytes",
        "lease_count",
    ):
        assert getattr(again, name) == getattr(machine, name)


def test_a_reloaded_state_goes_on_alike():
    machine = full()
    again = loaded(encoding(machine))
    for at, command in ((300, LeaseGrant(1_000)), (3_200, Put(b"d", b"")), (9_000, Put(b"e", b""))):
        assert apply(again, command, at=at) == apply(machine, command, at=at)
        assert digest(again) == digest(machine)


def test_a_reloaded_state_names_the_same_invariant():
    """A refusal may be recorded: its words are state, and must not depend on who set what first."""
    machine = bootstrapped()
    for prefix in (b"aa", b"a", b"aaa"):
        apply(machine, SetInvariant(prefix, True, minimum=0))
    again = loaded(encoding(machine))
    request = asked(Put(b"aaaa", b"-1"), KeyIdentity(b"id"))
    assert apply(again, request) == apply(machine, request)
    assert digest(again) == digest(machine)


def test_the_hand_made_state_of_these_tests_loads():
    machine = loaded(
        state(
            leases=leases((3, 1_000, 50, 0), (4, 1_000, 60, 1)),
            keys=keys(key(b"a", lease_id=3), key(b"b", lease_id=4), key(b"c", b"", 2, 5, 3)),
            counters=counters(3, next_session=3),
            sessions=sessions((2, 4, 100)),
            sequences=sequences((1, 8, 2, DONE), (2, 3, 2, DONE), (2, 4, 0, ABANDONED)),
            keyed=keyed((95, 2, b"k2", DONE), (95, 3, b"k1", HASH + b"\1" + DONE[17:])),
            invariants=invariants(FIRST, SECOND),
            history=history(
                event(4, b"c", (2, 2, 1, 0)),
                event(4, b"d"),
                event(5, b"c", (2, 4, 2, 0)),
                event(5, b"d", (4, 4, 1, 0), cause=2),
            ),
        )
    )
    assert machine.invariants() == (FIRST, SECOND)
    assert [event.cause for event in machine.history_after(4, 9)[0].events] == [1, 2]
    assert machine.get_at(b"d", 4) == KeyValue(b"d", b"v", 4, 4, 1, 0)
    assert machine.get_at(b"d", 5) is machine.get_at(b"d", 3) is None
    assert machine.get_at(b"c", 3) == KeyValue(b"c", b"v", 2, 2, 1, 0)
    assert machine.describe_lease(3).keys == (b"a",)
    assert machine.describe_lease(4).keys == (b"b",)
    assert machine.get(b"c") == KeyValue(b"c", b"", 2, 5, 3, 0)
    assert (machine.index, machine.revision, machine.cluster_time_ms) == (9, 5, 100)
    assert apply(machine, Resolve(SessionIdentity(2, 4, 4))) == Resolved(None)
    assert apply(machine, Resolve(KeyIdentity(b"k1"))) == Resolved(DeleteResult(1), 3, omitted=True)
    assert list(machine._identities.outcomes.sequences.between(0, None)) == [
        sequence_number(2, 4)
    ], "what nobody may ask for is pruned by the next entry"


def test_the_revision_stands_in_the_first_bytes():
    machine = full()
    whole = encoding(machine)
    assert revision_of(whole) == revision_of(whole[:83]) == machine.revision
    for raw in (whole[:82], b"", b"x" * 80, MAGIC + bytes(80)):
        with pytest.raises(CodecError):
            revision_of(raw)


def test_a_restore_hands_out_nothing_a_second_time():
    machine = full()
    old = machine.revision
    lease_id = apply(machine, LeaseGrant(1_000)).lease_id
    session_id = apply(machine, SessionOpen()).session_id
    token = machine.next_token
    first = restored(loaded(encoding(machine)), index=3)
    assert (first.index, first.cluster_id, dict(first.members)) == (3, 0, {})
    assert first.revision == old + 1 + REVISION_LEAP
    assert first.next_token == token + REVISION_LEAP
    assert first.cluster_time_ms == machine.cluster_time_ms
    assert first.get(b"c") == machine.get(b"c")
    assert first.list_leases(0, 9) == machine.list_leases(0, 9)
    assert first.invariants() == machine.invariants()
    apply(first, Bootstrap(8, MEMBERS, ApplyLimits()))
    assert first.cluster_id == 8
    assert apply(first, LeaseGrant(1_000)).lease_id == lease_id + 1 + REVISION_LEAP
    assert apply(first, SessionOpen()).session_id == session_id + 1 + REVISION_LEAP
    assert digest(loaded(encoding(first))) == digest(first)


def test_a_restore_ends_sessions_and_keeps_what_was_done_under_keys():
    """Sessions were the old cluster's; a key's owner cannot know that there is a new one."""
    machine = full()
    apply(machine, asked(Put(b"c", b"5"), SessionIdentity(2, 3, 2)))
    first = restored(loaded(encoding(machine)))
    replay = apply(first, asked(Put(b"c", b"2"), KeyIdentity(b"id")))
    assert isinstance(replay, Replayed)
    burned = apply(first, asked(Put(b"c", b"2"), KeyIdentity(b"burned")))
    assert burned.reason is Reason.ABANDONED
    ended = apply(first, asked(Put(b"c", b"2"), SessionIdentity(2, 1, 1)))
    assert isinstance(ended, Refused)
    assert ended.reason is Reason.SESSION_EXPIRED
    assert first.session_count == 0
    outcomes = first._identities.outcomes
    assert len(outcomes) == len(outcomes.keyed) == 2
    assert outcomes.size_bytes == loaded(encoding(first))._identities.outcomes.size_bytes


def test_a_restore_begins_a_new_history():
    """Whoever watches from before must be told that it missed something."""
    first = restored(full())
    assert first.compacted_revision == first.revision
    assert first.history_after(first.compacted_revision, 9) == []
    assert first.get_at(b"c", first.revision) == first.get(b"c")
    apply(first, Put(b"c", b"new"))
    assert first.get_at(b"c", first.compacted_revision).value == b"4"
    assert digest(loaded(encoding(first))) == digest(first)


CHANGES = {
    Section.COUNTERS: lambda machine: setattr(machine, "next_token", 99),
    Section.CLUSTER: lambda machine: setattr(machine, "cluster_id", 99),
    Section.MEMBERS: lambda machine: machine._member_disk(MemberDisk(Member("n1", 99))),
    Section.LIMITS: lambda machine: setattr(machine, "limits", ApplyLimits(leases=99)),
    Section.LEASES: lambda machine: machine._leases.renew(5, 99_999),
    Section.KEYS: lambda machine: machine._keyspace.put(b"c", (b"rot", 2, 5, 3, 0)),
    Section.SESSIONS: lambda machine: machine._identities.sessions.use(1, 2, 50),
    Section.SESSION_OUTCOMES: lambda machine: rot(machine._identities.outcomes.sequences),
    Section.KEY_OUTCOMES: lambda machine: rot(machine._identities.outcomes.keyed),
    Section.INVARIANTS: lambda machine: machine._invariants.replace(FIRST, machine.limits),
    Section.HISTORY: lambda machine: machine._history._chunks[0].causes.__setitem__(0, 2),
    Section.PLACES: lambda machine: machine._places.replace(
        1, machine._places.live(1)._replace(attach_deadline_ms=99_999)
    ),
    Section.ENDED_PLACES: lambda machine: rot_ending(machine._ended.table),
    Section.GUARDS: lambda machine: machine._guards.replace(GuardPrefix(b"g"), machine.limits),
}


def rot(outcomes):
    first = next(outcomes.between(0, None))
    *head, packed = outcomes.get(first)
    outcomes.put(first, (*head, packed[:-1] + bytes((packed[-1] ^ 1,))))


def rot_ending(ended):
    first = next(ended.between(0, None))
    *head, ending = ended.get(first)
    ended.put(first, (*head, ending % 5 + 1))


def test_no_section_is_left_out_of_the_rot():
    assert set(CHANGES) == set(Section) - {Section.END}


@pytest.mark.parametrize("part", CHANGES, ids=lambda part: part.name)
def test_the_state_hash_is_blind_to_no_section(part):
    machine = with_locks()
    before = digest(machine)
    CHANGES[part](machine)
    assert digest(machine) != before


def test_a_history_that_was_cut_inside_a_chunk_returns():
    machine = full()
    machine.limits = replace(machine.limits, history_bytes=700)
    apply(machine)
    kept, again = machine._history, loaded(encoding(machine))._history
    assert kept._chunks[0].first < kept._first
    assert again.after(kept.compacted_revision, 99) == kept.after(kept.compacted_revision, 99)
    assert (again.size_bytes, again.count, len(again)) == (kept.size_bytes, kept.count, 3)
