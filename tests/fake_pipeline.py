"""The pipeline of a fake node: each call runs on a thread of its own, as if it had come alone."""

import queue
import threading
import time
from contextlib import suppress

import grpc
from google.protobuf.message import DecodeError

from kvraft.v1 import error_pb2, kv_pb2

METHODS = {
    "get": ("keys", "Get"),
    "list": ("keys", "List"),
    "put": ("keys", "Put"),
    "delete": ("keys", "Delete"),
    "compare_and_set": ("keys", "CompareAndSet"),
    "update": ("keys", "Update"),
    "txn": ("keys", "Txn"),
    "grant": ("leases", "Grant"),
    "revoke": ("leases", "Revoke"),
    "acquire": ("locks", "AcquireOnce"),
    "confirm": ("locks", "Confirm"),
    "release": ("locks", "Release"),
    "check_fence": ("locks", "CheckFence"),
    "open": ("sessions", "Open"),
    "close": ("sessions", "Close"),
    "resolve": ("sessions", "Resolve"),
}


class Aborted(Exception):  # noqa: N818 - it is no error
    """A call that ended with a status."""


class Cut(Exception):  # noqa: N818 - it is no error
    """A call that ended with its stream."""


class CallContext:
    """What a servicer asks of the context of one call."""

    def __init__(self, timeout_ms, stream):
        self._ends = time.monotonic() + timeout_ms / 1000
        self._stream = stream
        self._details = []
        self.error = None

    def time_remaining(self):
        return self._ends - time.monotonic()

    def is_active(self):
        return self._stream.is_active()

    def set_trailing_metadata(self, trailer):
        self._details = [value for key, value in trailer if key == "grpc-status-details-bin"]

    def cut(self):
        self._stream.cancel()
        raise Cut

    def abort(self, code, message):
        self.error = error_pb2.ErrorStatus(code=code.value[0], message=message)
        with suppress(DecodeError):
            for details in self._details:
                self.error = error_pb2.ErrorStatus.FromString(details)
        raise Aborted


class PipelineView:
    """Serves the streams of one node."""

    def __init__(self, *, follows, **views):
        """`follows`: a place in a queue, until it is granted or has ended."""
        self._views, self._follows = views, follows
        self.batches = []
        """How many calls each message had."""

    def serve(self, requests, context):
        replies = queue.SimpleQueue()
        context.add_callback(lambda: replies.put(None))

        def read():
            try:
                for message in requests:
                    self.batches.append(len(message.calls))
                    for call in message.calls:
                        threading.Thread(
                            target=self._run, args=(call, context, replies), daemon=True
                        ).start()
            except grpc.RpcError:
                pass
            replies.put(None)

        threading.Thread(target=read, daemon=True).start()
        while (reply := replies.get()) is not None:
            yield kv_pb2.PipelineResponse(replies=[reply])

    def _run(self, call, stream, replies):
        context = CallContext(call.timeout_ms, stream)
        kind = call.WhichOneof("request")
        request = getattr(call, kind)
        reply = kv_pb2.PipelineReply(id=call.id)
        try:
            if kind == "keep_alive":
                (answer,) = self._views["leases"].KeepAlive(iter([request]), context)
            else:
                view, name = METHODS[kind]
                answer = getattr(self._views[view], name)(request, context)
            getattr(reply, kind).CopyFrom(answer)
            if self._follows and kind == "acquire" and answer.HasField("queued"):
                answer.ClearField("header")
                reply.more = True
                replies.put(reply)
                for news in self._views["locks"].follow(request, stream, answer):
                    more = news.HasField("queued")
                    replies.put(kv_pb2.PipelineReply(id=call.id, acquire=news, more=more))
                return
        except Aborted:
            reply.error.CopyFrom(context.error)
        except Cut:
            return
        replies.put(reply)
