"""status, hash, transfer, snapshot save."""

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from kvraft.cli.options import Settings, client_command
from kvraft.cli.output import node_json, print_json, print_nodes, print_table


def register(app: typer.Typer) -> None:
    """Add the commands on the cluster."""
    app.command("status", epilog="Example: kvraft status -o json")(client_command(status))
    app.command("hash", epilog="Example: kvraft hash")(client_command(state_hash))
    app.command("transfer", epilog="Example: kvraft transfer n2")(client_command(transfer))
    snapshot = typer.Typer(help="Backups.")
    snapshot.callback()(_backups)
    snapshot.command("save", epilog="Example: kvraft snapshot save backup.kvraft")(
        client_command(save)
    )
    app.add_typer(snapshot, name="snapshot")


def _backups() -> None:
    """Backups."""


def status(settings: Settings) -> None:
    """Show what the node behind each endpoint sees. Exit status 1 if none answers.

    `-o json` prints {"nodes": [...]}; a node that does not answer has `error`, and no figures.
    """
    with settings.client() as kv:
        nodes = kv.status() if settings.timeout is None else kv.status(timeout=settings.timeout)
    if settings.as_json:
        print_json({"nodes": [node_json(node) for node in nodes]})
    else:
        print_nodes(nodes)
    if all(node.error is not None for node in nodes):
        typer.echo("kvraft: error: no endpoint answers", err=True)
        raise typer.Exit(1)


def state_hash(settings: Settings) -> None:
    """Hash the whole state on every node at one log index. Exit status 1 if they differ."""
    with settings.client() as kv:
        result = kv.state_hash()
    columns = ("node", "index", "revision", "digest")
    rows = [(each.node, each.index, each.revision, each.digest) for each in result.hashes]
    if settings.as_json:
        print_json(
            {
                "hashes": [dict(zip(columns, row, strict=True)) for row in rows],
                "missing": list(result.missing),
                "equal": result.is_equal,
            }
        )
    else:
        print_table(columns, rows)
        if result.missing:
            typer.echo(f"kvraft: no report in time from {', '.join(result.missing)}", err=True)
    if not result.is_equal:
        typer.echo("kvraft: error: the nodes' states differ at one index", err=True)
        raise typer.Exit(1)


def transfer(
    settings: Settings,
    to: Annotated[
        str | None,
        typer.Argument(help="Name of the node; else the most caught-up.", metavar="[NODE]"),
    ] = None,
) -> None:
    """Hand leadership to another node."""
    with settings.client() as kv:
        leader = kv.transfer_leadership(to)
    if settings.as_json:
        print_json({"leader": leader})
    else:
        typer.echo(f"{leader} leads")


def save(
    settings: Settings,
    file: Annotated[Path, typer.Argument(help="Where to; replaced once complete.", metavar="FILE")],
) -> None:
    """Save a snapshot of the store as it is now, for `kvraft serve --restore`."""
    with settings.client() as kv, _busy("saving a snapshot ..."):
        info = (
            kv.snapshot(file)
            if settings.timeout is None
            else kv.snapshot(file, timeout=settings.timeout)
        )
    if settings.as_json:
        print_json(
            {
                "file": info.path,
                "index": info.index,
                "revision": info.revision,
                "bytes": info.size_bytes,
            }
        )
    else:
        text = f"{info.path}: {info.size_bytes} bytes, revision {info.revision}"
        typer.echo(f"{text}, index {info.index}")


def _busy(text: str) -> AbstractContextManager[Any]:
    """Show on a terminal that something goes on."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console  # noqa: PLC0415

    return Console(stderr=True).status(text)
