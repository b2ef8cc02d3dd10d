"""SessionService: what makes a repeated request one effect. It translates; the state decides."""

from kvraft.service.calls import Calls, Context, unary
from kvraft.service.operations.session import SessionOperations
from kvraft.v1 import session_pb2, session_pb2_grpc


class SessionService(session_pb2_grpc.SessionServiceServicer):
    """The servicer of `kvraft.v1.SessionService`."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self._operations = SessionOperations(calls)

    @unary
    async def Open(
        self, request: session_pb2.OpenRequest, context: Context
    ) -> session_pb2.OpenResponse:
        """Open a session."""
        work = self._operations.open(request)
        return await self.calls.answer(work, session_pb2.OpenResponse(), context)

    @unary
    async def Close(
        self, request: session_pb2.CloseRequest, context: Context
    ) -> session_pb2.CloseResponse:
        """End a session."""
        work = self._operations.close(request)
        return await self.calls.answer(work, session_pb2.CloseResponse(), context)

    @unary
    async def Resolve(
        self, request: session_pb2.ResolveRequest, context: Context
    ) -> session_pb2.ResolveResponse:
        """Say for good what became of a mutation."""
        work = self._operations.resolve(request)
        return await self.calls.answer(work, session_pb2.ResolveResponse(), context)
