"""A backup on its way to the disk: under another name until it is complete and synced."""

import os
from pathlib import Path
from typing import BinaryIO

from kvraft.v1 import cluster_pb2
from kvraft_client.errors import InvalidRequest, Unavailable
from kvraft_client.values import SnapshotInfo


class SnapshotFile:
    """`FILE.partial` until `commit` renames it; an existing FILE stays whole until then."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the partial file."""
        self.path = Path(path)
        self._partial = self.path.with_name(self.path.name + ".partial")
        self._index = self._revision = self._total = self._written = 0
        try:
            self._file: BinaryIO = self._partial.open("wb")
        except OSError as error:
            raise InvalidRequest(f"cannot write {self._partial}: {error.strerror}") from error

    def restart(self) -> None:
        """Forget what was written: another node sends another snapshot."""
        self._file.seek(0)
        self._file.truncate()
        self._index = self._revision = self._total = self._written = 0

    def write(self, part: cluster_pb2.SnapshotResponse) -> None:
        """Append one part; the first says what it is."""
        if self._written == 0:
            self._index, self._revision, self._total = part.index, part.revision, part.total_bytes
        self._file.write(part.chunk)
        self._written += len(part.chunk)

    def commit(self) -> SnapshotInfo:
        """Check the length, sync, and give the file its name. Blocks for the disk."""
        if self._written == 0 or (self._total and self._written != self._total):
            raise Unavailable(f"the snapshot ended after {self._written} of {self._total} bytes")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._partial.replace(self.path)
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return SnapshotInfo(str(self.path), self._index, self._revision, self._written)

    def abort(self) -> None:
        """Remove the partial file; after `commit` this does nothing."""
        if not self._file.closed:
            self._file.close()
            self._partial.unlink(missing_ok=True)
