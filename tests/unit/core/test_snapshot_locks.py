"""Places, endings and guards in a snapshot: they return, and what is impossible is refused."""

import re
from dataclasses import replace

import pytest
from core_sections import counters, ended, guards, key, keys, leases, place, places, section, state
from core_states import apply, digest, encoding, loaded, with_locks

from kvraft.core.commands import Acquire, Fence, GuardPrefix, LockMode, Release
from kvraft.core.errors import CodecError
from kvraft.core.layout import Section
from kvraft.core.limits import REVISION_LEAP
from kvraft.core.results import AcquireResult, Ending, Standing
from kvraft.core.snapshot import restored
from kvraft.core.state import State

SHARED, COUNTED = int(LockMode.SHARED), int(LockMode.COUNTED)
LEASES = leases((4, 9, 90, 1), (5, 9, 200, 0), (6, 9, 200, 0))


def locked(**parts):
    """A state with room for places 1 to 9 and tokens 1 to 9, and with leases 5 and 6."""
    some = {
        "counters": counters(next_token=10, next_place=10),
        "leases": LEASES,
        "keys": keys(key(b"k", lease_id=4)),
    }
    return state(**(some | parts))


def held(number, token, **given):
    return place(number, b"p%d" % number, tokens=(token,), **given)


def test_what_locks_are_returns():
    machine = with_locks()
    returned = loaded(encoding(machine), 7)
    assert encoding(returned) == encoding(machine)
    assert list(returned._places.locks) == list(machine._places.locks)
    for name in (b"n", b"x", b"y", b"z"):
        assert returned.describe_lock(name, 9) == machine.describe_lock(name, 9)
    for asked in (b"both", b"next", b"r1", b"w", b"c1", b"try", b"never"):
        told = returned.acquisition(asked)
        assert told == machine.acquisition(asked)
        assert told is not None
    assert returned.guards() == machine.guards()
    assert returned.next_deadline_ms() == machine.next_deadline_ms()


def test_it_goes_on_like_the_one_it_came_from():
    machine = with_locks()
    returned = loaded(encoding(machine))
    for one in (machine, returned):
        apply(one, Release(b"both"), Release(b"r1"), Release(b"r2"), at=400)
        apply(one, Acquire(b"new", (b"x",), lease_id=5), Release(b"next"), at=1_000)
    assert returned.lock_changes == machine.lock_changes
    assert digest(returned) == digest(machine)
    assert machine.acquisition(b"new").standing == Standing.GRANTED


def test_grants_that_an_entry_did_not_reach_are_known_again():
    machine = with_locks()
    machine.limits = replace(machine.limits, grants_per_entry=1)
    apply(machine, Release(b"r1"), Release(b"both"), Release(b"r2"), at=400)
    assert machine.next_deadline_ms() == 400
    assert machine.acquisition(b"w").standing == Standing.QUEUED
    returned = loaded(encoding(machine))
    assert returned.next_deadline_ms() == 400
    for one in (machine, returned):
        apply(one)
        assert one.acquisition(b"w").standing == Standing.GRANTED
    assert digest(returned) == digest(machine)


def test_a_wait_without_an_end_returns():
    """Its deadline is beyond int64: a valid request must never stop a snapshot."""
    machine = with_locks()
    apply(machine, Acquire(b"long", (b"x",), lease_id=5, wait_ms=(1 << 63) - 1), at=500)
    assert machine.acquisition(b"long").standing == Standing.QUEUED
    assert digest(loaded(encoding(machine))) == digest(machine)


def test_a_freeze_stands_still_while_places_go():
    machine = with_locks()
    before, frozen = encoding(machine), machine.freeze()
    apply(machine, Release(b"both"), Acquire(b"new", (b"q",), lease_id=5), GuardPrefix(b"g"))
    assert b"".join(frozen.blocks()) == before
    frozen.release()
    assert encoding(machine) != before
    apply(machine)
    assert not machine._places.table._views + machine._ended.table._views


