"""One history of a campaign: a run in a process of its own, and one line of JSON that stays."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

FAULTS_A_HISTORY = 4
"""Different ones: each meets several others in the campaign, and each often enough itself."""
COME_SECONDS = 120.0
"""Beyond its duration, for start, healing, finals and a checker that takes its time."""
LEAVE_SECONDS = 60.0
"""To heal, judge and end after a signal."""
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Asked:
    """What a history is made of: all of it follows from its seed."""

    seed: int
    workload: str
    faults: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Result:
    """One line of `results.jsonl`."""

    seed: int
    workload: str
    faults: Sequence[str]
    seconds: float
    verdict: str
    operations: int
    unknown: int
    leader_ms: int | None
    operations_ms: int | None
    why: str
    """The first finding that is not valid."""
    directory: str | None
    """What was kept of it: nothing of a valid one."""


class NoVerdictError(Exception):
    """A history that could not be played, by its own last word."""


class StoppedError(Exception):
    """A history that was broken off by whoever runs the campaign."""


def draw(
    seeds: range, workloads: Sequence[str], faults: Sequence[str], seconds: float
) -> list[Asked]:
    """Every workload in turn, each time with other faults."""
    return [
        Asked(
            seed,
            workloads[(seed - seeds.start) % len(workloads)],
            tuple(
                Random(f"campaign-{seed}").sample(list(faults), min(FAULTS_A_HISTORY, len(faults)))
            ),
            seconds,
        )
        for seed in seeds
    ]


def play(asked: Asked, folder: Path, stop: threading.Event) -> Result:
    """Play and judge it; its directory stays only where there is something to look at."""
    directory = folder / f"seed-{asked.seed}"
    shutil.rmtree(directory, ignore_errors=True)  # of a campaign that was broken off
    verdict = _run(asked, directory, stop)
    result = _result(asked, directory, verdict)
    if result.directory is None:
        shutil.rmtree(directory)
    return result


def _result(asked: Asked, directory: Path, verdict: Mapping[str, Any]) -> Result:
    bad = [each for each in verdict["findings"] if each["verdict"] != "valid"]
    return Result(
        **asdict(asked),
        verdict=verdict["verdict"],
        operations=verdict["operations"],
        unknown=verdict["unknown"],
        leader_ms=verdict["recovery"]["leader_ms"],
        operations_ms=verdict["recovery"]["operations_ms"],
        why=f"{bad[0]['checker']}: {bad[0]['sentence']}" if bad else "",
        directory=directory.name if bad else None,
    )


def command(asked: Asked, directory: Path) -> list[str]:
    """That plays it alone, too."""
    options = ["--workload", asked.workload, "--faults", ",".join(asked.faults)]
    options += ["--duration", f"{asked.seconds:g}", "--seed", str(asked.seed)]
    return ["kvraft", "chaos", "run", *options, "--out", str(directory)]


def _run(asked: Asked, directory: Path, stop: threading.Event) -> Mapping[str, Any]:
    words = [sys.executable, "-m", *command(asked, directory), "--json"]
    with subprocess.Popen(  # noqa: S603  (our own command)
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the campaign, which ends its histories
    ) as process:
        left_s = asked.seconds + COME_SECONDS
        while True:
            try:
                out, told = process.communicate(timeout=LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                left_s -= LOOK_SECONDS
                if stop.is_set() or left_s < 0:
                    _end(process)
                    raise StoppedError(f"seed {asked.seed} was broken off") from None
    try:
        verdict: Mapping[str, Any] = json.loads(out)
    except ValueError:
        last = told.strip().splitlines()[-1:] or [f"exit status {process.returncode}"]
        raise NoVerdictError(f"seed {asked.seed}: {last[0]}") from None
    return verdict


def _end(process: subprocess.Popen[str]) -> None:
    """Gently: it has nodes to end."""
    process.terminate()
    try:
        process.communicate(timeout=LEAVE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
