"""invariant set, list, remove."""

from typing import Annotated, Any

import typer

from kvraft.cli.arguments import IdempotencyKey, KeyOrPrefix, Prefix, one_target
from kvraft.cli.options import INT64_MAX, Settings, client_command
from kvraft.cli.output import bytes_json, print_json, print_table, printable
from kvraft_client import Invariant

INT64_MIN = -INT64_MAX - 1

app = typer.Typer(help="Invariants: what the store itself demands of values.")

Min = Annotated[
    int | None,
    typer.Option("--min", help="At least this integer.", metavar="N", min=INT64_MIN, max=INT64_MAX),
]
Max = Annotated[
    int | None,
    typer.Option("--max", help="At most this integer.", metavar="N", min=INT64_MIN, max=INT64_MAX),
]
Immutable = Annotated[
    bool, typer.Option("--immutable", help="Once written, neither changed nor deleted.")
]


@app.command("set", epilog="Example: kvraft invariant set --prefix stock/ --min 0")
@client_command
def set_invariant(
    settings: Settings,
    key: KeyOrPrefix = None,
    *,
    prefix: Prefix = None,
    minimum: Min = None,
    maximum: Max = None,
    immutable: Immutable = False,
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Demand something of every later write of a key, or of all keys with a prefix.

    It takes the place of what was demanded there; values that stand already are not looked at.
    """
    one_target(key, prefix)
    if minimum is None and maximum is None and not immutable:
        raise typer.BadParameter("give --min, --max or --immutable")
    with settings.client() as kv:
        kv.set_invariant(
            key,
            prefix=prefix,
            minimum=minimum,
            maximum=maximum,
            immutable=immutable,
            idempotency_key=idempotency_key,
        )
    _done(settings, "set")


@app.command("remove", epilog="Example: kvraft invariant remove --prefix stock/")
@client_command
def remove_invariant(
    settings: Settings,
    key: KeyOrPrefix = None,
    *,
    prefix: Prefix = None,
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Demand nothing any more of a key or a prefix. That there was nothing is no error."""
    one_target(key, prefix)
    with settings.client() as kv:
        kv.remove_invariant(key, prefix=prefix, idempotency_key=idempotency_key)
    _done(settings, "removed")


@app.command("list", epilog="Example: kvraft invariant list -o json")
@client_command
def list_invariants(settings: Settings) -> None:
    """List all invariants; `-o json` prints {"invariants": [...]}."""
    with settings.client() as kv:
        found = kv.invariants()
    if settings.as_json:
        print_json({"invariants": [invariant_json(each) for each in found]})
    else:
        rows = ((_name(each), each.minimum, each.maximum, each.immutable or None) for each in found)
        print_table(("of", "min", "max", "immutable"), rows)


def invariant_json(invariant: Invariant) -> dict[str, Any]:
    """Return an invariant as JSON, with `key` or `prefix`."""
    return {
        **bytes_json("prefix" if invariant.is_prefix else "key", invariant.key),
        "min": invariant.minimum,
        "max": invariant.maximum,
        "immutable": invariant.immutable,
    }


def _name(invariant: Invariant) -> str:
    return printable(invariant.key) + ("*" if invariant.is_prefix else "")


def _done(settings: Settings, word: str) -> None:
    if settings.as_json:
        print_json({"done": word})
    else:
        typer.echo(f"invariant {word}")
