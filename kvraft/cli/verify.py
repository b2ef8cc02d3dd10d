"""verify: the verdict on a history of your own program, or of a chaos run."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperCommand

from kvraft.cli.chaos_extra import NO_VERDICT, STATUS, chaos_module, told_as_no_verdict
from kvraft.cli.options import Settings
from kvraft.cli.output import print_json

EXAMPLE = "Example: kvraft verify history.jsonl --model register"


class Model(StrEnum):
    """What the history is a history of."""

    REGISTER = "register"
    BANK = "bank"
    LOCK = "lock"


History = Annotated[Path, typer.Argument(help="One event a line.", metavar="HISTORY.jsonl")]
As = Annotated[Model, typer.Option("--model", help="What it is a history of.")]
Json = Annotated[bool, typer.Option("--json", help="One line of JSON instead of words.")]


class VerdictCommand(TyperCommand):
    """Its status is a verdict, so a mistake in an option has a status of its own."""

    error_status = NO_VERDICT


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify", cls=VerdictCommand, epilog=EXAMPLE)(verify)


def verify(context: typer.Context, history: History, *, model: As, as_json: Json = False) -> None:
    """Judge a history: is there an order of its operations that explains every answer?

    docs/testing-your-program.md says how to record one, and what the words of each model are.
    Exit status: 0 valid, 1 invalid, 2 unknown (out of time or memory), 3 no verdict: bad input.
    """
    settings = context.obj
    as_json = as_json or (isinstance(settings, Settings) and settings.as_json)
    with told_as_no_verdict():
        events = chaos_module("history").load(history)
        models = chaos_module("checkers.models")
        findings = models.judge(events, model.value)
        strange = models.not_judged(events, model.value)
    worst = chaos_module("checkers.verdict").worst(each.verdict for each in findings)
    if as_json:
        told = [each.as_json() for each in findings]
        verdict = {"verdict": worst.value, "model": model.value, "findings": told}
        print_json({**verdict, "not_judged": strange})
    else:
        typer.echo(worst.value)
        for each in findings:
            typer.echo(f"  {each.checker}: {each.sentence}")
        for f, times in strange.items():
            typer.echo(f"  not judged: {times} of {f!r}, which is no word of a {model.value}")
    raise typer.Exit(STATUS[worst.value])
