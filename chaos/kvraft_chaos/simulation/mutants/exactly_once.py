"""Mistakes with identities: what is remembered of a request, of whose, and for how long."""

from collections.abc import Iterator
from dataclasses import replace

from kvraft.core.binary import I64
from kvraft.core.commands import Entry, Identity, KeyIdentity, Request
from kvraft.core.frozen import FrozenState
from kvraft.core.identities import Identities
from kvraft.core.layout import Section, section
from kvraft.core.limits import ApplyLimits
from kvraft.core.machine import StateMachine
from kvraft.core.results import Refused, Replayed, Resolved, Result
from kvraft.replica.loading import StateLoading
from kvraft_chaos.simulation.mutants.registry import Patch, mutant, replaced, together


@mutant("what_was_answered_is_answered_after_a_restart", "done-twice")
def retry_record_missing_from_snapshots() -> Patch:
    """A snapshot holds no outcomes: after a restart a repeated request is done again."""

    def nothing(_: FrozenState) -> Iterator[bytes]:
        yield section(Section.SESSION_OUTCOMES, I64.pack(0))
        yield section(Section.KEY_OUTCOMES, I64.pack(0))

    return replaced(FrozenState, "_outcome_pieces", nothing)


def _record_unless(is_forgotten: type[Result]) -> Patch:
    record = Identities.record

    def unless(
        self: Identities, identity: Identity, request_hash: bytes, result: Result, **more: object
    ) -> None:
        if not isinstance(result, is_forgotten):
            record(self, identity, request_hash, result, **more)  # type: ignore[arg-type]  # as given

    return replaced(Identities, "record", unless)


@mutant("a_refusal_is_told_again", "done-after-all")
def refusal_not_recorded() -> Patch:
    """What was refused is forgotten: a late copy may be applied after all."""
    return _record_unless(Refused)


@mutant("an_identity_is_of_one_request", "answered-for-another")
def identity_not_bound_to_the_request() -> Patch:
    """Another request under a known identity gets the first one's answer."""
    find = Identities.find

    def of_any(
        self: Identities, identity: Identity, request_hash: bytes, now_ms: int, limits: ApplyLimits
    ) -> Replayed | Refused | None:
        known = self._look_up(identity, now_ms, limits)
        if known is None or isinstance(known, Refused) or known.result is None:
            return find(self, identity, request_hash, now_ms, limits)
        return Replayed(known.result, known.revision, known.omitted)

    return replaced(Identities, "find", of_any)


@mutant("two_copies_in_one_entry_are_one_effect", "both-done")
def identities_of_a_batch_checked_up_front() -> Patch:
    """All identities of an entry are looked up before its first command is done (RULES B4)."""
    apply, find, record = StateMachine.apply, Identities.find, Identities.record
    new: set[Identity] = set()

    def looks_first(self: StateMachine, index: int, entry: Entry) -> list[Result]:
        new.clear()
        for each in entry.commands:
            identity = each.identity if isinstance(each, Request) else None
            if identity is not None and _outcome(self._identities, identity) is None:
                new.add(identity)
        return apply(self, index, entry)

    def finds(
        self: Identities, identity: Identity, request_hash: bytes, now_ms: int, limits: ApplyLimits
    ) -> Replayed | Refused | None:
        known = find(self, identity, request_hash, now_ms, limits)
        return None if identity in new else known

    def records(
        self: Identities, identity: Identity, request_hash: bytes, result: Result, **more: object
    ) -> None:
        if _outcome(self, identity) is None:
            record(self, identity, request_hash, result, **more)  # type: ignore[arg-type]  # as given

    return together(
        replaced(StateMachine, "apply", looks_first),
        replaced(Identities, "find", finds),
        replaced(Identities, "record", records),
    )


def _outcome(identities: Identities, identity: Identity) -> object:
    if isinstance(identity, KeyIdentity):
        return identities.outcomes.of_key(identity.key)
    return identities.outcomes.of_sequence(identity.session_id, identity.sequence)


@mutant("a_key_is_kept_for_as_long_as_is_said", "forgotten-early")
def key_evicted_before_its_retention() -> Patch:
    """Keys are forgotten after a tenth of the time that is promised."""
    age_out = Identities.age_out

    def early(self: Identities, now_ms: int, limits: ApplyLimits, commands: int) -> None:
        limits = replace(limits, key_retention_ms=limits.key_retention_ms // 10)
        age_out(self, now_ms, limits, commands)

    return replaced(Identities, "age_out", early)


@mutant("what_was_resolved_as_never_applied_never_is", "burned-but-done")
def resolve_does_not_burn() -> Patch:
    """A request that was told to have never been applied is applied when it comes late."""
    resolve = Identities.resolve

    def only_looks(
        self: Identities, identity: Identity, now_ms: int, limits: ApplyLimits
    ) -> Resolved | Refused:
        if _outcome(self, identity) is None:
            return Resolved(None)
        return resolve(self, identity, now_ms, limits)

    return replaced(Identities, "resolve", only_looks)


@mutant("a_session_id_is_given_once", "given-again")
def session_id_reused_after_restart() -> Patch:
    """A loaded state goes on from the highest session that is open."""
    machine = StateLoading.machine

    def of_the_open(self: StateLoading) -> StateMachine:
        loaded = machine(self)
        sessions = loaded._identities.sessions  # noqa: SLF001 - the mistake is made there
        sessions.next_id = 1 + max(sessions.table.between(0, None), default=0)
        return loaded

    return replaced(StateLoading, "machine", of_the_open)
