"""Exactly once over the wire: identities on every mutation, replays, and what became of one."""

import pytest
from grpc import StatusCode
from service_wire import Wire, failing

from kvraft.core.commands import KeyIdentity, Request, SessionIdentity
from kvraft.v1 import cluster_pb2, kv_pb2, lease_pb2, lock_pb2, session_pb2

pytestmark = pytest.mark.asyncio


def of_key(key: bytes) -> kv_pb2.Identity:
    return kv_pb2.Identity(idempotency_key=key)


def of_session(session_id: int, sequence: int, first_unacked: int = 1) -> kv_pb2.Identity:
    return kv_pb2.Identity(
        session=kv_pb2.SessionIdentity(
            session_id=session_id, sequence=sequence, first_unacked=first_unacked
        )
    )


async def resolve(wire: Wire, identity: kv_pb2.Identity) -> session_pb2.ResolveResponse:
    return await wire.session.Resolve(session_pb2.ResolveRequest(identity=identity))


def put(key: bytes = b"k", **fields) -> tuple[str, str, object]:
    return "kv", "Put", kv_pb2.PutRequest(key=key, **fields)


FALSE = kv_pb2.Condition(
    clause=kv_pb2.Clause(
        key=b"absent",
        target=kv_pb2.TARGET_EXISTS,
        operator=kv_pb2.OPERATOR_EQUAL,
        operands=[kv_pb2.Literal(flag=True)],
    )
)
NO = kv_pb2.Literal(flag=False)
ADD = kv_pb2.UpdateRequest(key=b"n", actions=[kv_pb2.Action(add=1)])
MUTATIONS = {
    "put": put(value=b"v"),
    "delete": ("kv", "Delete", kv_pb2.DeleteRequest(key=b"there", return_previous=True)),
    "compare_and_set": (
        "kv",
        "CompareAndSet",
        kv_pb2.CompareAndSetRequest(key=b"c", expect=kv_pb2.Expect(absent=True)),
    ),
    "update": ("kv", "Update", ADD),
    "txn": (
        "kv",
        "Txn",
        kv_pb2.TxnRequest(then=[kv_pb2.Operation(put=kv_pb2.OperationPut(key=b"t"))]),
    ),
    "grant": ("lease", "Grant", lease_pb2.GrantRequest(ttl_ms=5_000)),
    "revoke": ("lease", "Revoke", lease_pb2.RevokeRequest(lease_id=77)),
    "invariant": (
        "cluster",
        "SetInvariant",
        cluster_pb2.SetInvariantRequest(invariant=cluster_pb2.Invariant(key=b"i", min=1)),
    ),
    "release": ("lock", "Release", lock_pb2.ReleaseRequest(key=b"held")),
    "guard": (
        "cluster",
        "GuardPrefix",
        cluster_pb2.GuardPrefixRequest(guard=cluster_pb2.Guard(prefix=b"g/", lock=b"l")),
    ),
    "unmet": put(condition=FALSE),
}


async def prepared(wire: Wire) -> None:
    await wire.kv.Put(kv_pb2.PutRequest(key=b"there", value=b"here"))
    await wire.lease.Grant(lease_pb2.GrantRequest(ttl_ms=5_000, lease_id=77))
    held = lock_pb2.AcquireRequest(key=b"held", names=[b"l"], lease_id=77)
    await wire.lock.Acquire(held).read()


