"""A state as bytes and back: every section, every damage, and the first state after a restore."""

import struct

import pytest
from core_states import MEMBERS, apply, bootstrapped, digest, encoding, loaded

from kvraft.core.commands import Bootstrap, LeaseGrant, Member, MemberDisk, Put
from kvraft.core.errors import CodecError
from kvraft.core.frozen import (
    COUNTERS,
    KEY,
    LEASE,
    MAGIC,
    SECTION_HEADER,
    SECTION_VERSION,
    Section,
)
from kvraft.core.limits import REVISION_LEAP, ApplyLimits
from kvraft.core.machine import StateMachine
from kvraft.core.snapshot import StateLoader, restored, revision_of
from kvraft.core.state import State

INT64_MAX = (1 << 63) - 1


def section(kind, head=b"", version=SECTION_VERSION):
    return SECTION_HEADER.pack(kind, version, len(head)) + head


def key(name, value=b"v", created=2, modified=2, version=1, lease_id=0):
    numbers = (created, modified, version, lease_id)
    return KEY.pack(len(name), len(value), *numbers) + name + value


def member(name):
    raw = name.encode()
    return bytes([len(raw)]) + raw + struct.pack("<qH", 1, 1)


def state(**parts):
    """A whole state, section by section; any of them can be given otherwise."""
    sections = {
        "magic": MAGIC,
        "counters": section(Section.COUNTERS, COUNTERS.pack(9, 5, 100, 1, 1)),
        "cluster": section(Section.CLUSTER, struct.pack("<q", 7)),
        "members": section(Section.MEMBERS, b"\x01" + member("n1")),
        "limits": section(Section.LIMITS, struct.pack("<7q", *range(1, 8))),
        "leases": section(Section.LEASES, struct.pack("<I", 0)),
        "keys": section(Section.KEYS, struct.pack("<q", 0)),
        "end": section(Section.END),
    }
    assert parts.keys() <= sections.keys()
    return b"".join((sections | parts).values())


def leases(*items):
    return section(Section.LEASES, struct.pack("<I", len(items))) + b"".join(
        LEASE.pack(*item) for item in items
    )


def keys(*items):
    return section(Section.KEYS, struct.pack("<q", len(items))) + b"".join(items)


def full():
    machine = bootstrapped()
    apply(machine, LeaseGrant(5_000, lease_id=5), LeaseGrant(6_000), at=100)
    apply(machine, Put(b"a", b"1", lease_id=5), Put(b"b", b"", ttl_ms=3_000), Put(b"c", b"3"))
    apply(machine, Put(b"c", b"4"), at=200)
    return machine


def test_the_sections_are_these():
    """Whoever adds state adds a section, or a version: this list is the promise (RULES I15)."""
    assert [item.name for item in Section] == [
        "COUNTERS",
        "CLUSTER",
        "MEMBERS",
        "LIMITS",
        "LEASES",
        "KEYS",
        "END",
    ]
    whole, offset, seen = encoding(StateMachine()), len(MAGIC), []
    while offset < len(whole):
        kind, version, size = SECTION_HEADER.unpack_from(whole, offset)
        assert version == 1
        seen.append(Section(kind))
        offset += SECTION_HEADER.size + size
    assert seen == list(Section)


def test_every_field_of_the_machine_is_in_the_encoding():
    """Each of these changes one thing of the state, and so must change the bytes."""
    machine = full()
    seen = {encoding(machine)}

    def counts_as_new():
        before = len(seen)
        seen.add(encoding(machine))
        return len(seen) == before + 1

    machine.index += 1
    assert counts_as_new()
    machine.revision += 1
    assert counts_as_new()
    machine.cluster_time_ms += 1
    assert counts_as_new()
    machine.next_token += 1
    assert counts_as_new()
    machine._leases.next_id += 1
    assert counts_as_new()
    machine.cluster_id += 1
    assert counts_as_new()
    machine.limits = ApplyLimits(leases=1)
    assert counts_as_new()
    machine._member_disk(MemberDisk(Member("n1", 1)))
    assert counts_as_new()
    machine._leases.renew(5, 99_999)
    assert counts_as_new()
    machine._keyspace.put(b"c", (b"4", 6, 6, 2, 0))
    assert counts_as_new()


