"""Invariants as bytes.

Imports: core only.
"""

from struct import Struct

from kvraft.core.binary import Reader
from kvraft.core.commands import SetInvariant
from kvraft.core.errors import CodecError
from kvraft.core.write_codec import optional_number

_INVARIANT = Struct("<Bqq")  # options, minimum, maximum
_PREFIX, _MINIMUM, _MAXIMUM, _IMMUTABLE = 1, 2, 4, 8


def encode_invariant(command: SetInvariant) -> bytes:
    """Encode what is demanded of a key or a prefix."""
    options = (
        (command.is_prefix and _PREFIX)
        | (command.minimum is not None and _MINIMUM)
        | (command.maximum is not None and _MAXIMUM)
        | (command.immutable and _IMMUTABLE)
    )
    return _INVARIANT.pack(options, command.minimum or 0, command.maximum or 0) + command.key


def read_set_invariant(reader: Reader) -> SetInvariant:
    """Read what is demanded of a key or a prefix."""
    options, minimum, maximum = reader.unpack(_INVARIANT)
    if options & ~(_PREFIX | _MINIMUM | _MAXIMUM | _IMMUTABLE):
        raise CodecError(f"{reader.subject}: unknown options {options:#04x}")
    low = optional_number(reader, options & _MINIMUM, minimum)
    high = optional_number(reader, options & _MAXIMUM, maximum)
    is_prefix, immutable = options & _PREFIX != 0, options & _IMMUTABLE != 0
    return SetInvariant(reader.rest(), is_prefix, low, high, immutable)
