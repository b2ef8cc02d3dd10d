"""A state from its encoding: fed in arbitrary pieces, checked, built as it arrives.

Imports: core only. Whatever the bytes, CodecError and nothing else; a state that loads satisfies
the machine's invariants (order, every attachment both ways, no revision from the future).
"""

from collections.abc import Generator
from dataclasses import astuple

from kvraft.core.binary import I64, U8, U32, Reader
from kvraft.core.command_codec import read_limits, read_member
from kvraft.core.commands import Member
from kvraft.core.errors import CodecError
from kvraft.core.frozen import (
    COUNTERS,
    KEY,
    LEASE,
    MAGIC,
    SECTION_HEADER,
    SECTION_VERSION,
    Counters,
    FrozenState,
    Section,
    state_hash,
)
from kvraft.core.keyspace import Keyspace
from kvraft.core.leases import Leases
from kvraft.core.limits import ENCODED_VALUE_BYTES, REVISION_LEAP, ApplyLimits
from kvraft.core.machine import StateMachine

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
        keyspace = yield from self._keys(counters, leases)
        (yield from self._section(Section.END)).finish()
        self._loaded = StateMachine(
            counters,
            cluster_id=cluster_id,
            members=members,
            limits=limits,
            leases=leases.leases,
            keyspace=keyspace,
        )

    def _section(self, expected: Section) -> Generator[int, None, Reader]:
        header = yield from self._take(SECTION_HEADER.size)
        kind, version, size = SECTION_HEADER.unpack(header)
        if kind != expected or version != SECTION_VERSION:
            raise CodecError(
                f"state: section {kind} version {version} where section {expected.value}"
                f" ({expected.name}) version {SECTION_VERSION} must stand"
            )
        if size > _HEAD_BYTES:
            raise CodecError(f"state: the head of {expected.name} has {size} bytes")
        head = yield from self._take(size)
        return Reader(head, expected.name)

    def _leases(self, counters: Counters) -> Generator[int, None, "_Leases"]:
        head = yield from self._section(Section.LEASES)
        count = head.number(U32)
        head.finish()
        leases = _Leases(counters)
        for _ in range(count):
            leases.load(*LEASE.unpack((yield from self._take(LEASE.size))))
        return leases

    def _keys(self, counters: Counters, leases: "_Leases") -> Generator[int, None, Keyspace]:
        head = yield from self._section(Section.KEYS)
        count = head.number(I64)
        head.finish()
        if count < 0:
            raise CodecError(f"state: {count} keys")
        keyspace = Keyspace()
        last: bytes | None = None
        for _ in range(count):
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
            last = key
        leases.finish()
        return keyspace


class _Leases:
    """The leases of a state whose keys are still to come: an implicit lease waits for its own."""

    def __init__(self, counters: Counters) -> None:
        self.leases = Leases(counters.next_lease_id)
        self._waiting: dict[int, tuple[int, int]] = {}
        self._last = 0

    def load(self, lease_id: int, ttl_ms: int, deadline_ms: int, implicit: int) -> None:
        if lease_id <= self._last or ttl_ms <= 0 or deadline_ms < 0 or implicit > 1:
            raise CodecError(f"state: lease {lease_id} behind {self._last}, or impossible")
        self._last = lease_id
        if implicit:
            self._waiting[lease_id] = (ttl_ms, deadline_ms)
        else:
            self.leases.add(lease_id, ttl_ms, deadline_ms)

    def attach(self, lease_id: int, key: bytes) -> None:
        implicit = self._waiting.pop(lease_id, None)
        if implicit is not None:
            self.leases.add(lease_id, *implicit, key)
            return
        lease = self.leases.get(lease_id)
        if lease is None or lease[2] is not None:
            raise CodecError(
                f"state: key {key!r} is attached to lease {lease_id}, which is not there"
            )
        self.leases.attach(lease_id, key)

    def finish(self) -> None:
        if self._waiting:
            raise CodecError(f"state: lease {min(self._waiting)} misses its key")


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
    if min(counters) < 0 or 0 in (counters.revision, counters.next_lease_id, counters.next_token):
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
