"""put, delete, update."""

from typing import Annotated

import typer

from kvraft.cli.arguments import IdempotencyKey, If, KeepLease, Key, Lease, Ttl, Value, value_of
from kvraft.cli.conditional import condition_of, told_as, told_if_false
from kvraft.cli.fencing import Fences, fences_in
from kvraft.cli.options import Settings, client_command
from kvraft.cli.output import entry_json, print_entries, print_json
from kvraft.cli.replies import update_json
from kvraft_client.actions import Action

UPDATE_EXAMPLE = "Example: kvraft update item/456 --if 'value > 500' --set 'value -= 75'"
Actions = Annotated[
    list[str],
    typer.Option(
        "--set",
        help="""What to do, such as 'value += 3', 'value ./price = 5', 'delete';
        several are done in order, in one step.""",
        metavar="ACTION",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the writes."""
    app.command("put", epilog="Example: kvraft put workers/7 up --ttl 10")(client_command(put))
    app.command("delete", epilog="Example: kvraft delete --prefix workers/")(client_command(delete))
    app.command("update", epilog=UPDATE_EXAMPLE)(client_command(update))


def put(
    settings: Settings,
    key: Key,
    value: Value,
    *,
    condition: If = None,
    ttl: Ttl = None,
    lease: Lease = None,
    keep_lease: KeepLease = False,
    fence: Fences = [],  # noqa: B006 - how typer is told of a list that may be empty
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Write a key. Without --ttl, --lease or --keep-lease it is detached from any lease."""
    when = condition_of(condition, key)
    with settings.client() as kv, told_if_false(settings, when, key):
        entry = kv.put(
            key,
            value_of(value),
            lease=lease,
            ttl=ttl,
            keep_lease=keep_lease,
            when=when,
            fence=fences_in(fence),
            idempotency_key=idempotency_key,
        )
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
    condition: If = None,
    fence: Fences = [],  # noqa: B006 - how typer is told of a list that may be empty
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Delete a key, or all keys with a prefix. That there was none is no error."""
    named = None if prefix else key
    when = condition_of(condition, named)
    with settings.client() as kv, told_if_false(settings, when, named):
        remove = kv.delete_prefix if prefix else kv.delete
        deleted = int(
            remove(key, when=when, fence=fences_in(fence), idempotency_key=idempotency_key)
        )
    if settings.as_json:
        print_json({"deleted": deleted})
    else:
        typer.echo(f"deleted {deleted} {'key' if deleted == 1 else 'keys'}")


def update(
    settings: Settings,
    key: Key,
    actions: Actions,
    *,
    condition: If = None,
    ttl: Ttl = None,
    lease: Lease = None,
    fence: Fences = [],  # noqa: B006 - how typer is told of a list that may be empty
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Change a key's value in one step, if a condition holds; it keeps its lease.

    Exit status 2 if the condition is false: the clause and what stands now are printed.
    """
    when = condition_of(condition, key)
    steps = actions_of(actions, "--set")
    with settings.client() as kv, told_if_false(settings, when, key):
        result = kv.update(
            key,
            *steps,
            lease=lease,
            ttl=ttl,
            when=when,
            fence=fences_in(fence),
            idempotency_key=idempotency_key,
        )
    if settings.as_json:
        print_json(update_json(result))
    elif result.entry is None:
        typer.echo("deleted" if result.applied else "absent, nothing to do", err=True)
    else:
        print_entries([result.entry])


def actions_of(texts: list[str], option: str) -> list[Action]:
    """Parse actions; a mistake names the option they stand in."""
    from kvraft_client.text import parse_action  # noqa: PLC0415 - loads the parser

    with told_as(option):
        return [parse_action(text) for text in texts]
