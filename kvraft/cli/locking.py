"""lock NAME -- COMMAND."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer

from kvraft.cli.child import NOT_FOUND, NOT_STARTED, Child
from kvraft.cli.fencing import LockName
from kvraft.cli.options import Settings, client_command
from kvraft_client import Lock
from kvraft_client.errors import AccessDenied, InvalidRequest, LockLost, NotApplied

NOT_HAD, LOST = 75, 76
"""Exit status where the lock was not had (sysexits' EX_TEMPFAIL), or was lost meanwhile."""
TTL_S = 10.0
GRACE_S = 5.0
"""Between SIGTERM and SIGKILL, once the lock is lost: the next holder may be at work already."""
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EXAMPLE = "Example: kvraft lock jobs/nightly --wait 30 -- ./report.sh --full"

Command = Annotated[list[str], typer.Argument(help="What to run, behind a --.", metavar="COMMAND")]
Ttl = Annotated[
    float,
    typer.Option(help="Seconds until others have it if this process dies.", metavar="S"),
]
Wait = Annotated[
    float | None,
    typer.Option(help="Wait at most so many seconds; 0: not at all; else for ever.", metavar="S"),
]
Shared = Annotated[bool, typer.Option("--shared", help="With other shared holders.")]
Capacity = Annotated[
    int | None, typer.Option(help="With so many holders in all.", metavar="N", min=1)
]
Grace = Annotated[
    float, typer.Option(help="Seconds between SIGTERM and SIGKILL.", metavar="S", min=0)
]


def register(app: typer.Typer) -> None:
    """Add the lock."""
    app.command("lock", epilog=EXAMPLE)(client_command(lock))


def lock(
    settings: Settings,
    name: LockName,
    command: Command,
    *,
    ttl: Ttl = TTL_S,
    wait: Wait = None,
    shared: Shared = False,
    capacity: Capacity = None,
    grace: Grace = GRACE_S,
) -> None:
    """Run a command while a lock is held; exit with its status.

    75: the lock was not had, the command did not run. 76: it was lost, the command was ended.
    The command sees the lock's name as KVRAFT_LOCK and its token as KVRAFT_FENCE: with
    `--fence "$KVRAFT_LOCK=$KVRAFT_FENCE"` the store refuses what it writes once the lock is lost.
    """
    with settings.client() as kv, _signals() as signals:
        held = kv.lock(name, ttl=ttl, wait=wait, shared=shared, capacity=capacity)
        try:
            held.acquire()
        except (InvalidRequest, AccessDenied):
            raise
        except NotApplied as error:
            typer.echo(f"kvraft: not had: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(NOT_HAD) from error
        try:
            signals.is_waiting = False
            status = _Run(held, name, grace).status(command, signals)
        except LockLost as error:  # before the command began
            typer.echo(f"kvraft: {error}", err=True)
            raise typer.Exit(LOST) from error
        finally:
            held.release()
    raise typer.Exit(status)


class _Signals:
    """What becomes of a signal: before the lock is had it ends this process, then it is passed."""

    def __init__(self) -> None:
        self.is_waiting = True
        self._child: Child | None = None
        self._early: list[int] = []

    def take(self, number: int, _frame: FrameType | None) -> None:
        if self.is_waiting:  # the broken connection gives up the place; see `watch`
            os._exit(128 + number)
        if self._child is None:
            self._early.append(number)
        else:
            self._child.signal(number)

    def pass_to(self, child: Child) -> None:
        self._child = child
        while self._early:
            child.signal(self._early.pop(0))


@contextmanager
def _signals() -> Iterator[_Signals]:
    signals = _Signals()
    before = {number: signal.signal(number, signals.take) for number in FORWARDED}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Run:
    """One command under one lock."""

    def __init__(self, held: Lock, name: str, grace_s: float) -> None:
        self._held, self._name, self._grace_s = held, name, grace_s
        self._is_over = threading.Event()
        self._lost = False

    def status(self, command: list[str], signals: _Signals) -> int:
        """Run it, and return the exit status."""
        variables = {"KVRAFT_LOCK": self._name, "KVRAFT_FENCE": str(self._held.token)}
        try:
            child = Child(command, {**os.environ, **variables})
        except OSError as error:
            typer.echo(f"kvraft: {command[0]}: {error.strerror}", err=True)
            return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_STARTED
        signals.pass_to(child)
        guard = threading.Thread(target=self._end_on_loss, args=(child,), daemon=True)
        guard.start()
        status = child.wait()
        self._is_over.set()
        if self._lost:
            guard.join()
            return LOST
        return status

    def _end_on_loss(self, child: Child) -> None:
        self._held.lost.wait()
        if self._is_over.is_set():
            return
        self._lost = True
        typer.echo(f"kvraft: {self._name!r} is lost: the command is ended", err=True)
        child.end(self._grace_s)
