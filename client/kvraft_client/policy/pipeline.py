"""The calls of one pipeline: which wait, which are out, which reply is whose, what a break means.

Sans-I/O, and not thread-safe by itself. What waits while a message leaves shares the next one, so
that the load makes the batches and nothing waits for company. When the stream breaks, a call that
was handed to the transport failed as a call of its own would have, and one that was not is known
not to have been sent.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from math import inf
from typing import Any, NamedTuple

CALLS_MAX = 1_024
"""Calls out at one time: four batches of the store's log. Above it they wait here, where nobody
can have applied them; the server would read four times as many."""
BYTES_MAX = 4 << 20
"""... and bytes of their requests; a larger one goes alone."""
BATCH_CALLS = 256
"""Calls in one message: a batch of the store's log. The server takes four times as many."""
BATCH_BYTES = 1 << 20
"""... and bytes of their requests, a quarter of what gRPC takes; a larger one goes alone."""


class PipelinedCall:
    """One call. `settle` is called with a reply, or with why there is none: once, or until the one
    that no others follow.
    """

    __slots__ = ("call_id", "deadline", "field", "goes_on", "request", "settle", "size")

    def __init__(
        self, field: str, request: Any, size: int, deadline: float, settle: Callable[[Any], None]
    ) -> None:
        self.call_id = 0
        self.field = field
        """Of its kind, in the messages of the pipeline."""
        self.request = request
        self.size = size
        """Bytes of the request."""
        self.deadline = deadline
        self.settle: Callable[[Any], None] | None = settle
        """None: its caller has gone."""
        self.goes_on = False
        """Whether more replies follow the last one."""


class Broken(NamedTuple):
    """The calls of a stream that ended."""

    unsent: list[PipelinedCall]
    """Whatever became of the stream, these can be sent again."""
    sent: list[PipelinedCall]
    """Of these the store may have done some."""


class Window:
    """The calls of one stream."""

    def __init__(self) -> None:
        """Start with none."""
        self._next_id = 1
        self._waiting: dict[int, PipelinedCall] = {}
        self._out: dict[int, PipelinedCall] = {}
        self._out_bytes = 0
        self._followed: dict[int, PipelinedCall] = {}
        """Answered, but not for the last time."""
        self.answered_any = False
        """Whether the other side has answered anything: it knows what a pipeline is."""

    def enter(self, call: PipelinedCall) -> bool:
        """Queue a call; return whether it is the first that waits: whoever sends is to be told."""
        call_id = call.call_id = self._next_id
        self._next_id = call_id + 1
        first = not self._waiting
        self._waiting[call_id] = call
        return first

    @property
    def can_send(self) -> bool:
        """Whether `take` would give something."""
        return bool(self._waiting) and self._has_room()

    def take(self) -> list[PipelinedCall]:
        """Return the calls of the next message; from here on they count as sent."""
        batch: list[PipelinedCall] = []
        size = 0
        waiting, out = self._waiting, self._out
        for call in islice(waiting.values(), max(0, min(BATCH_CALLS, CALLS_MAX - len(out)))):
            if (out and self._out_bytes >= BYTES_MAX) or (batch and size + call.size > BATCH_BYTES):
                break
            out[call.call_id] = call
            self._out_bytes += call.size
            size += call.size
            batch.append(call)
        for call in batch:
            del waiting[call.call_id]
        return batch

    def answered(self, call_id: int, *, more: bool = False) -> PipelinedCall | None:
        """Return whose reply this is; None: nobody's who waits for one. `more`: others follow."""
        self.answered_any = True
        call = self._out.pop(call_id, None)
        if call is not None:
            self._out_bytes -= call.size
        elif self._followed:
            call = self._followed.pop(call_id, None)
        if more and call is not None and call.settle is not None:
            self._followed[call_id] = call
        return call

    def leave(self, call: PipelinedCall) -> bool:
        """Let the caller go, before an answer or after it; return whether the call was sent.

        One that is out keeps its place until its reply comes: the store still works on it.
        """
        call.settle = None
        self._followed.pop(call.call_id, None)
        if self._waiting.pop(call.call_id, None) is not None:
            return False
        call.request = None
        return True

    def late(self, now: float) -> list[PipelinedCall]:
        """Return the calls whose callers still wait, though their time is up."""
        return [call for call in self._waited_for() if call.deadline <= now]

    @property
    def next_deadline(self) -> float:
        """The earliest of the calls whose callers still wait; infinity if none does."""
        return min((call.deadline for call in self._waited_for()), default=inf)

    def _waited_for(self) -> Iterator[PipelinedCall]:
        for calls in (self._waiting, self._out):
            yield from (call for call in calls.values() if call.settle is not None)

    def broken(self) -> Broken:
        """Take everything out: the stream has ended."""
        unsent = [call for call in self._waiting.values() if call.settle is not None]
        out = (*self._out.values(), *self._followed.values())
        sent = [call for call in out if call.settle is not None]
        self._waiting, self._out, self._out_bytes, self._followed = {}, {}, 0, {}
        return Broken(unsent, sent)

    def _has_room(self) -> bool:
        if not self._out:
            return True
        return len(self._out) < CALLS_MAX and self._out_bytes < BYTES_MAX
