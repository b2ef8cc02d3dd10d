"""States that are damaged: each is refused with a word on where, and never half loaded."""

import struct

import pytest
from core_sections import (
    DONE,
    HASH,
    LIMITS,
    counters,
    event,
    history,
    invariants,
    key,
    keyed,
    keys,
    leases,
    member,
    section,
    sequences,
    sessions,
    state,
)
from core_states import apply, asked, bootstrapped, encoding, full, loaded

from kvraft.core.commands import KeyIdentity, Put, SessionIdentity, SessionOpen, SetInvariant
from kvraft.core.errors import CodecError
from kvraft.core.history import History
from kvraft.core.layout import BEFORE, EVENT, KEY, MAGIC, Section
from kvraft.core.snapshot import StateLoader
from kvraft.core.table import Table


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"magic": b"kvraft stale\n"}, "begins with b'kvraft stale"),
        ({"counters": section(Section.COUNTERS, bytes(64))}, "impossible counters"),
        ({"counters": counters(index=-1)}, "impossible counters"),
        ({"counters": counters(6)}, "impossible counters"),
        ({"counters": counters(0)}, "impossible counters"),
        ({"counters": counters(next_session=0)}, "impossible counters"),
        ({"counters": section(Section.COUNTERS, bytes(65))}, "COUNTERS: 1 bytes behind the end"),
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
        ({"limits": section(Section.LIMITS, bytes(8 * LIMITS))}, "impossible limits"),
        ({"leases": section(Section.LEASES, bytes(5))}, "LEASES: 1 bytes behind the end"),
        ({"leases": leases((4, 1, 0, 0), (4, 1, 0, 0))}, "lease 4 behind 4"),
        ({"leases": leases((0, 1, 0, 0))}, "lease 0 behind 0"),
        ({"leases": leases((1, 0, 0, 0))}, "lease 1 behind 0, or impossible"),
        ({"leases": leases((1, 1, -1, 0))}, "or impossible"),
        ({"leases": leases((1, 1, 0, 2))}, "or impossible"),
        ({"leases": leases((1, 1, 0, 1), (2, 1, 0, 1))}, "lease 1 misses its key"),
        ({"keys": section(Section.KEYS, struct.pack("<q", -1))}, "-1 items in KEYS"),
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
        ({"sessions": sessions((1, 1, 1))}, "session 1 behind 0, or odd"),
        ({"end": section(Section.END, b"!")}, "END: 1 bytes behind the end"),
        ({"end": section(Section.END) + b"!"}, "1 bytes behind the end"),
    ],
)
@pytest.mark.parametrize("piece", [1, 1 << 20])
def test_a_malformed_state_is_refused(parts, words, piece):
    with pytest.raises(CodecError, match=words):
        loaded(state(**parts), piece)


SESSIONS = {"counters": counters(next_session=3)}
FLOOR = SetInvariant(b"b", False, minimum=0)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"sessions": sessions((3, 1, 1))}, "session 3 behind 0, or odd"),
        ({"sessions": sessions((0, 1, 1))}, "session 0 behind 0"),
        ({"sessions": sessions((2, 1, 1), (1, 1, 1))}, "session 1 behind 2"),
        ({"sessions": sessions((1, 0, 1))}, "or odd"),
        ({"sessions": sessions((1, 1, 101))}, "or odd"),
        ({"sessions": sessions((1, 1, -1))}, "or odd"),
        ({"sequences": sequences((3, 1, 1, DONE))}, "sequence 1 of session 3"),
        ({"sequences": sequences((1, 0, 1, DONE))}, "sequence 0 of session 1"),
        ({"sequences": sequences((2, 1, 1, DONE), (1, 9, 1, DONE))}, "session 1 is out of order"),
        ({"sequences": sequences((1, 1, 1, DONE), (1, 1, 1, DONE))}, "1 is out of order"),
        ({"sequences": sequences((1, 1, 6, DONE))}, "outcome at revision 6"),
        ({"sequences": sequences((1, 1, 1, b"\0"))}, "outcome: begins with"),
        ({"sequences": sequences((1, 1, 1, HASH + b"\0\1"))}, "result: cut off"),
        ({"keyed": keyed((5, 1, b"a", DONE), (4, 1, b"b", DONE))}, "at 4 ms behind 5 ms"),
        ({"keyed": keyed((101, 1, b"a", DONE))}, "at 101 ms"),
        ({"keyed": keyed((5, 1, b"a", DONE), (5, 1, b"a", DONE))}, "a second outcome of b'a'"),
        ({"keyed": keyed((5, 1, b"", DONE))}, "outcome of b''"),
        ({"keyed": keyed((5, -1, b"a", DONE))}, "outcome at revision -1"),
        ({"keyed": keyed((5, 1, b"a", DONE + b"x"))}, "1 bytes behind the end"),
        ({"invariants": invariants(FLOOR, FLOOR)}, "invariant of b'b' is out of order"),
        ({"invariants": invariants(FLOOR, SetInvariant(b"a", True, 1))}, "b'a' is out of order"),
        ({"invariants": invariants(SetInvariant(b"a", True))}, "of b'a' demands nothing"),
        ({"invariants": section(Section.INVARIANTS, bytes(5))}, "1 bytes behind the end"),
        ({"history": section(Section.HISTORY, struct.pack("<q", -2))}, "-2 items in HISTORY"),
    ],
)
def test_malformed_identities_and_invariants_are_refused(parts, words):
    with pytest.raises(CodecError, match=words):
        loaded(state(**SESSIONS, **parts), 1 << 20)


