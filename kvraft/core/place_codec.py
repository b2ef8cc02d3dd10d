"""Places, and how acquisitions ended, as bytes: rows of a snapshot.

Imports: core only. Canonical: what decodes encodes to the same bytes again.
"""

from struct import Struct

from kvraft.core.binary import I64, U8, Reader, sized
from kvraft.core.errors import CodecError
from kvraft.core.lock_codec import encode_names, read_mode, read_names
from kvraft.core.places import EndedRecord, PlaceRecord
from kvraft.core.write_codec import optional_number

# A wait may end beyond the last int64: both its begin and its length are at most that.
_PLACE = Struct("<qBB2qQ3q")
"""place_id, options, mode, capacity, lease_id, wait_deadline_ms, attach_deadline_ms, max_hold_ms,
since_ms."""
_GRANTED, _OWN_LEASE, _WAIT, _ATTACH, _MAX_HOLD = 1, 2, 4, 8, 16
_ENDED = Struct("<2qB")  # forget_ms, place_id, ending


def encode_place(place_id: int, record: PlaceRecord) -> bytes:
    """Encode a place."""
    options = (
        (bool(record.tokens) and _GRANTED)
        | (record.own_lease and _OWN_LEASE)
        | (record.wait_deadline_ms is not None and _WAIT)
        | (record.attach_deadline_ms is not None and _ATTACH)
        | (record.max_hold_ms is not None and _MAX_HOLD)
    )
    head = _PLACE.pack(
        place_id,
        options,
        record.mode,
        record.capacity,
        record.lease_id,
        record.wait_deadline_ms or 0,
        record.attach_deadline_ms or 0,
        record.max_hold_ms or 0,
        record.since_ms,
    )
    both = sized(U8, record.key) + sized(U8, record.owner)
    tokens = map(I64.pack, record.tokens)
    return b"".join((head, both, encode_names(record.names), *tokens))


def read_place(reader: Reader) -> tuple[int, PlaceRecord]:
    """Read a place: its id, and the rest; a granted one has a token for each of its names."""
    place_id, options, mode, capacity, lease_id, *numbers, since_ms = reader.unpack(_PLACE)
    if options & ~(_GRANTED | _OWN_LEASE | _WAIT | _ATTACH | _MAX_HOLD):
        raise CodecError(f"{reader.subject}: unknown options {options:#04x}")
    wait_ms, attach_ms, max_hold_ms = [
        optional_number(reader, options & bit, number)
        for bit, number in zip((_WAIT, _ATTACH, _MAX_HOLD), numbers, strict=True)
    ]
    key, owner = reader.sized(U8), reader.sized(U8)
    names = read_names(reader)
    return place_id, PlaceRecord(
        key,
        names,
        int(read_mode(reader, mode)),
        capacity,
        lease_id,
        options & _OWN_LEASE != 0,
        owner,
        wait_ms,
        attach_ms,
        max_hold_ms,
        since_ms,
        tuple([reader.number(I64) for _ in names]) if options & _GRANTED else (),
    )


def encode_ended(record: EndedRecord) -> bytes:
    """Encode how an acquisition ended."""
    forget_ms, place_id, key, ending = record
    return _ENDED.pack(forget_ms, place_id, ending) + key


def read_ended(reader: Reader) -> EndedRecord:
    """Read how an acquisition ended."""
    forget_ms, place_id, ending = reader.unpack(_ENDED)
    return forget_ms, place_id, reader.rest(), ending
