"""Encoded states made by hand, section by section, for the unit tests of the core."""

import struct
from dataclasses import fields

from kvraft.core.invariant_codec import encode_invariant
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
    Section,
)
from kvraft.core.limits import ApplyLimits
from kvraft.core.lock_codec import encode_guard
from kvraft.core.outcomes import pack_outcome
from kvraft.core.place_codec import encode_ended, encode_place
from kvraft.core.places import PlaceRecord
from kvraft.core.results import DeleteResult

LIMITS = len(fields(ApplyLimits))
HASH = b"h" * 16
DONE = pack_outcome(HASH, DeleteResult(1), 99)


def section(kind, head=b"", version=None):
    return SECTION_HEADER.pack(kind, version or VERSIONS[kind], len(head)) + head


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
        "counters": counters(),
        "cluster": section(Section.CLUSTER, struct.pack("<q", 7)),
        "members": section(Section.MEMBERS, b"\x01" + member("n1")),
        "limits": section(Section.LIMITS, struct.pack(f"<{LIMITS}q", *range(1, LIMITS + 1))),
        "leases": leases(),
        "keys": keys(),
        "sessions": sessions(),
        "sequences": sequences(),
        "keyed": keyed(),
        "invariants": invariants(),
        "history": history(),
        "places": places(),
        "ended": ended(),
        "guards": guards(),
        "end": section(Section.END),
    }
    assert parts.keys() <= sections.keys()
    return b"".join((sections | parts).values())


def counters(
    compacted=5, *, index=9, revision=5, time_ms=100, next_session=1, next_token=1, next_place=1
):
    numbers = (index, revision, time_ms, 1, next_token, next_session, compacted, next_place)
    return section(Section.COUNTERS, COUNTERS.pack(*numbers))


def leases(*items):
    return section(Section.LEASES, struct.pack("<I", len(items))) + b"".join(
        LEASE.pack(*item) for item in items
    )


def keys(*items):
    return section(Section.KEYS, struct.pack("<q", len(items))) + b"".join(items)


def sessions(*items):
    return section(Section.SESSIONS, struct.pack("<I", len(items))) + b"".join(
        SESSION.pack(*item) for item in items
    )


def sequences(*items):
    return section(Section.SESSION_OUTCOMES, struct.pack("<q", len(items))) + b"".join(
        SESSION_OUTCOME.pack(*numbers, len(packed)) + packed for *numbers, packed in items
    )


def keyed(*items):
    return section(Section.KEY_OUTCOMES, struct.pack("<q", len(items))) + b"".join(
        KEY_OUTCOME.pack(*numbers, len(name), len(packed)) + name + packed
        for *numbers, name, packed in items
    )


def invariants(*items):
    return section(Section.INVARIANTS, struct.pack("<I", len(items))) + framed(
        map(encode_invariant, items)
    )


def history(*items):
    return section(Section.HISTORY, struct.pack("<q", len(items))) + b"".join(items)


def event(revision, name, before=None, time_ms=50, cause=1):
    """`before`: create_revision, mod_revision, version, lease_id of a record with the value v."""
    size = ABSENT if before is None else 1
    head = EVENT.pack(revision, time_ms, cause, len(name), size)
    return head + (name if before is None else BEFORE.pack(*before) + name + b"v")


def place(place_id, key=b"p", names=(b"x",), **given):
    """A queued exclusive place under lease 5; with `tokens` a granted one, not confirmed yet."""
    usual = {
        "mode": 1,
        "capacity": 1,
        "lease_id": 5,
        "own_lease": False,
        "owner": b"",
        "wait_deadline_ms": None,
        "attach_deadline_ms": 150,
        "max_hold_ms": None,
        "since_ms": 90,
        "tokens": (),
    }
    return place_id, PlaceRecord(key, names, **(usual | given))


def places(*items):
    return section(Section.PLACES, struct.pack("<q", len(items))) + framed(
        encode_place(*item) for item in items
    )


def ended(*items):
    return section(Section.ENDED_PLACES, struct.pack("<q", len(items))) + framed(
        map(encode_ended, items)
    )


def guards(*items):
    return section(Section.GUARDS, struct.pack("<I", len(items))) + framed(map(encode_guard, items))


def framed(items):
    return b"".join(struct.pack("<I", len(each)) + each for each in items)
