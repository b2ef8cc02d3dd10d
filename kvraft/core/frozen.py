"""The state as it was at one index, and its canonical encoding, produced lazily in small blocks.

Imports: core only; see `layout`. Equal states give equal bytes on every node, however they came to
them.
"""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from itertools import chain

from kvraft.core.binary import I64, U8, U32, sized
from kvraft.core.command_codec import encode_limits, encode_member
from kvraft.core.commands import GuardPrefix, Member, SetInvariant
from kvraft.core.history import History
from kvraft.core.history_chunks import Chunk
from kvraft.core.identities import Identities
from kvraft.core.invariant_codec import encode_invariant
from kvraft.core.keyspace import Keyspace
from kvraft.core.layout import (
    ABSENT,
    BEFORE,
    COUNTERS,
    EVENT,
    KEY,
    KEY_OUTCOME,
    LEASE,
    MAGIC,
    SESSION,
    SESSION_OUTCOME,
    Counters,
    Section,
    section,
)
from kvraft.core.leases import LeaseRecord
from kvraft.core.limits import SNAPSHOT_BLOCK_BYTES, ApplyLimits
from kvraft.core.lock_codec import encode_guard
from kvraft.core.outcomes import split_sequence
from kvraft.core.place_codec import encode_ended, encode_place
from kvraft.core.places import EndedRecord, PlaceRecord
from kvraft.core.table import Table

HASH_BYTES = 32


