"""Short ways to take locks and to look at them in the unit tests of the core."""

from core_states import apply

from kvraft.core.commands import Acquire, Fence, LeaseGrant, LockMode, Release
from kvraft.core.results import Standing

EXCLUSIVE, SHARED, COUNTED = LockMode.EXCLUSIVE, LockMode.SHARED, LockMode.COUNTED
LEASE = 900
"""A lease that all take their locks with, unless they say otherwise; a day long."""
ATTACH_MS = 10_000


def with_lease(machine, lease_id=LEASE, ttl_ms=86_400_000):
    """Grant a lease, and return the machine."""
    apply(machine, LeaseGrant(ttl_ms, lease_id=lease_id))
    return machine


def wish(key, *names, **how):
    """Return an Acquire of locks under the long lease, unless it is said otherwise."""
    if "ttl_ms" not in how:
        how.setdefault("lease_id", LEASE)
    return Acquire(key.encode(), tuple(name.encode() for name in names), **how)


def free(key, **how):
    return Release(key=key.encode(), **how)


def standings(machine, keys):
    """Return q(ueued), g(ranted) or e(nded) for each key."""
    letters = {Standing.QUEUED: "q", Standing.GRANTED: "g", Standing.ENDED: "e"}
    return "".join(letters[machine.acquisition(key.encode()).standing] for key in keys)


def tokens(machine, name, limit=9_999):
    described = machine.describe_lock(name.encode(), limit)
    return () if described is None else tuple(place.token for place in described.holders)


def fence(machine, name):
    """Return the fence of a lock's only holder."""
    (token,) = tokens(machine, name)
    return Fence(name.encode(), token)


def changed(machine):
    """Return what the last entry did: (kind, key, tokens, ending), kinds and endings as names."""
    return [
        (
            change.kind.name,
            change.key.decode(),
            change.tokens,
            None if change.ending is None else change.ending.name,
        )
        for change in machine.lock_changes
    ]
