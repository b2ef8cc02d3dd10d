"""A state from its encoding: fed in arbitrary pieces, checked, built as it arrives.

Imports: core only. Whatever the bytes, CodecError and nothing else; a state that loads satisfies
the machine's invariants (order, every attachment both ways, no revision from the future).
"""

from collections.abc import Generator
from dataclasses import astuple
from struct import Struct

from kvraft.core.binary import I64, U8, U32, Reader
from kvraft.core.command_codec import read_limits, read_member
from kvraft.core.commands import GuardPrefix, Member, SetInvariant
from kvraft.core.errors import CodecError
from kvraft.core.frozen import FrozenState, state_hash
from kvraft.core.history import History
from kvraft.core.identities import Identities
from kvraft.core.invariant_codec import read_set_invariant
from kvraft.core.keyspace import Keyspace, Record
from kvraft.core.layout import (
    ABSENT,
    BEFORE,
    COUNTERS,
    EVENT,
    KEY,
    KEY_OUTCOME,
    LEASE,
    MAGIC,
    SECTION_HEADER,
    SESSION,
    SESSION_OUTCOME,
    VERSIONS,
    Counters,
    Section,
)
from kvraft.core.limits import ENCODED_VALUE_BYTES, REVISION_LEAP, ApplyLimits
from kvraft.core.loaded_locks import LoadedGuards, LoadedPlaces
from kvraft.core.loaded_parts import (
    LoadedHistory,
    LoadedIdentities,
    LoadedInvariants,
    LoadedLeases,
)
from kvraft.core.lock_codec import read_guard_prefix
from kvraft.core.machine import StateMachine
from kvraft.core.place_codec import read_ended, read_place

__all__ = ["FrozenState", "Section", "StateLoader", "restored", "revision_of", "state_hash"]

_HEAD_BYTES = 1 << 17
"""Largest head of a section: 255 members with names of 255 bytes fit."""


