"""Who holds and who waits, guards, contention."""

import pytest

from kvraft_client import Client, InvalidRequest, LockLost


def test_looking_at_locks(start):
    node = start()
    with Client(node.endpoint) as kv, kv.lock(["a", "b", "c", "d"], owner="me") as lock:
        found = kv.describe_lock("a")
        assert found.name == b"a"
        assert (found.holder_count, found.waiter_count, found.capacity) == (1, 0, 1)
        (holder,) = found.holders
        assert (holder.owner, holder.token, holder.mode) == (b"me", 41, "exclusive")
        assert holder.age_s == 1.5
        assert kv.describe_lock("other") is None
        assert [each.name for each in kv.list_locks()] == [b"a", b"b", b"c", b"d"]  # two pages
        assert [each.name for each in kv.list_locks("c")] == [b"c"]
        assert kv.check_fence("a", 41)
        assert not kv.check_fence("a", 42)
        assert not kv.release_lock("a", 42)
        assert kv.release_lock("a", 41)
        assert not kv.check_fence("b", 42)
        with pytest.raises(LockLost, match="the store says so"):
            lock.check()


def test_guards(start):
    with Client(start().endpoint) as kv:
        kv.guard("billing/", lock="billing")
        kv.guard("seats/", per_key=True)
        one, two = kv.guards()
        assert (one.prefix, one.lock, one.per_key) == (b"billing/", b"billing", False)
        assert (two.prefix, two.lock, two.per_key) == (b"seats/", None, True)
        kv.unguard("billing/")
        assert [each.prefix for each in kv.guards()] == [b"seats/"]
        for bad in ({}, {"lock": "a", "per_key": True}):
            with pytest.raises(InvalidRequest, match="lock= or per_key"):
                kv.guard("p", **bad)


def test_contention(start):
    node = start()
    seen = {
        "keys": [{"key": b"k", "attempts": 10, "conflicts": 4, "error": 1}],
        "locks": [
            {
                "name": b"l",
                "grants": 3,
                "waits": 2,
                "abandoned": 1,
                "wait_ms": {"bounds": [1, 2, 5], "counts": [0, 1, 0, 1], "sum": 90},
                "queue_length": 4,
                "holders": [{"token": 42, "owner": b"o", "age_ms": 7}],
                "blockers": ["a waits for b"],
            }
        ],
    }
    node.store.contention = seen
    with Client(node.endpoint) as kv:
        found = kv.contention(limit=5)
    (key,), (lock,) = found.keys, found.locks
    assert (key.key, key.attempts, key.conflicts, key.error) == (b"k", 10, 4, 1)
    assert (lock.name, lock.grants, lock.waits, lock.abandoned) == (b"l", 3, 2, 1)
    assert (lock.wait_ms.count, lock.wait_ms.total) == (2, 90)
    assert (lock.wait_ms.quantile(0.5), lock.wait_ms.quantile(0.99)) == (2, 5)
    assert lock.hold_ms.quantile(0.5) is None
    assert (lock.holders[0].token, lock.holders[0].age_s) == (42, 0.007)
    assert (found.node, lock.blockers) == ("n1", ("a waits for b",))
    assert node.named("Contention")[0].limit == 5
