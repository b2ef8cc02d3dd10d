"""The calls of one pipeline, without a network: windows, ids, replies, breaks."""

import grpc
import pytest

from kvraft.v1 import error_pb2, kv_pb2
from kvraft_client.pipelining import (
    CallFailed,
    NoPipeline,
    ended,
    late,
    request_of,
    settle_all,
    settle_broken,
)
from kvraft_client.policy import pipeline
from kvraft_client.policy.pipeline import PipelinedCall, Window


class Desk:
    """A window, and what its callers were told."""

    def __init__(self):
        self.window = Window()
        self.told = {}

    def enter(self, name, size=10, field="put", request=None, deadline=5.0):
        def settle(answer):
            assert name not in self.told, "told twice"
            self.told[name] = answer

        call = PipelinedCall(field, request, size, deadline, settle)
        self.window.enter(call)
        return call

    def reply(self, *calls, **fields):
        replies = [
            kv_pb2.PipelineReply(id=call.call_id, **(fields or {"put": kv_pb2.PutResponse()}))
            for call in calls
        ]
        settle_all(self.window, kv_pb2.PipelineResponse(replies=replies))


@pytest.fixture
def desk():
    return Desk()


def test_what_waits_goes_together_in_order(desk):
    assert not desk.window.can_send
    calls = [desk.enter(number) for number in range(3)]
    assert desk.window.can_send
    assert desk.window.take() == calls
    assert [call.call_id for call in calls] == [1, 2, 3]
    assert not desk.window.can_send
    assert desk.window.take() == []


def test_only_the_first_that_waits_is_news_to_the_sender():
    window = Window()

    def enter():
        return window.enter(PipelinedCall("put", None, 1, 5.0, print))

    assert [enter(), enter()] == [True, False]
    assert len(window.take()) == 2
    assert [enter(), enter()] == [True, False], "both that went are still out"


def test_replies_come_in_any_order_each_to_its_caller(desk):
    calls = [desk.enter(number) for number in range(3)]
    desk.window.take()
    desk.reply(calls[2])
    desk.reply(calls[0], calls[1])
    assert list(desk.told) == [2, 0, 1]


def test_a_reply_that_nobody_waits_for_is_dropped(desk):
    call = desk.enter("a")
    desk.window.take()
    desk.reply(call)
    desk.reply(call)
    desk.reply(PipelinedCall("put", None, 1, 1.0, lambda _: None))
    assert list(desk.told) == ["a"]


def test_a_message_is_bounded_in_calls(desk):
    for number in range(pipeline.BATCH_CALLS + 1):
        desk.enter(number)
    assert len(desk.window.take()) == pipeline.BATCH_CALLS
    assert len(desk.window.take()) == 1


def test_a_message_is_bounded_in_bytes_but_takes_one_of_any_size(desk):
    small, large, last = desk.enter(1), desk.enter(2, 3 << 20), desk.enter(3)
    assert desk.window.take() == [small]
    assert desk.window.take() == [large]
    assert desk.window.take() == [last]


def test_so_many_are_out_and_the_rest_waits(desk):
    for number in range(pipeline.CALLS_MAX + 1):
        desk.enter(number)
    out = []
    while batch := desk.window.take():
        out += batch
    assert len(out) == pipeline.CALLS_MAX
    assert not desk.window.can_send
    desk.reply(out[7])
    assert desk.window.can_send
    assert len(desk.window.take()) == 1


def test_so_many_bytes_are_out(desk):
    first = desk.enter(1, pipeline.BYTES_MAX)
    desk.enter(2)
    assert desk.window.take() == [first]
    assert not desk.window.can_send
    desk.reply(first)
    assert len(desk.window.take()) == 1


def test_one_larger_than_the_window_goes_alone(desk):
    desk.enter(1, 2 * pipeline.BYTES_MAX)
    assert len(desk.window.take()) == 1


def test_who_leaves_before_it_was_sent_was_not_sent(desk):
    call, other = desk.enter("a"), desk.enter("b")
    assert desk.window.leave(call) is False
    assert desk.window.take() == [other]


