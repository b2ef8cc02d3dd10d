"""Processor time that processes of this machine have used, to the nanosecond."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

CLOCK_OF_PROCESS = 2
"""CPUCLOCK_SCHED, as clock_getcpuclockid(3) makes it: /proc/PID/stat counts in steps of 10 ms."""


def process_s(pid: int) -> float:
    """Return the seconds that all threads of a process have run, ended ones included."""
    return time.clock_gettime((~pid << 3) | CLOCK_OF_PROCESS)


def main_thread_s(pid: int) -> float:
    """Return the seconds of its main thread: of a node, the loop that does all but the disk."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9


@dataclass(frozen=True, slots=True)
class Used:
    """Seconds used by the parts of a cluster and its client; between two moments, by `-`."""

    leader: float
    loop: float
    """The leader's main thread."""
    follower: float
    """The mean of all."""
    client: float

    @classmethod
    def until_now(cls, leader: int, followers: list[int]) -> Self:
        """Read the clocks of these processes, and of this one as the client."""
        mean = sum(process_s(pid) for pid in followers) / len(followers)
        return cls(process_s(leader), main_thread_s(leader), mean, time.process_time())

    def __sub__(self, earlier: "Used") -> "Used":
        """Return what was used since."""
        return Used(
            self.leader - earlier.leader,
            self.loop - earlier.loop,
            self.follower - earlier.follower,
            self.client - earlier.client,
        )

    def share_of(self, seconds: float) -> "Used":
        """Return it as shares of a core that could have run for so long."""
        return Used(
            self.leader / seconds,
            self.loop / seconds,
            self.follower / seconds,
            self.client / seconds,
        )
