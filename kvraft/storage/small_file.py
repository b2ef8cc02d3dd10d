"""Small files that are replaced as a whole, atomically: CURRENT and the identity."""

from kvraft.storage.disk import Disk
from kvraft.storage.errors import DamagedFile
from kvraft.storage.record import Record, decode, encode

TEMPORARY = ".tmp"
"""Suffix of a file that is being written; whoever opens the directory removes leftovers."""


def replace_file(disk: Disk, directory: str, name: str, *, kind: int, payload: bytes) -> None:
    """Write a framed file and put it in the place of `name`, durably (blocking).

    Content first, then the name: a rename that became durable before its content would show an
    empty or torn file. The last fsync is what makes the replacement survive.
    """
    path = f"{directory}/{name}"
    write_new(disk, path + TEMPORARY, encode(Record(0, kind, 1, payload), durable=0, salt=0))
    disk.rename(path + TEMPORARY, path)
    disk.sync_dir(directory)


def write_new(disk: Disk, path: str, data: bytes) -> None:
    """Write and fsync a temporary file, over a leftover of an earlier attempt."""
    if disk.exists(path):
        disk.remove(path)
    file = disk.create(path)
    try:
        file.write(data)
        file.sync()
    finally:
        file.close()


def read_file(disk: Disk, path: str, *, kind: int) -> bytes:
    """The payload of a file that `replace_file` wrote; raises DamagedFile."""
    data = disk.read(path)
    frame = decode(memoryview(data), 0, 0)
    if frame is None or frame.end != len(data) or frame.kind != kind:
        raise DamagedFile(path, 0, f"its {len(data)} bytes fail their checksum")
    if frame.version != 1:
        raise DamagedFile(
            path,
            0,
            f"it is of version {frame.version}, this version reads 1",
            "start the version of kvraft that wrote it",
        )
    return data[frame.start : frame.end]
