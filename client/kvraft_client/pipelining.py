"""Calls of a pipeline to messages and back, and how one fails: as a call of its own would."""

from collections.abc import Sequence
from typing import Any

import grpc

from kvraft.v1 import error_pb2, kv_pb2
from kvraft_client.policy.pipeline import Broken, PipelinedCall, Window

DETAILS_KEY = "grpc-status-details-bin"
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


class CallFailed(grpc.RpcError):
    """One call of a pipeline that was not answered; reads like the error of a unary call."""

    def __init__(
        self,
        code: grpc.StatusCode,
        details: str,
        trailer: Sequence[tuple[str, str | bytes]] = (),
        *,
        sent: bool = True,
    ) -> None:
        """`sent`: whether the request may have left this process."""
        super().__init__(details)
        self.sent = sent
        self._code, self._details, self._trailer = code, details, tuple(trailer)

    def code(self) -> grpc.StatusCode:
        """Return the status code."""
        return self._code

    def details(self) -> str:
        """Return the message."""
        return self._details

    def trailing_metadata(self) -> Any:
        """Return the trailer, with the store's own word."""
        return self._trailer


class NoPipeline(Exception):  # noqa: N818 - it is no error: the call goes on its own
    """The other side knows no pipeline, and has done nothing."""


def request_of(batch: Sequence[PipelinedCall], now: float) -> kv_pb2.PipelineRequest:
    """Return the message that carries these calls."""
    message = kv_pb2.PipelineRequest()
    add = message.calls.add
    for call in batch:
        left_ms = int((call.deadline - now) * 1_000)
        made = add(id=call.call_id, timeout_ms=left_ms if left_ms > 0 else 1)
        getattr(made, call.field).CopyFrom(call.request)  # MergeFrom would encode and parse it
    return message


def settle_all(window: Window, message: kv_pb2.PipelineResponse) -> None:
    """Give every reply to its caller."""
    for reply in message.replies:
        more = reply.more
        call = window.answered(reply.id, more=more)
        if call is None or call.settle is None:
            continue
        call.goes_on = more
        field = call.field
        if reply.HasField(field):
            call.settle(getattr(reply, field))
        else:
            call.settle(_no_answer(field, reply))


def _no_answer(field: str, reply: kv_pb2.PipelineReply) -> CallFailed:
    kind = reply.WhichOneof("reply")
    if kind == "error":
        return _failed(reply.error)
    return CallFailed(grpc.StatusCode.INTERNAL, f"a {field} was answered by {kind}")


def _failed(status: error_pb2.ErrorStatus) -> CallFailed:
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    trailer = ((DETAILS_KEY, status.SerializeToString()),)
    return CallFailed(code, status.message, trailer)


def late(*, sent: bool) -> CallFailed:
    """Return the error of a call that was not answered in time."""
    text = "no answer in time" if sent else "the deadline passed before the call was sent"
    return CallFailed(grpc.StatusCode.DEADLINE_EXCEEDED, text, sent=sent)


def settle_broken(window: Window, error: CallFailed) -> None:
    """Tell every caller that the stream has ended."""
    broken: Broken = window.broken()
    if error.code() is grpc.StatusCode.UNIMPLEMENTED and not window.answered_any:
        for call in (*broken.sent, *broken.unsent):
            assert call.settle is not None, "nobody is told who has gone"
            call.settle(NoPipeline())
        return
    unsent = CallFailed(error.code(), error.details(), error.trailing_metadata(), sent=False)
    for calls, told in ((broken.sent, error), (broken.unsent, unsent)):
        for call in calls:
            assert call.settle is not None, "nobody is told who has gone"
            call.settle(told)


def ended(error: Any) -> CallFailed:
    """Return what a stream that ended means to its calls; None: it ended in good order."""
    if error is None:
        return CallFailed(grpc.StatusCode.UNAVAILABLE, "the stream of calls ended")
    return CallFailed(
        error.code(), error.details() or str(error.code()), error.trailing_metadata() or ()
    )
