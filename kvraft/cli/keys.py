"""get, put, delete, cas, list."""

import itertools
import sys
from typing import Annotated

import typer

from kvraft.cli.options import INT64_MAX, Settings, client_command
from kvraft.cli.output import entry_json, print_entries, print_json, printable

Key = Annotated[str, typer.Argument(help="The key.", metavar="KEY")]
Value = Annotated[str, typer.Argument(help="The value; - reads it from stdin.", metavar="VALUE")]
Ttl = Annotated[float | None, typer.Option(help="Seconds after which the key goes by itself.")]
Lease = Annotated[
    int | None,
    typer.Option(help="Lease that the key goes with.", metavar="ID", min=1, max=INT64_MAX),
]
KeepLease = Annotated[bool, typer.Option("--keep-lease", help="Keep the lease the key has.")]

ExpectValue = Annotated[str | None, typer.Option(help="Its value.", metavar="V")]
ExpectRevision = Annotated[
    int | None,
    typer.Option(help="Its mod_revision: not written since.", metavar="N", min=0, max=INT64_MAX),
]
ExpectVersion = Annotated[
    int | None, typer.Option(help="Its version.", metavar="N", min=0, max=INT64_MAX)
]
ExpectAbsent = Annotated[bool, typer.Option("--expect-absent", help="There is no such key.")]
Serializable = Annotated[
    bool, typer.Option("--serializable", help="One node's own state, possibly old; no quorum.")
]


def register(app: typer.Typer) -> None:
    """Add the commands on keys."""
    app.command("get", epilog="Example: kvraft get seat/14C -o json")(client_command(get))
    app.command("put", epilog="Example: kvraft put workers/7 up --ttl 10")(client_command(put))
    app.command("delete", epilog="Example: kvraft delete --prefix workers/")(client_command(delete))
    app.command("cas", epilog="Example: kvraft cas seat/14C alice --expect-value free")(
        client_command(cas)
    )
    app.command("list", epilog="Example: kvraft list seat/ --limit 20")(
        client_command(list_entries)
    )


def get(
    settings: Settings,
    key: Key,
    *,
    serializable: Serializable = False,
    raw: Annotated[bool, typer.Option("--raw", help="The value's bytes and nothing else.")] = False,
) -> None:
    """Read a key. Exit status 2 if there is none (`-o json` then prints null)."""
    with settings.client() as kv:
        entry = kv.get(key, consistency="serializable" if serializable else "linearizable")
    if settings.as_json and not raw:
        print_json(entry_json(entry))
    elif entry is None:
        typer.echo(f"kvraft: no key {key!r}", err=True)
    elif raw:
        sys.stdout.buffer.write(entry.value)
        sys.stdout.buffer.flush()
    else:
        print_entries([entry])
    if entry is None:
        raise typer.Exit(2)


def put(
    settings: Settings,
    key: Key,
    value: Value,
    *,
    ttl: Ttl = None,
    lease: Lease = None,
    keep_lease: KeepLease = False,
) -> None:
    """Write a key. Without --ttl, --lease or --keep-lease it is detached from any lease."""
    with settings.client() as kv:
        entry = kv.put(key, _value(value), lease=lease, ttl=ttl, keep_lease=keep_lease)
    if settings.as_json:
        print_json(entry_json(entry))
    else:
        print_entries([entry])


def delete(
    settings: Settings,
    key: Key,
    *,
    prefix: Annotated[
        bool, typer.Option("--prefix", help="Delete every key that begins with KEY.")
    ] = False,
) -> None:
    """Delete a key, or all keys with a prefix. That there was none is no error."""
    with settings.client() as kv:
        deleted = kv.delete_prefix(key) if prefix else int(kv.delete(key))
    if settings.as_json:
        print_json({"deleted": deleted})
    else:
        typer.echo(f"deleted {deleted} {'key' if deleted == 1 else 'keys'}")


def cas(
    settings: Settings,
    key: Key,
    value: Value,
    *,
    expect_value: ExpectValue = None,
    expect_revision: ExpectRevision = None,
    expect_version: ExpectVersion = None,
    expect_absent: ExpectAbsent = False,
    ttl: Ttl = None,
    lease: Lease = None,
    keep_lease: KeepLease = False,
) -> None:
    """Write a key if it is as expected; all that is given must hold.

    Exit status 2 if it is not; either way the entry as it is now is printed.
    """
    conditions = (expect_value, expect_revision, expect_version, expect_absent or None)
    if all(condition is None for condition in conditions):
        raise typer.BadParameter(
            "give --expect-value, --expect-revision, --expect-version or --expect-absent"
        )
    with settings.client() as kv:
        result = kv.try_cas(
            key,
            _value(value),
            expect_absent=expect_absent,
            expect_value=expect_value,
            expect_revision=expect_revision,
            expect_version=expect_version,
            ttl=ttl,
            lease=lease,
            keep_lease=keep_lease,
        )
    if settings.as_json:
        print_json({"swapped": result.swapped, "entry": entry_json(result.entry)})
    else:
        now = "it is now:" if result.entry else "it is absent"
        typer.echo("swapped" if result.swapped else f"not swapped; {now}", err=not result.swapped)
        if result.entry is not None:
            print_entries([result.entry])
    if not result.swapped:
        raise typer.Exit(2)


def list_entries(
    settings: Settings,
    prefix: Annotated[
        str, typer.Argument(help="Only keys that begin so.", metavar="[PREFIX]")
    ] = "",
    *,
    keys_only: Annotated[bool, typer.Option("--keys-only", help="Without values.")] = False,
    limit: Annotated[int | None, typer.Option(help="At most so many.", metavar="N", min=1)] = None,
    serializable: Serializable = False,
) -> None:
    """List keys in order; `-o json` prints {"entries": [...]}."""
    with settings.client() as kv:
        found = kv.list(
            prefix,
            keys_only=keys_only,
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


def _value(given: str) -> str | bytes:
    """Return the value: exactly what stdin holds where `-` was given."""
    return sys.stdin.buffer.read() if given == "-" else given