@pytest.mark.parametrize("case", MUTATIONS)
async def test_the_second_copy_is_answered_and_not_done(wire: Wire, case) -> None:
    await prepared(wire)
    service, method, request = MUTATIONS[case]
    request = type(request).FromString(request.SerializeToString())
    request.identity.CopyFrom(of_key(b"once"))
    call = getattr(getattr(wire, service), method)
    first = await call(request)
    assert not first.header.replayed
    await wire.kv.Put(kv_pb2.PutRequest(key=b"later"))
    after = wire.node.machine.revision
    second = await call(request)
    assert second.header.replayed
    assert not second.header.reply_omitted
    assert second.header.revision == first.header.revision
    second.header.CopyFrom(first.header)
    assert second == first
    assert wire.node.machine.revision == after
    command, _ = wire.node.submitted[-1]
    assert isinstance(command, Request)
    assert command.identity == KeyIdentity(b"once")
    resolved = await resolve(wire, of_key(b"once"))
    assert resolved.answered
    assert resolved.revision == first.header.revision
    assert resolved.WhichOneof("reply") == case


async def test_a_resolved_reply_is_the_one_that_was_given(wire: Wire) -> None:
    request = kv_pb2.UpdateRequest(identity=of_key(b"u"))
    request.MergeFrom(ADD)
    given = await wire.kv.Update(request)
    found = await resolve(wire, of_key(b"u"))
    assert found.update.entry == given.entry


async def test_a_session_is_opened_used_and_closed(wire: Wire) -> None:
    opened = await wire.session.Open(session_pb2.OpenRequest())
    limits = wire.node.machine.limits
    assert (opened.idle_ms, opened.window) == (limits.session_idle_ms, limits.session_window)
    identity = of_session(opened.session_id, 1)
    for replayed in (False, True):
        answer = await wire.kv.Put(kv_pb2.PutRequest(key=b"k", identity=identity))
        assert answer.header.replayed is replayed
        assert answer.entry.version == 1
    command, _ = wire.node.submitted[-1]
    assert command.identity == SessionIdentity(opened.session_id, 1, 1)
    await wire.session.Close(session_pb2.CloseRequest(session_id=opened.session_id))
    failed = await failing(wire.kv.Put(kv_pb2.PutRequest(key=b"k", identity=identity)))
    assert (failed.code, failed.info.reason) == (StatusCode.FAILED_PRECONDITION, "SESSION_EXPIRED")
    assert failed.metadata["outcome"] == "UNKNOWN"


async def test_another_request_under_the_same_identity_is_refused(wire: Wire) -> None:
    await wire.kv.Put(kv_pb2.PutRequest(key=b"k", identity=of_key(b"x")))
    failed = await failing(wire.kv.Put(kv_pb2.PutRequest(key=b"other", identity=of_key(b"x"))))
    assert (failed.code, failed.info.reason) == (StatusCode.INVALID_ARGUMENT, "KEY_REUSED")
    assert failed.metadata["outcome"] == "NOT_APPLIED"


async def test_a_stored_refusal_is_raised_again_and_says_so(wire: Wire) -> None:
    request = lease_pb2.RevokeRequest(lease_id=5, identity=of_key(b"r"))
    first = await failing(wire.lease.Revoke(request))
    await wire.lease.Grant(lease_pb2.GrantRequest(ttl_ms=5_000, lease_id=5))
    second = await failing(wire.lease.Revoke(request))
    assert (second.code, second.message) == (first.code, first.message)
    assert first.metadata == {"outcome": "NOT_APPLIED"}
    assert second.metadata == {"outcome": "NOT_APPLIED", "replayed": "true"}
    resolved = await resolve(wire, of_key(b"r"))
    assert resolved.refused.reason == "LEASE_NOT_FOUND"
    assert resolved.refused.message == first.message


async def test_what_was_never_seen_is_burned(wire: Wire) -> None:
    answer = await resolve(wire, of_key(b"never"))
    assert not answer.answered
    assert answer.WhichOneof("reply") is None
    failed = await failing(wire.kv.Put(kv_pb2.PutRequest(key=b"k", identity=of_key(b"never"))))
    assert (failed.code, failed.info.reason) == (StatusCode.FAILED_PRECONDITION, "ABANDONED")
    assert failed.metadata["outcome"] == "NOT_APPLIED"