def test_every_slot_of_the_machine_is_accounted_for():
    assert StateMachine.__slots__ == ()
    assert set(State.__slots__) == {
        "_keyspace",
        "_leases",
        "_members",
        "cluster_id",
        "cluster_time_ms",
        "index",
        "limits",
        "next_token",
        "revision",
        "revisions",  # of the last entry only: no state
    }


def test_the_encoding_of_a_small_state_stays():
    """Snapshots outlive the code: this literal may only ever be joined by another version's."""
    machine = bootstrapped()
    apply(machine, Put(b"k", b"v", ttl_ms=1_000), at=5)
    assert digest(machine) == "e9602ed879a50905bc0cf98fa03d984683cab400bf8d2053befcb1596d741f0b"


@pytest.mark.parametrize("piece", [1, 5, 1 << 20])
def test_a_state_returns_fed_in_any_pieces(piece):
    machine = full()
    again = loaded(encoding(machine), piece)
    assert digest(again) == digest(machine)
    everything = {"limit": 99, "max_bytes": 999}
    assert again.page(b"", None, **everything) == machine.page(b"", None, **everything)
    assert again.list_leases(0, 9) == machine.list_leases(0, 9)
    assert again.members == machine.members
    assert again.limits == machine.limits
    for name in (
        "index",
        "revision",
        "cluster_time_ms",
        "cluster_id",
        "state_bytes",
        "lease_count",
    ):
        assert getattr(again, name) == getattr(machine, name)


def test_a_reloaded_state_goes_on_alike():
    machine = full()
    again = loaded(encoding(machine))
    for at, command in ((300, LeaseGrant(1_000)), (3_200, Put(b"d", b"")), (9_000, Put(b"e", b""))):
        assert apply(again, command, at=at) == apply(machine, command, at=at)
        assert digest(again) == digest(machine)


def test_the_hand_made_state_of_these_tests_loads():
    machine = loaded(
        state(
            leases=leases((3, 1_000, 50, 0), (4, 1_000, 60, 1)),
            keys=keys(key(b"a", lease_id=3), key(b"b", lease_id=4), key(b"c", b"", 2, 5, 3)),
        )
    )
    assert machine.describe_lease(3).keys == (b"a",)
    assert machine.describe_lease(4).keys == (b"b",)
    assert machine.get(b"c") == (b"c", b"", 2, 5, 3, 0)
    assert (machine.index, machine.revision, machine.cluster_time_ms) == (9, 5, 100)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"magic": b"kvraft stale\n"}, "begins with b'kvraft stale"),
        ({"counters": section(Section.COUNTERS, bytes(40))}, "impossible counters"),
        ({"counters": section(Section.COUNTERS, COUNTERS.pack(-1, 5, 1, 1, 1))}, "impossible"),
        ({"counters": section(Section.COUNTERS, bytes(41))}, "COUNTERS: 1 bytes behind the end"),
        ({"cluster": section(Section.CLUSTER)}, "CLUSTER: cut off"),
        ({"cluster": section(Section.CLUSTER, bytes(9))}, "1 bytes behind the end"),
        ({"cluster": b""}, r"section 3 version 1 where section 2 \(CLUSTER\) version 1"),
        ({"cluster": section(Section.CLUSTER, bytes(8), version=2)}, "section 2 version 2 where"),
        ({"members": section(Section.MEMBERS, bytes(1 << 18))}, "head of MEMBERS has 262144"),
        (
            {"members": section(Section.MEMBERS, b"\x02" + member("b") + member("a"))},
            r"members are not in order: \['b', 'a'\]",
        ),
        (
            {"members": section(Section.MEMBERS, b"\x02" + member("a") + member("a"))},
            "members are not in order",
        ),
        ({"members": section(Section.MEMBERS, b"\x01\x01\xff")}, "is not UTF-8"),
        ({"limits": section(Section.LIMITS, bytes(56))}, "impossible limits"),
        ({"leases": section(Section.LEASES, bytes(5))}, "LEASES: 1 bytes behind the end"),
        ({"leases": leases((4, 1, 0, 0), (4, 1, 0, 0))}, "lease 4 behind 4"),
        ({"leases": leases((0, 1, 0, 0))}, "lease 0 behind 0"),
        ({"leases": leases((1, 0, 0, 0))}, "lease 1 behind 0, or impossible"),
        ({"leases": leases((1, 1, -1, 0))}, "or impossible"),
        ({"leases": leases((1, 1, 0, 2))}, "or impossible"),
        ({"leases": leases((1, 1, 0, 1), (2, 1, 0, 1))}, "lease 1 misses its key"),
        ({"keys": section(Section.KEYS, struct.pack("<q", -1))}, "-1 keys"),
        ({"keys": section(Section.KEYS, bytes(9))}, "KEYS: 1 bytes behind the end"),
        ({"keys": keys(key(b"b"), key(b"a"))}, "key b'a' behind b'b'"),
        ({"keys": keys(key(b"a"), key(b"a"))}, "key b'a' behind b'a'"),
        ({"keys": keys(key(b"a", created=0))}, "impossible revisions"),
        ({"keys": keys(key(b"a", created=3))}, "impossible revisions"),
        ({"keys": keys(key(b"a", modified=6))}, "impossible revisions"),
        ({"keys": keys(key(b"a", version=0))}, "impossible revisions"),
        ({"keys": keys(key(b"a", lease_id=3))}, "attached to lease 3, which is not there"),
        (
            {
                "leases": leases((3, 1_000, 50, 1)),
                "keys": keys(key(b"a", lease_id=3), key(b"b", lease_id=3)),
            },
            "key b'b' is attached to lease 3",
        ),
        ({"keys": keys(KEY.pack(1, 1 << 27, 2, 2, 1, 0))}, "a value of 134217728 bytes"),
        ({"end": section(Section.END, b"!")}, "END: 1 bytes behind the end"),
        ({"end": section(Section.END) + b"!"}, "1 bytes behind the end"),
    ],
)
@pytest.mark.parametrize("piece", [1, 1 << 20])
def test_a_malformed_state_is_refused(parts, words, piece):
    with pytest.raises(CodecError, match=words):
        loaded(state(**parts), piece)