OLD = (1, 2, 1, 0)  # a record from before the history
NEW = key(b"a", created=4, modified=5, version=2)


@pytest.mark.parametrize(
    ("live", "events", "words"),
    [
        ([NEW], [], "the history of 0 keys ends elsewhere, that of 1 is missing"),
        ([NEW], [event(4, b"a")], "of 1 keys ends elsewhere"),
        ([NEW], [event(5, b"a", (4, 4, 1, 0))], "of b'a' at revision 5 does not fit"),
        ([], [event(5, b"a")], "of 1 keys ends elsewhere"),
        ([], [event(4, b"a"), event(5, b"a")], "at revision 5 does not fit"),
        ([], [event(4, b"a", OLD), event(5, b"a", OLD)], "at revision 5 does not fit"),
        ([NEW], [event(5, b"a"), event(5, b"a", OLD)], "at revision 5 does not fit"),
        ([key(b"a")], [event(4, b"a", OLD), event(5, b"a")], "of 1 keys ends elsewhere"),
        ([], [event(5, b"a", OLD), event(4, b"b", OLD)], "at revision 4 behind 5"),
        ([], [event(4, b"a", OLD), event(4, b"b", OLD, 51)], "at revision 4 behind 4"),
        ([], [event(4, b"a", OLD), event(5, b"b", OLD, 49)], "at revision 5 behind 4"),
        ([], [event(3, b"a", OLD)], "at revision 3 behind 3"),
        ([], [event(6, b"a", OLD)], "at revision 6 behind 3"),
        ([], [event(4, b"a", OLD, 101)], "at revision 4 behind 3"),
        ([], [event(4, b"a", OLD, cause=0)], "cause 0"),
        ([], [event(4, b"a", OLD, cause=9)], "cause 9"),
        ([], [event(4, b"a", (0, 2, 1, 0))], "an impossible record"),
        ([], [event(4, b"a", (2, 4, 1, 0))], "an impossible record"),
        ([], [event(4, b"a", (2, 2, 0, 0))], "an impossible record"),
        ([], [event(4, b"a", (2, 2, 1, -1))], "an impossible record"),
        ([], [EVENT.pack(4, 50, 1, 5, -2) + bytes(99)], "an impossible record"),
        ([], [EVENT.pack(4, 50, 1, 5, 1 << 27) + BEFORE.pack(*OLD)], "item of 134217733 bytes"),
    ],
)
def test_a_history_that_does_not_lead_to_the_keys_is_refused(live, events, words):
    parts = {"counters": counters(3), "keys": keys(*live), "history": history(*events)}
    with pytest.raises(CodecError, match=words):
        loaded(state(**parts), 1 << 20)


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


def test_a_loader_works_in_proportion_to_what_it_was_fed(monkeypatch):
    """No piece pays for all: not the first behind a section, nor the end."""
    machine = bootstrapped()
    apply(machine, SessionOpen())
    for number in range(300):
        identity = KeyIdentity(b"%d" % number) if number % 2 else SessionIdentity(1, number + 1, 1)
        apply(machine, asked(Put(b"%d" % (number % 40), b"v"), identity))
    whole, kept = encoding(machine), []
    for owner, name in ((Table, "put"), (History, "load")):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name), kept))
    loader, most = StateLoader(), 0
    for start in range(0, len(whole), 200):
        before = len(kept)
        loader.feed(whole[start : start + 200])
        most = max(most, len(kept) - before)
    kept.clear()
    loader.finish()
    assert not kept
    assert most <= 200 // EVENT.size + 1


def counted(plain, calls):
    def method(*arguments):
        calls.append(plain)
        return plain(*arguments)

    return method
