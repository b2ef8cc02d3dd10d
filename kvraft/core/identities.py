"""Identities of requests: whether one was answered before, and what it may still ask for.

Imports: core only. Within one entry a request sees what the requests before it left, so of two
copies in one batch the second is a replay (B4). What the identity machinery itself refuses is not
recorded: it says nothing about the request.
"""

from kvraft.core.commands import Identity, KeyIdentity
from kvraft.core.errors import Reason
from kvraft.core.limits import ApplyLimits
from kvraft.core.outcomes import ABANDONED, Outcome, Outcomes, pack_outcome
from kvraft.core.results import Refused, Replayed, Resolved, Result, SessionResult
from kvraft.core.sessions import Sessions


class Identities:
    """All sessions and stored outcomes."""

    __slots__ = ("outcomes", "sessions")

    def __init__(
        self,
        next_session_id: int = 1,
        sessions: Sessions | None = None,
        outcomes: Outcomes | None = None,
    ) -> None:
        self.sessions = Sessions(next_session_id) if sessions is None else sessions
        self.outcomes = Outcomes() if outcomes is None else outcomes

    @property
    def session_count(self) -> int:
        """How many sessions are open."""
        return len(self.sessions)

    def open(self, now_ms: int, limits: ApplyLimits) -> SessionResult | Refused:
        """Open a session."""
        count = len(self.sessions)
        if count >= limits.sessions:
            message = f"{count} sessions are open, the limit sessions is {limits.sessions}"
            return Refused(Reason.OVERLOAD, message)
        return SessionResult(self.sessions.open(now_ms))

    def close(self, session_id: int) -> SessionResult | Refused:
        """End a session; its outcomes can be asked for no more."""
        if self.sessions.get(session_id) is None:
            return _no_session(session_id)
        self._end(session_id)
        return SessionResult(session_id)

    def find(
        self, identity: Identity, request_hash: bytes, now_ms: int, limits: ApplyLimits
    ) -> Replayed | Refused | None:
        """Return the answer a request gets without being executed; None: execute and `record` it.

        What is None here fits there: nothing that was executed goes unrecorded.
        """
        found = self._look_up(identity, now_ms, limits)
        if found is None or isinstance(found, Refused):
            return found
        if found.result is None:
            return Refused(Reason.ABANDONED, f"{_named(identity)} was resolved as never applied")
        if found.request_hash != request_hash:
            return Refused(Reason.KEY_REUSED, f"{_named(identity)} was used for another request")
        return Replayed(found.result, found.revision, found.omitted)

    def record(
        self,
        identity: Identity,
        request_hash: bytes,
        result: Result,
        *,
        revision: int,
        now_ms: int,
        limits: ApplyLimits,
    ) -> None:
        """Keep the answer to a request that `find` did not know."""
        packed = pack_outcome(request_hash, result, limits.outcome_reply_bytes)
        self._keep(identity, revision, packed, now_ms)

    def resolve(self, identity: Identity, now_ms: int, limits: ApplyLimits) -> Resolved | Refused:
        """Return what became of a request, for good: one that was not applied never will be."""
        found = self._look_up(identity, now_ms, limits)
        if isinstance(found, Refused):
            return found
        if found is None:
            self._keep(identity, 0, ABANDONED, now_ms)
            return Resolved(None)
        return Resolved(found.result, found.revision, found.omitted)

    def age_out(self, now_ms: int, limits: ApplyLimits, commands: int) -> None:
        """End what is idle, forget what is old; at most a bounded number of each.

        The bound grows with the entry's commands: it forgets faster than it can record.
        """
        budget = limits.expiries_per_entry + 2 * commands
        for _ in range(budget):
            session_id = self.sessions.first_idle(now_ms - limits.session_idle_ms)
            if session_id is None:
                break
            self._end(session_id)
        self.outcomes.age_out(now_ms - limits.key_retention_ms, budget)
        self.outcomes.prune(budget)

    def successor(self, leap: int) -> "Identities":
        """Return those of a restored cluster: a key may be sent again, the sessions are gone."""
        self.outcomes.drop_sequences()
        return Identities(self.sessions.next_id + leap, outcomes=self.outcomes)

    def _look_up(
        self, identity: Identity, now_ms: int, limits: ApplyLimits
    ) -> Outcome | Refused | None:
        """Take note of what a session says, refuse sequences outside of its window, and look."""
        if isinstance(identity, KeyIdentity):
            found = self.outcomes.of_key(identity.key)
        else:
            session_id, sequence = identity.session_id, identity.sequence
            session = self.sessions.get(session_id)
            if session is None:
                return _no_session(session_id)
            first_unacked = identity.first_unacked
            if first_unacked > session[0]:
                self.outcomes.drop_below(session_id, first_unacked)
            else:
                first_unacked = session[0]
            if session != (first_unacked, now_ms):
                self.sessions.use(session_id, first_unacked, now_ms)
            if not first_unacked <= sequence < first_unacked + limits.session_window:
                return _outside(session_id, sequence, first_unacked, limits)
            found = self.outcomes.of_sequence(session_id, sequence)
        if found is None and self.outcomes.are_full(limits):
            return _full(self.outcomes, limits)
        return found

    def _keep(self, identity: Identity, revision: int, packed: bytes, now_ms: int) -> None:
        if isinstance(identity, KeyIdentity):
            self.outcomes.add_key(identity.key, now_ms, revision, packed)
        else:
            self.outcomes.add_sequence(identity.session_id, identity.sequence, revision, packed)

    def _end(self, session_id: int) -> None:
        self.sessions.end(session_id)
        self.outcomes.drop_below(session_id)


def _no_session(session_id: int) -> Refused:
    return Refused(Reason.SESSION_EXPIRED, f"session {session_id} does not exist (any more)")


def _outside(session_id: int, sequence: int, first_unacked: int, limits: ApplyLimits) -> Refused:
    """Say why a sequence is outside of its session's window."""
    if sequence < first_unacked:
        message = f"sequence {sequence} of session {session_id} was acknowledged"
        return Refused(Reason.SESSION_EXPIRED, f"{message}, as all below {first_unacked}")
    message = f"sequence {sequence} of session {session_id}: {first_unacked} is unacknowledged"
    return Refused(
        Reason.OVERLOAD, f"{message}, the limit session_window is {limits.session_window}"
    )


def _named(identity: Identity) -> str:
    if isinstance(identity, KeyIdentity):
        return f"idempotency key {identity.key!r}"
    return f"sequence {identity.sequence} of session {identity.session_id}"


def _full(outcomes: Outcomes, limits: ApplyLimits) -> Refused:
    message = (
        f"{len(outcomes)} outcomes of {outcomes.size_bytes} bytes are stored, the limits are"
        f" outcome_records {limits.outcome_records} and outcome_bytes {limits.outcome_bytes}"
    )
    return Refused(Reason.OVERLOAD, message)
