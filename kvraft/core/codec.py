"""Log entries as bytes: {version u8, flags u8, stamp i64, count u32} and the commands' frames.

Imports: core only. Also the door to the encodings of single commands and results. Whatever the
bytes: CodecError (UnknownCommandError where a newer version is needed) and nothing else.
"""

from collections.abc import Sequence
from struct import Struct

from kvraft.core.binary import Reader
from kvraft.core.command_codec import (
    decode_command,
    encode_command,
    encode_known,
    read_command,
)
from kvraft.core.commands import Entry
from kvraft.core.errors import CodecError, UnknownCommandError
from kvraft.core.result_codec import decode_result, encode_result

__all__ = [
    "assemble_entry",
    "decode_command",
    "decode_entry",
    "decode_result",
    "encode_command",
    "encode_entry",
    "encode_known",
    "encode_result",
]

ENTRY_VERSION = 1
_HEADER = Struct("<BBqI")
_STAMPED = 1  # the other flags are room for what a later version says about a whole entry


def encode_entry(entry: Entry) -> bytes:
    """Encode an entry; CodecError if a number or a length does not fit (see `validate`)."""
    return assemble_entry(entry.stamp_ms, [encode_command(command) for command in entry.commands])


def assemble_entry(stamp_ms: int | None, commands: Sequence[bytes]) -> bytes:
    """Make an entry of commands that are encoded already (a batch; forwarded commands)."""
    flags = 0 if stamp_ms is None else _STAMPED
    return b"".join((_HEADER.pack(ENTRY_VERSION, flags, stamp_ms or 0, len(commands)), *commands))


def decode_entry(data: bytes) -> Entry:
    """Decode an entry; CodecError, or UnknownCommandError where a newer version is needed."""
    reader = Reader(data, "entry")
    version, flags, stamp_ms, count = reader.unpack(_HEADER)
    if version > ENTRY_VERSION or flags > _STAMPED:
        raise UnknownCommandError(
            f"entry version {version} flags {flags:#04x} needs entry version"
            f" {max(version, ENTRY_VERSION + 1)}; this node knows up to {ENTRY_VERSION}"
        )
    if version == 0 or (not flags and stamp_ms):
        raise CodecError(f"entry: version {version}, stamp {stamp_ms} without its flag")
    commands = tuple([read_command(reader) for _ in range(count)])
    reader.finish()
    return Entry(stamp_ms if flags else None, commands)
