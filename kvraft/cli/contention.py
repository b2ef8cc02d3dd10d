"""contention: a live table of where callers collide."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import Annotated, Any

import typer

from kvraft.cli.locks import place_json
from kvraft.cli.options import Format, Settings, client_command
from kvraft.cli.output import bytes_json, print_json, printable, table_of
from kvraft_client import Client
from kvraft_client.lock_values import Contention, Histogram, KeyContention, LockContention

INTERVAL_S = 1.0
SHARES = {"p50": 0.5, "p99": 0.99}
KEY_COLUMNS = ("key", "attempts", "conflicts", "rate")
LOCK_COLUMNS = (
    "lock", "grants", "waited", "abandoned", "wait p50", "wait p99", "hold p50", "hold p99",
    "queue", "holders", "blocked",
)  # fmt: skip

Once = Annotated[bool, typer.Option("--once", help="Show it once, and end.")]
AsJson = Annotated[bool, typer.Option("--json", help="As -o json: once, for programs.")]
Limit = Annotated[int, typer.Option(help="At most so many of each.", metavar="N", min=1)]
Interval = Annotated[float, typer.Option(help="Seconds between two looks.", metavar="S", min=0.05)]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("contention", epilog="Example: kvraft contention --once")(
        client_command(contention)
    )


def contention(
    settings: Settings,
    *,
    once: Once = False,
    as_json: AsJson = False,
    limit: Limit = 20,
    interval: Interval = INTERVAL_S,
) -> None:
    """Show the keys with the most conflicts, and the locks that are waited for the longest.

    As the leader saw it since it started, until Ctrl-C; once, where the output is no terminal.
    """
    with settings.client() as kv:
        if as_json or settings.output is Format.JSON:
            print_json(contention_json(kv.contention(limit=limit)))
        elif once or not sys.stdout.isatty():
            _print(kv.contention(limit=limit))
        else:
            _live(kv, limit, interval)


def _print(seen: Contention) -> None:
    from rich.console import Console  # noqa: PLC0415 - only for a table

    from kvraft.cli.output import WIDE  # noqa: PLC0415

    Console(width=None if sys.stdout.isatty() else WIDE).print(_tables(seen))


def _live(kv: Client, limit: int, interval_s: float) -> None:
    """Look again and again until Ctrl-C."""
    from rich.live import Live  # noqa: PLC0415

    with Live(_tables(kv.contention(limit=limit)), auto_refresh=False) as live:
        before = signal.signal(signal.SIGINT, _ending(live))
        try:
            while True:
                time.sleep(interval_s)
                live.update(_tables(kv.contention(limit=limit)), refresh=True)
        finally:
            signal.signal(signal.SIGINT, before)


def _ending(live: Any) -> Any:
    """As with `watch`: an exception in the middle of a call can hang the end of its channel."""

    def end(_number: int, _frame: FrameType | None) -> None:
        live.stop()
        sys.stdout.flush()
        os._exit(0)

    return end


def _tables(seen: Contention) -> Any:
    from rich.console import Group  # noqa: PLC0415

    keys = table_of(KEY_COLUMNS, [_key_row(each) for each in seen.keys])
    locks = table_of(LOCK_COLUMNS, [_lock_row(each) for each in seen.locks])
    return Group(keys, locks)


def _key_row(key: KeyContention) -> Sequence[Any]:
    rate = key.conflicts / key.attempts if key.attempts else 0.0
    return (printable(key.key), key.attempts, key.conflicts, f"{rate:.1%}")


def _lock_row(lock: LockContention) -> Sequence[Any]:
    holders = ", ".join(f"{each.token} {printable(each.owner)}".strip() for each in lock.holders)
    over = f" ({lock.overheld} too long)" if lock.overheld else ""
    return (
        printable(lock.name),
        lock.grants,
        lock.waits,
        lock.abandoned,
        *(_shown(lock.wait_ms, share) for share in SHARES.values()),
        *(_shown(lock.hold_ms, share) for share in SHARES.values()),
        lock.queue_length,
        holders + over,
        "; ".join(lock.blockers),
    )


def _shown(histogram: Histogram, share: float) -> str | None:
    found = histogram.quantile(share)
    return None if found is None else f"{found} ms"


def contention_json(seen: Contention) -> dict[str, Any]:
    """Return everything as JSON."""
    return {
        "node": seen.node,
        "keys": [
            {
                **bytes_json("key", each.key),
                "attempts": each.attempts,
                "conflicts": each.conflicts,
                "error": each.error,
            }
            for each in seen.keys
        ],
        "locks": [_lock_json(each) for each in seen.locks],
    }


def _lock_json(lock: LockContention) -> dict[str, Any]:
    return {
        **bytes_json("name", lock.name),
        "grants": lock.grants,
        "waits": lock.waits,
        "abandoned": lock.abandoned,
        "wait_ms": _histogram_json(lock.wait_ms),
        "hold_ms": _histogram_json(lock.hold_ms),
        "queue_length": lock.queue_length,
        "overheld": lock.overheld,
        "holders": [place_json(each) for each in lock.holders],
        "blockers": list(lock.blockers),
        "error": lock.error,
    }


def _histogram_json(histogram: Histogram) -> dict[str, Any]:
    return {
        "bounds": list(histogram.bounds),
        "counts": list(histogram.counts),
        "sum": histogram.total,
        **{name: histogram.quantile(share) for name, share in SHARES.items()},
    }
