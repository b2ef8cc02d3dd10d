"""Entries of the store as bytes inside results: one, none, or several; pages of them.

Imports: core only.
"""

from struct import Struct

from kvraft.core.binary import U8, U16, U32, Reader
from kvraft.core.errors import CodecError
from kvraft.core.results import KeyValue, Page

_NUMBERS = Struct("<4qB")  # create_revision, mod_revision, version, lease_id, value_omitted


def encode_key_value(entry: KeyValue, before: bytes = b"") -> bytes:
    """Encode one entry, behind what stands before it."""
    key, value, *numbers = entry
    head, middle = U16.pack(len(key)), U32.pack(len(value))
    return b"".join((before, head, key, middle, value, _NUMBERS.pack(*numbers)))


def read_key_value(reader: Reader) -> KeyValue:
    """Read one entry."""
    key, value = reader.sized(U16), reader.sized(U32)
    created, modified, version, lease_id, omitted = reader.unpack(_NUMBERS)
    if omitted > 1:
        raise CodecError(f"{reader.subject}: {omitted} where 0 or 1 must stand")
    return KeyValue(key, value, created, modified, version, lease_id, omitted == 1)


def encode_optional(entry: KeyValue | None) -> bytes:
    """Encode an entry, or that there is none."""
    return b"\0" if entry is None else encode_key_value(entry, b"\1")


def read_optional(reader: Reader) -> KeyValue | None:
    """Read an entry, or that there is none."""
    return read_key_value(reader) if reader.choice() else None


def encode_entries(entries: tuple[KeyValue, ...]) -> bytes:
    """Encode several entries."""
    return U32.pack(len(entries)) + b"".join(map(encode_key_value, entries))


def read_entries(reader: Reader) -> tuple[KeyValue, ...]:
    """Read several entries."""
    return tuple([read_key_value(reader) for _ in range(reader.number(U32))])


def encode_page(page: Page) -> bytes:
    """Encode a page."""
    return U8.pack(page.more) + encode_entries(page.entries)


def read_page(reader: Reader) -> Page:
    """Read a page."""
    more = reader.choice()
    return Page(read_entries(reader), more)