def test_who_leaves_later_keeps_its_place_until_the_reply(desk):
    calls = [desk.enter(number) for number in range(pipeline.CALLS_MAX)]
    while desk.window.take():
        pass
    assert desk.window.leave(calls[0]) is True
    desk.enter("next")
    assert not desk.window.can_send, "the store still works on it"
    desk.reply(calls[0])
    assert desk.window.can_send
    assert desk.told == {}


def test_a_break_settles_every_call_once(desk):
    sent, answered, gone = desk.enter("sent"), desk.enter("answered"), desk.enter("gone")
    assert desk.window.take() == [sent, answered, gone]
    desk.enter("waiting")
    desk.reply(answered)
    desk.window.leave(gone)
    settle_broken(desk.window, CallFailed(grpc.StatusCode.UNAVAILABLE, "reset"))
    settle_broken(desk.window, CallFailed(grpc.StatusCode.UNAVAILABLE, "again"))
    assert set(desk.told) == {"sent", "answered", "waiting"}
    assert (desk.told["sent"].details(), desk.told["sent"].sent) == ("reset", True)
    assert (desk.told["waiting"].details(), desk.told["waiting"].sent) == ("reset", False)
    desk.reply(sent)
    assert not desk.window.can_send


def test_who_knows_no_pipeline_has_done_nothing(desk):
    desk.enter("sent")
    desk.window.take()
    desk.enter("waiting")
    settle_broken(desk.window, CallFailed(grpc.StatusCode.UNIMPLEMENTED, "no such method"))
    assert {type(each) for each in desk.told.values()} == {NoPipeline}
    assert len(desk.told) == 2


def test_who_has_answered_knows_what_a_pipeline_is(desk):
    first = desk.enter("first")
    desk.enter("second")
    desk.window.take()
    desk.reply(first)
    settle_broken(desk.window, CallFailed(grpc.StatusCode.UNIMPLEMENTED, "odd"))
    assert isinstance(desk.told["second"], CallFailed)


def test_a_failed_call_reads_like_a_unary_one(desk):
    call = desk.enter("a")
    desk.window.take()
    status = error_pb2.ErrorStatus(code=8, message="full")
    desk.reply(call, error=status)
    told = desk.told["a"]
    assert (told.code(), told.details()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
    ((key, value),) = told.trailing_metadata()
    assert key == "grpc-status-details-bin"
    assert error_pb2.ErrorStatus.FromString(value) == status
    assert told.sent


def test_a_status_of_no_known_code_is_unknown(desk):
    call = desk.enter("a")
    desk.window.take()
    desk.reply(call, error=error_pb2.ErrorStatus(code=77))
    assert desk.told["a"].code() is grpc.StatusCode.UNKNOWN


def test_the_reply_to_another_kind_of_call_is_no_answer(desk):
    call = desk.enter("a", field="update")
    desk.window.take()
    desk.reply(call)
    assert desk.told["a"].code() is grpc.StatusCode.INTERNAL


def test_a_message_says_who_asks_and_how_long_they_wait(desk):
    request = kv_pb2.PutRequest(key=b"k", value=b"v")
    for deadline in (12.5, 10.0001, 9.0):
        desk.enter(deadline, request=request, deadline=deadline)
    message = request_of(desk.window.take(), 10.0)
    assert [call.id for call in message.calls] == [1, 2, 3]
    assert [call.timeout_ms for call in message.calls] == [2_500, 1, 1]
    assert all(call.put == request for call in message.calls)


def test_an_end_in_good_order_is_no_answer_either():
    assert ended(None).code() is grpc.StatusCode.UNAVAILABLE
    assert ended(None).sent


def test_late_is_known_not_to_be_sent_where_it_was_not():
    assert (late(sent=False).sent, late(sent=True).sent) == (False, True)
    assert late(sent=True).code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_who_waits_too_long_is_named_whether_it_was_sent_or_not():
    window = Window()
    calls = [PipelinedCall("get", None, 1, deadline, print) for deadline in (3.0, 1.0, 2.0)]
    for call in calls[:2]:
        window.enter(call)
    window.take()
    window.enter(calls[2])
    assert window.next_deadline == 1.0

    assert window.late(0.9) == []
    assert set(window.late(2.0)) == {calls[1], calls[2]}

    window.leave(calls[1])
    window.leave(calls[2])
    assert window.next_deadline == 3.0
    assert window.late(2.0) == []
