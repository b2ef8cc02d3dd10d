"""`python -m kvraft_chaos.campaign --histories 200 --seconds 20 --jobs 2 --out DIR`.

Plays every workload in turn under random, overlapping faults, seeds counted up, and ends with a
table. What was played already is not played again; only what is not valid is kept whole.
Exit status: 0 all valid, 1 one invalid, 2 one unknown, 3 not all played.
"""

import argparse
import json
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kvraft_chaos.campaign.histories import (
    Asked,
    NoVerdictError,
    Result,
    StoppedError,
    draw,
    play,
)
from kvraft_chaos.campaign.table import markdown, rows
from kvraft_chaos.nemesis.catalogue import FAULTS, lacking
from kvraft_chaos.stopping import signals_noted
from kvraft_chaos.workloads.catalogue import WORKLOADS

RESULTS = "results.jsonl"
NOT_ALL_PLAYED = 3
SECONDS_MIN = 5.0
"""Of a history with faults."""


def main(arguments: list[str] | None = None) -> int:
    """Play what is missing, and write the table; the exit status."""
    options = _options(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    missing = lacking(FAULTS)
    faults = [name for name in FAULTS if name not in missing]
    seeds = range(options.first_seed, options.first_seed + options.histories)
    asked = draw(seeds, list(WORKLOADS), faults, options.seconds)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for name, word in missing.items():
        console.print(f"without {name}: this machine lacks {word}")
    results = _read(options.out / RESULTS)
    left = [each for each in asked if each.seed not in results]
    others = {each.seconds for each in results.values()} - {options.seconds}
    if others:
        console.print(f"{options.out} has histories of {others.pop():g} s: choose another --out")
        return NOT_ALL_PLAYED
    with signals_noted() as stop, (options.out / RESULTS).open("a", buffering=1) as file:
        for result in _played(left, options.out, options.jobs, console, stop):
            results[result.seed] = result
            file.write(json.dumps(asdict(result)) + "\n")
    found = [results[each.seed] for each in asked if each.seed in results]
    table = rows(found, list(WORKLOADS))
    (options.out / "campaign.json").write_text(json.dumps(table, indent=1) + "\n")
    (options.out / "campaign.md").write_text(markdown(table))
    sys.stdout.write(markdown(table))
    return _status(found, len(asked))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Argparse would end with 2, which is a verdict here."""
        self.exit(NOT_ALL_PLAYED, f"{self.prog}: error: {message}\n")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = _Parser(
        prog="python -m kvraft_chaos.campaign",
        description="Many chaos runs, and one table.",
    )
    add = parser.add_argument
    add("--histories", type=int, default=200, help="how many (default 200)")
    add("--seconds", type=float, default=20.0, help="of clients at work in each (default 20)")
    add("--jobs", type=int, default=1, help="at a time; a core each (default 1)")
    add("--first-seed", type=int, default=1, help="seeds are counted up from it (default 1)")
    add(
        "--out", type=Path, required=True, metavar="DIR", help="results; goes on with what is there"
    )
    options = parser.parse_args(arguments)
    if options.histories < 1 or options.jobs < 1:
        parser.error("--histories and --jobs are at least 1")
    if not SECONDS_MIN <= options.seconds < float("inf"):
        parser.error(f"--seconds is at least {SECONDS_MIN:g}")
    return options


def _read(path: Path) -> dict[int, Result]:
    """What was played before; a last line that was not finished is played again."""
    if not path.exists():
        return {}
    whole = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    path.write_text("".join(whole))
    return {result.seed: result for result in (Result(**json.loads(line)) for line in whole)}


def _played(
    left: list[Asked], folder: Path, jobs: int, console: Console, stop: threading.Event
) -> Iterator[Result]:
    """As they come."""
    with _progress(console, len(left)) as told, ThreadPoolExecutor(jobs) as pool:

        def one(asked: Asked) -> Result:
            if stop.is_set():
                raise StoppedError
            return play(asked, folder, stop)

        for future in as_completed([pool.submit(one, each) for each in left]):
            try:
                result = future.result()
            except NoVerdictError as error:
                told(f"no verdict: {error}")
                continue
            except StoppedError:
                continue
            told(f"seed {result.seed} {result.workload}: {result.verdict} {result.why}".rstrip())
            yield result


@contextmanager
def _progress(console: Console, total: int) -> Iterator[Callable[[str], None]]:
    """A bar on a terminal, above it what is not valid; else a line for each history."""
    if not console.is_terminal:
        yield console.print
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total)

        def told(line: str) -> None:
            progress.update(task, advance=1, description=line[:60])
            if not line.endswith(": valid"):
                console.print(line)

        yield told


def _status(results: list[Result], asked: int) -> int:
    verdicts = {each.verdict for each in results}
    if "invalid" in verdicts:
        return 1
    if len(results) < asked:
        return NOT_ALL_PLAYED
    return 2 if "unknown" in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
