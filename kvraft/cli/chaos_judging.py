"""chaos check: the verdict on a run of another day."""

from pathlib import Path
from typing import Annotated

import typer

from kvraft.cli.chaos_extra import chaos_module, conclude, json_asked, told_as_no_verdict

EXAMPLE = "Example: kvraft chaos check runs/latest"

Directory = Annotated[Path, typer.Argument(help="Of a run.", metavar="DIR")]
Json = Annotated[
    bool, typer.Option("--json", help="End with verdict.json on one line; the rest is on stderr.")
]
Verbose = Annotated[bool, typer.Option("--verbose", help="A line for each finding.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check", epilog=EXAMPLE)(check)


def check(
    context: typer.Context,
    directory: Directory,
    *,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Judge a run again, from its files alone, and draw it again.

    Exit status: 0 valid, 1 invalid, 2 unknown, 3 no verdict: no run, or damaged files.
    """
    with told_as_no_verdict():
        run = chaos_module("run.directory").RunDirectory(directory)
        as_json = json_asked(context, as_json=as_json)
        status = conclude(run, as_json=as_json, verbose=verbose)
    raise typer.Exit(status)
