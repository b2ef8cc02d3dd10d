"""A backup file with many keys, made without a cluster: writing millions takes too long.

Run as a program (`python -m benchmarks.bulk DIRECTORY KEYS`), so that a heap of gigabytes does not
stay in the process that measures.
"""

import subprocess
import sys
from pathlib import Path

from benchmarks.writers import VALUE, key
from kvraft.core.commands import Entry, Put
from kvraft.core.machine import StateMachine
from kvraft.storage.disk import OsDisk
from kvraft.storage.snapshots import SnapshotStore

BATCH = 1000


def make_backup(directory: Path, keys: int) -> Path:
    """Write a backup of a state with `keys` keys of 256 bytes, in a child process; its path."""
    command = [sys.executable, "-m", "benchmarks.bulk", str(directory), str(keys)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Path(done.stdout.strip())


def _write(directory: Path, keys: int) -> str:
    machine = StateMachine()
    for first in range(0, keys, BATCH):
        numbers = range(first, min(first + BATCH, keys))
        puts = tuple(Put(key(number).encode(), bytes(bytearray(VALUE))) for number in numbers)
        machine.apply(1 + first // BATCH, Entry(None, puts))
    store = SnapshotStore.open(OsDisk(), str(directory / "bulk"))
    writer = store.create(machine.index, 1, b"")
    frozen = machine.freeze()
    for block in frozen.blocks():
        writer.write(block)
    return writer.commit().path


if __name__ == "__main__":
    print(_write(Path(sys.argv[1]), int(sys.argv[2])))
