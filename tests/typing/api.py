"""The client as a user writes it, checked by mypy in strict mode; never run."""

from collections.abc import AsyncIterator, Iterator
from typing import assert_type

from kvraft_client import (
    Applied,
    AsyncClient,
    AsyncLease,
    AsyncLock,
    AsyncTransaction,
    AsyncWatch,
    CasResult,
    Client,
    Condition,
    ConditionFailed,
    Conflict,
    Contention,
    Entry,
    Event,
    Fence,
    Guard,
    Identity,
    Invariant,
    Leader,
    Lease,
    LeaseDescription,
    LeaseGrant,
    LeaseState,
    LeaseSummary,
    Lock,
    LockDescription,
    Metrics,
    ModifyResult,
    NeverApplied,
    NodeStatus,
    NoQuorum,
    NotApplied,
    Outcome,
    OutcomeUnknown,
    Refused,
    SnapshotInfo,
    StateHash,
    Transaction,
    TransactionConflict,
    TxnResult,
    UpdateResult,
    Watch,
    actions,
    conditions,
    operations,
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


def whole_promise(kv: Client) -> None:
    enough = (conditions.number("stock") >= 5) & ~conditions.exists("hold/7")
    assert_type(enough, Condition)
    assert_type(kv.put("k", "v", when=enough, idempotency_key=b"order-7"), Entry)
    kv.delete("k", when="value > 500")
    assert_type(kv.update("stock", actions.add(-5), "value max= 0", when=enough), UpdateResult)
    done = kv.txn(when=enough, then=[operations.put("a", "1")], orelse=[operations.get("a")])
    assert_type(done, TxnResult)
    with kv.transaction() as t:
        assert_type(t, Transaction)
        assert_type(t.get("a"), Entry | None)
        assert_type(t.list("p/"), list[Entry])
        t.put("a", "2")
    assert_type(kv.run_transaction(lambda t: t.get("a")), Entry | None)
    assert_type(kv.get("k", revision=7), Entry | None)
    for event in kv.watch(prefix="p/", previous=True):
        assert_type(event, Event)
    assert_type(kv.watch(range=("a", None)), Watch)
    assert_type(kv.modify("n", lambda value: value), ModifyResult)
    assert_type(kv.metrics(), Metrics)
    kv.set_invariant(prefix="stock/", minimum=0)
    assert_type(kv.invariants(), list[Invariant])


def locks(kv: Client) -> None:
    with kv.lock("jobs/nightly", ttl=10.0, wait=30.0) as lock:
        assert_type(lock, Lock)
        assert_type(lock.token, int)
        assert_type(lock.fence, Fence)
        assert_type(lock.lost.wait(1.0), bool)
        lock.check()
        kv.put("jobs/nightly/out", b"...", fence=lock)
        kv.delete("k", fence=lock.fence)
        kv.update("n", "value += 1", fence=[lock, ("other", 42)])
        kv.txn(then=[operations.put("a", "1")], fence=("jobs/nightly", 41))
        kv.put("k", "v", when=conditions.fence("jobs/nightly", 41))
    assert_type(kv.try_lock(["a", "b"]), Lock | None)
    assert_type(kv.check_fence("a", 41), bool)
    assert_type(kv.describe_lock("a"), LockDescription | None)
    assert_type(list(kv.list_locks("p/")), list[LockDescription])
    assert_type(kv.guards(), list[Guard])
    assert_type(kv.contention(), Contention)
    with kv.election("scheduler") as election:
        assert_type(election.leader(), Leader | None)
        kv.put("k", "v", fence=election)
    with kv.once("report", key="monday") as job:
        if job:
            kv.put("k", "v", fence=job)


async def locks_with_tasks(kv: AsyncClient) -> None:
    async with kv.lock("a", cancel_on_loss=True) as lock:
        assert_type(lock, AsyncLock)
        await lock.lost.wait()
    async for leader in kv.election("scheduler").observe():
        assert_type(leader, Leader | None)


async def whole_promise_with_tasks(kv: AsyncClient) -> None:
    async def pay(t: AsyncTransaction) -> int:
        assert_type(await t.get("a"), Entry | None)
        t.delete("b")
        return 5

    assert_type(await kv.run_transaction(pay), int)
    async with kv.watch("k") as watch:
        assert_type(watch, AsyncWatch)
        async for event in watch:
            assert_type(event.previous, Entry | None)
    made = await kv.modify("n", lambda value: b"%d" % (int(value or 0) + 1))
    assert_type(made.entry, Entry | None)


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
        assert_type(unknown.identity, Identity | None)
        if unknown.identity is not None:
            assert_type(kv.outcome(unknown.identity), Applied | Refused | NeverApplied)
    try:
        kv.txn()
    except ConditionFailed as failed:
        assert_type(failed.entries, tuple[Entry, ...])
    except TransactionConflict as changed:
        assert_type(changed.keys, tuple[bytes, ...])


def mistakes(kv: Client) -> None:
    """Each of these must be refused: an ignore that nothing needs is an error itself."""
    kv.put("k", 7)  # type: ignore[arg-type]
    kv.get("k", consistency="fast")  # type: ignore[arg-type]
    kv.try_cas("k", "v", expect=b"v")  # type: ignore[arg-type]
    kv.get("k", True)  # type: ignore[call-arg]
    kv.put("k", "v", when=True)  # type: ignore[arg-type]
    kv.put("k", "v", when=conditions.number("k") > "5")  # type: ignore[operator]
    kv.put("k", "v", when=conditions.value("k") == 5)  # type: ignore[arg-type]
    conditions.number("k").isin("5")  # type: ignore[arg-type]
    actions.add("5")  # type: ignore[arg-type]
    kv.txn(then=["delete k"])  # type: ignore[list-item]
    kv.modify("k", lambda value: 5)  # type: ignore[arg-type, return-value]
    kv.watch(range="ab")  # type: ignore[arg-type]
    kv.put("k", "v", fence="a=1")  # type: ignore[arg-type]
    kv.put("k", "v", fence=[7])  # type: ignore[list-item]
    kv.guard("p", lock=7)  # type: ignore[arg-type]
