"""What of a command took effect: single mutations with results, out of whatever wraps them."""

from collections.abc import Iterator

from kvraft.core.commands import Command, Operation, Request, Txn
from kvraft.core.results import OperationResult, Refused, Replayed, Result, TxnResult, Unmet

Effect = tuple[Command | Operation, Result | OperationResult]


def bare(command: Command) -> Command:
    """Return the mutation of a request; any other command as it is."""
    return command.mutation if isinstance(command, Request) else command


def first_told(result: Result) -> Result | None:
    """Return what was answered the first time; None: it was too large to keep all of it."""
    if not isinstance(result, Replayed):
        return result
    return None if result.omitted else result.result


def effects(command: Command, result: Result) -> Iterator[Effect]:
    """Yield what one command of an entry did, in order; nothing where it did nothing there."""
    if isinstance(result, Refused | Unmet | Replayed):
        return
    yield from _effects(bare(command), result)


def _effects(command: Command | Operation, result: Result | OperationResult) -> Iterator[Effect]:
    if not isinstance(command, Txn):
        yield command, result
        return
    assert isinstance(result, TxnResult)
    done = command.then if result.unmet is None else command.orelse
    for operation, each in zip(done, result.results, strict=True):
        yield from _effects(operation, each)


def parts_of(command: Command | Operation) -> Iterator[Command | Operation]:
    """Yield every single mutation or read that a command may come to, of both branches."""
    if isinstance(command, Txn):
        for operation in (*command.then, *command.orelse):
            yield from parts_of(operation)
    else:
        yield command
