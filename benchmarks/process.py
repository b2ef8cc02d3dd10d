"""Processor time and memory of processes, as the kernel counts them."""

import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.processor_time import process_s


class Meter:
    """The processor time of servers and of this process, their client, between two moments."""

    def __init__(self, pids: Sequence[int], leader: int) -> None:
        """`leader` says which of the servers leads."""
        self._trees = [with_children(pid) for pid in pids]
        self._leader = leader
        self._marks: list[tuple[list[float], float]] = []

    def mark(self) -> None:
        """Note what has been used until this moment."""
        used = [sum(map(process_s, each)) for each in self._trees]
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
                stat = (folder / "stat").read_text()
            except OSError:
                continue  # it has ended
            # Behind the name, which may hold anything: state, parent, ...
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found = [pid]
    for each in found:  # grows on the way
        found += [child for child, parent in parents.items() if parent == each]
    return tuple(found)
