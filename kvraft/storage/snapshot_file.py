"""The format of a snapshot, which is that of a backup too: one self-contained file.

    header  magic, version u8, index u64, term u64, length of meta u32, meta, crc32
    block   length u32, crc32 (started from the block's number) u32, bytes
            every block but the last holds exactly BLOCK_BYTES, so that its place is arithmetic
    footer  length 0 u32, bytes of state u64, blake2b-256 digest, crc32

The digest is over version, index, term, meta and state, and so the same on every node.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from kvraft.storage.disk import Disk
from kvraft.storage.errors import DamagedSnapshot

BLOCK_BYTES = 64 << 10
"""Small enough to check and send piecemeal, large enough that its frame costs nothing."""
META_BYTES = 64 << 10
"""The caller's own description: names and ids, not state."""
_VERSION = 1
_MAGIC = b"KVRS"
_HEADER = struct.Struct(">4sBQQI")
_BLOCK = struct.Struct(">II")
_FOOTER = struct.Struct(">IQ32s")
_CHECKSUM = struct.Struct(">I")
_FOOTER_BYTES = _FOOTER.size + _CHECKSUM.size


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """A finished snapshot on disk. It stays readable while it is current or pinned."""

    disk: Disk = field(repr=False, compare=False)
    path: str
    index: int
    term: int
    meta: bytes
    state_bytes: int
    digest: bytes
    """blake2b-256 of all but the framing."""

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        blocks = -(-self.state_bytes // BLOCK_BYTES)
        return self._state_start + blocks * _BLOCK.size + self.state_bytes + _FOOTER_BYTES

    @property
    def _state_start(self) -> int:
        return _HEADER.size + len(self.meta) + _CHECKSUM.size

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the state's encoding, fewer only at its end; checks what it reads."""
        end = min(offset + size, self.state_bytes)
        if offset >= end:
            return b""
        first, last = offset // BLOCK_BYTES, (end - 1) // BLOCK_BYTES
        stride = _BLOCK.size + BLOCK_BYTES
        start = self._state_start + first * stride
        raw = memoryview(self.disk.read(self.path, start, (last - first + 1) * stride))
        pieces = [
            self._block(raw, start, number, (number - first) * stride)
            for number in range(first, last + 1)
        ]
        skipped = offset - first * BLOCK_BYTES
        return b"".join(pieces)[skipped : skipped + end - offset]

    def blocks(self) -> Iterator[bytes]:
        """The whole encoding of the state, a block at a time."""
        for offset in range(0, self.state_bytes, BLOCK_BYTES):
            yield self.read(offset, BLOCK_BYTES)

    def read_file(self, offset: int, size: int) -> bytes:
        """Bytes of the file itself, to make a backup of it."""
        return self.disk.read(self.path, offset, size)

    def _block(self, raw: memoryview, start: int, number: int, at: int) -> memoryview:
        expected = min(BLOCK_BYTES, self.state_bytes - number * BLOCK_BYTES)
        body = raw[at + _BLOCK.size : at + _BLOCK.size + expected]
        if len(body) == expected:
            length, checksum = _BLOCK.unpack_from(raw, at)
            if length == expected and zlib.crc32(body, number) == checksum:
                return body
        raise DamagedSnapshot(self.path, start + at, f"block {number} fails its checksum")


class SnapshotEncoder:
    """Turns pieces of state into the bytes of a snapshot file."""

    def __init__(self, index: int, term: int, meta: bytes) -> None:
        if len(meta) > META_BYTES:
            raise ValueError(f"snapshot meta of {len(meta)} bytes, the limit is {META_BYTES}")
        self._index, self._term, self._meta = index, term, meta
        self._pending = bytearray()
        self._blocks = 0
        self._state_bytes = 0
        self._hash = _hash_of(index, term, meta)

    @property
    def name(self) -> str:
        """A file name that two different snapshots never share; only after `finish`."""
        return f"{self._index:020d}-{self._term:020d}-{self.digest.hex()[:16]}.snapshot"

    @property
    def digest(self) -> bytes:
        """Digest of what was fed."""
        return self._hash.digest()

    def header(self) -> bytes:
        """The first bytes of the file."""
        head = _HEADER.pack(_MAGIC, _VERSION, self._index, self._term, len(self._meta))
        return _checksummed(head + self._meta)

    def feed(self, data: bytes) -> bytes:
        """Take a piece of state; the blocks that are full now."""
        self._hash.update(data)
        self._state_bytes += len(data)
        self._pending += data
        framed: list[bytes] = []
        while len(self._pending) >= BLOCK_BYTES:
            framed += self._frame(bytes(self._pending[:BLOCK_BYTES]))
            del self._pending[:BLOCK_BYTES]
        return b"".join(framed)

    def finish(self) -> bytes:
        """The last block and the footer."""
        last = self._frame(bytes(self._pending)) if self._pending else ()
        footer = _checksummed(_FOOTER.pack(0, self._state_bytes, self.digest))
        return b"".join((*last, footer))

    def described(self, disk: Disk, path: str) -> SnapshotFile:
        """The finished file at `path`."""
        return SnapshotFile(
            disk, path, self._index, self._term, self._meta, self._state_bytes, self.digest
        )

    def _frame(self, block: bytes) -> tuple[bytes, bytes]:
        head = _BLOCK.pack(len(block), zlib.crc32(block, self._blocks))
        self._blocks += 1
        return head, block


def verify_backup(disk: Disk, path: str) -> SnapshotFile:
    """Read a snapshot or backup file whole; raises DamagedSnapshot naming the bad offset."""
    found = _described(disk, path)
    digest = _hash_of(found.index, found.term, found.meta)
    for block in found.blocks():
        digest.update(block)
    if digest.digest() != found.digest:
        raise DamagedSnapshot(path, 0, "its content does not have the digest of its footer")
    return found


def _described(disk: Disk, path: str) -> SnapshotFile:
    size = disk.size(path)
    head = disk.read(path, 0, _HEADER.size + META_BYTES + _CHECKSUM.size)
    index, term, meta = _read_header(path, head)
    at = size - _FOOTER_BYTES
    footer = disk.read(path, max(at, 0), _FOOTER_BYTES)
    if at < 0 or not _has_checksum(footer):
        raise DamagedSnapshot(path, max(at, 0), "its footer fails its checksum, or is cut off")
    _, state_bytes, digest = _FOOTER.unpack_from(footer)
    found = SnapshotFile(disk, path, index, term, meta, state_bytes, digest)
    if found.file_bytes != size:
        raise DamagedSnapshot(path, size, f"it should have {found.file_bytes} bytes, not {size}")
    return found


def _read_header(path: str, head: bytes) -> tuple[int, int, bytes]:
    if len(head) < _HEADER.size or head[:4] != _MAGIC:
        raise DamagedSnapshot(path, 0, "it does not begin as a snapshot does")
    _, version, index, term, meta_bytes = _HEADER.unpack_from(head)
    if version != _VERSION:
        raise DamagedSnapshot(
            path,
            4,
            f"it is of version {version}, this version reads {_VERSION}",
            "use the version of kvraft that wrote it",
        )
    end = _HEADER.size + meta_bytes
    if not _has_checksum(head[: end + _CHECKSUM.size]):
        raise DamagedSnapshot(path, 0, "its header fails its checksum")
    return index, term, head[_HEADER.size : end]


def _hash_of(index: int, term: int, meta: bytes) -> "hashlib.blake2b":
    head = _HEADER.pack(_MAGIC, _VERSION, index, term, len(meta))
    return hashlib.blake2b(head + meta, digest_size=32)


def _checksummed(data: bytes) -> bytes:
    return data + _CHECKSUM.pack(zlib.crc32(data))


def _has_checksum(data: bytes) -> bool:
    body, checksum = data[: -_CHECKSUM.size], data[-_CHECKSUM.size :]
    return checksum == _CHECKSUM.pack(zlib.crc32(body))
