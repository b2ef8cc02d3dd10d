"""What a command was answered: its result, now or before, or the error to raise."""

from typing import Generic, NamedTuple, TypeVar

from kvraft.core.results import Refused, Replayed, Result, Unmet
from kvraft.replica.outcomes import Answer, Denied
from kvraft.service.errors import denied_error, refused_error

R = TypeVar("R", bound=Result)


class Reply(NamedTuple, Generic[R]):
    """What a mutation was answered."""

    result: R | None
    """None where `unmet` says why."""
    unmet: Unmet | None
    revision: int
    """The store's, after it."""
    replayed: bool = False
    omitted: bool = False
    """Part of the reply, to an earlier copy, was too large to keep."""


def expect_result(answer: Answer | Denied, kind: type[R]) -> tuple[R, int]:
    """Return the result and the revision after it; CallError where the command was not applied."""
    if isinstance(answer, Denied):
        raise denied_error(answer)
    result = answer.result
    if isinstance(result, Refused):
        raise refused_error(result)
    assert isinstance(result, kind), f"a command is answered by {kind.__name__}, got {result!r}"
    return result, answer.revision


def expect_reply(answer: Answer | Denied, kind: type[R]) -> Reply[R]:
    """Return what a mutation was answered, now or before; CallError where it was not applied."""
    if isinstance(answer, Denied):
        raise denied_error(answer)
    result = answer.result
    if isinstance(result, kind):  # by far the most
        return Reply(result, None, answer.revision)
    revision, replayed, omitted = answer.revision, False, False
    if isinstance(result, Replayed):
        revision, replayed, omitted = result.revision, True, result.omitted
        result = result.result
    if isinstance(result, Refused):
        raise refused_error(result, replayed=replayed)
    if isinstance(result, Unmet):
        return Reply(None, result, revision, replayed, omitted)
    assert isinstance(result, kind), f"a command is answered by {kind.__name__}, got {result!r}"
    return Reply(result, None, revision, replayed, omitted)
