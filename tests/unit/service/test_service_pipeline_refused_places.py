"""Places that are refused at once: the rest of the message is refused by its name, as of writes."""

import pytest
from service_node import ScriptedNode
from service_pipe import Call, Pipe
from service_wire import Wire

from kvraft.core.commands import Command
from kvraft.core.errors import Outcome, Reason
from kvraft.replica.outcomes import Denied, Done
from kvraft.v1 import lock_pb2

CROWDED = Denied(Reason.OVERLOAD, Outcome.NOT_APPLIED, "1500 wait", retry_after_ms=310)


@pytest.mark.asyncio
async def test_the_rest_of_a_message_of_places_is_refused_unread(
    node: ScriptedNode, wire: Wire
) -> None:
    def full(command: Command, deadline: float, done: Done) -> None:
        node.submitted.append((command, deadline))
        node.crowded = CROWDED
        done(CROWDED)

    node.submit = full  # type: ignore[method-assign]
    node.locks._submit = full
    pipe = Pipe(wire)
    asked = [
        lock_pb2.AcquireRequest(key=b"%d" % number, names=[b"l"], ttl_ms=5_000)
        for number in range(8)
    ]
    await pipe.send(*(Call(id=number, acquire=each) for number, each in enumerate(asked)))
    replies = await pipe.receive(8)
    assert all(reply.HasField("error") and not reply.more for reply in replies.values())
    assert len(node.submitted) == 1
    assert len(node.locks) == 0
