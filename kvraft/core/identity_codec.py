"""Identities of requests as bytes.

Imports: core only.
"""

from struct import Struct

from kvraft.core.binary import U8, Reader, sized
from kvraft.core.commands import Identity, KeyIdentity, SessionIdentity
from kvraft.core.errors import CodecError

_NONE, BY_SESSION, _BY_KEY = range(3)
SESSION_IDENTITY = Struct("<B3q")  # BY_SESSION, session_id, sequence, first_unacked
_SESSION = Struct("<3q")  # ... without what it is


def encode_identity(identity: Identity | None) -> bytes:
    """Encode an identity, or that there is none."""
    match identity:
        case None:
            return U8.pack(_NONE)
        case SessionIdentity(session_id, sequence, first_unacked):
            return SESSION_IDENTITY.pack(BY_SESSION, session_id, sequence, first_unacked)
        case KeyIdentity(key):
            return U8.pack(_BY_KEY) + sized(U8, key)


def read_identity(reader: Reader) -> Identity | None:
    """Read an identity, or that there is none."""
    kind = reader.number(U8)
    if kind == BY_SESSION:
        return SessionIdentity(*reader.unpack(_SESSION))
    if kind == _BY_KEY:
        return KeyIdentity(reader.sized(U8))
    if kind != _NONE:
        raise CodecError(f"{reader.subject}: unknown identity {kind}")
    return None
