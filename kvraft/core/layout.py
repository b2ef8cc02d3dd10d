"""The layout of an encoded state: its sections, their order and versions, and fixed records.

Imports: core commands. MAGIC, then every section of `Section` in order, each with {id u8, version
u8, head size u32}, its head, and the items that the head counts.
"""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

MAGIC = b"kvraft state\n"


class Section(IntEnum):
    """Everything the state consists of; a section never changes its layout without a version."""

    COUNTERS = 1
    """Applied index, revision, cluster time, and the counters of ids and tokens."""
    CLUSTER = 2
    """Cluster id."""
    MEMBERS = 3
    LIMITS = 4
    LEASES = 5
    KEYS = 6
    SESSIONS = 7
    SESSION_OUTCOMES = 8
    """By session id and sequence."""
    KEY_OUTCOMES = 9
    """In order of completion."""
    INVARIANTS = 10
    """By key, that of the key itself before that of the prefix."""
    HISTORY = 11
    """What events replaced, and why; what they wrote is the next one's, or in KEYS."""
    PLACES = 12
    """By place id, which is the order of every queue."""
    ENDED_PLACES = 13
    """By the time until which they are remembered, then by place id."""
    GUARDS = 14
    """By prefix."""
    END = 255
    """Nothing: it tells a whole state from one that was cut off between two items."""


VERSIONS = dict.fromkeys(Section, 1) | {Section.COUNTERS: 3, Section.LIMITS: 3}
"""The one version of each section that is written and read."""

SECTION_HEADER = Struct("<BBI")
COUNTERS = Struct("<8q")
LEASE = Struct("<qqqB")  # lease_id, ttl_ms, deadline_ms, implicit
KEY = Struct("<HIqqqq")  # key size, value size, create_, mod_revision, version, lease_id
SESSION = Struct("<3q")  # session_id, first_unacked, used_ms
SESSION_OUTCOME = Struct("<3qI")  # session_id, sequence, revision, outcome size
KEY_OUTCOME = Struct("<2qBI")  # completed_ms, revision, key size, outcome size
EVENT = Struct("<2qBHi")  # revision, time_ms, cause, key size, size of the value before
BEFORE = Struct("<4q")  # create_, mod_revision, version, lease_id
ABSENT = -1
"""Size of the value before an event of a key that was absent; no BEFORE follows."""


class Counters(NamedTuple):
    """What only grows."""

    applied_index: int
    revision: int
    cluster_time_ms: int
    next_lease_id: int
    next_token: int
    """The next fencing token."""
    next_session_id: int
    compacted_revision: int
    """The oldest revision that can be read at."""
    next_place_id: int


def section(kind: Section, head: bytes) -> bytes:
    """Return the beginning of a section."""
    return SECTION_HEADER.pack(kind, VERSIONS[kind], len(head)) + head
