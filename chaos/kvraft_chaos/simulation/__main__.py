"""`python -m kvraft_chaos.simulation --seeds A-B`: random runs of the real node."""

import argparse
import json
import logging
import sys
import time
from contextlib import closing
from pathlib import Path

from kvraft_chaos.simulation import failure_file, report
from kvraft_chaos.simulation.campaign import Run
from kvraft_chaos.simulation.mutants import MUTANTS
from kvraft_chaos.simulation.mutants.trial import found_by_schedule, try_mutants
from kvraft_chaos.simulation.progress import shown
from kvraft_chaos.simulation.runs import run_seeds
from kvraft_chaos.simulation.scripts.players import PLAYED

SEEDS = range(1, 21)
MUTANT_SEEDS = range(1, 6)
"""With --mutants: a schedule convicts each of them anyhow, seeds tell how rare it is."""
TRACE_LINES = 40
"""Of the first convicted run, printed for people."""
INNOCENT, CONVICTED, NOT_REPEATED = 0, 1, 3
"""Exit statuses (2 is a wrong command line)."""


def seeds_of(text: str) -> range:
    """Parse `A-B` (both included) or a single seed."""
    first, _, last = text.partition("-")
    try:
        seeds = range(int(first), int(last or first) + 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"seeds are A-B or one number, not {text!r}") from None
    if not seeds:
        raise argparse.ArgumentTypeError(f"no seeds in {text!r}: the first is above the last")
    return seeds


def _jobs(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"jobs are processes, 1 or more, not {text!r}")
    return int(text)


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m kvraft_chaos.simulation",
        description="Run the real node through random faults on virtual time; one seed is one run.",
        epilog="Example: --seeds 1-200 --jobs 2. Exit status 0: no violation, 1: convicted, "
        "3: a failure file did not repeat with the code that wrote it.",
    )
    parser.add_argument("--seeds", type=seeds_of, metavar="A-B", help="default: 1-20")
    parser.add_argument("--nodes", type=int, choices=(3, 5), default=3)
    parser.add_argument(
        "--workload", choices=PLAYED, metavar="NAME", help=f"clients of one: {', '.join(PLAYED)}"
    )
    parser.add_argument("--jobs", type=_jobs, default=1, metavar="N", help="processes")
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    parser.add_argument("--trace", action="store_true", help="print what happened in the first run")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write each failure to a file")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--mutant", choices=MUTANTS, metavar="NAME", help="make this mistake; stop when convicted"
    )
    which.add_argument("--list-mutants", action="store_true", help="print names and mistakes")
    which.add_argument("--mutants", action="store_true", help="try all; exit 1 if one gets away")
    which.add_argument("--replay", type=Path, metavar="FILE", help="repeat a failure file")
    options = parser.parse_args(arguments)
    if options.workload and (options.mutants or options.replay):
        parser.error("--workload goes with --seeds: mutants have schedules, a file names its own")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; return the exit status."""
    options = _arguments(arguments)
    logging.getLogger("pysyncobj").setLevel(logging.CRITICAL + 1)  # mutants make it complain
    if options.list_mutants:
        return _list_mutants(options)
    if options.mutants:
        return _try_mutants(options)
    if options.replay:
        return _replay(options)
    return _campaign(options)


def _out(text: str) -> None:
    sys.stdout.write(text)


def _list_mutants(options: argparse.Namespace) -> int:
    if options.json:
        listed = [{"name": each.name, "mistake": each.mistake} for each in MUTANTS.values()]
        _out(json.dumps({"mutants": listed}) + "\n")
    else:
        width = max(map(len, MUTANTS)) + 2
        _out("".join(f"{each.name:{width}}{each.mistake}\n" for each in MUTANTS.values()))
    return INNOCENT


def _try_mutants(options: argparse.Namespace) -> int:
    tried = try_mutants(
        list(MUTANTS), options.seeds or MUTANT_SEEDS, size=options.nodes, jobs=options.jobs
    )
    verdicts = list(shown(tried, len(MUTANTS), "mutants"))
    if options.json:
        _out(json.dumps(report.mutants_json(verdicts)) + "\n")
    else:
        report.print_mutants(verdicts)
    return INNOCENT if all(each.caught for each in verdicts) else CONVICTED


def _campaign(options: argparse.Namespace) -> int:
    begun = time.perf_counter()
    seeds = options.seeds or SEEDS
    runs = run_seeds(
        seeds,
        size=options.nodes,
        mutant=options.mutant,
        jobs=options.jobs,
        workload=options.workload,
    )
    done: list[Run] = []
    with closing(shown(runs, len(seeds), "seeds")) as following:
        for run in following:
            told = run.violations or (options.trace and not done)
            done.append(run if told else run.in_figures())
            if options.mutant and run.violations:
                break
    figures = report.figures(done, time.perf_counter() - begun, options.jobs)
    convicted = [run for run in done if run.violations]
    by_seeds_alone = convicted or not options.mutant or options.workload
    finding = "" if by_seeds_alone else _by_schedule(options.mutant)
    if options.workload:
        figures = {"workload": options.workload} | figures
    if options.mutant:
        figures |= {"mutant": options.mutant, "schedule": finding or None}
    if options.keep:
        figures["files"] = [_keep(run, options) for run in convicted]
    _out(json.dumps(figures) + "\n" if options.json else report.lines(figures))
    if convicted and not options.json:
        _explain(convicted[0])
    if options.trace and not options.json:
        _out("".join(f"{line}\n" for line in done[0].log))
    return CONVICTED if convicted or finding else INNOCENT


def _by_schedule(name: str) -> str:
    """What the mutant's schedule finds, in words; empty: nothing."""
    mutant = MUTANTS[name]
    found = mutant.finding in found_by_schedule(mutant)
    return f"{mutant.schedule}: {mutant.finding}" if found else ""


def _keep(run: Run, options: argparse.Namespace) -> str:
    return str(failure_file.save(failure_file.describe(run, options.mutant), options.keep))


def _explain(run: Run) -> None:
    _out(f"first convicted seed: {run.seed}\n")
    _out("".join(f"    {line}\n" for line in run.leading_up(TRACE_LINES)))
    for violation in run.violations:
        _out(f"  {violation.time:9.4f} {violation.kind}: {violation.detail}\n")


def _replay(options: argparse.Namespace) -> int:
    try:
        failure = failure_file.load(options.replay)
    except failure_file.FailureFileError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    runs = failure_file.replay(failure)
    same, exact = failure_file.same_code(failure), failure_file.repeats(failure, runs)
    kinds = [violation.kind for violation in runs[-1].violations]
    if options.json:
        told = {"seed": failure.seed, "violations": kinds, "same_code": same, "exact": exact}
        _out(json.dumps(told) + "\n")
    else:
        clients = f", workload {failure.workload}" if failure.workload else ""
        _out(f"seed {failure.seed}, {failure.size} nodes{clients}, ")
        _out(f"mutant: {failure.mutant or 'none'}\n")
        _out("".join(f"  {fault}\n" for fault in failure.shrunk))
        _out("the same code as then\n" if same else f"other code: then {failure.versions}\n")
        _out(f"the same trace: {'yes' if exact else 'no'}\n")
        for run in filter(lambda run: run.violations, runs[-1:]):
            _explain(run)
    if same and not exact:
        return NOT_REPEATED
    return CONVICTED if any(run.violations for run in runs) else INNOCENT


if __name__ == "__main__":
    raise SystemExit(main())
