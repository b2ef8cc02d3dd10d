"""Messages on the wire: whole again after the trip, and nothing else is ever a message."""

import dataclasses
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvraft.consensus import envelope, messages, wire
from kvraft.consensus.messages import Append, LogEntry, Message, SnapshotChunk
from kvraft.consensus.port import ProtocolError

u64 = st.integers(0, 2**64 - 1)
terms = st.integers(0, wire.TERM_MAX)


def commands():
    return st.one_of(st.just(envelope.NO_OP), st.binary(max_size=300).map(envelope.wrap))


@st.composite
def appends(draw):
    steps = draw(st.lists(st.tuples(st.integers(0, 3), commands()), max_size=8))
    first = draw(st.integers(0, 1000))
    newest, entries = first, []
    for step, command in steps:
        newest += step
        entries.append(LogEntry(newest, command))
    term = newest + draw(st.integers(0, 9))
    return Append(term, draw(u64), draw(u64), first, draw(u64), tuple(entries))


@st.composite
def chunks(draw):
    data = draw(st.binary(max_size=200))
    offset = draw(st.integers(0, 1 << 40))
    term = draw(st.integers(0, 1000))
    total = offset + len(data) + draw(st.integers(0, 99))
    snapshot_term = draw(st.integers(0, term))
    return SnapshotChunk(term, draw(u64), snapshot_term, offset, total, draw(u64), data)


FIELDS = {"int": u64, "bool": st.booleans(), "bytes": st.binary(max_size=300)}
SIMPLE = [
    kind
    for kind in vars(messages).values()
    if isinstance(kind, type)
    and issubclass(kind, Message)
    and kind not in (Message, Append, SnapshotChunk)
    and not kind.__name__.startswith("_")
]


@st.composite
def simple(draw):
    kind = draw(st.sampled_from(SIMPLE))
    values = {}
    for field in dataclasses.fields(kind):
        name = field.type if isinstance(field.type, str) else field.type.__name__
        values[field.name] = draw(FIELDS[name])
    values["term"] = draw(terms)
    if "command_version" in values:
        values["command_version"] %= 65_536
    return kind(**values)


any_message = st.one_of(appends(), chunks(), simple())


def test_every_kind_of_message_is_drawn():
    assert len(SIMPLE) == 15


@given(any_message)
def test_round_trip(message):
    assert wire.decode(wire.encode(message)) == message


@given(st.binary(max_size=200))
def test_noise_is_refused_and_nothing_else(data):
    try:
        message = wire.decode(data)
    except ProtocolError:
        return
    assert wire.encode(message) == data


@given(any_message, st.data())
def test_damage_is_a_protocol_error_or_another_message(message, data):
    raw = bytearray(wire.encode(message))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(raw[: data.draw(st.integers(0, len(raw)))])
    for damaged in (bytes(raw), cut):
        with suppress(ProtocolError):
            assert isinstance(wire.decode(damaged), Message)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "too short"),
        (b"\x0a\x02" + bytes(8), "version 2"),
        (b"\xff\x01" + bytes(8), "unknown message type 255"),
        (b"\x0a\x01" + b"\xff" * 8, "no honest term"),
        (b"\x0a\x01" + bytes(9), "must be 10"),
        (wire.encode(Append(5, 1, 1, 1, 1, ()))[:-1] + b"\xff", "claims"),
        (wire.encode(Append(5, 1, 1, 1, 1, (LogEntry(4, envelope.wrap(b"x")),))) + b"!", "behind"),
        (wire.encode(Append(5, 1, 1, 1, 1, (LogEntry(6, envelope.NO_OP),))), "entry of term 6"),
        (wire.encode(Append(5, 1, 1, 3, 1, (LogEntry(2, envelope.NO_OP),))), "entry of term 2"),
        (wire.encode(SnapshotChunk(5, 1, 1, 10, 12, 0, b"abc")), "runs past its end"),
        (wire.encode(SnapshotChunk(5, 1, 9, 0, 12, 0, b"abc")), "runs past its end"),
    ],
)
def test_what_is_wrong_is_named(data, text):
    with pytest.raises(ProtocolError, match=text):
        wire.decode(data)


def test_numbers_that_do_not_fit_are_our_own_error():
    with pytest.raises(ValueError, match="does not fit the wire"):
        wire.encode(messages.HigherTerm(-1))


def test_no_pickle_travels():
    data = wire.encode(Append(5, 1, 1, 1, 1, (LogEntry(4, envelope.wrap(b"payload")),)))
    assert data.endswith(b"payload")
    assert b"\x80\x05" not in data
