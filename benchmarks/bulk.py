"""A backup file with many keys, made without a cluster: writing millions takes too long."""

from pathlib import Path

from benchmarks.writers import VALUE, key
from kvraft.core.commands import Entry, Put
from kvraft.core.machine import StateMachine
from kvraft.storage.disk import OsDisk
from kvraft.storage.snapshots import SnapshotStore

BATCH = 1000


def make_backup(directory: Path, keys: int) -> Path:
    """Write a backup of a state with `keys` keys of 256 bytes; return its path."""
    machine = StateMachine()
    for first in range(0, keys, BATCH):
        puts = tuple(Put(key(number).encode(), VALUE) for number in range(first, first + BATCH))
        machine.apply(1 + first // BATCH, Entry(None, puts))
    store = SnapshotStore.open(OsDisk(), str(directory / "bulk"))
    writer = store.create(machine.index, 1, b"")
    frozen = machine.freeze()
    for block in frozen.blocks():
        writer.write(block)
    frozen.release()
    return Path(writer.commit().path)
