"""KVService.Pipeline: many calls on one stream; no task and no message for each of them.

A call begins when it is read, in the order of its message; those that only look at the state begin
behind the others, together. What was answered in one turn of the loop leaves in one message. A
reply is written only when it can leave, so a client that does not read holds up no more than its
window, and is cut off in the end. A place in a queue is followed until it is granted or has ended,
and counts to the window until its first reply.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

from kvraft.core.errors import Outcome, Reason
from kvraft.replica.lock_waiter import Waiter
from kvraft.replica.outcomes import Answer, Denied
from kvraft.service.calls import Calls, Context
from kvraft.service.convert.checks import checked_count, invalid
from kvraft.service.convert.reads import Demands
from kvraft.service.deadlines import answer_by
from kvraft.service.errors import CallError, abort, denied_error, status_of
from kvraft.service.operations.kv import KeyValueOperations
from kvraft.service.operations.lease import LeaseOperations
from kvraft.service.operations.lock import LockOperations
from kvraft.service.operations.session import SessionOperations
from kvraft.service.shutdown import shutting_down
from kvraft.service.unreadable import require_readable
from kvraft.service.work import Change, Following, Work
from kvraft.v1 import kv_pb2

Begin = Callable[[Any], Work[Any] | Following[Any]]
NEW_WORK = frozenset(
    {"put", "delete", "compare_and_set", "update", "txn", "grant", "open", "resolve", "acquire"}
)
"""What a crowded node refuses (`replica.congestion.may_pass` says of what), here by its name alone:
a refusal that costs half a write leaves no time for writes."""
_Reads = dict[tuple[Demands, float], "list[_Call]"]
"""Calls that look at the state, by what they demand of it and until when."""


def operations(calls: Calls) -> dict[str, Begin]:
    """Return what each kind of call does, by its field's name."""
    keys, leases = KeyValueOperations(calls), LeaseOperations(calls)
    locks, sessions = LockOperations(calls), SessionOperations(calls)
    return {
        "get": keys.get,
        "list": keys.list,
        "put": keys.put,
        "delete": keys.delete,
        "compare_and_set": keys.compare_and_set,
        "update": keys.update,
        "txn": keys.txn,
        "grant": leases.grant,
        "revoke": leases.revoke,
        "keep_alive": leases.keep_alive,
        "open": sessions.open,
        "close": sessions.close,
        "resolve": sessions.resolve,
        "acquire": locks.acquire,
        "confirm": locks.confirm,
        "release": locks.release,
        "check_fence": locks.check_fence,
    }


class Pipelines:
    """The streams of one node."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._operations = operations(calls)
        self._streams: set[PipelineStream] = set()
        self._turns = asyncio.Lock()
        """Of the streams whose calls take long to begin, one goes on in a turn of the loop."""
        self._stopping: CallError | None = None

    def __len__(self) -> int:
        return len(self._streams)

    async def serve(
        self, requests: AsyncIterator[kv_pb2.PipelineRequest], context: Context
    ) -> None:
        """Serve one stream to its end."""
        stream = PipelineStream(self._calls, self._operations, context, self._turns)
        self._streams.add(stream)
        try:
            if self._stopping is not None:
                raise self._stopping
            await stream.run(requests)
        except CallError as error:
            self._streams.discard(stream)  # a client that does not read may not hear it for long
            await abort(context, error, self._calls.node.endpoints())
        finally:
            self._streams.discard(stream)

    def close(self) -> None:
        """End the open streams; their clients are told where to go."""
        node = self._calls.node
        self._stopping = reason = shutting_down(node.name, node.leader)
        for stream in self._streams:
            stream.stop(reason)


class _Call:
    """One call, from its beginning to its reply."""

    __slots__ = ("_stream", "begun", "call_id", "kind", "outcome", "size", "waiter", "work")

    def __init__(self, call_id: int, size: int, stream: "PipelineStream") -> None:
        self.call_id = call_id
        self.size = size
        self.kind = ""
        self.work: Work[Any] | Following[Any] | None = None
        self.outcome: Answer | Denied | CallError | None = None
        self.begun: kv_pb2.PipelineReply | None = None
        """A reply that is written over several turns."""
        self.waiter: Waiter | None = None
        """Who follows its place."""
        self._stream = stream

    def finish(self, outcome: Answer | Denied | CallError | None) -> None:
        """Take the node's word: what to write, or that it may be written."""
        self.outcome = outcome
        stream = self._stream
        if not stream.finished:  # else somebody has said so
            stream.news.set()
        stream.finished.append(self)