def test_a_restore_ends_all_places_and_hands_out_no_number_twice():
    machine = with_locks()
    token, number, leases_before = machine.next_token, machine._places.next_id, machine.lease_count
    first = restored(machine)
    assert (first.place_count, first.describe_lock(b"x", 9)) == (0, None)
    assert first.lease_count == leases_before
    assert [guard.prefix for guard in first.guards()] == [b"g", b"h"]
    assert first.acquisition(b"try").ending == Ending.TIMED_OUT
    assert first.acquisition(b"both") is None
    assert apply(first, Acquire(b"both", (b"x",), lease_id=5)) == AcquireResult(
        number + REVISION_LEAP, Standing.GRANTED, 5, (Fence(b"x", token + REVISION_LEAP),)
    )
    assert isinstance(first, State)
    assert digest(loaded(encoding(first))) == digest(first)


@pytest.mark.parametrize(
    "rows",
    [
        [held(1, 3), place(2), place(4, b"q", lease_id=6, wait_deadline_ms=(1 << 64) - 1)],
        [held(1, 3, attach_deadline_ms=None), place(9, own_lease=True)],
        [held(1, 3, mode=SHARED), held(2, 4, mode=SHARED), place(3)],
        [held(1, 3, mode=COUNTED, capacity=2), held(2, 4, mode=COUNTED, capacity=2)],
        [place(1, names=(b"x", b"y"), tokens=(1, 2)), held(2, 3, names=(b"z",))],
    ],
)
def test_possible_places_load(rows):
    raw = locked(places=places(*rows))
    assert encoding(loaded(raw)) == raw