class StateLoader:
    """Builds a machine from the concatenation of a state's blocks."""

    __slots__ = ("_data", "_loaded", "_offset", "_parser", "_pending", "_wanted")

    def __init__(self) -> None:
        self._pending = bytearray()
        self._data = b""
        self._offset = 0
        self._loaded: StateMachine | None = None
        self._parser = self._parse()
        self._wanted = next(self._parser)

    def feed(self, data: bytes) -> None:
        """Take the next piece, of any size; work in proportion to it. CodecError if malformed."""
        self._pending += data
        if len(self._pending) < self._wanted:
            return
        if self._loaded is not None:
            raise CodecError(f"state: {len(self._pending)} bytes behind the end")
        self._data = bytes(self._pending)
        self._offset = 0
        try:
            self._wanted = next(self._parser)
        except StopIteration:
            if self._loaded is None:
                raise CodecError("state: it was refused before") from None
            self._wanted = 1
        del self._pending[: self._offset]
        if self._loaded is not None and self._pending:
            raise CodecError(f"state: {len(self._pending)} bytes behind the end")

    def finish(self) -> StateMachine:
        """Return the machine, once everything was fed. CodecError if the state is cut off."""
        if self._loaded is None:
            raise CodecError("state: cut off before its end")
        return self._loaded

    def _take(self, size: int) -> Generator[int, None, bytes]:
        while len(self._data) - self._offset < size:
            yield size
        start = self._offset
        self._offset = start + size
        return self._data[start : start + size]

    def _parse(self) -> Generator[int, None, None]:
        magic = yield from self._take(len(MAGIC))
        if magic != MAGIC:
            raise CodecError(f"state: begins with {magic!r}, not with {MAGIC!r}")
        counters = _counters((yield from self._section(Section.COUNTERS)))
        cluster_id = _cluster((yield from self._section(Section.CLUSTER)))
        members = _members((yield from self._section(Section.MEMBERS)))
        limits = _limits((yield from self._section(Section.LIMITS)))
        leases = yield from self._leases(counters)
        keyspace, recent = yield from self._keys(counters, leases)
        identities = yield from self._identities(counters)
        invariants = yield from self._invariants()
        history = yield from self._history(LoadedHistory(counters, keyspace, recent))
        locks = yield from self._places(LoadedPlaces(counters, leases.leases))
        guards = yield from self._guards()
        (yield from self._section(Section.END)).finish()
        self._loaded = StateMachine(
            counters,
            cluster_id=cluster_id,
            members=members,
            limits=limits,
            leases=leases.leases,
            keyspace=keyspace,
            identities=identities,
            invariants=invariants,
            history=history,
            places=locks.places,
            ended=locks.ended,
            guards=guards,
        )

    def _section(self, expected: Section) -> Generator[int, None, Reader]:
        header = yield from self._take(SECTION_HEADER.size)
        kind, version, size = SECTION_HEADER.unpack(header)
        if kind != expected or version != VERSIONS[expected]:
            raise CodecError(
                f"state: section {kind} version {version} where section {expected.value}"
                f" ({expected.name}) version {VERSIONS[expected]} must stand"
            )
        if size > _HEAD_BYTES:
            raise CodecError(f"state: the head of {expected.name} has {size} bytes")
        head = yield from self._take(size)
        return Reader(head, expected.name)

    def _count(self, expected: Section, layout: Struct) -> Generator[int, None, range]:
        head = yield from self._section(expected)
        count = head.number(layout)
        head.finish()
        if count < 0:
            raise CodecError(f"state: {count} items in {expected.name}")
        return range(count)

    def _leases(self, counters: Counters) -> Generator[int, None, LoadedLeases]:
        leases = LoadedLeases(counters)
        for _ in (yield from self._count(Section.LEASES, U32)):
            leases.load(*LEASE.unpack((yield from self._take(LEASE.size))))
        return leases

    def _keys(
        self, counters: Counters, leases: LoadedLeases
    ) -> Generator[int, None, tuple[Keyspace, int]]:
        keyspace = Keyspace()
        recent = 0
        last: bytes | None = None
        for _ in (yield from self._count(Section.KEYS, I64)):
            sizes = yield from self._take(KEY.size)
            key_size, value_size, created, modified, version, lease_id = KEY.unpack(sizes)
            if value_size > ENCODED_VALUE_BYTES:
                raise CodecError(f"state: a value of {value_size} bytes")
            both = yield from self._take(key_size + value_size)
            key = both[:key_size]
            if last is not None and key <= last:
                raise CodecError(f"state: key {key!r} behind {last!r}")
            if not (0 < created <= modified <= counters.revision and version > 0):
                raise CodecError(f"state: key {key!r} has impossible revisions")
            if lease_id:
                leases.attach(lease_id, key)
            if created == modified:
                modified = created  # one object for both: most keys are written once
            keyspace.put(key, (both[key_size:], created, modified, version, lease_id))
            recent += modified > counters.compacted_revision
            last = key
        leases.finish()
        return keyspace, recent

    def _identities(self, counters: Counters) -> Generator[int, None, Identities]:
        loaded = LoadedIdentities(counters)
        for _ in (yield from self._count(Section.SESSIONS, U32)):
            loaded.load_session(*SESSION.unpack((yield from self._take(SESSION.size))))
        for _ in (yield from self._count(Section.SESSION_OUTCOMES, I64)):
            head = yield from self._take(SESSION_OUTCOME.size)
            session_id, sequence, revision, size = SESSION_OUTCOME.unpack(head)
            packed = yield from self._bounded(size)
            loaded.load_sequence(session_id, sequence, revision, packed)
        for _ in (yield from self._count(Section.KEY_OUTCOMES, I64)):
            head = yield from self._take(KEY_OUTCOME.size)
            completed_ms, revision, key_size, size = KEY_OUTCOME.unpack(head)
            key = yield from self._take(key_size)
            loaded.load_key(completed_ms, revision, key, (yield from self._bounded(size)))
        return loaded.identities

    def _invariants(self) -> Generator[int, None, list[SetInvariant]]:
        loaded = LoadedInvariants()
        for _ in (yield from self._count(Section.INVARIANTS, U32)):
            loaded.load(read_set_invariant((yield from self._item("invariant"))))
        return loaded.invariants

    def _history(self, loaded: LoadedHistory) -> Generator[int, None, History]:
        for _ in (yield from self._count(Section.HISTORY, I64)):
            head = yield from self._take(EVENT.size)
            revision, time_ms, cause, key_size, size = EVENT.unpack(head)
            before: Record | None = None
            if size == ABSENT:
                key = yield from self._take(key_size)
            else:
                raw = yield from self._take(BEFORE.size)
                created, modified, version, lease_id = BEFORE.unpack(raw)
                possible = 0 < created <= modified < revision and version > 0 and lease_id >= 0
                if size < 0 or not possible:
                    raise CodecError(f"state: an event at {revision} replaced an impossible record")
                both = yield from self._bounded(key_size + size)
                key = both[:key_size]
                before = (both[key_size:], created, modified, version, lease_id)
            loaded.load(revision, time_ms, cause, key, before)
        loaded.finish()
        return loaded.history

    def _places(self, loaded: LoadedPlaces) -> Generator[int, None, LoadedPlaces]:
        for _ in (yield from self._count(Section.PLACES, I64)):
            reader = yield from self._item("place")
            place_id, record = read_place(reader)
            reader.finish()
            loaded.load(place_id, record)
        for _ in (yield from self._count(Section.ENDED_PLACES, I64)):
            loaded.load_ended(read_ended((yield from self._item("ended place"))))
        return loaded

    def _guards(self) -> Generator[int, None, list[GuardPrefix]]:
        loaded = LoadedGuards()
        for _ in (yield from self._count(Section.GUARDS, U32)):
            reader = yield from self._item("guard")
            guard = read_guard_prefix(reader)
            reader.finish()
            loaded.load(guard)
        return loaded.guards

    def _item(self, subject: str) -> Generator[int, None, Reader]:
        size = U32.unpack((yield from self._take(U32.size)))[0]
        return Reader((yield from self._bounded(size)), subject)

    def _bounded(self, size: int) -> Generator[int, None, bytes]:
        if not 0 <= size <= ENCODED_VALUE_BYTES:
            raise CodecError(f"state: an item of {size} bytes")
        return (yield from self._take(size))


