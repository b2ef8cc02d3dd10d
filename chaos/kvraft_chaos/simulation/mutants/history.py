"""Mistakes with the past: what is kept of it, where, and what a hash sees of that."""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import chain

from kvraft.core.binary import I64
from kvraft.core.frozen import FrozenState
from kvraft.core.history import History
from kvraft.core.layout import Section, section
from kvraft.core.limits import ApplyLimits
from kvraft.core.loaded_parts import LoadedHistory
from kvraft.replica import hashes
from kvraft.replica.batcher import AppliedBatch
from kvraft.replica.replica import Replica
from kvraft_chaos.simulation.mutants.registry import Patch, mutant, replaced, together

PIECES = (
    "_heads",
    "_lease_pieces",
    "_key_pieces",
    "_session_pieces",
    "_outcome_pieces",
    "_invariant_pieces",
    "_history_pieces",
)
"""What a state consists of."""
HASH = "a_state_hash_sees_who_asked_and_what_was"


@mutant("every_node_forgets_the_same", "states-differ")
def history_trimmed_by_local_clock() -> Patch:
    """Each node forgets by its own clock instead of the log's."""
    apply, trim = Replica.apply, History.trim
    now_ms = [0]

    def notes_clock(self: Replica, index: int, payload: bytes) -> AppliedBatch:
        now_ms[0] = int(self.now() * 1000)
        return apply(self, index, payload)

    def by_own_clock(self: History, _: int, limits: ApplyLimits) -> None:
        trim(self, now_ms[0], limits)

    return together(
        replaced(Replica, "apply", notes_clock), replaced(History, "trim", by_own_clock)
    )


@mutant("the_past_is_the_same_after_a_restart", "past-differs")
def history_missing_from_snapshots() -> Patch:
    """A snapshot holds no events, and nobody looks whether any are missing."""

    def nothing(_: FrozenState) -> Iterator[bytes]:
        yield section(Section.HISTORY, I64.pack(0))

    def believes(_: LoadedHistory) -> None:
        return

    return together(
        replaced(FrozenState, "_history_pieces", nothing),
        replaced(LoadedHistory, "finish", believes),
    )


@mutant("what_is_forgotten_is_refused", "forgotten-but-answered")
def read_of_a_forgotten_revision_answered() -> Patch:
    """What is forgotten is not noted: a read of that time gets what was known later."""
    forget = History._forget_oldest  # noqa: SLF001 - the mistake is made there

    def without_note(self: History) -> int:
        before = self.compacted_revision
        count = forget(self)
        self.compacted_revision = before
        return count

    return replaced(History, "_forget_oldest", without_note)


def _hash_without(*left_out: str) -> Patch:
    def digest_of_the_rest(state: FrozenState) -> Iterator[str | None]:
        digest = blake2b(digest_size=32)
        for piece in chain(*(getattr(state, name)() for name in PIECES if name not in left_out)):
            digest.update(piece)
            yield None
        yield digest.hexdigest()

    return replaced(hashes, "state_hash", digest_of_the_rest)


@mutant(HASH, "blind-to-sessions")
def state_hash_blind_to_sessions() -> Patch:
    """The state hash leaves sessions and outcomes out."""
    return _hash_without("_session_pieces", "_outcome_pieces")


@mutant(HASH, "blind-to-history")
def state_hash_blind_to_history() -> Patch:
    """The state hash leaves the history out."""
    return _hash_without("_history_pieces")
