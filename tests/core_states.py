"""Short ways to make and move machines in the unit tests of the core."""

from kvraft.core.commands import (
    Acquire,
    Bootstrap,
    Confirm,
    Entry,
    GuardPrefix,
    KeyIdentity,
    LeaseGrant,
    LockMode,
    Member,
    Put,
    Release,
    Request,
    Resolve,
    SessionIdentity,
    SessionOpen,
    SetInvariant,
)
from kvraft.core.limits import ApplyLimits
from kvraft.core.machine import StateMachine
from kvraft.core.snapshot import StateLoader, state_hash

MEMBERS = (Member("n1", 11), Member("n2", 12), Member("n3", 13))


def bootstrapped(**limits):
    machine = StateMachine()
    apply(machine, Bootstrap(7, MEMBERS, ApplyLimits(**limits)))
    return machine


def apply(machine, *commands, at=None):
    """Apply one entry at a cluster time; one result is returned bare."""
    results = machine.apply(machine.index + 1, Entry(at, commands))
    return results[0] if len(results) == 1 else results


def encoding(machine):
    frozen = machine.freeze()
    whole = b"".join(frozen.blocks())
    frozen.release()
    return whole


def digest(machine):
    frozen = machine.freeze()
    *_, value = state_hash(frozen)
    frozen.release()
    return value


def loaded(whole, piece=1 << 16):
    loader = StateLoader()
    for start in range(0, len(whole), piece):
        loader.feed(whole[start : start + piece])
    return loader.finish()


def asked(mutation, identity):
    """Return a request with an identity."""
    return Request(mutation, identity=identity)


def full():
    """Make a machine that has something in every section of its state."""
    machine = bootstrapped()
    apply(machine, SessionOpen(), SessionOpen(), SetInvariant(b"i", True, minimum=0), at=50)
    apply(machine, asked(Put(b"c", b"2"), SessionIdentity(2, 1, 1)))
    apply(machine, asked(Put(b"c", b"2"), KeyIdentity(b"id")), Resolve(KeyIdentity(b"burned")))
    apply(machine, LeaseGrant(5_000, lease_id=5), LeaseGrant(6_000), at=100)
    apply(machine, Put(b"a", b"1", lease_id=5), Put(b"b", b"", ttl_ms=3_000), Put(b"c", b"3"))
    apply(machine, Put(b"c", b"4"), at=200)
    return machine


def with_locks():
    """Make a machine that has all kinds of places, endings and guards too."""
    machine = full()
    shared, counted = LockMode.SHARED, LockMode.COUNTED
    apply(
        machine,
        Acquire(b"both", (b"x", b"y"), lease_id=5, owner=b"o", max_hold_ms=70),
        Acquire(b"next", (b"x",), ttl_ms=6_000, wait_ms=900),
        Acquire(b"r1", (b"z",), shared, lease_id=5),
        Acquire(b"r2", (b"z",), shared, lease_id=5),
        Acquire(b"w", (b"z",), lease_id=5, owner=b"w"),
        Acquire(b"c1", (b"n",), counted, 3, lease_id=5),
        Acquire(b"try", (b"x",), lease_id=5, wait_ms=0),
        Confirm(b"both"),
        Release(b"never"),
        GuardPrefix(b"g", b"x"),
        GuardPrefix(b"h", per_key=True),
        at=300,
    )
    return machine
