"""Deadlines and cancelled calls: every wait is bounded, and nobody hears a call twice."""

import asyncio
import logging

import grpc
import pytest
from service_wire import Wire, failing

from kvraft.core.commands import Put
from kvraft.core.errors import Outcome, Reason
from kvraft.replica.outcomes import Denied
from kvraft.service.deadlines import answer_by
from kvraft.service.errors import CallError
from kvraft.service.limits import ServiceLimits
from kvraft.v1 import cluster_pb2, kv_pb2

PUT = kv_pb2.PutRequest(key=b"k", value=b"v")


@pytest.mark.parametrize(
    ("remaining", "allowed"),
    [
        (None, 4.95),  # the default of 5 s, less 50 ms
        (10.0, 9.85),  # less 1 %, by which gRPC rounds up at most, and 50 ms
        (0.2, 0.2 * 0.99 * 0.9),  # less 10 %, which is less than 50 ms
        (0.5, 0.5 * 0.99 * 0.9),
        (1e6, 29.95),  # cut to 30 s
    ],
)
def test_the_node_must_answer_before_the_deadline(remaining, allowed) -> None:
    assert answer_by(100.0, remaining, ServiceLimits()) == pytest.approx(100.0 + allowed)


@pytest.mark.parametrize("remaining", [0.0, -1.0])
def test_what_arrives_too_late_is_not_begun(remaining) -> None:
    with pytest.raises(CallError) as caught:
        answer_by(100.0, remaining, ServiceLimits())
    assert (caught.value.reason, caught.value.outcome) == (Reason.DEADLINE, Outcome.NOT_APPLIED)


@pytest.mark.asyncio
async def test_the_deadline_of_the_wire_reaches_the_node(wire: Wire) -> None:
    begun = wire.node.now()
    await wire.kv.Put(PUT, timeout=2.0)
    await wire.kv.Put(PUT)
    await wire.kv.Put(PUT, timeout=3_600)
    await wire.kv.Get(kv_pb2.GetRequest(key=b"k"), timeout=2.0)
    took = wire.node.now() - begun
    deadlines = [deadline for _, deadline in wire.node.submitted] + wire.node.barriers
    for deadline, wanted in zip(deadlines, (1.95, 4.95, 29.95, 1.95), strict=True):
        assert wanted - 0.03 <= deadline - begun <= wanted + took


@pytest.mark.asyncio
@pytest.mark.parametrize("given", [1.001, 9.991, 10.001, 20.0])
async def test_a_timeout_that_grpc_rounds_up_is_still_kept(wire: Wire, given) -> None:
    """It travels in steps of 10 ms above 1 s, and of 100 ms above 10 s."""
    begun = wire.node.now()
    await wire.kv.Put(PUT, timeout=given)
    took = wire.node.now() - begun
    assert wire.node.submitted[0][1] - begun <= given - 0.05 + took


@pytest.mark.asyncio
async def test_a_call_past_its_deadline_reaches_no_node(wire: Wire, monkeypatch) -> None:
    # The client gives up at its deadline, so the server's view of one is made to have passed.
    monkeypatch.setattr(
        "kvraft.service.calls.answer_by", lambda now, _, lim: answer_by(now, 0, lim)
    )
    failed = await failing(wire.kv.Put(PUT))
    assert (failed.code, failed.info.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE")
    assert failed.metadata["outcome"] == "NOT_APPLIED"
    assert wire.node.submitted == []


@pytest.mark.asyncio
async def test_the_word_of_a_node_that_runs_out_of_time_arrives(wire: Wire) -> None:
    """The node answers at the deadline it was given; the client still hears the outcome."""
    node = wire.node
    loop = asyncio.get_running_loop()

    def late(command, deadline, done) -> None:
        denied = Denied(Reason.DEADLINE, Outcome.UNKNOWN, "proposed, no answer yet")
        loop.call_at(deadline, done, denied)

    node.submit = late
    failed = await failing(wire.kv.Put(PUT, timeout=0.5))
    assert (failed.code, failed.info.reason) == (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "UNKNOWN_RESULT",
    )
    assert failed.metadata["outcome"] == "UNKNOWN"


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["Put", "Get"])
async def test_a_cancelled_call_leaves_the_callback_alone(wire: Wire, method, caplog) -> None:
    wire.node.hold = True
    request = PUT if method == "Put" else kv_pb2.GetRequest(key=b"k")
    call = getattr(wire.kv, method)(request)
    await wire.node.until_held(1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    # The server hears of it by another message: a later call on the channel comes behind it.
    await wire.cluster.Status(cluster_pb2.StatusRequest())
    with caplog.at_level(logging.DEBUG):
        wire.node.release()  # must neither raise nor be heard
        wire.node.hold = False
        answer = await wire.kv.Get(kv_pb2.GetRequest(key=b"k"))
    assert answer.HasField("entry") == (method == "Put")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert [type(command) for command, _ in wire.node.submitted] == [Put] * (method == "Put")


@pytest.mark.asyncio
async def test_a_client_that_gives_up_at_its_deadline_frees_the_call(wire: Wire) -> None:
    wire.node.hold = True
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await wire.kv.Put(PUT, timeout=0.05)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    wire.node.release()
    wire.node.hold = False
    assert (await wire.kv.Get(kv_pb2.GetRequest(key=b"k"))).entry.value == b"v"
