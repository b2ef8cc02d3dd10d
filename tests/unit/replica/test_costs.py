"""What a command is reckoned to cost, and what is refused for want of space."""

import pytest

from kvraft.core.actions import Action, ActionKind
from kvraft.core.commands import (
    CompareAndSet,
    Delete,
    DeleteRange,
    Entry,
    Expect,
    Get,
    GetRange,
    KeyIdentity,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Put,
    Request,
    Resolve,
    SessionOpen,
    SetInvariant,
    Txn,
    Update,
)
from kvraft.core.conditions import All, AnyOf, Clause, Not, Operator, Target
from kvraft.core.machine import StateMachine
from kvraft.replica.admission import takes_space
from kvraft.replica.costs import EntryCosts, log_bytes

KIB = 1 << 10
WIDE = 256
IDENTITY = KeyIdentity(b"id")
JSON = Clause(b"json", Target.JSON, Operator.EQ, (1,), "/a")
WHOLE = Clause(b"json", Target.JSON, Operator.EQ, (1,))
VALUE = Clause(b"k", Target.VALUE, Operator.EQ, (b"x" * 500,))


def update(*kinds: ActionKind, key: bytes = b"json", operand=None) -> Update:
    return Update(key, tuple(Action(kind, operand) for kind in kinds))


@pytest.fixture(scope="module")
def machine() -> StateMachine:
    """A state with 800 KiB of JSON at one key."""
    machine = StateMachine()
    machine.apply(1, Entry(None, (Put(b"json", b'"%s"' % (b"x" * 800 * KIB)),)))
    return machine


@pytest.mark.parametrize(
    ("command", "least", "most"),
    [
        (Put(b"k", b"v"), 1, 1),
        (Request(Put(b"k", b"v"), None, IDENTITY), 1, 1),
        (Request(Put(b"k", b"v"), All((VALUE,) * 200), None), 20, 100),
        (Request(Put(b"k", b"v"), AnyOf((Not(JSON), JSON))), 90, 110),
        (Request(Put(b"k", b"v"), Clause(b"json", Target.VALUE, Operator.EQ, (b"",))), 1, 1),
        (Request(Put(b"k", b"v"), WHOLE), 90, 110),
        (Request(DeleteRange(b"", None), None, IDENTITY), WIDE, WIDE),
        (LeaseRevoke(5), WIDE, WIDE),
        (update(ActionKind.ADD), 1, 1),
        (update(ActionKind.JSON_ADD, ActionKind.JSON_ADD), 90, 110),
        (update(ActionKind.JSON_ADD, key=b"absent"), 1, 1),
        (update(ActionKind.APPEND, operand=b"x"), 12, 15),
        (update(ActionKind.APPEND, key=b"absent", operand=b"x"), 1, 1),
        (update(ActionKind.SET, operand=b"x"), 1, 1),
        (Txn(None, tuple(Put(b"%d" % number, b"v") for number in range(100))), 100, 100),
        (Txn(None, (), (DeleteRange(b"", None),)), WIDE, WIDE),
        (Txn(JSON, (Get(b"k"),)), 90, 110),
        (Txn(None, (Txn(None, (GetRange(b"", None, 10_000),)),)), 200, WIDE + 1),
        (GetRange(b"", None, 10), 1, 1),
    ],
)
def test_what_an_apply_costs(machine, command, least, most) -> None:
    assert least <= EntryCosts(machine, WIDE).of(command) <= most


def test_a_value_that_comes_in_the_same_entry_counts_for_those_behind_it(machine) -> None:
    """A document and 100 updates of it in one entry took 2.6 s, on all nodes at once."""
    large = b"x" * 400 * KIB
    reading = Request(Put(b"k", b"v"), Clause(b"new", Target.JSON, Operator.EQ, (1,), "/a"))
    for first in (
        Put(b"new", large),
        CompareAndSet(b"new", large, Expect(absent=True)),
        Request(Put(b"new", large), None, IDENTITY),
        Txn(None, (Put(b"new", large),)),
        update(ActionKind.APPEND, key=b"new", operand=large),
    ):
        costs = EntryCosts(machine, WIDE)
        costs.of(first)
        assert 45 <= costs.of(update(ActionKind.JSON_ADD, key=b"new")) <= 55, first
        assert 45 <= costs.of(reading) <= 55, first
        assert costs.of(update(ActionKind.APPEND, key=b"new", operand=b"y")) > 5, first
        assert costs.of(update(ActionKind.JSON_ADD, key=b"other")) == 1, first


@pytest.mark.parametrize(
    ("command", "least"),
    [
        (Put(b"k", b"x" * KIB), KIB),
        (CompareAndSet(b"k", b"x" * KIB, Expect(absent=True)), KIB),
        (Request(Put(b"k", b"x" * KIB), VALUE, IDENTITY), KIB + 500),
        (Txn(VALUE, (Put(b"k", b"x" * KIB),), (Put(b"k", b"x" * KIB),)), 2 * KIB + 500),
        (update(ActionKind.APPEND, ActionKind.APPEND, operand=b"x" * KIB), 2 * KIB),
        (Request(Put(b"k", b"v"), Clause(b"k", Target.VERSION, Operator.IN, (7,) * 256)), 8 * 256),
    ],
)
def test_what_the_log_holds(command, least) -> None:
    assert least < log_bytes(command) < least + 400


GROWING = [
    Put(b"k", b"v"),
    CompareAndSet(b"k", b"v", Expect(absent=True)),
    LeaseGrant(1_000),
    Request(Put(b"k", b"v"), None, IDENTITY),
    update(ActionKind.DELETE, ActionKind.ADD),
    SetInvariant(b"k", False, 1),
    SetInvariant(b"k", False, immutable=True),
    Txn(None, (Delete(b"k"), Put(b"j", b"v"))),
    Txn(None, (), (Put(b"j", b"v"),)),
    Request(Txn(None, (Txn(None, (update(ActionKind.APPEND),)),)), None, IDENTITY),
]
FREEING = [
    Delete(b"k"),
    DeleteRange(b"k", None),
    LeaseRevoke(1),
    LeaseKeepAlive(1),
    SessionOpen(),
    Resolve(IDENTITY),
    SetInvariant(b"k", False),
    update(ActionKind.DELETE, ActionKind.JSON_REMOVE),
    Request(Delete(b"k"), JSON, IDENTITY),
    Txn(JSON, (Get(b"k"), Delete(b"k"), Txn(None, (Delete(b"j"),))), (GetRange(b"", None, 5),)),
    Request(Txn(None, (DeleteRange(b"k", None),)), None, IDENTITY),
]


@pytest.mark.parametrize("command", GROWING, ids=repr)
def test_what_may_grow_waits_for_space(command) -> None:
    assert takes_space(command)


@pytest.mark.parametrize("command", FREEING, ids=repr)
def test_what_frees_space_passes(command) -> None:
    assert not takes_space(command)
