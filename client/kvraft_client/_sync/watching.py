# Generated from _async/watching.py by scripts/generate_sync_client.py: do not edit.
"""Watch: changes in order, across any number of broken streams, without gap or repeat."""

from collections import deque
from types import TracebackType
from typing import Self

import grpc

from kvraft.v1 import kv_pb2, watch_pb2
from kvraft_client._sync.caller import AttemptError, Caller
from kvraft_client._backends import threads as backend
from kvraft_client.answers import Event
from kvraft_client.errors import ClientClosed, InvalidRequest
from kvraft_client.policy.failure import Effect, Failure
from kvraft_client.policy.retry import Attempts
from kvraft_client.policy.watch import OUTAGE_S, WATCH_RETRY, WatchPosition
from kvraft_client.replies import event_from
from kvraft_client.requests import Data, as_bytes, as_int64, as_key
from kvraft_client.rpc import WATCH
from kvraft_client.wire import failure_from


class Watch:
    """The changes of some keys: `for event in kv.watch(...)`. For one thread at a time.

    It goes on through failovers and never ends by itself; `close()`, or leaving its `with` block,
    ends it. Compacted: what is to come is kept no more, `oldest_revision` is; read, then watch
    from there.
    """

    def __init__(
        self, caller: Caller, request: watch_pb2.WatchRequest, patience_s: float | None
    ) -> None:
        """Prepare it; it begins with the first event asked for, or with its `with` block."""
        start = request.start_revision if request.HasField("start_revision") else None
        self._caller, self._request = caller, request
        self._patience_s = patience_s or OUTAGE_S
        self._position = WatchPosition(start)
        self._events: deque[Event] = deque()
        self._stream: backend.Stream[watch_pb2.WatchResponse] | None = None
        self._address = ""
        self._attempts: Attempts | None = None
        self._closed = False

    @property
    def revision(self) -> int | None:
        """The bookmark: all changes up to it were handed out, so `start_revision=revision + 1`
        goes on from here. None: not begun yet.
        """
        return self._events[0].revision - 1 if self._events else self._position.through

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        """Return the next change, waiting for it as long as it takes."""
        while not self._events:
            if self._closed:
                raise StopIteration
            self._receive()
        return self._events.popleft()

    def __enter__(self) -> Self:
        """Begin: what is written from now on will be seen."""
        while self._position.through is None and not self._closed:
            self._receive()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it, from wherever: whoever waits for an event gets none any more."""
        self._closed = True
        if self._stream is not None:
            self._stream.cancel()

    def _receive(self) -> None:
        """Take one response, or get over one failure."""
        if self._attempts is None:
            self._attempts = self._caller.attempts(Effect.READ, self._patience_s, WATCH_RETRY)
        try:
            if self._stream is None:
                self._open(self._attempts)
            response = self._read()
        except AttemptError as failed:
            self._stream = None
            if self._closed:
                return
            if self._caller.is_closed:
                raise ClientClosed("the client was closed under a watch") from failed
            wait_s = self._caller.after(failed, self._attempts)
            with self._caller.lock:
                self._caller.metrics.watch_resumes += 1
            backend.sleep(wait_s)
            return
        if response is not None:
            self._attempts = None  # what comes next is another outage
            self._take(response)

    def _open(self, attempts: Attempts) -> None:
        self._address = self._caller.reach(attempts)
        revision = self._position.next_revision
        if revision is not None:
            self._request.start_revision = revision
        self._position.resume()
        self._stream = self._caller.channel(self._address).follow(WATCH, self._request)
        if self._closed:  # meanwhile, by another thread
            self._stream.cancel()

    def _read(self) -> watch_pb2.WatchResponse | None:
        if self._stream is None:
            raise AssertionError("no stream")
        try:
            response = self._stream.read()
        except grpc.RpcError as error:
            raise AttemptError(failure_from(error, self._address, sent=True)) from error
        if response is None and not self._closed:
            text = "the stream ended in good order"
            raise AttemptError(Failure("UNAVAILABLE", text, self._address, sent=True))
        return response

    def _take(self, response: watch_pb2.WatchResponse) -> None:
        if response.HasField("header"):
            self._caller.learn(self._address, response.header)
        revisions = [each.entry.mod_revision for each in response.events]
        repeated = self._position.take(response.revision, revisions)
        self._events.extend(event_from(each) for each in response.events[repeated:])


class Watching:
    """Changes, as they are made."""

    _caller: Caller

    def watch(
        self,
        key: Data | None = None,
        *,
        prefix: Data | None = None,
        range: tuple[Data, Data | None] | None = None,  # noqa: A002 - the word for it
        start_revision: int | None = None,
        previous: bool = False,
        puts: bool = True,
        deletes: bool = True,
        patience: float | None = None,
    ) -> Watch:
        """Watch a key, a prefix ("": all keys) or a range (start, end), from `start_revision` on.

        Without it, from now: from when the first event is asked for, or a `with` block begins.
        `previous`: events carry the entry before. `patience`: how many seconds an outage may last
        before the watch raises the outage's error; None: for ever.
        """
        request = watch_pb2.WatchRequest(
            start_revision=as_int64("start_revision", start_revision),
            previous=previous,
            no_puts=not puts,
            no_deletes=not deletes,
        )
        if (key is not None) + (prefix is not None) + (range is not None) != 1:
            raise InvalidRequest("give one of: a key, prefix= and range=")
        if key is not None:
            request.key = as_key(key)
        elif prefix is not None:
            request.prefix = as_bytes("prefix", prefix)
        elif range is not None:
            request.range.CopyFrom(_range(*range))
        return Watch(self._caller, request, patience)


def _range(start: Data, end: Data | None) -> kv_pb2.KeyRange:
    return kv_pb2.KeyRange(
        start=as_bytes("start", start), end=None if end is None else as_bytes("end", end)
    )
