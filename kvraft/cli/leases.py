"""lease grant, keepalive, revoke, show, list."""

from typing import Annotated

import typer

from kvraft.cli.options import INT64_MAX, Settings, client_command
from kvraft.cli.output import lease_json, print_json, print_table, printable

LeaseId = Annotated[int, typer.Argument(help="The lease's id.", metavar="ID", min=1, max=INT64_MAX)]


app = typer.Typer(help="Leases: grant, renew, revoke, look at.")


@app.command("grant", epilog="Example: kvraft lease grant 10")
@client_command
def grant(
    settings: Settings,
    ttl: Annotated[float, typer.Argument(help="Seconds, 1 to 86400.", metavar="TTL")],
) -> None:
    """Grant a lease. Nobody renews it by itself: see `lease keepalive`."""
    with settings.client() as kv:
        granted = kv.leases.grant(ttl)
    if settings.as_json:
        print_json({"lease_id": granted.lease_id, "ttl_ms": granted.ttl_ms})
    else:
        typer.echo(f"lease {granted.lease_id} granted for {granted.ttl_ms / 1_000:g} s")


@app.command("keepalive", epilog="Example: kvraft lease keepalive 17")
@client_command
def keepalive(settings: Settings, lease_id: LeaseId) -> None:
    """Renew a lease once: its time counts anew. Exit status 1 if it is over."""
    with settings.client() as kv:
        renewed = kv.leases.keep_alive(lease_id)
    if settings.as_json:
        print_json({"lease_id": renewed.lease_id, "ttl_ms": renewed.ttl_ms})
    else:
        typer.echo(f"lease {renewed.lease_id} renewed for {renewed.ttl_ms / 1_000:g} s")


@app.command("revoke", epilog="Example: kvraft lease revoke 17")
@client_command
def revoke(settings: Settings, lease_id: LeaseId) -> None:
    """End a lease; its keys go with it."""
    with settings.client() as kv:
        deleted = kv.leases.revoke(lease_id)
    if settings.as_json:
        print_json({"lease_id": lease_id, "deleted": deleted})
    else:
        typer.echo(f"lease {lease_id} revoked, {deleted} keys deleted")


@app.command("show", epilog="Example: kvraft lease show 17 -o json")
@client_command
def show(settings: Settings, lease_id: LeaseId) -> None:
    """Show what remains of a lease (at least), and its keys."""
    with settings.client() as kv:
        lease = kv.leases.describe(lease_id)
    if settings.as_json:
        print_json(lease_json(lease))
        return
    remaining = f"{lease.remaining_ms / 1_000:g} of {lease.ttl_ms / 1_000:g} s"
    typer.echo(f"lease {lease.lease_id}: {remaining} remain, {len(lease.keys)} keys")
    for key in lease.keys:
        typer.echo(f"  {printable(key)}")


@app.command("list", epilog="Example: kvraft lease list")
@client_command
def list_leases(settings: Settings) -> None:
    """List all leases; `-o json` prints {"leases": [...]}, where `keys` is their number."""
    with settings.client() as kv:
        leases = list(kv.leases.list())
    rows = [(each.lease_id, each.ttl_ms, each.remaining_ms, each.keys) for each in leases]
    columns = ("lease_id", "ttl_ms", "remaining_ms", "keys")
    if settings.as_json:
        print_json({"leases": [dict(zip(columns, row, strict=True)) for row in rows]})
    else:
        print_table(columns, rows)
