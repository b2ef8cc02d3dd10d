"""The session service of a fake node."""
# ruff: noqa: N802 - gRPC gives the methods of a servicer their names

from fake_store import name_of, outlined

from kvraft.v1 import session_pb2
from kvraft.v1.session_pb2_grpc import SessionServiceServicer

REPLIES = {
    "PutResponse": "put",
    "DeleteResponse": "delete",
    "CompareAndSetResponse": "compare_and_set",
    "UpdateResponse": "update",
    "TxnResponse": "txn",
    "GrantResponse": "grant",
    "RevokeResponse": "revoke",
}


class SessionView(SessionServiceServicer):
    """Opens, ends and resolves in the node's store."""

    def __init__(self, node):
        self.node = node
        self.store = node.store

    def Open(self, request, context):
        def answer():
            session_id = self.store.next_session
            self.store.next_session += 1
            self.store.sessions.add(session_id)
            return session_pb2.OpenResponse(
                header=self.node.header(),
                session_id=session_id,
                idle_ms=1,
                window=self.store.window,
            )

        return self.node.run("Open", request, context, answer)

    def Close(self, request, context):
        def answer():
            self.store.sessions.discard(request.session_id)
            return session_pb2.CloseResponse(header=self.node.header())

        return self.node.run("Close", request, context, answer)

    def Resolve(self, request, context):
        def answer():
            self.store.check_session(request.identity, request, context)
            found = self.store.outcomes.setdefault(name_of(request.identity), (None, None))[1]
            response = session_pb2.ResolveResponse(header=self.node.header())
            if found is None:
                return response
            response.answered = True
            response.revision = found.header.revision
            if self.store.omit_replies:
                response.reply_omitted = True
                found = outlined(found)
            if getattr(found, "unmet", None) is not None and found.HasField("unmet"):
                response.unmet.CopyFrom(found.unmet)
            else:
                getattr(response, REPLIES[found.DESCRIPTOR.name]).CopyFrom(found)
            return response

        return self.node.run("Resolve", request, context, answer)
