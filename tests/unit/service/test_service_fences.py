"""What a mutation claims to hold, guarded prefixes, and where callers collide, over the wire."""

import pytest
from grpc import StatusCode
from service_wire import Wire, failing

from kvraft.core.commands import Acquire, LeaseGrant, LockMode, Put, Release
from kvraft.v1 import cluster_pb2, kv_pb2, lease_pb2, lock_pb2, session_pb2, watch_pb2

pytestmark = pytest.mark.asyncio

EXPECT = kv_pb2.Expect(absent=True)
FENCED = {
    "put": ("kv", "Put", kv_pb2.PutRequest(key=b"k")),
    "delete": ("kv", "Delete", kv_pb2.DeleteRequest(key=b"there")),
    "delete_prefix": ("kv", "Delete", kv_pb2.DeleteRequest(prefix=b"there")),
    "compare_and_set": (
        "kv",
        "CompareAndSet",
        kv_pb2.CompareAndSetRequest(key=b"k", expect=EXPECT),
    ),
    "update": ("kv", "Update", kv_pb2.UpdateRequest(key=b"k", actions=[kv_pb2.Action(add=1)])),
    "txn": (
        "kv",
        "Txn",
        kv_pb2.TxnRequest(then=[kv_pb2.Operation(put=kv_pb2.OperationPut(key=b"k"))]),
    ),
    "grant": ("lease", "Grant", lease_pb2.GrantRequest(ttl_ms=5_000)),
    "revoke": ("lease", "Revoke", lease_pb2.RevokeRequest(lease_id=77)),
    "release": ("lock", "Release", lock_pb2.ReleaseRequest(key=b"held")),
    "invariant": (
        "cluster",
        "SetInvariant",
        cluster_pb2.SetInvariantRequest(invariant=cluster_pb2.Invariant(key=b"i", min=1)),
    ),
    "guard": (
        "cluster",
        "GuardPrefix",
        cluster_pb2.GuardPrefixRequest(guard=cluster_pb2.Guard(prefix=b"g", lock=b"l")),
    ),
}


def fence(token: int = 1, lock: bytes = b"l") -> kv_pb2.Fence:
    return kv_pb2.Fence(lock=lock, token=token)


def prepare(wire: Wire) -> None:
    wire.node.apply(Put(b"there", b""))
    wire.node.apply(LeaseGrant(60_000, 77))
    wire.node.apply(Acquire(b"held", (b"l",), ttl_ms=60_000))


@pytest.mark.parametrize("case", FENCED)
async def test_every_mutation_takes_fences(wire: Wire, case) -> None:
    service, method, plain = FENCED[case]
    call = getattr(getattr(wire, service), method)
    prepare(wire)
    before = wire.node.machine.revision
    request = type(plain).FromString(plain.SerializeToString())
    request.fences.extend([fence(), fence(lock=b"m")])
    failed = await failing(call(request))
    assert (failed.code, failed.info.reason) == (StatusCode.FAILED_PRECONDITION, "STALE_FENCE")
    assert failed.metadata["outcome"] == "NOT_APPLIED"
    assert "b'm'" in failed.message
    assert wire.node.machine.revision == before
    del request.fences[1]
    await call(request)
    assert wire.node.machine.revision == before + 1


