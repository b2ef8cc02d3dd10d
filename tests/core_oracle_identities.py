"""Exactly once, as naively as the specification reads: sessions, keys, and what was answered."""

from dataclasses import dataclass, field, replace

from core_oracle_txn import without_values_beyond

from kvraft.core.codec import encode_result
from kvraft.core.commands import SessionIdentity
from kvraft.core.results import Replayed, Resolved, SessionResult, TxnResult, Unmet

ABANDONED = object()


@dataclass
class Outcome:
    asked: object
    result: object
    revision: int
    done_ms: int

    def kept(self, limits):
        """Return what is kept of the result, and whether that is less than all of it."""
        if isinstance(self.result, str):
            return self.result, False
        kept = shortened(self.result, limits.outcome_reply_bytes)
        return kept, kept != self.result


def shortened(result, size):
    """Leave out values, and where that is not enough, entries and the results of operations."""
    if len(encode_result(result)) <= size:
        return result
    bare = without_values_beyond(0, result)
    room = size - len(encode_result(bare))
    if room >= 0:
        return without_values_beyond(room, result)
    if isinstance(result, Unmet):
        return replace(result, entries=())
    assert isinstance(result, TxnResult), result
    if result.unmet is None:
        return TxnResult(None, ())
    others = len(encode_result(TxnResult(result.unmet, ()))) - len(encode_result(result.unmet))
    return TxnResult(shortened(without_values_beyond(0, result.unmet), size - others), ())


@dataclass
class Session:
    used_ms: int
    first_unacked: int = 1
    outcomes: dict[int, Outcome] = field(default_factory=dict)


@dataclass
class Identities:
    """Every answer is a result, or the word of a refusal; None: nothing is known yet."""

    next_session_id: int = 1
    sessions: dict[int, Session] = field(default_factory=dict)
    keys: dict[bytes, Outcome] = field(default_factory=dict)

    obsolete: list[tuple[int, int]] = field(default_factory=list)
    """Outcomes nobody may ask for any more: they take their room until they are freed."""

    def count(self):
        kept = sum(len(session.outcomes) for session in self.sessions.values())
        return len(self.keys) + kept + len(self.obsolete)

    def age_out(self, now_ms, limits, commands):
        budget = limits.expiries_per_entry + 2 * commands
        by_use = sorted(self.sessions, key=lambda i: (self.sessions[i].used_ms, i))
        for session_id in by_use[:budget]:
            if self.sessions[session_id].used_ms + limits.session_idle_ms <= now_ms:
                self.close(session_id)
        for key in list(self.keys)[:budget]:
            if self.keys[key].done_ms + limits.key_retention_ms <= now_ms:
                del self.keys[key]
        self.obsolete = sorted(self.obsolete)[budget:]

    def drop(self, session_id, end):
        outcomes = self.sessions[session_id].outcomes
        for sequence in [one for one in outcomes if one < end]:
            del outcomes[sequence]
            self.obsolete.append((session_id, sequence))

    def open(self, now_ms, limits):
        if len(self.sessions) >= limits.sessions:
            return "OVERLOAD"
        session_id = self.next_session_id
        self.next_session_id += 1
        self.sessions[session_id] = Session(now_ms)
        return SessionResult(session_id)

    def close(self, session_id):
        if session_id not in self.sessions:
            return "SESSION_EXPIRED"
        self.drop(session_id, 1 << 64)
        del self.sessions[session_id]
        return SessionResult(session_id)

    def look_up(self, identity, now_ms, limits):
        """Return the outcome that is there; None; or the word of a refusal."""
        if isinstance(identity, SessionIdentity):
            session = self.sessions.get(identity.session_id)
            if session is None:
                return "SESSION_EXPIRED"
            session.used_ms = now_ms
            session.first_unacked = max(session.first_unacked, identity.first_unacked)
            self.drop(identity.session_id, session.first_unacked)
            if identity.sequence < session.first_unacked:
                return "SESSION_EXPIRED"
            if identity.sequence >= session.first_unacked + limits.session_window:
                return "OVERLOAD"
            found = session.outcomes.get(identity.sequence)
        else:
            found = self.keys.get(identity.key)
        if found is None and self.count() >= limits.outcome_records:
            return "OVERLOAD"
        return found

    def find(self, identity, asked, now_ms, limits):
        found = self.look_up(identity, now_ms, limits)
        if not isinstance(found, Outcome):
            return found
        if found.result is ABANDONED:
            return "ABANDONED"
        if found.asked != asked:
            return "KEY_REUSED"
        kept, omitted = found.kept(limits)
        return Replayed(kept, found.revision, omitted)

    def record(self, identity, outcome):
        if isinstance(identity, SessionIdentity):
            self.sessions[identity.session_id].outcomes[identity.sequence] = outcome
        else:
            self.keys[identity.key] = outcome

    def resolve(self, identity, revision, now_ms, limits):
        found = self.look_up(identity, now_ms, limits)
        if isinstance(found, str):
            return found
        if found is None:
            self.record(identity, Outcome(None, ABANDONED, revision, now_ms))
            return Resolved(None)
        if found.result is ABANDONED:
            return Resolved(None)
        kept, omitted = found.kept(limits)
        return Resolved(kept, found.revision, omitted)
