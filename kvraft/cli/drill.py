"""drill NAME: a failure played on a private cluster, and what becomes of it."""

import os
import sys
from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kvraft.cli.options import Settings
from kvraft.cli.output import print_json

if TYPE_CHECKING:
    from kvraft_chaos.drills.drill import Drill

INTERRUPTED = 130
EXAMPLE = "Example: kvraft drill last-seat"

Name = Annotated[str | None, typer.Argument(help="Which; --list names them.", metavar="NAME")]
List = Annotated[bool, typer.Option("--list", help="Name all drills, with their questions.")]
NoInput = Annotated[bool, typer.Option("--no-input", help="Do not wait for a key before an act.")]
Json = Annotated[
    bool,
    typer.Option("--json", help="End with one line of JSON on stdout; the play is on stderr."),
]


def register(app: typer.Typer) -> None:
    """Add the drills."""
    app.command("drill", epilog=EXAMPLE)(drill)


def drill(
    context: typer.Context,
    name: Name = None,
    *,
    show: List = False,
    no_input: NoInput = False,
    as_json: Json = False,
) -> None:
    """Play a failure on a private cluster: what a naive program does, and what the store does.

    Three nodes in a temp folder on free ports, every link through a fault proxy; nothing is left
    of them. Nothing of it touches another cluster. Exit status: 0 if the naive program went wrong
    as foretold and the store kept every promise, else 1.
    """
    settings = context.obj
    as_json = as_json or (isinstance(settings, Settings) and settings.as_json)
    drills = _drills()
    if show:
        _list(drills, as_json=as_json)
        return
    if name not in drills:
        missing = "give NAME, or --list" if name is None else f"there is no drill {name!r}"
        raise typer.BadParameter(f"{missing}: {', '.join(drills)}")
    raise typer.Exit(_play(drills[name], wait=not no_input, as_json=as_json))


def _drills() -> "dict[str, Drill]":
    """Import them: they are in an extra."""
    try:
        found: dict[str, Drill] = import_module("kvraft_chaos.drills.catalogue").DRILLS
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "kvraft_chaos":
            raise
        typer.echo(
            f"kvraft: error: drills need {error.name}: pip install 'kvraft[chaos]'", err=True
        )
        raise typer.Exit(1) from error
    return found


def _list(drills: "dict[str, Drill]", *, as_json: bool) -> None:
    if as_json:
        print_json([{"drill": each.name, "question": each.question} for each in drills.values()])
        return
    width = max(len(name) for name in drills)
    for each in drills.values():
        typer.echo(f"{each.name:<{width}}  {each.question}")


def _play(drill: "Drill", *, wait: bool, as_json: bool) -> int:
    """Play it for whoever watches; the exit status."""
    stages, runs = (import_module(f"kvraft_chaos.drills.{each}") for each in ("stage", "run"))
    with ExitStack() as stack:
        waiting: dict[str, Any] = {}
        if wait and sys.stdin.isatty():
            keys = import_module("kvraft_chaos.drills.keyboard")
            waiting["wait"] = stack.enter_context(keys.keyboard())
        stage = stages.Stage(sys.stderr if as_json else sys.stdout, **waiting)
        try:
            report = runs.run(drill, stage)
        except runs.NO_GROUND as error:
            typer.echo(f"kvraft: error: no cluster to play on: {error}", err=True)
            return 1
    if as_json:
        print_json(report.as_json())
    if report.interrupted:  # its actors are still on stage, in the middle of calls to nobody
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)
    return 0 if report.passed else 1