def test_endings_and_guards_load():
    raw = locked(
        places=places(place(3)),
        ended=ended((50, 9, b"a", 1), (60, 1, b"b", 5), (60, 2, b"c", 3)),
        guards=guards(GuardPrefix(b"", b"x"), GuardPrefix(b"a", per_key=True)),
    )
    assert encoding(loaded(raw)) == raw


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([place(10)], "place 10 behind 0"),
        ([place(0)], "place 0 behind 0"),
        ([place(2), place(2, b"q")], "place 2 behind 2"),
        ([place(1), place(2)], "place 2 is impossible, or stands there twice"),
        ([place(1, b"")], "place 1 is impossible"),
        ([place(1, names=())], "place 1 is impossible"),
        ([place(1, names=(b"",))], "place 1 is impossible"),
        ([place(1, names=(b"y", b"x"))], "place 1 is impossible"),
        ([place(1, names=(b"x", b"x"))], "place 1 is impossible"),
        ([place(1, names=(b"x", b"y"), mode=SHARED)], "place 1 is impossible"),
        ([place(1, capacity=2)], "place 1 is impossible"),
        ([place(1, mode=COUNTED, capacity=0)], "place 1 is impossible"),
        ([place(1, max_hold_ms=-1)], "place 1 is impossible"),
        ([place(1, attach_deadline_ms=None)], "place 1 is impossible"),
        ([place(1, attach_deadline_ms=-1)], "place 1 is impossible"),
        ([place(1, since_ms=101)], "place 1 is impossible"),
        ([place(1, since_ms=-1)], "place 1 is impossible"),
        ([held(1, 3, wait_deadline_ms=150)], "place 1 is impossible"),
        ([held(1, 0)], "place 1 is impossible"),
        ([held(1, 10)], "place 1 is impossible"),
        ([place(1, names=(b"x", b"y"), tokens=(2, 1))], "place 1 is impossible"),
        ([place(1, lease_id=7)], "place 1 is under lease 7, which is not there"),
        ([place(1, lease_id=4)], "place 1 is under lease 4, which is not there"),
        ([place(1, own_lease=True), place(2, b"q", own_lease=True)], "two places own lease 5"),
        (
            [place(1, owner=b"o"), place(2, b"q", owner=b"o")],
            "place 2 cannot stand where it does at b'x'",
        ),
        ([held(1, 3), held(2, 4)], "place 2 cannot stand where it does at b'x'"),
        ([place(1), held(2, 4)], "place 2 cannot stand where it does"),
        ([held(1, 3), place(2), held(3, 4, mode=SHARED)], "place 3 cannot stand where"),
        ([held(1, 4, mode=SHARED), held(2, 3, mode=SHARED)], "place 2 cannot stand where"),
        ([held(1, 3, mode=SHARED), held(2, 4)], "place 2 cannot stand where it does"),
        ([held(1, 3), held(2, 4, mode=SHARED)], "place 2 cannot stand where it does"),
        ([held(1, 3), place(2, mode=COUNTED)], "place 2 cannot stand where it does"),
        (
            [place(1, mode=COUNTED, capacity=2), place(2, b"q", mode=COUNTED, capacity=3)],
            "place 2 cannot stand where it does",
        ),
        (
            [held(number, number, mode=COUNTED, capacity=2) for number in (1, 2, 3)],
            "place 3 cannot stand where it does",
        ),
    ],
)
def test_an_impossible_place_is_refused(rows, words):
    with pytest.raises(CodecError, match=re.escape(words)):
        loaded(locked(places=places(*rows)))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(50, 2, b"a", 1), (50, 2, b"b", 1)], "ending of place 2 is out of order"),
        ([(50, 2, b"a", 1), (49, 4, b"b", 1)], "ending of place 4 is out of order"),
        ([(-1, 2, b"a", 1)], "ending of place 2 is out of order"),
        ([(50, 0, b"a", 1)], "ending of place 0 is impossible"),
        ([(50, 10, b"a", 1)], "ending of place 10 is impossible"),
        ([(50, 3, b"a", 1)], "ending of place 3 is impossible"),
        ([(50, 2, b"", 1)], "ending of place 2 is impossible"),
        ([(50, 2, b"a", 0)], "ending of place 2 is impossible"),
        ([(50, 2, b"a", 6)], "ending of place 2 is impossible"),
        ([(50, 2, b"p", 1)], "ending of place 2 is impossible"),
        ([(50, 1, b"a", 1), (50, 2, b"a", 1)], "ending of place 2 is impossible"),
    ],
)
def test_an_impossible_ending_is_refused(rows, words):
    with pytest.raises(CodecError, match=words):
        loaded(locked(places=places(place(3)), ended=ended(*rows)))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([GuardPrefix(b"b", b"x"), GuardPrefix(b"a", b"x")], "guard of b'a' is out of order"),
        ([GuardPrefix(b"a", b"x"), GuardPrefix(b"a", b"y")], "guard of b'a' is out of order"),
        ([GuardPrefix(b"a")], "names no lock, or two"),
        ([GuardPrefix(b"a", b"")], "names no lock, or two"),
        ([GuardPrefix(b"a", b"x", per_key=True)], "names no lock, or two"),
    ],
)
def test_an_impossible_guard_is_refused(rows, words):
    with pytest.raises(CodecError, match=words):
        loaded(locked(guards=guards(*rows)))


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"places": places((1, place(1)[1]._replace(mode=4)))}, "place: 4 is not a valid LockMode"),
        ({"places": section(Section.PLACES, b"\xff" * 8)}, "-1 items in PLACES"),
        ({"places": places(place(1)) + b"!"}, "section 33"),
        ({"counters": counters(next_place=0)}, "impossible counters"),
    ],
)
def test_a_malformed_section_is_refused(parts, words):
    with pytest.raises(CodecError, match=words):
        loaded(locked(**parts))


def test_unknown_options_of_a_place_are_refused():
    whole = places(place(1))
    at = len(places()) + 4 + 8  # behind the size and the id
    with pytest.raises(CodecError, match="place: unknown options 0x28"):
        loaded(locked(places=whole[:at] + bytes([whole[at] | 32]) + whole[at + 1 :]))
