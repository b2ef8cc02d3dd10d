"""A front from its opening to its end: faults by a seed for as long as it is wanted, or by hand."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from kvraft_chaos.call_proxy import CallFaults
from kvraft_chaos.front.commands import obey_lines
from kvraft_chaos.front.faults import FAULTS, drawn
from kvraft_chaos.front.front import Front, opened
from kvraft_chaos.nemesis.conduct import HealError, conduct
from kvraft_chaos.proxies import ToxiproxyError
from kvraft_chaos.run.directory import Mark
from kvraft_chaos.run.errors import RunError

ROUND_MS = 60_000
"""Plans are drawn by the minute, each from the seed and its number."""
PORTS_MAX = 65_535


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says."""

    endpoints: Sequence[str]
    first_port: int | None
    faults: Sequence[str]
    seed: int
    calls: CallFaults
    seconds: float | None
    """None: until it is stopped."""
    commands: int | None
    """File descriptor of commands, instead of faults by the seed."""

    def check(self) -> None:
        """RunError for what cannot be done."""
        for each in self.faults:
            if each not in FAULTS:
                raise RunError(f"there is no fault {each!r}: {', '.join(FAULTS)}")
        last = (self.first_port or 1) + len(self.endpoints) - 1
        if last > PORTS_MAX:
            raise RunError(f"--listen {self.first_port}: there is no port {last}")


def play(
    asked: Asked,
    stop: threading.Event,
    opening: Callable[[Front], None],
    say: Callable[[str], None],
) -> None:
    """Open, tell, strike; heal everything at the end, whatever ends it."""
    asked.check()
    try:
        _play(asked, stop, opening, say)
    except (ToxiproxyError, HealError) as error:
        raise RunError(str(error)) from error


def _play(
    asked: Asked,
    stop: threading.Event,
    opening: Callable[[Front], None],
    say: Callable[[str], None],
) -> None:
    with opened(asked.endpoints, asked.first_port, asked.calls, asked.seed) as front:
        opening(front)
        if asked.seconds is not None:
            timer = threading.Timer(asked.seconds, stop.set)
            timer.daemon = True
            timer.start()
        if asked.commands is not None:
            obey_lines(front, stop, say, asked.commands)
        elif asked.faults:
            _by_seed(front, asked, stop, say)
        else:
            stop.wait()
        front.mend()


def _by_seed(front: Front, asked: Asked, stop: threading.Event, say: Callable[[str], None]) -> None:
    begun = time.monotonic_ns()

    def told(mark: Mark) -> None:
        seconds = (mark.time_ns - begun) / 1e9
        say(f"{seconds:7.1f} s  {mark.type:<6} {mark.name:<9} {mark.detail}".rstrip())

    for number in count():
        if stop.is_set():
            return
        seed = f"{asked.seed} {number}"
        plan = drawn(asked.faults, seed, ROUND_MS, front.names)
        conduct(plan, front, told, stop, faults=FAULTS)
