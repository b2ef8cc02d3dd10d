"""Bytes that may be anything against the state's loader: refused, or the canonical state itself."""

from core_states import apply, bootstrapped, encoding, loaded
from core_traffic import Traffic
from hypothesis import given, settings
from hypothesis import strategies as st

from kvraft.core.commands import (
    Delete,
    KeyIdentity,
    LeaseGrant,
    Put,
    Request,
    Resolve,
    SessionIdentity,
    SessionOpen,
    SetInvariant,
)
from kvraft.core.errors import CodecError
from kvraft.core.frozen import MAGIC


def full():
    machine = bootstrapped()
    apply(machine, LeaseGrant(5_000, lease_id=5), LeaseGrant(6_000), at=100)
    apply(machine, Put(b"a", b"1", lease_id=5), Put(b"b", b"", ttl_ms=3_000), Put(b"c", b"3"))
    apply(
        machine,
        SessionOpen(),
        SetInvariant(b"n", True, minimum=0),
        SetInvariant(b"z", False, immutable=True),
    )
    apply(machine, Request(Put(b"a", b"2"), None, SessionIdentity(1, 2, 1)), Delete(b"c"))
    apply(machine, Request(Delete(b"z"), None, KeyIdentity(b"k")), Resolve(KeyIdentity(b"gone")))
    return machine


def loads_canonically_or_is_refused(raw, piece):
    try:
        machine = loaded(raw, piece)
    except CodecError:
        return
    assert encoding(machine) == raw


@settings(deadline=None)
@given(st.binary(max_size=300), st.booleans(), st.integers(1, 400))
def test_random_bytes(raw, with_magic, piece):
    loads_canonically_or_is_refused(MAGIC * with_magic + raw, piece)


@settings(deadline=None)
@given(st.data(), st.integers(1, 400))
def test_damaged_states(draw, piece):
    raw = bytearray(encoding(full()))
    for _ in range(draw.draw(st.integers(1, 3))):
        raw[draw.draw(st.integers(len(MAGIC), len(raw) - 1))] = draw.draw(st.integers(0, 255))
    loads_canonically_or_is_refused(bytes(raw), piece)


@settings(deadline=None)
@given(st.randoms(use_true_random=False), st.data())
def test_states_that_were_damaged_and_load_can_be_used(random, draw):
    raw = bytearray(encoding(full()))
    raw[draw.draw(st.integers(len(MAGIC), len(raw) - 1))] = draw.draw(st.integers(0, 255))
    try:
        machine = loaded(bytes(raw))
    except CodecError:
        return
    if machine.index < (1 << 63) - 1:
        traffic = Traffic()
        apply(machine, *(traffic.command(random) for _ in range(5)))
