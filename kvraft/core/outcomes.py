"""Stored outcomes: what was answered to whom, so that nothing is done a second time.

Imports: core only. Two tables: by session and sequence, and by a key of the
caller's own in order of completion. An outcome that nobody may ask for any more (acknowledged, or
of an ended session) stays until `prune` comes by: one command may make a whole window obsolete, and
must not pay for it. The invariant: which of them are obsolete depends on the state alone.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import islice
from typing import NamedTuple

from kvraft.core.errors import CodecError
from kvraft.core.limits import ApplyLimits
from kvraft.core.outline import outline, restored, value_bytes
from kvraft.core.result_codec import decode_result, encode_result
from kvraft.core.results import Result
from kvraft.core.table import Table

OUTCOME_BYTES = 300
"""Accounted for one outcome besides its key and reply: measured are 280 (sequence), 380 (key)."""
HASH_BYTES = 16
"""Of a request: 64 bits against accidents, twice that against ill will."""

KEY_BYTES_MAX = 255
"""Of an idempotency key: one byte holds its length."""
_LARGEST_BARE = OUTCOME_BYTES + KEY_BYTES_MAX + HASH_BYTES + 1
ABANDONED = b"\2"
"""What is kept of an identity that was burned, instead of a packed outcome."""

_DONE, _OMITTED = b"\0", b"\1"
_SEQUENCE_BITS = 63
_SEQUENCES_END = 1 << _SEQUENCE_BITS

SequenceRecord = tuple[int, bytes]
"""revision, and the packed outcome."""
KeyRecord = tuple[bytes, int, int, bytes]
"""key, completed_ms, revision, and the packed outcome."""


class Outcome(NamedTuple):
    """What became of a request. `request_hash` is empty where it was abandoned before it came."""

    request_hash: bytes
    revision: int
    result: Result | None
    """None: abandoned."""
    omitted: bool = False
    """Part of the result was too large to keep."""

    @property
    def abandoned(self) -> bool:
        """Whether the identity was burned: its request must never be applied."""
        return not self.request_hash


def pack_outcome(request_hash: bytes, result: Result, reply_bytes: int) -> bytes:
    """Return what is kept of an answer: all of it, or its outline of `reply_bytes`."""
    if value_bytes(result) <= reply_bytes:
        reply = encode_result(result)
        if len(reply) <= reply_bytes:
            return request_hash + _DONE + reply
    return request_hash + _OMITTED + encode_result(outline(result, reply_bytes))


def unpack_outcome(revision: int, packed: bytes) -> Outcome:
    """Return an outcome from what was kept of it; CodecError on anything else."""
    if packed == ABANDONED:
        return Outcome(b"", revision, None)
    request_hash, status = packed[:HASH_BYTES], packed[HASH_BYTES : HASH_BYTES + 1]
    if status not in {_DONE, _OMITTED}:
        raise CodecError(f"outcome: begins with {packed[: HASH_BYTES + 1]!r}")
    result = decode_result(packed[HASH_BYTES + 1 :])
    return Outcome(request_hash, revision, restored(result), status == _OMITTED)


class Outcomes:
    """All stored outcomes, and what they take."""

    __slots__ = (
        "_next_number",
        "_numbers",
        "_obsolete",
        "_to_prune",
        "keyed",
        "sequences",
        "size_bytes",
    )

    def __init__(self) -> None:
        self.sequences: Table[int, SequenceRecord] = Table()
        """By session id and sequence, see `sequence_number`."""
        self.keyed: Table[int, KeyRecord] = Table()
        """In order of completion. The numbers are this node's own: their order is the state."""
        self.size_bytes = 0
        self._numbers: dict[bytes, int] = {}
        self._next_number = 1
        self._obsolete: dict[int, int] = {}  # session_id -> end of its sequences that are to go
        self._to_prune: list[int] = []  # the same sessions, as a heap

    def __len__(self) -> int:
        return len(self.sequences) + len(self.keyed)

    def are_full(self, limits: ApplyLimits) -> bool:
        """Tell whether one more outcome, with the largest reply, might exceed the limits."""
        size_bytes = self.size_bytes
        if size_bytes + _LARGEST_BARE + limits.outcome_reply_bytes > limits.outcome_bytes:
            return True
        # (Each takes so many bytes at least: mostly there is nothing to count.)
        records = limits.outcome_records
        return size_bytes // OUTCOME_BYTES >= records and len(self) >= records

    # -- of sessions

    def of_sequence(self, session_id: int, sequence: int) -> Outcome | None:
        """Return what became of a session's sequence; None: nothing yet."""
        record = self.sequences.get(session_id << _SEQUENCE_BITS | sequence)
        return None if record is None else unpack_outcome(*record)

    def add_sequence(self, session_id: int, sequence: int, revision: int, packed: bytes) -> None:
        """Keep the outcome of a sequence that has none."""
        self.sequences.put(session_id << _SEQUENCE_BITS | sequence, (revision, packed))
        self.size_bytes += OUTCOME_BYTES + len(packed)

    def drop_below(self, session_id: int, end: int = _SEQUENCES_END) -> None:
        """Make the outcomes of a session's sequences below `end` obsolete."""
        if session_id not in self._obsolete:
            last = session_id << _SEQUENCE_BITS | (end - 1)  # mostly it is there
            is_stored = self.sequences.get(last) is not None
            if not is_stored and next(self._below(session_id, end), None) is None:
                return
            heappush(self._to_prune, session_id)
        self._obsolete[session_id] = end

    def prune(self, budget: int) -> None:
        """Free up to `budget` obsolete outcomes, by (session id, sequence)."""
        while self._obsolete and budget > 0:
            session_id = self._to_prune[0]
            end = self._obsolete[session_id]
            numbers = list(islice(self._below(session_id, end), budget))
            for number in numbers:
                _, packed = self.sequences.remove(number)
                self.size_bytes -= OUTCOME_BYTES + len(packed)
            is_last = len(numbers) < budget or next(self._below(session_id, end), None) is None
            budget -= len(numbers)
            if is_last:
                del self._obsolete[heappop(self._to_prune)]

    def drop_sequences(self) -> None:
        """Forget all sessions' outcomes at once; costs them."""
        for number in self.sequences.between(0, None):
            record = self.sequences.get(number)
            self.size_bytes -= 0 if record is None else OUTCOME_BYTES + len(record[1])
        self.sequences = Table()
        self._obsolete.clear()
        self._to_prune.clear()

    def _below(self, session_id: int, end: int) -> Iterator[int]:
        first = session_id << _SEQUENCE_BITS
        return self.sequences.between(first, first + end)

    # -- of keys

    def of_key(self, key: bytes) -> Outcome | None:
        """Return what became of the request with this key; None: nothing yet."""
        number = self._numbers.get(key)
        record = None if number is None else self.keyed.get(number)
        return None if record is None else unpack_outcome(*record[2:])

    def add_key(self, key: bytes, completed_ms: int, revision: int, packed: bytes) -> None:
        """Keep the outcome of a key that has none; `completed_ms` never decreases."""
        assert key not in self._numbers, key
        self._numbers[key] = self._next_number
        self.keyed.put(self._next_number, (key, completed_ms, revision, packed))
        self._next_number += 1
        self.size_bytes += OUTCOME_BYTES + len(key) + len(packed)

    def age_out(self, until_ms: int, budget: int) -> None:
        """Forget up to `budget` keys that were completed then or earlier, the oldest first."""
        if not self._numbers:
            return
        for number in list(islice(self._completed(until_ms), budget)):
            key, _, _, packed = self.keyed.remove(number)
            del self._numbers[key]
            self.size_bytes -= OUTCOME_BYTES + len(key) + len(packed)

    def _completed(self, until_ms: int) -> Iterator[int]:
        for number in self.keyed.between(0, None):
            record = self.keyed.get(number)
            if record is None or record[1] > until_ms:
                return
            yield number


def sequence_number(session_id: int, sequence: int) -> int:
    """Return the one number that a session's sequence is stored under: their order is by both."""
    return session_id << _SEQUENCE_BITS | sequence


def split_sequence(number: int) -> tuple[int, int]:
    """Return the session id and the sequence of a `sequence_number`."""
    return number >> _SEQUENCE_BITS, number & (_SEQUENCES_END - 1)
