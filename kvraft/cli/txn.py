"""txn."""

from typing import Annotated

import typer

from kvraft.cli.arguments import IdempotencyKey
from kvraft.cli.conditional import condition_of, print_unmet, told_as
from kvraft.cli.fencing import Fences, fences_in
from kvraft.cli.operation_text import FORMS, parse_operation
from kvraft.cli.options import Settings, client_command
from kvraft.cli.output import print_json
from kvraft.cli.replies import operation_lines, txn_json
from kvraft_client.answers import TxnResult
from kvraft_client.operations import Operation

EXAMPLE = (
    'Example: kvraft txn --if \'value("seat/14C") = "free"\' '
    "--then 'put seat/14C alice' --then \"update sold 'value += 1'\" --else 'get seat/14C'"
)
_HELP = f"An operation, quoted as for a shell: {', '.join(FORMS)}. May be repeated."
Condition = Annotated[
    str | None,
    typer.Option(
        "--if",
        help="""Names its keys, as in 'value("a") > 5 and not exists("b")'; none: true.""",
        metavar="CONDITION",
    ),
]
Then = Annotated[list[str], typer.Option("--then", help=_HELP, metavar="OPERATION")]
Else = Annotated[
    list[str], typer.Option("--else", help="What to do where it is false.", metavar="OPERATION")
]


def register(app: typer.Typer) -> None:
    """Add transactions."""
    app.command("txn", epilog=EXAMPLE)(client_command(txn))


def txn(
    settings: Settings,
    *,
    condition: Condition = None,
    then: Then = [],  # noqa: B006 - how typer is told of a list that may be empty
    otherwise: Else = [],  # noqa: B006
    fence: Fences = [],  # noqa: B006 - how typer is told of a list that may be empty
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Do several operations at one revision, all or none: --then if the condition holds, or --else.

    Exit status 2 where the condition was false, whatever --else did then.
    """
    if not then and not otherwise:
        raise typer.BadParameter("give --then OPERATION or --else OPERATION")
    when = condition_of(condition)
    branches = [_parsed(then, "--then"), _parsed(otherwise, "--else")]
    with settings.client() as kv:
        result = kv.txn(
            when=when,
            then=branches[0],
            orelse=branches[1],
            fence=fences_in(fence),
            idempotency_key=idempotency_key,
        )
    if settings.as_json:
        print_json(txn_json(result, when))
    else:
        if result.unmet is not None:
            print_unmet(result.unmet, when, None)
        _print_results(result, then if result else otherwise)
    if not result.succeeded:
        raise typer.Exit(2)


def _print_results(result: TxnResult, texts: list[str]) -> None:
    word = "then" if result else "else"
    if result.results_omitted:
        kept = f"the results were too large to keep, read at revision {result.revision}"
        typer.echo(f"{word}: done before; {kept}")
        return
    for text, each in zip(texts, result.results, strict=True):
        typer.echo(f"{word}: {text}")
        for line in operation_lines(each):
            typer.echo(f"  {line}")


def _parsed(texts: list[str], option: str) -> list[Operation]:
    with told_as(option):
        return [parse_operation(text) for text in texts]
