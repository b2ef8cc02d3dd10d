"""The state as it was at one index, and its canonical encoding, produced lazily in small blocks.

Imports: core only. Layout: MAGIC, then every section of `Section` in order, each with {id u8,
version u8, head size u32}, its head, and for leases and keys the items behind it, in order of their
keys. Equal states give equal bytes on every node, however they came to them.
"""

from collections.abc import Iterator, Mapping
from enum import IntEnum
from hashlib import blake2b
from itertools import chain
from struct import Struct
from typing import NamedTuple

from kvraft.core.binary import I64, U8, U32
from kvraft.core.command_codec import encode_limits, encode_member
from kvraft.core.commands import Member
from kvraft.core.keyspace import Keyspace
from kvraft.core.leases import LeaseRecord
from kvraft.core.limits import SNAPSHOT_BLOCK_BYTES, ApplyLimits
from kvraft.core.table import Table

MAGIC = b"kvraft state\n"
HASH_BYTES = 32


class Section(IntEnum):
    """Everything the state consists of; a section never changes its layout without a version."""

    COUNTERS = 1
    """Applied index, revision, cluster time, and the counters of lease ids and tokens."""
    CLUSTER = 2
    """Cluster id."""
    MEMBERS = 3
    LIMITS = 4
    LEASES = 5
    KEYS = 6
    END = 7
    """Nothing: it tells a whole state from one that was cut off between two keys."""


SECTION_VERSION = 1
SECTION_HEADER = Struct("<BBI")
COUNTERS = Struct("<5q")
LEASE = Struct("<qqqB")  # lease_id, ttl_ms, deadline_ms, implicit
KEY = Struct("<HIqqqq")  # key size, value size, create_, mod_revision, version, lease_id


class Counters(NamedTuple):
    """What only grows."""

    applied_index: int
    revision: int
    cluster_time_ms: int
    next_lease_id: int
    next_token: int
    """The next fencing token. Nothing hands out tokens yet; the counter is in every snapshot, so
    that the first lock does not change the format."""


class FrozenState:
    """One state, held still while the machine goes on; keeps what changes until it is released."""

    __slots__ = (
        "_cluster_id",
        "_counters",
        "_keys",
        "_keyspace",
        "_leases",
        "_limits",
        "_members",
        "_records",
        "state_bytes",
    )

    def __init__(
        self,
        counters: Counters,
        *,
        cluster_id: int,
        members: Mapping[str, Member],
        limits: ApplyLimits,
        leases: Table[int, LeaseRecord],
        keyspace: Keyspace,
    ) -> None:
        """Freeze the tables; `members` must not be changed in place."""
        self._counters = counters
        self._cluster_id = cluster_id
        self._members = members
        self._limits = limits
        self._leases = leases
        self._keyspace = keyspace
        self._records = leases.freeze()
        self._keys = keyspace.freeze()
        self.state_bytes = keyspace.size_bytes

    @property
    def index(self) -> int:
        """The log index this is the state of."""
        return self._counters.applied_index

    @property
    def revision(self) -> int:
        """The store's revision."""
        return self._counters.revision

    def blocks(self) -> Iterator[bytes]:
        """Yield the encoding, at most SNAPSHOT_BLOCK_BYTES a block and about 1 ms of work each.

        The machine may apply entries between two blocks. A block may be empty (only keys written
        since the freeze were looked at): there is nothing to write, and more may follow.
        """
        for piece in chain(self._heads(), self._lease_pieces(), self._key_pieces()):
            for start in range(0, len(piece) or 1, SNAPSHOT_BLOCK_BYTES):
                yield piece[start : start + SNAPSHOT_BLOCK_BYTES]

    def release(self) -> None:
        """Let go of this state; it cannot be read any more."""
        self._leases.release(self._records)
        self._keyspace.release(self._keys)

    def _heads(self) -> Iterator[bytes]:
        members = [encode_member(self._members[name]) for name in sorted(self._members)]
        yield b"".join(
            (
                MAGIC,
                _section(Section.COUNTERS, COUNTERS.pack(*self._counters)),
                _section(Section.CLUSTER, I64.pack(self._cluster_id)),
                _section(Section.MEMBERS, U8.pack(len(members)) + b"".join(members)),
                _section(Section.LIMITS, encode_limits(self._limits)),
            )
        )

    def _lease_pieces(self) -> Iterator[bytes]:
        yield _section(Section.LEASES, U32.pack(len(self._records)))
        for chunk in self._records.chunks():
            yield b"".join(
                [
                    LEASE.pack(lease_id, ttl_ms, deadline_ms, key is not None)
                    for lease_id, (ttl_ms, deadline_ms, key) in chunk
                ]
            )

    def _key_pieces(self) -> Iterator[bytes]:
        yield _section(Section.KEYS, I64.pack(len(self._keys)))
        pack = KEY.pack
        for chunk in self._keys.chunks():
            parts: list[bytes] = []
            size = 0
            for key, (value, *numbers) in chunk:
                parts += (pack(len(key), len(value), *numbers), key, value)
                size += len(key) + len(value)
                if size >= SNAPSHOT_BLOCK_BYTES:
                    yield b"".join(parts)
                    parts.clear()
                    size = 0
            yield b"".join(parts)
        yield _section(Section.END, b"")


def state_hash(state: FrozenState) -> Iterator[str | None]:
    """Hash a state (blake2b-256): yields None after each block, and the hex digest at last."""
    digest = blake2b(digest_size=HASH_BYTES)
    for block in state.blocks():
        digest.update(block)
        yield None
    yield digest.hexdigest()


def _section(section: Section, head: bytes) -> bytes:
    return SECTION_HEADER.pack(section, SECTION_VERSION, len(head)) + head
