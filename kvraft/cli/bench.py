"""bench: how fast a cluster of yours is, with one client process, on keys of the command's own."""

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from kvraft.cli.closed_loop import Measured, closed_loop
from kvraft.cli.options import Settings, client_command
from kvraft.cli.output import print_json, print_table, printable
from kvraft.cli.workloads import VALUE_BYTES, Workloads
from kvraft_client import AsyncClient, KvraftError

INTERRUPTED = 130
CALLERS_MAX = 4_096
"""More of them measure this process: it is one, on one core."""
WARM_S = 0.5
"""Before each measurement, at most as long as that: connections stand, caches are warm."""
SHARES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
COLUMNS = ("workload", "callers", "a second", "p50", "p95", "p99", "done", "unknown", "failed")
EXAMPLE = "Example: kvraft bench --workload cas --callers 1,16 --seconds 2"


class Workload(StrEnum):
    """What the callers do."""

    CAS = "cas"
    PUT = "put"
    READ = "read"
    UPDATE = "update"
    LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement."""

    workload: str
    callers: int
    measured: Measured

    def as_json(self) -> dict[str, Any]:
        """Return it for programs; a time is null where nothing was done."""
        found = self.measured
        return {
            "workload": self.workload,
            "callers": self.callers,
            "seconds": round(found.seconds, 3),
            "rate": round(found.rate, 1),
            **{name: found.quantile_ms(share) for name, share in SHARES.items()},
            "done": len(found.took_ms),
            "unknown": found.unknown,
            "failed": found.failed,
        }

    def cells(self) -> Sequence[Any]:
        """Return it for people."""
        found = self.measured
        times = (found.quantile_ms(share) for share in SHARES.values())
        return (
            self.workload,
            self.callers,
            f"{found.rate:,.0f}",
            *(None if each is None else f"{each:.2f} ms" for each in times),
            len(found.took_ms),
            found.unknown,
            found.failed,
        )


Which = Annotated[
    list[Workload] | None,
    typer.Option("--workload", help="May be given again; all of them if not given."),
]
Callers = Annotated[str, typer.Option(help="Numbers of callers, measured in turn.", metavar="N,N")]
Seconds = Annotated[float, typer.Option(help="Of each measurement.", metavar="S", min=0.1)]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Write the figures there too.", metavar="FILE")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench", epilog=EXAMPLE)(client_command(bench))


def bench(
    settings: Settings,
    *,
    workload: Which = None,
    callers: Callers = "1,16,64",
    seconds: Seconds = 3.0,
    json_file: JsonFile = None,
) -> None:
    """Measure a cluster: compare-and-set, put, linearizable read, update of one key, lock cycle.

    Callers each have one operation under way, always, through one client. Values of 256 bytes; the
    keys have a prefix of their own and are deleted in the end. It is a load like any other: mind
    who else uses the cluster. Ctrl-C shows what there is until then.
    """
    numbers = _numbers(callers)
    names = [each.value for each in workload or Workload]
    if json_file is not None and not json_file.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {json_file.parent}", param_hint="'--json'")
    rows: list[Row] = []
    plan = [(name, number) for name in names for number in numbers]
    interrupted = asyncio.run(_measure(settings, plan, seconds, rows))
    figures = {"value_bytes": VALUE_BYTES, "rows": [row.as_json() for row in rows]}
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=1) + "\n")
    if settings.as_json:
        print_json(figures)
    else:
        print_table(COLUMNS, (row.cells() for row in rows))
    _tell_errors(rows)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    if any(not row.measured.took_ms for row in rows):
        raise typer.Exit(1)


def _numbers(text: str) -> list[int]:
    numbers = [int(part) if part.isascii() and part.isdigit() else 0 for part in text.split(",")]
    if not all(1 <= number <= CALLERS_MAX for number in numbers):
        hint = f"give 1 to {CALLERS_MAX}, or several with commas between, not {text!r}"
        raise typer.BadParameter(hint, param_hint="'--callers'")
    return numbers


async def _measure(
    settings: Settings, plan: Sequence[tuple[str, int]], seconds: float, rows: list[Row]
) -> bool:
    """Append a row for each part of the plan; return whether Ctrl-C ended it early."""
    prefix = f"kvraft-bench/{secrets.token_hex(4)}/"
    with _stopped_by_ctrl_c() as stop, _bar(len(plan)) as step:
        async with settings.async_client() as client:
            workloads = Workloads(client, prefix)
            try:
                for name, callers in plan:
                    step(f"{name}, {callers} callers")
                    await workloads.prepare(callers)
                    if stop.is_set():
                        break
                    operation, warm_s = workloads.operations[name], min(WARM_S, seconds)
                    measured = await closed_loop(
                        operation, callers, seconds, warm_s=warm_s, stop=stop
                    )
                    rows.append(Row(name, callers, measured))
                    if stop.is_set():
                        break
            finally:
                await _delete(client, prefix)
    return stop.is_set()


async def _delete(client: AsyncClient, prefix: str) -> None:
    try:
        await client.delete_prefix(prefix)
    except KvraftError as error:
        typer.echo(f"kvraft: keys under {prefix} may be left: {error}", err=True)


def _tell_errors(rows: Sequence[Row]) -> None:
    for row in rows:
        if row.measured.first_error:
            told = printable(row.measured.first_error.encode())
            typer.echo(f"kvraft: {row.workload}, {row.callers} callers: {told}", err=True)


@contextmanager
def _stopped_by_ctrl_c() -> Iterator[asyncio.Event]:
    """Yield what the first Ctrl-C sets; the second ends the process where it stands."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def interrupted() -> None:
        if stop.is_set():
            os._exit(INTERRUPTED)
        stop.set()

    loop.add_signal_handler(signal.SIGINT, interrupted)
    try:
        yield stop
    finally:
        loop.remove_signal_handler(signal.SIGINT)


@contextmanager
def _bar(total: int) -> Iterator[Callable[[str], None]]:
    """Show on a terminal how far it is; what is yielded begins the next part."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=total, completed=-1)
        yield lambda text: bars.update(task, advance=1, description=text)
