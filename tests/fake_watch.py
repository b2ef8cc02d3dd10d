"""The watch service of a fake node: one revision a response, and a progress mark at the start."""
# ruff: noqa: N802 - gRPC gives the methods of a servicer their names

import grpc
from fake_answers import deny

from kvraft.v1 import watch_pb2
from kvraft.v1.watch_pb2_grpc import WatchServiceServicer


class WatchView(WatchServiceServicer):
    """Tells of the changes in the node's store. `node.script["Watch"]` runs before a stream;
    `node.cut_after` is how many responses each stream has left before it breaks;
    `node.watchers` how many streams are open.
    """

    def __init__(self, node):
        self.node = node
        self.store = node.store
        node.cut_after = None
        node.watchers = 0

    def Watch(self, request, context):
        self.node.watchers += 1
        try:
            yield from self._serve(request, context)
        finally:
            self.node.watchers -= 1

    def _serve(self, request, context):
        self.node.calls.append(
            ("Watch", watch_pb2.WatchRequest.FromString(request.SerializeToString()))
        )
        if self.node.script["Watch"]:
            self.node.script["Watch"].pop(0)(request, context)
        with self.store.lock:
            position = self.store.revision
        if request.HasField("start_revision"):
            position = request.start_revision - 1
            if position < self.store.compacted:
                deny(
                    grpc.StatusCode.OUT_OF_RANGE,
                    "COMPACTED",
                    oldest_revision=self.store.compacted + 1,
                )(request, context)
        yield watch_pb2.WatchResponse(header=self.node.header(), revision=position)
        while context.is_active() and not self.node.released.is_set():
            if self.node.cut_after == 0:
                self.node.cut_after = None
                context.abort(grpc.StatusCode.UNAVAILABLE, "cut")
            response = self._next(request, position)
            if response is not None:
                position = response.revision
                if self.node.cut_after is not None:
                    self.node.cut_after -= 1
                yield response

    def _next(self, request, position):
        with self.store.lock:
            later = [each for each in self.store.events if each.entry.mod_revision > position]
            if not later:
                self.store.changed.wait(0.02)
                return None
            revision = later[0].entry.mod_revision
            events = [
                each
                for each in later
                if each.entry.mod_revision == revision and wanted(request, each)
            ]
        return watch_pb2.WatchResponse(events=events, revision=revision)


def wanted(request, event):
    """Whether a watch is of this key and kind of change."""
    key = event.entry.key
    kind = request.WhichOneof("target")
    if event.type == watch_pb2.EVENT_TYPE_PUT and request.no_puts:
        return False
    if event.type == watch_pb2.EVENT_TYPE_DELETE and request.no_deletes:
        return False
    if kind == "key":
        return key == request.key
    if kind == "prefix":
        return key.startswith(request.prefix)
    return request.range.start <= key < (request.range.end or b"\xff" * 9)