async def test_a_reply_too_large_to_keep_is_omitted_and_says_where_to_read(wire: Wire) -> None:
    request = kv_pb2.PutRequest(key=b"k", value=b"x" * 9_000, identity=of_key(b"big"))
    first = await wire.kv.Put(request)
    await wire.kv.Put(kv_pb2.PutRequest(key=b"k", value=b"newer"))
    second = await wire.kv.Put(request)
    assert second.header.replayed
    assert second.header.reply_omitted
    assert second.header.revision == first.header.revision
    assert second.entry == outlined(first.entry)
    resolved = await resolve(wire, of_key(b"big"))
    assert resolved.put.entry == second.entry
    assert resolved.answered
    assert resolved.reply_omitted
    assert resolved.revision == first.header.revision
    read = kv_pb2.GetRequest(key=b"k", revision=resolved.revision)
    assert (await wire.kv.Get(read)).entry == first.entry


async def test_what_was_decided_is_told_again_however_large_what_it_met(wire: Wire) -> None:
    await wire.kv.Put(kv_pb2.PutRequest(key=b"k", value=b"x" * 9_000))
    clause = kv_pb2.Clause(
        key=b"k", target=kv_pb2.TARGET_EXISTS, operator=kv_pb2.OPERATOR_EQUAL, operands=[NO]
    )
    condition = kv_pb2.Condition(clause=clause)
    put = kv_pb2.PutRequest(key=b"k", condition=condition, identity=of_key(b"put"))
    missed, again = [await wire.kv.Put(put) for _ in range(2)]
    assert again.header.reply_omitted
    assert again.unmet.entries[0] == outlined(missed.unmet.entries[0])
    swap = kv_pb2.CompareAndSetRequest(
        key=b"k", expect=kv_pb2.Expect(absent=True), identity=of_key(b"swap")
    )
    first, second = [await wire.kv.CompareAndSet(swap) for _ in range(2)]
    assert (second.succeeded, second.header.reply_omitted) == (False, True)
    assert second.entry == outlined(first.entry)
    assert (await resolve(wire, of_key(b"swap"))).compare_and_set.entry == second.entry


def outlined(entry: kv_pb2.Entry) -> kv_pb2.Entry:
    kept = kv_pb2.Entry()
    kept.CopyFrom(entry)
    kept.ClearField("value")
    kept.value_omitted = True
    return kept


BAD_IDENTITIES = {
    "nothing": (kv_pb2.Identity(), "identity: one of session, idempotency_key"),
    "empty key": (of_key(b""), "identity.idempotency_key: 1 to 128 bytes, got 0"),
    "long key": (of_key(b"x" * 129), "identity.idempotency_key: 1 to 128 bytes, got 129"),
    "session": (of_session(0, 1), "identity.session.session_id: 1 or more, got 0"),
    "sequence": (of_session(1, 0), "identity.session.sequence: 1 or more, got 0"),
    "first": (of_session(1, 1, 0), "identity.session.first_unacked: 1 or more, got 0"),
    "ahead": (of_session(1, 4, 5), "first_unacked: at most sequence (4), got 5"),
}


@pytest.mark.parametrize("case", BAD_IDENTITIES)
async def test_a_malformed_identity_is_refused(wire: Wire, case) -> None:
    identity, text = BAD_IDENTITIES[case]
    for call in (
        wire.kv.Put(kv_pb2.PutRequest(key=b"k", identity=identity)),
        wire.session.Resolve(session_pb2.ResolveRequest(identity=identity)),
    ):
        failed = await failing(call)
        assert (failed.code, failed.info.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID")
        assert text in failed.message
    assert wire.node.submitted == []


async def test_nothing_to_resolve_or_to_close_is_refused(wire: Wire) -> None:
    failed = await failing(wire.session.Resolve(session_pb2.ResolveRequest()))
    assert "identity: must be set" in failed.message
    failed = await failing(wire.session.Close(session_pb2.CloseRequest()))
    assert "session_id: 1 or more, got 0" in failed.message
