"""What a campaign, or the mutants, came to: for programs and for people."""

import zlib
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from kvraft_chaos.simulation.campaign import Run
from kvraft_chaos.simulation.mutants.trial import Verdict

WIDTH = 40
"""Of the names, so that the figures stand in a column."""


def figures(runs: Sequence[Run], wall_seconds: float, jobs: int = 1) -> dict[str, object]:
    """Return the sums of a campaign, and what they are a second."""
    simulated = sum(run.simulated_seconds for run in runs)
    operations = sum(run.operations for run in runs)
    convicted = [run for run in runs if run.violations]
    return {
        "seeds": len(runs),
        "violations": len(convicted),
        "first_seed": convicted[0].seed if convicted else None,
        "kinds": _kinds(convicted),
        "simulated_seconds": round(simulated, 1),
        "wall_seconds": round(wall_seconds, 2),
        "jobs": jobs,
        "client_operations": operations,
        "elections": sum(run.elections for run in runs),
        "crashes": sum(run.crashes for run in runs),
        "client_crashes": sum(run.client_crashes for run in runs),
        "snapshots": sum(run.snapshots for run in runs),
        "wiped_disks": sum(run.wipes for run in runs),
        "bit_flips": sum(run.bit_flips for run in runs),
        "expired_leases": sum(run.expired_leases for run in runs),
        "compared_hashes": sum(run.compared_hashes for run in runs),
        "undecided_keys": sum(run.undecided_keys for run in runs),
        "messages": sum(run.messages for run in runs),
        "simulated_seconds_per_wall_second": _rate(simulated, wall_seconds),
        "client_operations_per_simulated_second": _rate(operations, simulated),
        "client_operations_per_wall_second": _rate(operations, wall_seconds),
        "trace": _trace(runs),
    }


def _trace(runs: Sequence[Run]) -> str:
    """One hash of every delivery of every run: it stays where a change changes no schedule."""
    return f"{zlib.crc32(b''.join(run.trace.to_bytes(4) for run in runs)):08x}"


def _rate(count: float, seconds: float) -> float:
    return round(count / seconds, 1) if seconds else 0.0


def _kinds(convicted: Sequence[Run]) -> dict[str, int]:
    """In how many seeds each kind of violation was found."""
    kinds: dict[str, int] = {}
    for run in convicted:
        for violation in run.violations:
            kinds[violation.kind] = kinds.get(violation.kind, 0) + 1
    return kinds


def lines(report: dict[str, object]) -> str:
    """One figure a line; what there is nothing of is left out."""
    shown = {name: value for name, value in report.items() if value not in (None, {})}
    rows = [f"{name.replace('_', ' '):{WIDTH}}{_shown(value)}\n" for name, value in shown.items()]
    return "".join(rows)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} ({count})" for name, count in value.items())
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def mutants_json(verdicts: Sequence[Verdict]) -> dict[str, object]:
    """Return every verdict by the names that programs read."""
    return {
        "mutants": [
            {
                "name": each.name,
                "caught": each.caught,
                "seeds": each.seeds,
                "schedule": each.schedule or None,
                "finding": each.finding or None,
                "first_seed": each.first_seed,
                "kind": each.kind or None,
            }
            for each in verdicts
        ]
    }


def print_mutants(verdicts: Sequence[Verdict]) -> None:
    """Print a table: caught, in how many seeds, by what."""
    table = Table(title="Mutants")
    table.add_column("mutant", overflow="fold")
    table.add_column("caught")
    table.add_column("seeds", justify="right")
    table.add_column("by", overflow="fold")
    for each in verdicts:
        caught = "yes" if each.caught else "NO"
        table.add_row(each.name, caught, str(each.seeds or "-"), each.by)
    console = Console()
    console.print(table)
    count = sum(each.caught for each in verdicts)
    console.print(f"{count} of {len(verdicts)} caught; seeds: random ones until one convicted")