@pytest.mark.parametrize("case", [*FENCED, "acquire"])
async def test_what_a_newer_client_insists_on_is_refused(wire: Wire, case) -> None:
    if case == "acquire":
        insisting = lock_pb2.AcquireRequest(key=b"k", names=[b"l"], ttl_ms=5_000)
        insisting.must_understand.append("quota")
        call = wire.lock.Acquire(insisting).read()
    else:
        service, method, plain = FENCED[case]
        insisting = type(plain).FromString(plain.SerializeToString())
        insisting.must_understand.append("quota")
        call = getattr(getattr(wire, service), method)(insisting)
    failed = await failing(call)
    assert (failed.code, failed.info.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID")
    assert "must_understand: this server does not know quota" in failed.message
    assert wire.node.submitted == []


@pytest.mark.parametrize(
    ("fences", "reason", "text"),
    [
        ([fence(0)], "INVALID", "fences[0].token: 1 or more, got 0"),
        ([fence(), fence(lock=b"")], "INVALID", "fences[1].lock: 1 to 512 bytes, got 0"),
        ([fence(lock=b"n" * 513)], "TOO_LARGE", "fences[0].lock: at most 512 bytes, got 513"),
        ([fence()] * 65, "INVALID", "fences: 1 to 64, got 65"),
    ],
)
async def test_malformed_fences_are_refused(wire: Wire, fences, reason, text) -> None:
    failed = await failing(wire.kv.Put(kv_pb2.PutRequest(key=b"k", fences=fences)))
    assert (failed.code, failed.info.reason) == (StatusCode.INVALID_ARGUMENT, reason)
    assert text in failed.message
    assert wire.node.submitted == []


def fence_clause(token: int, operator=kv_pb2.OPERATOR_EQUAL, key=b"l") -> kv_pb2.Condition:
    operands = [kv_pb2.Literal(integer=token)]
    clause = kv_pb2.Clause(
        key=key, target=kv_pb2.TARGET_FENCE, operator=operator, operands=operands
    )
    return kv_pb2.Condition(clause=clause)


async def test_a_fence_as_a_condition(wire: Wire) -> None:
    prepare(wire)

    async def met(condition: kv_pb2.Condition) -> bool:
        answer = await wire.kv.Put(kv_pb2.PutRequest(key=b"k", condition=condition))
        return not answer.HasField("unmet")

    assert await met(fence_clause(1))
    assert not await met(fence_clause(2))
    assert await met(fence_clause(2, kv_pb2.OPERATOR_NOT_EQUAL))
    for bad, text in (
        (fence_clause(1, key=b"n" * 513), "at most 512 bytes, got 513"),
        (fence_clause(1, kv_pb2.OPERATOR_LESS), "FENCE"),
    ):
        failed = await failing(wire.kv.Put(kv_pb2.PutRequest(key=b"k", condition=bad)))
        assert failed.code is StatusCode.INVALID_ARGUMENT
        assert text in failed.message


async def test_what_a_holder_wrote_says_so_to_watches(wire: Wire) -> None:
    prepare(wire)
    call = wire.watch.Watch(watch_pb2.WatchRequest(key=b"k"))
    await call.read()
    await wire.kv.Put(kv_pb2.PutRequest(key=b"k", fences=[fence()]))
    (event,) = (await call.read()).events
    assert event.cause == watch_pb2.CAUSE_FENCED


# -- guards


async def guard(wire: Wire, **fields) -> cluster_pb2.GuardPrefixResponse:
    request = cluster_pb2.GuardPrefixRequest(guard=cluster_pb2.Guard(**fields))
    return await wire.cluster.GuardPrefix(request)


async def guards(wire: Wire) -> list[cluster_pb2.Guard]:
    return list((await wire.cluster.ListGuards(cluster_pb2.ListGuardsRequest())).guards)


async def test_guards_are_set_listed_and_removed(wire: Wire) -> None:
    prepare(wire)
    set_at = (await guard(wire, prefix=b"p/", lock=b"l")).header.revision
    assert set_at == wire.node.machine.revision
    await guard(wire, prefix=b"each/", per_key=True)
    assert await guards(wire) == [
        cluster_pb2.Guard(prefix=b"each/", per_key=True),
        cluster_pb2.Guard(prefix=b"p/", lock=b"l"),
    ]
    failed = await failing(wire.kv.Put(kv_pb2.PutRequest(key=b"p/1")))
    assert (failed.code, failed.info.reason) == (StatusCode.FAILED_PRECONDITION, "FENCE_REQUIRED")
    await wire.kv.Put(kv_pb2.PutRequest(key=b"p/1", fences=[fence()]))
    await guard(wire, prefix=b"p/")
    await guard(wire, prefix=b"each/", per_key=False)
    assert await guards(wire) == []
    await wire.kv.Put(kv_pb2.PutRequest(key=b"p/1"))
    assert len(wire.node.barriers) == 2


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"prefix": b"p" * 2_049}, "guard.prefix: at most 2048 bytes"),
        ({"prefix": b"p", "lock": b""}, "guard.lock: 1 to 512 bytes, got 0"),
    ],
)
async def test_a_malformed_guard_is_refused(wire: Wire, fields, text) -> None:
    failed = await failing(guard(wire, **fields))
    assert failed.code is StatusCode.INVALID_ARGUMENT
    assert text in failed.message