class FrozenState:
    """One state, held still while the machine goes on; keeps what changes until it is released."""

    __slots__ = (
        "_cluster_id",
        "_counters",
        "_ended",
        "_ended_table",
        "_events",
        "_guards",
        "_history",
        "_identities",
        "_invariants",
        "_keyed",
        "_keys",
        "_keyspace",
        "_leases",
        "_limits",
        "_members",
        "_places",
        "_places_table",
        "_records",
        "_sequences",
        "_sessions",
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
        identities: Identities,
        invariants: tuple[SetInvariant, ...],
        history: History,
        places: Table[int, PlaceRecord],
        ended: Table[int, EndedRecord],
        guards: tuple[GuardPrefix, ...],
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
        self._identities = identities
        self._sessions = identities.sessions.table.freeze()
        self._sequences = identities.outcomes.sequences.freeze()
        self._keyed = identities.outcomes.keyed.freeze()
        self._invariants = invariants
        self._history = history
        self._events = history.freeze()
        self._places_table = places
        self._places = places.freeze()
        self._ended_table = ended
        self._ended = ended.freeze()
        self._guards = guards
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
        for piece in chain(
            self._heads(),
            self._lease_pieces(),
            self._key_pieces(),
            self._session_pieces(),
            self._outcome_pieces(),
            self._invariant_pieces(),
            self._history_pieces(),
            self._place_pieces(),
            self._guard_pieces(),
            (section(Section.END, b""),),
        ):
            for start in range(0, len(piece) or 1, SNAPSHOT_BLOCK_BYTES):
                yield piece[start : start + SNAPSHOT_BLOCK_BYTES]

    def release(self) -> None:
        """Let go of this state; it cannot be read any more."""
        self._leases.release(self._records)
        self._keyspace.release(self._keys)
        self._identities.sessions.table.release(self._sessions)
        self._identities.outcomes.sequences.release(self._sequences)
        self._identities.outcomes.keyed.release(self._keyed)
        self._history.release(self._events)
        self._places_table.release(self._places)
        self._ended_table.release(self._ended)

    def _heads(self) -> Iterator[bytes]:
        members = [encode_member(self._members[name]) for name in sorted(self._members)]
        yield b"".join(
            (
                MAGIC,
                section(Section.COUNTERS, COUNTERS.pack(*self._counters)),
                section(Section.CLUSTER, I64.pack(self._cluster_id)),
                section(Section.MEMBERS, U8.pack(len(members)) + b"".join(members)),
                section(Section.LIMITS, encode_limits(self._limits)),
            )
        )

    def _lease_pieces(self) -> Iterator[bytes]:
        yield section(Section.LEASES, U32.pack(len(self._records)))
        for chunk in self._records.chunks():
            yield b"".join(
                [
                    LEASE.pack(lease_id, ttl_ms, deadline_ms, key is not None)
                    for lease_id, (ttl_ms, deadline_ms, key) in chunk
                ]
            )

    def _key_pieces(self) -> Iterator[bytes]:
        yield section(Section.KEYS, I64.pack(len(self._keys)))
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

    def _session_pieces(self) -> Iterator[bytes]:
        yield section(Section.SESSIONS, U32.pack(len(self._sessions)))
        for chunk in self._sessions.chunks():
            yield b"".join([SESSION.pack(session_id, *record) for session_id, record in chunk])

    def _outcome_pieces(self) -> Iterator[bytes]:
        yield section(Section.SESSION_OUTCOMES, I64.pack(len(self._sequences)))
        for sequences in self._sequences.chunks():
            yield from _joined(
                SESSION_OUTCOME.pack(*split_sequence(number), revision, len(packed)) + packed
                for number, (revision, packed) in sequences
            )
        yield section(Section.KEY_OUTCOMES, I64.pack(len(self._keyed)))
        for keyed in self._keyed.chunks():
            yield from _joined(
                KEY_OUTCOME.pack(completed_ms, revision, len(key), len(packed)) + key + packed
                for _, (key, completed_ms, revision, packed) in keyed
            )

    def _invariant_pieces(self) -> Iterator[bytes]:
        yield section(Section.INVARIANTS, U32.pack(len(self._invariants)))
        yield from _joined(sized(U32, encode_invariant(each)) for each in self._invariants)

    def _history_pieces(self) -> Iterator[bytes]:
        yield section(Section.HISTORY, I64.pack(len(self._events)))
        for chunk, offsets in self._events.pieces():
            yield from _joined(_event(chunk, offset) for offset in offsets)

    def _place_pieces(self) -> Iterator[bytes]:
        yield section(Section.PLACES, I64.pack(len(self._places)))
        for places in self._places.chunks():
            yield from _joined(
                sized(U32, encode_place(place_id, record)) for place_id, record in places
            )
        yield section(Section.ENDED_PLACES, I64.pack(len(self._ended)))
        for ended in self._ended.chunks():
            yield from _joined(sized(U32, encode_ended(record)) for _, record in ended)

    def _guard_pieces(self) -> Iterator[bytes]:
        yield section(Section.GUARDS, U32.pack(len(self._guards)))
        yield from _joined(sized(U32, encode_guard(guard)) for guard in self._guards)


def state_hash(state: FrozenState) -> Iterator[str | None]:
    """Hash a state (blake2b-256): yields None after each block, and the hex digest at last."""
    digest = blake2b(digest_size=HASH_BYTES)
    for block in state.blocks():
        digest.update(block)
        yield None
    yield digest.hexdigest()


def _event(chunk: Chunk, offset: int) -> bytes:
    key, before = chunk.keys[offset], chunk.befores[offset]
    size = ABSENT if before is None else len(before[0])
    head = EVENT.pack(
        chunk.revisions[offset], chunk.times[offset], chunk.causes[offset], len(key), size
    )
    if before is None:
        return head + key
    value, *numbers = before
    return b"".join((head, BEFORE.pack(*numbers), key, value))


def _joined(items: Iterable[bytes]) -> Iterator[bytes]:
    """Join items to pieces of about the size of a block; the last may be empty."""
    parts: list[bytes] = []
    size = 0
    for item in items:
        parts.append(item)
        size += len(item)
        if size >= SNAPSHOT_BLOCK_BYTES:
            yield b"".join(parts)
            parts.clear()
            size = 0
    yield b"".join(parts)
