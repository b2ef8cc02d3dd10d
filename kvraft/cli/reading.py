"""get, list."""

import itertools
import sys
from typing import Annotated

import typer

from kvraft.cli.arguments import AtRevision, Key, Serializable
from kvraft.cli.options import Settings, client_command
from kvraft.cli.output import entry_json, print_entries, print_json, printable


def register(app: typer.Typer) -> None:
    """Add the reads."""
    app.command("get", epilog="Example: kvraft get seat/14C -o json")(client_command(get))
    app.command("list", epilog="Example: kvraft list seat/ --limit 20")(
        client_command(list_entries)
    )


def get(
    settings: Settings,
    key: Key,
    *,
    revision: AtRevision = None,
    serializable: Serializable = False,
    raw: Annotated[bool, typer.Option("--raw", help="The value's bytes and nothing else.")] = False,
) -> None:
    """Read a key. Exit status 2 if there is none (`-o json` then prints null)."""
    with settings.client() as kv:
        entry = kv.get(
            key,
            revision=revision,
            consistency="serializable" if serializable else "linearizable",
        )
    if settings.as_json and not raw:
        print_json(entry_json(entry))
    elif entry is None:
        then = "" if revision is None else f" at revision {revision}"
        typer.echo(f"kvraft: no key {key!r}{then}", err=True)
    elif raw:
        sys.stdout.buffer.write(entry.value)
        sys.stdout.buffer.flush()
    else:
        print_entries([entry])
    if entry is None:
        raise typer.Exit(2)


def list_entries(
    settings: Settings,
    prefix: Annotated[
        str, typer.Argument(help="Only keys that begin so.", metavar="[PREFIX]")
    ] = "",
    *,
    revision: AtRevision = None,
    keys_only: Annotated[bool, typer.Option("--keys-only", help="Without values.")] = False,
    limit: Annotated[int | None, typer.Option(help="At most so many.", metavar="N", min=1)] = None,
    serializable: Serializable = False,
) -> None:
    """List keys in order, all as of one revision; `-o json` prints {"entries": [...]}."""
    with settings.client() as kv:
        found = kv.list(
            prefix,
            keys_only=keys_only,
            revision=revision,
            consistency="serializable" if serializable else "linearizable",
        )
        entries = list(itertools.islice(found, limit))
    if settings.as_json:
        print_json({"entries": [entry_json(entry) for entry in entries]})
    elif keys_only:
        for entry in entries:
            typer.echo(printable(entry.key))
    else:
        print_entries(entries)
