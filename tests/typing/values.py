"""Commands and answers are never changed: mypy says so where somebody tries; never run."""

from kvraft.core.commands import Put, SessionIdentity
from kvraft.core.results import PutResult
from kvraft.replica.outcomes import Answer


def change(command: Put, identity: SessionIdentity, answer: Answer, result: PutResult) -> None:
    command.key = b"other"  # type: ignore[misc]
    identity.sequence += 1  # type: ignore[misc]
    result.previous = None  # type: ignore[misc]
    answer.revision = 0  # type: ignore[misc]
