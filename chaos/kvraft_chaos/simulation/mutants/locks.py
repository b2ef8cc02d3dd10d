"""Mistakes with locks: who is granted what, in which order, and what is remembered of it."""

from collections.abc import Iterator
from hashlib import blake2b

from kvraft.core import granting, lock_commands
from kvraft.core.commands import Acquire
from kvraft.core.ended_places import EndedPlaces
from kvraft.core.frozen import FrozenState
from kvraft.core.granting import Granting
from kvraft.core.history import Cause
from kvraft.core.lease_commands import LeaseCommands
from kvraft.core.limits import ApplyLimits
from kvraft.core.lock_commands import LockCommands
from kvraft.core.machine import StateMachine
from kvraft.core.places import PlaceRecord, Places
from kvraft.core.queues import admits
from kvraft.core.results import Refused, ReleaseResult
from kvraft.replica import hashes
from kvraft.replica.loading import StateLoading
from kvraft_chaos.simulation.mutants.registry import Patch, mutant, replaced


@mutant("tokens_grow_through_a_restart", "given-again")
def token_counter_missing_from_snapshots() -> Patch:
    """A loaded state goes on from the highest token that somebody holds (RULES B7)."""
    machine = StateLoading.machine

    def of_the_holders(self: StateLoading) -> StateMachine:
        loaded = machine(self)
        places = loaded._places.table.between(0, None)  # noqa: SLF001 - the mistake is made there
        held = [loaded._places.live(each).tokens for each in places]  # noqa: SLF001
        loaded.next_token = 1 + max((each[-1] for each in held if each), default=0)
        return loaded

    return replaced(StateLoading, "machine", of_the_holders)


@mutant("every_grant_has_a_token_of_its_own", "one-token-twice")
def token_is_the_revision() -> Patch:
    """Whoever is granted a lock in one revision gets the same token (RULES B7)."""
    with_tokens = Granting._with_tokens  # noqa: SLF001 - the mistake is made there

    def of_the_revision(self: Granting, record: PlaceRecord) -> PlaceRecord:
        token = self.revision + 1
        return with_tokens(self, record)._replace(tokens=(token,) * len(record.names))

    return replaced(Granting, "_with_tokens", of_the_revision)


@mutant("what_ends_in_an_entry_is_not_granted_to", "granted-to-the-ended")
def lock_granted_to_a_lease_that_ends() -> Patch:
    """What falls due in an entry is granted to until its turn to end comes (RULES I2)."""
    end_lease = LeaseCommands._end_lease  # noqa: SLF001 - the mistake is made there

    def unmarked(self: LeaseCommands, lease_id: int, cause: Cause) -> int:
        self._ending_leases = set()
        return end_lease(self, lease_id, cause)

    return replaced(LeaseCommands, "_end_lease", unmarked)


@mutant("an_expired_holder_makes_room_at_once", "not-handed-over")
def expiry_without_hand_over() -> Patch:
    """A lease that expires frees its locks, and nobody looks who waits."""
    settle = Granting._settle  # noqa: SLF001 - the mistake is made there

    def not_at_an_end(self: Granting) -> None:
        if self._ending_leases:
            self._unsettled = set()
        settle(self)

    return replaced(Granting, "_settle", not_at_an_end)


@mutant("a_grant_that_nobody_confirms_is_taken_back", "kept")
def unconfirmed_grant_kept() -> Patch:
    """A grant stands, whether its client ever heard of it or not (RULES B8)."""
    with_tokens = Granting._with_tokens  # noqa: SLF001 - the mistake is made there

    def for_good(self: Granting, record: PlaceRecord) -> PlaceRecord:
        return with_tokens(self, record)._replace(attach_deadline_ms=None)

    return replaced(Granting, "_with_tokens", for_good)


@mutant("a_wait_ends_in_time", "granted-too-late")
def wait_without_end() -> Patch:
    """How long a client wants to wait is not written down: only the client ends it (RULES B8)."""
    wanted = LockCommands._wanted  # noqa: SLF001 - the mistake is made there

    def for_ever(self: LockCommands, command: Acquire) -> PlaceRecord:
        return wanted(self, command)._replace(wait_deadline_ms=None)

    return replaced(LockCommands, "_wanted", for_ever)


@mutant("a_cancel_that_overtakes_its_acquire_wins", "ghost")
def cancel_of_the_unknown_forgotten() -> Patch:
    """A cancel that finds nothing does nothing, and the Acquire behind it begins a ghost."""

    def nothing(_self: LockCommands, _key: bytes) -> ReleaseResult:
        return ReleaseResult(False)

    return replaced(LockCommands, "_release_absent", nothing)


@mutant("a_late_copy_of_an_acquire_begins_nothing", "ghost")
def ended_place_forgotten_at_once() -> Patch:
    """What ended is not remembered: a late copy of its Acquire begins it anew (RULES I6)."""

    def forgets(
        _self: EndedPlaces, _forget_ms: int, _place_id: int, _key: bytes, _ending: int
    ) -> None:
        return None

    return replaced(EndedPlaces, "add", forgets)


@mutant("no_reader_passes_a_waiting_writer", "overtaken")
def reader_passes_a_waiting_writer() -> Patch:
    """Whoever goes with the holders is let in, whoever was there first."""

    def beside_the_holders(self: LockCommands, record: PlaceRecord) -> bool:
        locks = [self._places.locks.get(name) for name in record.names]
        return all(lock is None or admits(lock, record, self.limits) for lock in locks)

    return replaced(LockCommands, "_is_free", beside_the_holders)


@mutant("a_cycle_of_waits_is_refused", "both-wait")
def deadlock_not_detected() -> Patch:
    """Nobody looks who waits for whom."""

    def never(_places: Places, _record: PlaceRecord, _limits: ApplyLimits) -> Refused | None:
        return None

    return replaced(lock_commands, "refuse_deadlock", never)


@mutant("two_tasks_on_one_lease_are_two_owners", "false-deadlock")
def owner_is_the_lease() -> Patch:
    """Who waits is told by the lease, not by the task (RULES B6)."""
    wanted = LockCommands._wanted  # noqa: SLF001 - the mistake is made there

    def of_the_lease(self: LockCommands, command: Acquire) -> PlaceRecord:
        return wanted(self, command)._replace(owner=str(command.lease_id).encode())

    return replaced(LockCommands, "_wanted", of_the_lease)


@mutant("a_state_hash_sees_who_holds", "blind")
def state_hash_blind_to_places() -> Patch:
    """The state hash leaves out who holds and who waits."""

    def without_places(state: FrozenState) -> Iterator[str | None]:
        digest = blake2b(digest_size=32)
        for piece in (*state._heads(), *state._lease_pieces(), *state._key_pieces()):  # noqa: SLF001
            digest.update(piece)
            yield None
        yield digest.hexdigest()

    return replaced(hashes, "state_hash", without_places)


@mutant("several_locks_are_had_together_or_not_at_all", "granted-in-part")
def several_locks_granted_for_the_first() -> Patch:
    """An acquisition of several locks is granted when it could have the first of them."""

    def heads_the_first(
        places: Places, place_id: int, record: PlaceRecord, limits: ApplyLimits
    ) -> bool:
        lock = places.locks[record.names[0]]
        return lock.queue[0] == place_id and admits(lock, record, limits)

    return replaced(granting, "heads_all", heads_the_first)