async def test_what_a_release_and_a_guard_answered_can_be_asked_for(wire: Wire) -> None:
    prepare(wire)
    identity = kv_pb2.Identity(idempotency_key=b"release")
    await wire.lock.Release(lock_pb2.ReleaseRequest(key=b"held", identity=identity))
    asked = await wire.session.Resolve(session_pb2.ResolveRequest(identity=identity))
    assert asked.WhichOneof("reply") == "release"
    assert asked.release.released


# -- contention


async def contention(wire: Wire, **fields) -> cluster_pb2.ContentionResponse:
    return await wire.cluster.Contention(cluster_pb2.ContentionRequest(**fields))


async def test_where_callers_collide(wire: Wire) -> None:
    def acquire(key: bytes, name: bytes, owner: bytes = b"", **fields) -> None:
        wire.node.apply(Acquire(key, (name,), owner=owner, ttl_ms=60_000, **fields))

    wire.node.time_ms = 1_000
    acquire(b"1", b"l", b"ann", max_hold_ms=10)
    acquire(b"2", b"m", b"bob")
    acquire(b"3", b"l", b"bob")
    acquire(b"4", b"m")
    wire.node.time_ms = 1_300
    for _ in range(3):
        await wire.kv.CompareAndSet(
            kv_pb2.CompareAndSetRequest(key=b"k", expect=kv_pb2.Expect(value=b"x"))
        )
    report = await contention(wire)
    assert [(each.key, each.attempts, each.conflicts) for each in report.keys] == [(b"k", 3, 3)]
    by_name = {each.name: each for each in report.locks}
    assert list(by_name[b"m"].blockers) == ["place 4", "bob", "ann"]
    assert list(by_name[b"l"].blockers) == ["bob", "ann"]
    assert (by_name[b"l"].overheld, by_name[b"m"].overheld) == (1, 0)
    assert [each.owner for each in by_name[b"l"].holders] == [b"ann"]
    assert by_name[b"l"].holders[0].age_ms == 300
    assert by_name[b"l"].queue_length == 1
    wire.node.apply(Release(key=b"1"))
    (heaviest, *_) = (await contention(wire)).locks
    assert (heaviest.name, heaviest.waits, heaviest.grants) == (b"l", 1, 1)
    assert heaviest.wait_ms.sum == 300
    assert heaviest.hold_ms.sum == 300
    assert len(heaviest.wait_ms.counts) == len(heaviest.wait_ms.bounds) + 1
    bucket = list(heaviest.wait_ms.counts).index(1)
    bounds = heaviest.wait_ms.bounds
    assert bounds[bucket - 1] < 300 <= bounds[bucket]


async def test_contention_is_asked_of_this_node_alone_and_bounded(wire: Wire) -> None:
    for number in range(30):
        for _ in range(number + 1):
            await wire.kv.CompareAndSet(
                kv_pb2.CompareAndSetRequest(key=b"%d" % number, expect=kv_pb2.Expect(value=b"x"))
            )
    wire.node.reachable = False
    report = await contention(wire)
    assert len(report.keys) == 20
    assert [each.conflicts for each in (await contention(wire, limit=3)).keys] == [30, 29, 28]
    failed = await failing(contention(wire, limit=-1))
    assert failed.info.reason == "INVALID"
    assert wire.node.barriers == []


async def test_who_overholds_is_shown_where_nobody_waits(wire: Wire) -> None:
    for key in (b"1", b"2"):
        wire.node.apply(Acquire(key, (b"l",), LockMode.SHARED, ttl_ms=60_000, max_hold_ms=10))
    assert list((await contention(wire)).locks) == []
    wire.node.time_ms = 1_000
    wire.node.apply(LeaseGrant(60_000))
    (lock,) = (await contention(wire)).locks
    assert (lock.name, lock.overheld, lock.queue_length) == (b"l", 2, 0)
    assert list(lock.blockers) == []
