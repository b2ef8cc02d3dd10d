"""The frame of everything small that is written: log records, CURRENT, the identity file.

    length u32 | crc32 u32 | sequence u64 | durable u64 | version u8 | kind u8 | payload

`length` counts what follows the checksum; the checksum covers the length too, and starts from a
`salt`, so that bytes of another directory, or a payload that imitates a frame, do not pass.
"""

import struct
import zlib
from dataclasses import dataclass

_FRAME = struct.Struct(">IIQQBB")
_LENGTH = struct.Struct(">I")
_CLAIM = struct.Struct(">QQ")
FRAME_BYTES = _FRAME.size
_UNCOUNTED = 8  # length and checksum
MAX_RECORD_BYTES = (16 << 20) - FRAME_BYTES
"""Largest payload: well above the largest message between nodes, small enough for one buffer; so
the first byte of a frame is zero, and a length beyond it is damage, never an allocation."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the log, as it was appended."""

    sequence: int
    kind: int
    version: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame whose checksum holds: its fields, and where its payload lies."""

    sequence: int
    durable: int
    version: int
    kind: int
    start: int
    end: int


def encode(record: Record, *, durable: int, salt: int) -> bytes:
    """The frame of one record; `durable` is a sequence known to be on disk when this is written."""
    payload = record.payload
    length = FRAME_BYTES - _UNCOUNTED + len(payload)
    head = _FRAME.pack(length, 0, record.sequence, durable, record.version, record.kind)
    checksum = zlib.crc32(payload, zlib.crc32(head[_UNCOUNTED:], zlib.crc32(head[:4], salt)))
    return b"".join((head[:4], _LENGTH.pack(checksum), head[_UNCOUNTED:], payload))


def claimed(data: memoryview, offset: int) -> tuple[int, int]:
    """Sequence and durable sequence of what may be a frame, unchecked: cheap, to reject most."""
    sequence, durable = _CLAIM.unpack_from(data, offset + _UNCOUNTED)
    return sequence, durable


def decode(data: memoryview, offset: int, salt: int) -> Frame | None:
    """The frame at `offset`, or None if no whole, undamaged frame starts there."""
    if offset + FRAME_BYTES > len(data):
        return None
    length, checksum, sequence, durable, version, kind = _FRAME.unpack_from(data, offset)
    end = offset + _UNCOUNTED + length
    payload_bytes = length + _UNCOUNTED - FRAME_BYTES
    if not 0 <= payload_bytes <= MAX_RECORD_BYTES or end > len(data):
        return None
    seed = zlib.crc32(data[offset : offset + 4], salt)
    if zlib.crc32(data[offset + _UNCOUNTED : end], seed) != checksum:
        return None
    return Frame(sequence, durable, version, kind, offset + FRAME_BYTES, end)
