"""Keys judged by several processes at once; what one of them cannot judge is unknown.

The processes are plain children that talk over pipes: nothing of the caller is forked (gRPC and
threads do not survive that) or imported again (a script without a `__main__` guard would rerun).
"""

import contextlib
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import BinaryIO, Generic, TypeVar, cast

Task = TypeVar("Task")
Result = TypeVar("Result")

COMMAND = (sys.executable, "-m", "kvraft_chaos.checkers.parallel")


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Do what comes, one after the other, until there is no more: (function, task) -> result."""
    while True:
        try:
            function, task = pickle.load(requests)  # noqa: S301  (from our own parent)
        except EOFError:
            return
        pickle.dump(function(task), replies)
        replies.flush()


class _Worker(Generic[Task, Result]):
    """A child process, started when it is first needed, and again after it died."""

    def __init__(self, function: Callable[[Task], Result], command: Sequence[str]) -> None:
        self._function = function
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, task: Task) -> Result | None:
        """None: the process died of it (of memory, as a rule)."""
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603  (our own command)
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        requests, replies = self._process.stdin, self._process.stdout
        assert requests is not None
        assert replies is not None
        try:
            pickle.dump((self._function, task), requests)
            requests.flush()
            return cast("Result", pickle.load(replies))  # noqa: S301  (from our own child)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            self.end()
            return None

    def end(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):  # what it did not read any more
                pipe.close()
        self._process.wait()
        self._process = None


def spread(
    function: Callable[[Task], Result],
    tasks: Iterator[Task],
    jobs: int,
    *,
    command: Sequence[str] = COMMAND,
) -> list[tuple[Task, Result | None]]:
    """Do all tasks, in any order; each is taken from the iterator when somebody is free for it."""
    done: list[tuple[Task, Result | None]] = []
    taking = Lock()

    def work() -> None:
        worker = _Worker(function, command)
        try:
            while True:
                with taking:
                    task = next(tasks, None)
                if task is None:
                    return
                done.append((task, worker.ask(task)))
        finally:
            worker.end()

    with ThreadPoolExecutor(jobs) as pool:
        for each in [pool.submit(work) for _ in range(jobs)]:
            each.result()
    return done


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