def test_bytes_behind_a_whole_state_are_refused():
    loader = StateLoader()
    loader.feed(state())
    with pytest.raises(CodecError, match="3 bytes behind the end"):
        loader.feed(b"and")


def test_a_refused_state_stays_refused():
    loader = StateLoader()
    for words in ("begins with", "it was refused before"):
        with pytest.raises(CodecError, match=words):
            loader.feed(b"x" * len(MAGIC))
    with pytest.raises(CodecError, match="cut off before its end"):
        loader.finish()


def test_every_cut_is_refused():
    whole = encoding(full())
    for size in range(len(whole)):
        with pytest.raises(CodecError, match="cut off before its end"):
            loaded(whole[:size])


def test_the_revision_stands_in_the_first_bytes():
    machine = full()
    whole = encoding(machine)
    assert revision_of(whole) == revision_of(whole[:64]) == machine.revision
    for raw in (whole[:40], b"", b"x" * 64, MAGIC + bytes(64)):
        with pytest.raises(CodecError):
            revision_of(raw)


def test_a_restore_hands_out_nothing_a_second_time():
    machine = full()
    old = machine.revision
    lease_id = apply(machine, LeaseGrant(1_000)).lease_id
    token = machine.next_token
    first = restored(loaded(encoding(machine)), index=3)
    assert (first.index, first.cluster_id, dict(first.members)) == (3, 0, {})
    assert first.revision == old + 1 + REVISION_LEAP
    assert first.next_token == token + REVISION_LEAP
    assert first.cluster_time_ms == machine.cluster_time_ms
    assert first.get(b"c") == machine.get(b"c")
    assert first.list_leases(0, 9) == machine.list_leases(0, 9)
    apply(first, Bootstrap(8, MEMBERS, ApplyLimits()))
    assert first.cluster_id == 8
    assert apply(first, LeaseGrant(1_000)).lease_id == lease_id + 1 + REVISION_LEAP
    assert digest(loaded(encoding(first))) == digest(first)