def revision_of(head: bytes) -> int:
    """Return the revision of an encoded state from its first bytes; CodecError if it is none."""
    reader = Reader(head, "state")
    if reader.take(len(MAGIC)) != MAGIC or reader.unpack(SECTION_HEADER)[0] != Section.COUNTERS:
        raise CodecError(f"state: begins with {head[:32]!r}")
    return Counters(*reader.unpack(COUNTERS)).revision


def restored(machine: StateMachine, *, index: int = 0) -> StateMachine:
    """Make the first state of a new cluster from a backup's; `machine` must not be used any more.

    The new cluster has no id and no members yet (its `Bootstrap` brings both), and everything that
    hands out numbers continues far above whatever the old cluster reached after the backup.
    """
    return machine.successor(index=index, leap=REVISION_LEAP)


def _counters(head: Reader) -> Counters:
    counters = Counters(*head.unpack(COUNTERS))
    head.finish()
    positive = counters[1:2] + counters[3:]  # all but the index and the time
    if min(counters) < 0 or 0 in positive or counters.compacted_revision > counters.revision:
        raise CodecError(f"state: impossible counters {counters}")
    return counters


def _cluster(head: Reader) -> int:
    cluster_id = head.number(I64)
    head.finish()
    return cluster_id


def _members(head: Reader) -> dict[str, Member]:
    members = [read_member(head) for _ in range(head.number(U8))]
    head.finish()
    names = [member.name for member in members]
    if names != sorted(set(names)):
        raise CodecError(f"state: the members are not in order: {names}")
    return dict(zip(names, members, strict=True))


def _limits(head: Reader) -> ApplyLimits:
    limits = read_limits(head)
    head.finish()
    if min(astuple(limits)) <= 0:
        raise CodecError(f"state: impossible limits {limits}")
    return limits
