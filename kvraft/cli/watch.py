"""watch."""

import os
import signal
from types import FrameType
from typing import Annotated, Any

import typer

from kvraft.cli.arguments import KeyOrPrefix, Prefix, one_target
from kvraft.cli.options import Settings, client_command
from kvraft.cli.output import bytes_json, entry_json, print_json, printable
from kvraft_client import Client, Event
from kvraft_client.config import DEFAULT_TIMEOUT_S

FromRevision = Annotated[
    int | None,
    typer.Option(help="Begin with the changes of this revision, not now.", metavar="N", min=1),
]
Previous = Annotated[bool, typer.Option("--previous", help="Show the entry before as well.")]


def register(app: typer.Typer) -> None:
    """Add the watch."""
    app.command("watch", epilog="Example: kvraft watch --prefix seat/ --previous")(
        client_command(watch)
    )


def watch(
    settings: Settings,
    key: KeyOrPrefix = None,
    *,
    prefix: Prefix = None,
    from_revision: FromRevision = None,
    previous: Previous = False,
) -> None:
    """Print changes as they are made, one a line, until Ctrl-C (exit status 0).

    It goes on through failovers, without gap or repeat; with --timeout, no outage may be longer.
    """
    one_target(key, prefix)
    before = signal.signal(signal.SIGINT, _end_at_once)
    try:
        with settings.client() as kv:
            begin = _begin(kv, settings, key, prefix, from_revision)
            events = kv.watch(
                key,
                prefix=prefix,
                start_revision=begin,
                previous=previous,
                patience=settings.timeout,
            )
            typer.echo(f"watching from revision {begin}", err=True)
            for event in events:
                _show(event, as_json=settings.as_json)
    finally:
        signal.signal(signal.SIGINT, before)


def _end_at_once(_number: int, _frame: FrameType | None) -> None:
    """Every line that was printed is flushed, so there is nothing to tidy up.

    A KeyboardInterrupt may be swallowed by a finalizer, and one inside of gRPC's bookkeeping of a
    call makes the channel wait for that call for ever when it is closed (seen with gRPC 1.85).
    """
    os._exit(0)


def _begin(
    kv: Client, settings: Settings, key: str | None, prefix: str | None, given: int | None
) -> int:
    """Return the first revision wanted, once a node answered: a watch itself waits for ever."""
    patience_s = settings.timeout or DEFAULT_TIMEOUT_S
    with kv.watch(key, prefix=prefix, patience=patience_s) as probe:
        now = probe.revision or 0
    return now + 1 if given is None else given


def _show(event: Event, *, as_json: bool) -> None:
    """Print one line; `echo` flushes it."""
    if as_json:
        print_json(event_json(event))
    else:
        typer.echo(event_line(event))


def event_json(event: Event) -> dict[str, Any]:
    """Return a change as JSON; `value` only of a put."""
    is_put = event.type == "put"
    return {
        "type": event.type,
        "cause": event.cause,
        **bytes_json("key", event.key),
        **(bytes_json("value", event.entry.value) if is_put else {}),
        "mod_revision": event.revision,
        "previous": entry_json(event.previous),
    }


def event_line(event: Event) -> str:
    """Return a change for people: revision, type, key, value; then why, and what was before."""
    value = f" {printable(event.entry.value)}" if event.type == "put" else ""
    cause = "" if event.cause == "request" else f" ({event.cause})"
    before = "" if event.previous is None else f" (was {printable(event.previous.value)})"
    return f"{event.revision} {event.type} {printable(event.key)}{value}{cause}{before}"
