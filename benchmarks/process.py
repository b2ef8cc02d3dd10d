"""Processor time and memory of processes, as the kernel counts them."""

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
"""Of a second: 100 on most machines, so a time of two seconds is measured to one percent."""


class Meter:
    """The processor time of servers and of this process, their client, between two moments."""

    def __init__(self, pids: Sequence[int], leader: int) -> None:
        """`leader` says which of the servers leads."""
        self._trees = [with_children(pid) for pid in pids]
        self._leader = leader
        self._marks: list[tuple[list[float], float]] = []

    def mark(self) -> None:
        """Note what has been used until this moment."""
        used = [processor_s(each) for each in self._trees]
        self._marks.append((used, time.process_time()))

    def of_each(self, operations: int) -> dict[str, float]:
        """Return the microseconds of one operation, of so many between the last two marks."""
        (before, client_before), (after, client_after) = self._marks[-2:]
        took = [end - begin for begin, end in zip(before, after, strict=True)]
        followers = [each for number, each in enumerate(took) if number != self._leader]
        seconds = {
            "leader_us": took[self._leader],
            "follower_us": sum(followers) / max(1, len(followers)),
            "servers_us": sum(took),
            "client_us": client_after - client_before,
        }
        return {name: each * 1_000_000 / operations for name, each in seconds.items()}


def processor_s(pids: Iterable[int]) -> float:
    """Return the seconds that these processes have used so far, in user and kernel mode."""
    return sum(_ticks(pid) for pid in pids) / TICKS


def memory_mib(pid: int, name: str) -> float:
    """Return a size of a process: `VmRSS` is what is in use now, `VmHWM` the most so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (size,) = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return int(size) / 1024


def with_children(pid: int) -> tuple[int, ...]:
    """Return the process and all that descend from it now."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int(_fields(int(folder.name))[1])
            except OSError:
                continue  # it has ended
    found = [pid]
    for each in found:  # grows on the way
        found += [child for child, parent in parents.items() if parent == each]
    return tuple(found)


def _fields(pid: int) -> list[str]:
    """Return the fields behind the name, which may hold anything: state, parent, ..."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _ticks(pid: int) -> int:
    fields = _fields(pid)
    return int(fields[11]) + int(fields[12])