def _finish(group: list[_Call], outcome: Denied | CallError | None) -> None:
    for call in group:
        call.finish(outcome)


class PipelineStream:
    """One stream: reads ahead of the replies by a bounded window."""

    def __init__(
        self, calls: Calls, begin: dict[str, Begin], context: Context, turns: asyncio.Lock
    ) -> None:
        self._calls = calls
        self._begin = begin
        self._context = context
        self._turns = turns
        self._open: set[int] = set()
        """Ids of the calls without a reply."""
        self._open_bytes = 0
        self._followed: dict[int, Waiter] = {}
        """By the id of the call: who gets more replies than one."""
        self.finished: deque[_Call] = deque()
        """Calls that have their outcome and no reply yet."""
        self._refused: list[int] = []
        """Ids of calls that never began, for one reason ..."""
        self._refusal: Denied | None = None
        """... this one ..."""
        self._refusal_message = b""
        """... as a message for one of them: it is the same for very many."""
        self.news = asyncio.Event()
        """There are some, or the reader has ended."""
        self._room = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._end: CallError | None = None

    async def run(self, requests: AsyncIterator[kv_pb2.PipelineRequest]) -> None:
        """Serve until the client ends the stream and all is answered; CallError to end it so.

        That is raised once all that was begun is answered: of the others it says NOT_APPLIED.
        """
        self._reader = reader = asyncio.create_task(self._read(requests))
        reader.add_done_callback(lambda _: self.news.set())  # also of one that never began
        try:
            while self._goes_on(reader):
                if self.finished or self._refused:
                    response = self._replies()
                    if response.replies:
                        await self._write(response)
                    else:
                        await asyncio.sleep(0)
                    continue
                if reader.done() and not reader.cancelled():
                    reader.result()  # a bug: what it had begun is not waited for
                self.news.clear()
                await self.news.wait()
            if self._end is not None:
                raise self._end
            await reader  # it has ended: an exception of gRPC is raised here
        finally:
            reader.cancel()
            self.finished.clear()
            self._refused.clear()
            for waiter in self._followed.values():
                waiter.close()

    def _goes_on(self, reader: asyncio.Task[None]) -> bool:
        """Whether there is anything to write or to wait for; for grants only if all is well."""
        if self.finished or self._refused or self._open or not reader.done():
            return True
        return bool(self._followed) and self._end is None

    def stop(self, reason: CallError) -> None:
        """Read no more; end with `reason` once what was read is answered."""
        self._end = self._end or reason
        if self._reader is not None:
            self._reader.cancel()

    async def _read(self, requests: AsyncIterator[kv_pb2.PipelineRequest]) -> None:
        limits = self._calls.limits
        try:
            async for message in requests:
                require_readable(message)
                await self._begin_all(message)
                while (
                    len(self._open) + len(self._refused) >= limits.pipeline_calls
                    or self._open_bytes >= limits.pipeline_bytes
                ):
                    self._room.clear()
                    await self._room.wait()
        except CallError as error:
            self._end = self._end or error

    async def _begin_all(self, message: kv_pb2.PipelineRequest) -> None:
        """Begin the calls in their order; where they are large, others have their turn between."""
        limits, clock = self._calls.limits, self._calls.node.now
        refused, crowded = self._refused, self._crowded()
        count = len(message.calls)
        checked_count(count, "calls", limits.pipeline_batch)
        size = message.ByteSize() // count
        now = begun_at = clock()
        reads: _Reads = {}
        try:
            for given in message.calls:
                call_id = given.id
                if call_id in self._open or call_id in self._followed:
                    raise invalid(f"calls: two with the id {call_id}, the first one is unanswered")
                if crowded is not None and given.WhichOneof("request") in NEW_WORK:
                    refused.append(call_id)
                    continue
                if (clock() - begun_at) * 1000 >= limits.pipeline_slice_ms:
                    self._begin_reads(reads)
                    reads.clear()
                    async with self._turns:
                        await asyncio.sleep(0)
                    begun_at, crowded = clock(), self._crowded()
                self._open.add(call_id)
                self._open_bytes += size
                call = _Call(call_id, size, self)
                try:
                    self._begin_one(call, given, now, reads)
                except CallError as error:
                    call.finish(error)
                waiter = call.waiter
                if call.outcome is not None or (waiter is not None and waiter.ended is not None):
                    # At once: the rest need not ask.
                    crowded = self._crowded()
        finally:
            self._begin_reads(reads)
            if refused:
                self.news.set()

    def _begin_one(
        self, call: _Call, given: kv_pb2.PipelineCall, now: float, reads: _Reads
    ) -> None:
        kind = given.WhichOneof("request")
        if kind is None:
            known = ", ".join(self._begin)
            raise invalid(f"request: one of {known} must be set, got none that is known here")
        calls, call.kind = self._calls, kind
        left = given.timeout_ms / 1000 if given.timeout_ms else None
        deadline = answer_by(now, left, calls.limits)
        call.work = work = self._begin[kind](getattr(given, kind))
        if isinstance(work, Change):
            calls.node.submit(work.command, deadline, call.finish)
        elif isinstance(work, Following):
            waiter = calls.node.locks.acquire(work.command, deadline, partial(call.finish, None))
            if isinstance(waiter, Denied):
                raise denied_error(waiter)
            call.waiter = self._followed[call.call_id] = waiter
        else:
            reads.setdefault((work.demands, deadline), []).append(call)

    def _begin_reads(self, reads: _Reads) -> None:
        """Begin those that ask for the same together: a barrier is met for all of them at once."""
        for (demands, deadline), group in reads.items():
            try:
                self._calls.begin_read(demands, deadline, partial(_finish, group), len(group))
            except CallError as error:
                _finish(group, error)

    def _replies(self) -> kv_pb2.PipelineResponse:
        """Write what is finished, as far as one message holds it."""
        response = kv_pb2.PipelineResponse()
        left = self._calls.limits.pipeline_reply_bytes
        while self.finished and left > 0:
            call = self.finished.popleft()
            if call.waiter is not None and not call.waiter.has_news:
                continue  # what it had to tell went with what came before
            reply = call.begun or response.replies.add(id=call.call_id)
            try:
                if not self._fill(reply, call):
                    # It goes on in a later turn, behind the others.
                    call.begun = response.replies.pop() if call.begun is None else reply
                    self.finished.append(call)
                    break
            except CallError as error:
                reply.error.CopyFrom(status_of(error, self._calls.node.endpoints()))
            if call.begun is not None:
                response.replies.append(call.begun)
            left -= reply.ByteSize()
            if call.waiter is not None and not reply.more:
                del self._followed[call.call_id]
                call.waiter.close()
            self._open.discard(call.call_id)
            self._open_bytes -= call.size
            call.size = 0
        if self._refused and left > 0:
            self._write_refused(response, left)
        self._room.set()
        return response

    def _crowded(self) -> Denied | None:
        """Return what new work is told now; it is told so to all that is refused and unanswered."""
        node = self._calls.node
        crowded = node.crowded
        if crowded is not None and crowded is not self._refusal:
            error = status_of(denied_error(crowded), node.endpoints())
            one = kv_pb2.PipelineResponse(replies=[kv_pb2.PipelineReply(error=error)])
            self._refusal, self._refusal_message = crowded, one.SerializeToString()
        return crowded

    def _write_refused(self, response: kv_pb2.PipelineResponse, left: int) -> None:
        """... as far as so many bytes go."""
        refused, message = self._refused, self._refusal_message
        count = min(len(refused), 1 + left // len(message))
        begin = len(response.replies)
        response.MergeFromString(message * count)  # a copy for each would take twice as long
        for call_id, reply in zip(refused, response.replies[begin:], strict=False):
            reply.id = call_id
        del refused[:count]

    def _fill(self, reply: kv_pb2.PipelineReply, call: _Call) -> bool:
        """Write what there is to write; False: there is more to come in a later turn."""
        work, outcome = call.work, call.outcome
        if isinstance(outcome, CallError) or work is None:
            assert isinstance(outcome, CallError), "a call without work has an error"
            raise outcome
        into = getattr(reply, call.kind)
        if isinstance(work, Following):
            assert call.waiter is not None, "it began"
            reply.more = not work.write(into, call.waiter)
            return True
        if isinstance(work, Change):
            assert outcome is not None, "a command has an answer"
            work.write(into, outcome)
            return True
        assert not isinstance(outcome, Answer), "a read has no answer of its own"
        # The barrier was met in an earlier turn: what is applied by now is only newer.
        return work.write(into, self._calls.meeting(work.demands, outcome)) is not False

    async def _write(self, response: kv_pb2.PipelineResponse) -> None:
        stall_ms = self._calls.limits.pipeline_stall_ms
        try:
            async with asyncio.timeout(stall_ms / 1000):
                await self._context.write(response)
        except TimeoutError:
            text = f"the client has read no reply for {stall_ms} ms"
            raise CallError(Reason.OVERLOAD, Outcome.UNKNOWN, text, limit=stall_ms) from None
