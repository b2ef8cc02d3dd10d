"""cas."""

from typing import Annotated, Any

import typer

from kvraft.cli.arguments import IdempotencyKey, If, KeepLease, Key, Lease, Ttl, Value, value_of
from kvraft.cli.conditional import condition_of, print_unmet, unmet_json
from kvraft.cli.fencing import Fences, fences_in
from kvraft.cli.options import INT64_MAX, Settings, client_command
from kvraft.cli.output import entry_json, print_entries, print_json
from kvraft_client.conditions import Condition
from kvraft_client.values import CasResult

ExpectValue = Annotated[str | None, typer.Option(help="Its value.", metavar="V")]
ExpectRevision = Annotated[
    int | None,
    typer.Option(help="Its mod_revision: not written since.", metavar="N", min=0, max=INT64_MAX),
]
ExpectVersion = Annotated[
    int | None, typer.Option(help="Its version.", metavar="N", min=0, max=INT64_MAX)
]
ExpectAbsent = Annotated[bool, typer.Option("--expect-absent", help="There is no such key.")]


def register(app: typer.Typer) -> None:
    """Add compare-and-set."""
    app.command("cas", epilog="Example: kvraft cas seat/14C alice --expect-value free")(
        client_command(cas)
    )


def cas(
    settings: Settings,
    key: Key,
    value: Value,
    *,
    expect_value: ExpectValue = None,
    expect_revision: ExpectRevision = None,
    expect_version: ExpectVersion = None,
    expect_absent: ExpectAbsent = False,
    condition: If = None,
    ttl: Ttl = None,
    lease: Lease = None,
    keep_lease: KeepLease = False,
    fence: Fences = [],  # noqa: B006 - how typer is told of a list that may be empty
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Write a key if it is as expected; all that is given must hold.

    Exit status 2 if it is not; either way the entry as it is now is printed.
    """
    given = (expect_value, expect_revision, expect_version, expect_absent or None)
    if all(each is None for each in given):
        raise typer.BadParameter(
            "give --expect-value, --expect-revision, --expect-version or --expect-absent"
        )
    when = condition_of(condition, key)
    with settings.client() as kv:
        result = kv.try_cas(
            key,
            value_of(value),
            expect_absent=expect_absent,
            expect_value=expect_value,
            expect_revision=expect_revision,
            expect_version=expect_version,
            ttl=ttl,
            lease=lease,
            keep_lease=keep_lease,
            when=when,
            fence=fences_in(fence),
            idempotency_key=idempotency_key,
        )
    _show(settings, result, when, key)
    if not result.swapped:
        raise typer.Exit(2)


def _show(settings: Settings, result: CasResult, when: Condition | None, key: str) -> None:
    if settings.as_json:
        shown: dict[str, Any] = {"swapped": result.swapped, "entry": entry_json(result.entry)}
        if result.unmet is not None:
            shown["unmet"] = unmet_json(result.unmet, when, key)
        print_json(shown)
    elif result.unmet is not None:
        print_unmet(result.unmet, when, key)
    else:
        _print_swap(result)


def _print_swap(result: CasResult) -> None:
    now = "it is now:" if result.entry else "it is absent"
    typer.echo("swapped" if result.swapped else f"not swapped; {now}", err=not result.swapped)
    if result.entry is not None:
        print_entries([result.entry])
