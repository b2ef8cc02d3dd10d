"""What a command is reckoned to cost, and what is refused for want of space."""

from dataclasses import replace

import pytest

from kvraft.core.actions import Action, ActionKind
from kvraft.core.codec import encode_command
from kvraft.core.commands import (
    Acquire,
    Attach,
    CompareAndSet,
    Confirm,
    Delete,
    DeleteRange,
    Entry,
    Expect,
    Fence,
    Get,
    GetRange,
    GuardPrefix,
    KeyIdentity,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Put,
    Release,
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
from kvraft.replica.costs import OVERHEAD_BYTES, EntryCosts
from kvraft.replica.limits import ReplicaLimits

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
    "command",
    [
        Put(b"k", b"x" * KIB),
        Request(Put(b"k", b"x" * KIB), VALUE, IDENTITY),
        Txn(VALUE, (Put(b"k", b"x" * KIB),), (Put(b"k", b"x" * KIB),)),
        update(ActionKind.APPEND, ActionKind.APPEND, operand=b"x" * KIB),
        Acquire(b"k" * 64, (b"a" * 512, b"b" * 512), owner=b"o" * 64, ttl_ms=1),
        Attach(tuple(range(1, 1_001))),
        Request(Delete(b"k"), None, None, (Fence(b"l" * 512, 1), Fence(b"m" * 512, 2))),
    ],
)
def test_what_waits_counts_as_it_is_encoded(make_rig, command) -> None:
    size = len(encode_command(command)) + OVERHEAD_BYTES
    for queue_bytes, refused in ((size - 1, 1), (size, 0)):
        rig = make_rig(limits=ReplicaLimits(queue_bytes=queue_bytes, queue_spare_bytes=0))
        rig.bootstrap()
        rig.lead()
        assert len(rig.submit(command)) == refused


def test_what_locks_cost() -> None:
    machine = StateMachine()

    def cost(command) -> int:
        return EntryCosts(machine, WIDE).of(command)

    def apply(*commands) -> list:
        return machine.apply(machine.index + 1, Entry(None, commands))

    held = Acquire(b"held", (b"l",), owner=b"me", ttl_ms=60_000)
    other = Acquire(b"other", (b"m",), owner=b"me", ttl_ms=60_000)
    assert cost(held) == cost(other) == cost(Confirm(b"held")) == 1
    (granted,) = apply(held)
    assert cost(Acquire(b"many", tuple(b"%02d" % each for each in range(64)), ttl_ms=1)) == 5
    for number in range(0, 2_000, 500):
        wanted = range(number, number + 500)
        apply(*(Acquire(b"%d" % each, (b"l",), ttl_ms=60_000) for each in wanted))
    assert cost(other) == 1 + 2_001 // 200, "a search for a cycle"
    assert cost(Acquire(b"new", (b"m",), owner=b"you", ttl_ms=60_000)) == 1
    assert cost(Acquire(b"new", (b"m",), ttl_ms=60_000)) == 1
    assert cost(Attach(tuple(range(1, 1_001)))) == 26
    lease_id = granted.lease_id
    releases = [Release(key=b"held"), Release(fence=granted.fences[0])]
    for command in releases:
        assert cost(replace(command, end_lease=True)) == 1
    apply(*(Put(b"%d" % number, b"", lease_id) for number in range(4_000)))
    for command in releases:
        assert cost(replace(command, end_lease=True)) == 1 + 4_001 // 40
        assert cost(command) == 1
    assert cost(Release(key=b"unknown", end_lease=True)) == 1
    assert cost(Release(fence=Fence(b"l", 77), end_lease=True)) == 1


GROWING = [
    GuardPrefix(b"p", b"l"),
    GuardPrefix(b"p", per_key=True),
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
    Acquire(b"k", (b"l",), ttl_ms=1_000),
    Attach((1,)),
    Confirm(b"k"),
    Release(key=b"k"),
    GuardPrefix(b"p"),
    Request(Delete(b"k"), None, None, (Fence(b"l", 1),)),
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
