"""What the commands of chaos share: the extra they need, and how a verdict becomes a status."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer

from kvraft.cli.options import Settings
from kvraft.cli.output import print_json

if TYPE_CHECKING:
    from kvraft_chaos.run.directory import RunDirectory
    from kvraft_chaos.run.judge import Judgement

STATUS = {"valid": 0, "invalid": 1, "unknown": 2}
NO_VERDICT = 3
"""Not 1 or 2, which would say something of the cluster."""


def chaos_module(name: str) -> Any:
    """Import a module of `kvraft_chaos`, or say what is missing for it."""
    try:
        return import_module(f"kvraft_chaos.{name}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "kvraft_chaos":
            raise
        typer.echo(
            f"kvraft: error: chaos needs {error.name}: pip install 'kvraft[chaos]'", err=True
        )
        raise typer.Exit(NO_VERDICT) from error


@contextmanager
def told_as_no_verdict() -> Iterator[None]:
    """One line about what cannot be played or judged, and its status; a bug has it too."""
    errors = (chaos_module("run.errors").RunError, chaos_module("history").HistoryError, OSError)
    try:
        yield
    except typer.Exit:
        raise
    except errors as error:
        first, *rest = str(error).splitlines() or [type(error).__name__]
        typer.echo(f"kvraft: error: {first}", err=True)
        if rest:  # the end of nodes' logs
            typer.echo("\n".join(rest), err=True)
        raise typer.Exit(NO_VERDICT) from error
    except Exception as error:  # Python's own status would be 1: invalid
        traceback.print_exc()
        raise typer.Exit(NO_VERDICT) from error


def json_asked(context: typer.Context, *, as_json: bool) -> bool:
    """Whether a program reads the output: by the command's option, or by `-o json` before it."""
    settings = context.obj
    return as_json or (isinstance(settings, Settings) and settings.as_json)


def console(*, to_stderr: bool) -> Any:
    """Where people look."""
    from rich.console import Console  # noqa: PLC0415 - in an extra

    return Console(file=sys.stderr if to_stderr else sys.stdout, highlight=False, soft_wrap=True)


def conclude(directory: "RunDirectory", *, as_json: bool, verbose: bool) -> int:
    """Judge a run, draw it, and tell; the exit status."""
    judgement: Judgement = chaos_module("run.conclude").concluded(directory)
    out = console(to_stderr=as_json)
    for line in chaos_module("run.summary").summary(judgement, directory, verbose=verbose):
        out.print(line)
    if as_json:
        print_json({"directory": str(directory.path), **judgement.as_json()})
    return STATUS[judgement.verdict.value]
