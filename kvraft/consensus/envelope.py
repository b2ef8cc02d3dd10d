"""SyncObj's form of a log command, built here and nowhere else from raw payload bytes.

SyncObj unpickles the commands it applies (gap row 21), so bytes from the wire or the disk never
reach it: only payloads travel and are stored, and the pickle around them is written here, opcode
by opcode, so that taking the payload out again is a slice. `tests/.../test_pysyncobj_contract.py`
holds it to what `pickle` reads.
"""

import gzip
import pickle
from struct import Struct

NO_OP = b"\x01"
"""SyncObj's command of a new leader: `_COMMAND_TYPE.NO_OP`, no body."""

# _COMMAND_TYPE.REGULAR; PROTO 5; BININT1 0 (the method's id); BINBYTES <length>
_HEAD = b"\x00\x80\x05K\x00B"
_LENGTH = Struct("<I")
# TUPLE1; TUPLE2; STOP
_TAIL = b"\x85\x86."
PAYLOAD_AT = len(_HEAD) + _LENGTH.size
OVERHEAD = PAYLOAD_AT + len(_TAIL)


def wrap(payload: bytes | memoryview) -> bytes:
    """Return the command that makes SyncObj call method 0 with `payload`."""
    return b"".join((_HEAD, _LENGTH.pack(len(payload)), payload, _TAIL))


def payload_of(command: bytes) -> memoryview:
    """Return the payload inside a command that `wrap` made; empty for a no-op."""
    if command == NO_OP:
        return memoryview(b"")
    return memoryview(command)[PAYLOAD_AT : -len(_TAIL)]


def snapshot_notice(index: int, term: int) -> bytes:
    """Return what SyncObj reads where its own snapshot would be: where it ends, and no state."""
    last, before = (NO_OP, index, term), (NO_OP, index - 1, term)
    return gzip.compress(pickle.dumps((None, last, before, ())), mtime=0)
