"""The client as a user writes it, checked by mypy in strict mode; never run."""

from collections.abc import AsyncIterator, Iterator
from typing import assert_type

from kvraft_client import (
    AsyncClient,
    AsyncLease,
    CasResult,
    Client,
    Conflict,
    Entry,
    Lease,
    LeaseDescription,
    LeaseGrant,
    LeaseState,
    LeaseSummary,
    NodeStatus,
    NoQuorum,
    NotApplied,
    Outcome,
    OutcomeUnknown,
    SnapshotInfo,
    StateHash,
)


def sync() -> None:
    with Client("a:1,b:1,c:1", timeout=5.0, ca="ca.pem", cert=b"pem", key="key.pem") as kv:
        assert_type(kv, Client)
        assert_type(kv.put("seat/14C", b"free"), Entry)
        seat = kv.get("seat/14C", consistency="serializable", min_revision=4, timeout=1)
        assert_type(seat, Entry | None)
        assert_type(kv.cas("seat/14C", "alice", expect=seat), Entry)
        assert_type(kv.try_cas(b"k", b"v", expect_absent=True, ttl=3), CasResult)
        assert_type(kv.delete("k"), bool)
        assert_type(kv.delete_prefix("p/"), int)
        assert_type(kv.list("p/", keys_only=True), Iterator[Entry])
        with kv.lease(ttl=10.0) as lease:
            assert_type(lease, Lease)
            assert_type(lease.state, LeaseState)
            assert_type(lease.lost.wait(1.0), bool)
            lease.check()
            kv.put("workers/7", b"up", lease=lease)
            kv.put("workers/7", b"up", lease=lease.id)
        assert_type(kv.leases.grant(5.0), LeaseGrant)
        assert_type(kv.leases.describe(1), LeaseDescription)
        assert_type(list(kv.leases.list()), list[LeaseSummary])
        assert_type(kv.status(), list[NodeStatus])
        assert_type(kv.state_hash(), StateHash)
        assert_type(kv.transfer_leadership(), str)
        assert_type(kv.snapshot("file"), SnapshotInfo)


async def asynchronous() -> None:
    async with AsyncClient(["a:1", "b:1"]) as kv:
        assert_type(await kv.get("k"), Entry | None)
        assert_type(await kv.cas("k", "v", expect=None), Entry)
        assert_type(kv.list(), AsyncIterator[Entry])
        async for entry in kv.list("p/"):
            assert_type(entry.key, bytes)
        async with kv.lease(ttl=10.0) as lease:
            assert_type(lease, AsyncLease)
            await lease.lost.wait()
        assert_type(await kv.status(), list[NodeStatus])


def failures(kv: Client) -> None:
    try:
        kv.cas("k", "v", expect_value="w")
    except Conflict as conflict:
        assert_type(conflict.current, Entry | None)
    except NoQuorum as error:
        assert_type(error.outcome, Outcome)
    except NotApplied:
        pass
    except OutcomeUnknown as unknown:
        assert_type(unknown.endpoint, str | None)


def mistakes(kv: Client) -> None:
    """Each of these must be refused: an ignore that nothing needs is an error itself."""
    kv.put("k", 7)  # type: ignore[arg-type]
    kv.get("k", consistency="fast")  # type: ignore[arg-type]
    kv.try_cas("k", "v", expect=b"v")  # type: ignore[arg-type]
    kv.get("k", True)  # type: ignore[call-arg, arg-type]
