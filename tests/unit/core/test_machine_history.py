"""What an entry tells of its changes, and reads at the revisions before them."""

from core_states import apply, bootstrapped

from kvraft.core.actions import Action, ActionKind
from kvraft.core.commands import (
    CompareAndSet,
    Delete,
    DeleteRange,
    Expect,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Put,
    Request,
    SessionOpen,
    SetInvariant,
    Txn,
    Update,
)
from kvraft.core.conditions import Clause, Operator, Target
from kvraft.core.history import Cause, Event
from kvraft.core.results import Refused

WHOLE = {"limit": 9, "max_bytes": 999}


def told(machine):
    return [
        (one.revision, [(event.key, event.record is not None) for event in one.events])
        for one in machine.changes
    ]


def test_each_revision_is_told_with_what_stood_before():
    machine = bootstrapped()
    apply(machine, Put(b"k", b"1"), Put(b"k", b"2"), Delete(b"k"), at=7)
    first, second = (b"1", 2, 2, 1, 0), (b"2", 2, 3, 2, 0)
    assert [(one.revision, one.time_ms, one.events) for one in machine.changes] == [
        (2, 7, (Event(b"k", first, None, Cause.REQUEST),)),
        (3, 7, (Event(b"k", second, first, Cause.REQUEST),)),
        (4, 7, (Event(b"k", None, second, Cause.REQUEST),)),
    ]
    assert machine.history_after(1, 9) == machine.changes
    assert machine.history_after(2, 1) == machine.changes[1:2]
    apply(machine)
    assert machine.changes == []


def test_every_mutation_of_keys_is_told():
    machine = bootstrapped()
    exists = Clause(b"a", Target.EXISTS, Operator.EQ, (True,))
    update = Update(b"a", (Action(ActionKind.APPEND, b"!"),))
    apply(
        machine,
        CompareAndSet(b"a", b"", Expect(absent=True)),
        update,
        Request(Put(b"b", b""), exists),
        Txn(None, (Put(b"d", b""), Put(b"c", b""))),
        DeleteRange(b"b", b"d"),
        Update(b"a", (Action(ActionKind.DELETE),)),
    )
    assert told(machine) == [
        (2, [(b"a", True)]),
        (3, [(b"a", True)]),
        (4, [(b"b", True)]),
        (5, [(b"d", True), (b"c", True)]),
        (6, [(b"b", False), (b"c", False)]),
        (7, [(b"a", False)]),
    ]


def test_what_changes_no_key_is_not_told():
    machine = bootstrapped()
    set_then_deleted = Update(b"k", (Action(ActionKind.SET, b""), Action(ActionKind.DELETE)))
    apply(machine, LeaseGrant(1_000, 5), SetInvariant(b"k", False, minimum=0), SessionOpen())
    results = apply(machine, LeaseKeepAlive(5), Delete(b"k"), set_then_deleted, Txn(None, ()))
    assert not any(isinstance(result, Refused) for result in results)
    assert (machine.changes, machine.revision) == ([], 3)
    apply(machine, LeaseRevoke(5))
    assert (machine.changes, machine.revision) == ([], 4)


def test_an_end_of_a_lease_says_why():
    machine = bootstrapped()
    apply(machine, LeaseGrant(1_000, 5), LeaseGrant(1_000, 6), LeaseGrant(9_000, 7), at=0)
    apply(
        machine, *(Put(key, b"v", lease_id=6) for key in (b"b", b"a")), Put(b"c", b"", ttl_ms=1_000)
    )
    apply(machine, Put(b"d", b"v", lease_id=7))
    apply(machine, Put(b"e", b""), LeaseRevoke(7), at=1_000)
    assert told(machine) == [
        (9, [(b"c", False)]),
        (11, [(b"a", False), (b"b", False)]),
        (12, [(b"e", True)]),
        (13, [(b"d", False)]),
    ], "by id: 1 is implicit, and 5 had no keys"
    causes = [event.cause for one in machine.changes for event in one.events]
    assert causes == [*[Cause.EXPIRED] * 3, Cause.REQUEST, Cause.REVOKED]
    assert machine.changes[1].events[0].before == (b"v", 6, 6, 1, 6)


def test_the_past_is_read_at_its_revision():
    machine = bootstrapped()
    apply(machine, Put(b"a", b"1"), Put(b"b", b"1"), Put(b"a", b"2"), Delete(b"b"), Put(b"c", b""))
    assert [machine.get_at(b"a", at) and machine.get_at(b"a", at).value for at in range(1, 7)] == [
        None,
        b"1",
        b"1",
        b"2",
        b"2",
        b"2",
    ]
    pages = [machine.page_at(b"", None, at, **WHOLE) for at in (1, 3, 6)]
    assert [[entry.key for entry in page.entries] for page in pages] == [
        [],
        [b"a", b"b"],
        [b"a", b"c"],
    ]
    only = machine.page_at(b"b", None, 3, limit=1, max_bytes=9, keys_only=True)
    assert [entry.value for entry in only.entries] == [b""]


def test_what_is_too_old_is_forgotten_inside_of_apply():
    machine = bootstrapped(history_revisions=2, history_ms=1_000)
    for number in range(5):
        apply(machine, Put(b"k", b"%d" % number), at=100 * number)
    assert machine.compacted_revision == 1
    apply(machine, at=1_150)
    assert machine.compacted_revision == 3, "of 2 at 0 ms and 3 at 100 ms, 4 at 200 ms is younger"
    assert machine.get_at(b"k", 3).value == b"1"
    apply(machine, at=9_000)
    assert machine.compacted_revision == 4
    assert [one.revision for one in machine.history_after(4, 9)] == [5, 6]


def test_a_restore_begins_a_new_history():
    machine = bootstrapped()
    apply(machine, Put(b"k", b"v"), SessionOpen())
    again = machine.successor(index=0, leap=1_000)
    assert (again.revision, again.compacted_revision, again.session_count) == (1_002, 1_002, 0)
    assert again.history_after(1_002, 9) == []
    assert again.get_at(b"k", 1_002) == again.get(b"k")
