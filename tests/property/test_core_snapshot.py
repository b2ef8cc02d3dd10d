"""Bytes that may be anything against the state's loader: refused, or the canonical state itself."""

from core_states import apply, encoding, loaded, with_locks
from core_traffic import Traffic
from hypothesis import given, settings
from hypothesis import strategies as st

from kvraft.core.errors import CodecError
from kvraft.core.frozen import MAGIC


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
    raw = bytearray(encoding(with_locks()))
    for _ in range(draw.draw(st.integers(1, 3))):
        raw[draw.draw(st.integers(len(MAGIC), len(raw) - 1))] = draw.draw(st.integers(0, 255))
    loads_canonically_or_is_refused(bytes(raw), piece)


@settings(deadline=None)
@given(st.randoms(use_true_random=False), st.data())
def test_states_that_were_damaged_and_load_can_be_used(random, draw):
    raw = bytearray(encoding(with_locks()))
    raw[draw.draw(st.integers(len(MAGIC), len(raw) - 1))] = draw.draw(st.integers(0, 255))
    try:
        machine = loaded(bytes(raw))
    except CodecError:
        return
    if machine.index < (1 << 63) - 1:
        traffic = Traffic()
        apply(machine, *(traffic.command(random) for _ in range(5)))
