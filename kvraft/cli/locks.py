"""locks, guard set, list, remove."""

import itertools
from typing import Annotated, Any

import typer

from kvraft.cli.arguments import IdempotencyKey
from kvraft.cli.fencing import Fences, fences_in
from kvraft.cli.options import Settings, client_command
from kvraft.cli.output import bytes_json, print_json, print_table, printable
from kvraft_client.lock_values import Guard, LockDescription, LockPlace

app = typer.Typer(help="Guards: prefixes under which nothing is written without a lock's fence.")

GuardedPrefix = Annotated[
    str, typer.Argument(help='All keys that begin so; "": all.', metavar="PREFIX")
]


def register(holder: typer.Typer) -> None:
    """Add the list of locks."""
    holder.command("locks", epilog="Example: kvraft locks --prefix jobs/ -o json")(
        client_command(locks)
    )


def locks(
    settings: Settings,
    *,
    prefix: Annotated[str, typer.Option(help="Only names that begin so.", metavar="P")] = "",
    limit: Annotated[int | None, typer.Option(help="At most so many.", metavar="N", min=1)] = None,
) -> None:
    """List the locks in use, who holds them, and who waits; `-o json` prints {"locks": [...]}."""
    with settings.client() as kv:
        found = list(itertools.islice(kv.list_locks(prefix), limit))
    if settings.as_json:
        print_json({"locks": [lock_json(each) for each in found]})
    else:
        columns = ("lock", "mode", "token", "owner", "lease", "age", "waiting")
        print_table(columns, (row for each in found for row in _rows(each)))


def lock_json(lock: LockDescription) -> dict[str, Any]:
    """Return a lock as JSON."""
    return {
        **bytes_json("name", lock.name),
        "capacity": lock.capacity,
        "holders": [place_json(each) for each in lock.holders],
        "waiters": [place_json(each) for each in lock.waiters],
        "holder_count": lock.holder_count,
        "waiter_count": lock.waiter_count,
    }


def place_json(place: LockPlace) -> dict[str, Any]:
    """Return a holder, or (`token` null) one that waits, as JSON."""
    return {
        "place": place.place,
        **bytes_json("owner", place.owner),
        "lease_id": place.lease_id,
        "mode": place.mode,
        "token": place.token or None,
        "age_s": place.age_s,
    }


def _rows(lock: LockDescription) -> list[tuple[Any, ...]]:
    """Return a row for each place that is known; the first one names the lock and its queue."""
    rows: list[tuple[Any, ...]] = []
    for place in (*lock.holders, *lock.waiters):
        first = not rows
        rows.append(
            (
                printable(lock.name) if first else None,
                place.mode if lock.capacity == 1 else f"{place.mode}, {lock.capacity}",
                place.token or "waits",
                printable(place.owner),
                place.lease_id,
                f"{place.age_s:.1f} s",
                lock.waiter_count if first else None,
            )
        )
    left = lock.holder_count + lock.waiter_count - len(rows)
    if left > 0:
        rows.append((None, None, f"{left} more", None, None, None, None))
    return rows


@app.command("set", epilog="Example: kvraft guard set billing/ --lock billing")
@client_command
def set_guard(
    settings: Settings,
    prefix: GuardedPrefix,
    *,
    lock: Annotated[str | None, typer.Option(help="The lock that it takes.", metavar="L")] = None,
    per_key: Annotated[
        bool, typer.Option("--per-key", help="Each key takes the lock of its own name.")
    ] = False,
    fence: Fences = [],  # noqa: B006 - how typer is told of a list that may be empty
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Refuse writes under a prefix without the fence of a lock's exclusive holder."""
    if (lock is None) != per_key:
        raise typer.BadParameter("give --lock L or --per-key")
    with settings.client() as kv:
        kv.guard(
            prefix,
            lock=lock,
            per_key=per_key,
            fence=fences_in(fence),
            idempotency_key=idempotency_key,
        )
    _done(settings, "set")


@app.command("remove", epilog="Example: kvraft guard remove billing/")
@client_command
def remove_guard(
    settings: Settings,
    prefix: GuardedPrefix,
    *,
    fence: Fences = [],  # noqa: B006
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Guard a prefix no more. That there was no guard is no error."""
    with settings.client() as kv:
        kv.unguard(prefix, fence=fences_in(fence), idempotency_key=idempotency_key)
    _done(settings, "removed")


@app.command("list", epilog="Example: kvraft guard list -o json")
@client_command
def list_guards(settings: Settings) -> None:
    """List all guards; `-o json` prints {"guards": [...]}, with `lock` null where per key."""
    with settings.client() as kv:
        found = kv.guards()
    if settings.as_json:
        print_json({"guards": [guard_json(each) for each in found]})
    else:
        rows = ((printable(each.prefix) + "*", _lock_of(each)) for each in found)
        print_table(("keys", "lock"), rows)


def guard_json(guard: Guard) -> dict[str, Any]:
    """Return a guard as JSON."""
    lock = {"lock": None} if guard.lock is None else bytes_json("lock", guard.lock)
    return {**bytes_json("prefix", guard.prefix), **lock, "per_key": guard.per_key}


def _lock_of(guard: Guard) -> str:
    return "(named like the key)" if guard.lock is None else printable(guard.lock)


def _done(settings: Settings, word: str) -> None:
    if settings.as_json:
        print_json({"done": word})
    else:
        typer.echo(f"guard {word}")
