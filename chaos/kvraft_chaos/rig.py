"""What nodes are started with so that faults reach what no signal and no link reaches."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kvraft_chaos import slow_disk, wall_clock


@dataclass(frozen=True, slots=True)
class Rig:
    """Off by default: such nodes are not started exactly as users start them."""

    disks: bool = False
    """fsync can be slowed: `slow_disk` runs the node."""
    clocks: bool = False
    """The wall clock can jump (`wall_clock`); the monotonic one stays as it is."""

    def command(self, command: tuple[str, ...]) -> tuple[str, ...]:
        """What runs a node instead of `python -m kvraft`."""
        shipped = (sys.executable, "-m", "kvraft")
        if self.disks and command[:3] == shipped:
            return (sys.executable, "-m", "kvraft_chaos.slow_disk", *command[3:])
        return command

    def environment(self, directory: Path) -> Mapping[str, str]:
        """What a node's environment says in addition, given its data directory."""
        result = {}
        if self.disks:
            result[slow_disk.CONTROL] = str(disk_file(directory))
        library = wall_clock.library() if self.clocks else None
        if library is not None:
            result |= wall_clock.environment(library, clock_file(directory))
        return result

    def prepare(self, directory: Path) -> None:
        """Write the files that a node reads, saying that nothing is wrong."""
        if self.disks:
            say(disk_file(directory), "0")
        if self.clocks:
            say(clock_file(directory), "+0")


def disk_file(directory: Path) -> Path:
    """Says for how many milliseconds an fsync is held up."""
    return directory.with_suffix(".disk")


def clock_file(directory: Path) -> Path:
    """Says how far the wall clock is off, as libfaketime reads it."""
    return directory.with_suffix(".clock")


def say(file: Path, text: str) -> None:
    """Replace what the file says; nobody reads half of it."""
    partial = file.with_name(file.name + ".partial")
    partial.write_text(text, encoding="ascii")
    partial.replace(file)
