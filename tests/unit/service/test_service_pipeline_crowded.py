"""A pipeline on a crowded node: what is refused by its name, what is not, and how much at most."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from service_node import ScriptedNode
from service_pipe import REQUESTS, Call, Pipe, get, put
from service_wire import Wire

from kvraft.core.commands import Command
from kvraft.core.errors import Outcome, Reason
from kvraft.core.limits import RequestLimits
from kvraft.replica.congestion import may_pass
from kvraft.replica.outcomes import Denied, Done
from kvraft.service.calls import Calls
from kvraft.service.limits import ServiceLimits
from kvraft.service.pipeline import NEW_WORK, Pipelines, operations
from kvraft.service.work import Change, Following
from kvraft.v1 import error_pb2, kv_pb2, lock_pb2

pytestmark = pytest.mark.asyncio

CROWDED = Denied(Reason.OVERLOAD, Outcome.NOT_APPLIED, "1500 wait", retry_after_ms=310)


@pytest.fixture
def pipe(wire: Wire) -> Pipe:
    return Pipe(wire)


def reason_of(reply: kv_pb2.PipelineReply) -> str:
    if not reply.HasField("error"):
        return ""
    (packed,) = reply.error.details
    info = error_pb2.ErrorInfo.FromString(packed.value)
    if info.reason == "OVERLOAD":
        assert info.metadata == {"outcome": "NOT_APPLIED", "retry_after_ms": "310"}
    return info.reason


async def test_new_work_is_what_the_leader_would_refuse(node: ScriptedNode) -> None:
    kinds = operations(Calls(node, RequestLimits(), ServiceLimits()))
    assert kinds.keys() == REQUESTS.keys()
    for kind, begin in kinds.items():
        work = begin(REQUESTS[kind])
        is_new = isinstance(work, Change | Following) and not may_pass(work.command)
        assert (kind in NEW_WORK) is is_new, kind


async def test_new_work_is_refused_and_the_rest_goes_on(node: ScriptedNode, pipe: Pipe) -> None:
    node.crowded = CROWDED
    kinds = list(REQUESTS)
    calls = [Call(id=number, **{kind: REQUESTS[kind]}) for number, kind in enumerate(kinds)]
    await pipe.send(*calls)
    replies = await pipe.receive(len(kinds))
    refused = {kinds[each] for each in replies if reason_of(replies[each]) == "OVERLOAD"}
    assert refused == NEW_WORK
    assert len(node.submitted) == 5, "revoke, keep_alive, close, confirm, release"

    node.crowded = None
    await pipe.send(put(1))
    assert (await pipe.receive(1))[1].HasField("put")


async def test_the_rest_of_a_message_hears_what_its_first_was_told(
    node: ScriptedNode, pipe: Pipe
) -> None:
    submit, full_at = node.submit, 3

    def filling(command: Command, deadline: float, done: Done) -> None:
        if len(node.submitted) < full_at:
            submit(command, deadline, done)
        else:
            node.submitted.append((command, deadline))
            node.crowded = CROWDED
            done(CROWDED)

    node.submit = filling  # type: ignore[method-assign]
    await pipe.send(*(put(number) for number in range(10)), get(10))
    replies = await pipe.receive(11)
    assert [number for number in replies if reason_of(replies[number])] == list(range(3, 10))
    assert len(node.submitted) == full_at + 1


async def test_each_is_told_why(node: ScriptedNode, pipe: Pipe) -> None:
    node.crowded = CROWDED
    await pipe.send(put(1))
    assert (await pipe.receive(1))[1].error.message == "1500 wait"
    node.crowded = Denied(Reason.OVERLOAD, Outcome.NOT_APPLIED, "now 9", retry_after_ms=310)
    await pipe.send(put(2))
    assert (await pipe.receive(1))[2].error.message == "now 9"


class TestBounds:
    @pytest.fixture
    def limits(self) -> ServiceLimits:
        return ServiceLimits(pipeline_calls=64, pipeline_stall_ms=300, pipeline_reply_bytes=2_000)

    async def test_a_message_of_refusals_is_bounded_too(
        self, node: ScriptedNode, pipe: Pipe
    ) -> None:
        node.crowded = CROWDED
        await pipe.send(*(put(number) for number in range(64)))
        replies = await pipe.receive(64)
        assert {reason_of(reply) for reply in replies.values()} == {"OVERLOAD"}
        assert len(pipe.batches) > 2
        assert max(pipe.batches) < 2_000 / 100

    async def test_of_who_reads_no_refusals_no_more_is_read(
        self, node: ScriptedNode, limits: ServiceLimits
    ) -> None:
        node.crowded = CROWDED
        taken = 0

        async def flood() -> AsyncIterator[kv_pb2.PipelineRequest]:
            nonlocal taken
            while True:
                taken += 16
                yield kv_pb2.PipelineRequest(calls=[put(number) for number in range(16)])

        class Deaf:
            async def write(self, _: kv_pb2.PipelineResponse) -> None:
                await asyncio.sleep(60)

            async def abort(self, _: grpc.StatusCode, text: str, trailer: object) -> None:
                raise EOFError(text)

        pipelines = Pipelines(Calls(node, RequestLimits(), limits))
        with pytest.raises(EOFError, match="the client has read no reply for 300 ms"):
            await pipelines.serve(flood(), Deaf())  # type: ignore[arg-type]
        written = 2_000 / 100
        assert 64 <= taken <= 64 + written + 16


async def test_the_rest_of_a_message_of_places_is_refused_unread(
    node: ScriptedNode, pipe: Pipe
) -> None:
    def full(command: Command, deadline: float, done: Done) -> None:
        node.submitted.append((command, deadline))
        node.crowded = CROWDED
        done(CROWDED)

    node.submit = full  # type: ignore[method-assign]
    node.locks._submit = full
    asked = [
        lock_pb2.AcquireRequest(key=b"%d" % number, names=[b"l"], ttl_ms=5_000)
        for number in range(8)
    ]
    await pipe.send(*(Call(id=number, acquire=each) for number, each in enumerate(asked)))
    replies = await pipe.receive(8)
    assert all(reply.HasField("error") and not reply.more for reply in replies.values())
    assert len(node.submitted) == 1
    assert len(node.locks) == 0
