"""Where a flipped bit must be noticed: in what is known to have been durable, and in snapshots.

Rot in the last batch cannot be told from a torn write of it (`kvraft.storage.recovery`), so it is
spared, as the documentation of the log says.
"""

from kvraft.storage.segment import read_segment, segment_names, segment_path
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.disk import SimulatedDisk
from kvraft_chaos.simulation.logview import DATA

WAL = f"{DATA}/wal"
SNAPSHOTS = f"{DATA}/snapshots"
SNAPSHOT = ".snapshot"
CURRENT = f"{SNAPSHOTS}/CURRENT"


def guarded_spots(disk: SimulatedDisk, disk_id: int) -> list[tuple[str, int]]:
    """Return (path, bytes from its beginning) of what checksums guard without a doubt."""
    spots = []
    firsts = segment_names(disk.listdir(WAL))
    for first in firsts:
        path = segment_path(WAL, first)
        size = disk.size(path)
        if first == firsts[-1]:
            segment = read_segment(memoryview(disk.read(path)), path, first, disk_id)
            size = _proven(segment.starts, segment.durable)
        spots.append((path, size))
    # A crash may have come between a file's name and CURRENT: such a file is removed unread.
    current = disk.read(CURRENT) if disk.exists(CURRENT) else b""
    names = [name for name in disk.listdir(SNAPSHOTS) if name.endswith(SNAPSHOT)]
    used = [f"{SNAPSHOTS}/{name}" for name in names if name.encode() in current]
    spots += [(path, disk.size(path)) for path in used]
    return [(path, size) for path, size in spots if size]


def _proven(starts: list[tuple[int, int]], durable: int) -> int:
    """Where the first record begins that no later frame proves to have been durable."""
    return next((at for sequence, at in starts if sequence > durable), 0)


def flip(disk: SimulatedDisk, disk_id: int, chance: Chance) -> str | None:
    """Flip one bit where it must be noticed; return the place, None where there is none."""
    spots = guarded_spots(disk, disk_id)
    if not spots:
        return None
    path, size = chance.pick(spots)
    offset = chance.below(size)
    disk.flip_bit(path, offset, chance.below(8))
    return f"{path}:{offset}"
