"""Exactly once, as the log must have it: its own model of sessions, keys and their answers.

For every identified command it says what must come: the first answer again, a refusal for one
reason, or execution. Whatever differs is a violation, named by what it breaks.
"""

from collections import deque
from dataclasses import dataclass, field

from kvraft.core.commands import (
    Identity,
    KeyIdentity,
    Request,
    Resolve,
    SessionClose,
    SessionIdentity,
    SessionOpen,
)
from kvraft.core.errors import Reason
from kvraft.core.limits import ApplyLimits
from kvraft.core.result_codec import encode_result
from kvraft.core.results import (
    Refused,
    Replayed,
    Resolved,
    Result,
    SessionResult,
    TxnResult,
    Unmet,
)
from kvraft_chaos.simulation.chronicle import Before, Chapter, Chronicle

DONE, REPLAY = "done", "replayed"
OWN_REASONS = (Reason.KEY_REUSED, Reason.SESSION_EXPIRED, Reason.ABANDONED, Reason.OVERLOAD)
"""Refusals by the identity machinery itself: they say nothing about the request."""

Name = bytes | tuple[int, int]


@dataclass(frozen=True, slots=True)
class Known:
    """What became of an identity; `request` None: it was burned."""

    request: Request | None
    result: Result | None
    revision: int
    time_ms: int


@dataclass(slots=True)
class Session:
    """An open one."""

    first_unacked: int
    used_ms: int


@dataclass(slots=True)
class IdentityWatch:
    """Listens to the chronicle."""

    chronicle: Chronicle
    known: dict[Name, Known] = field(default_factory=dict)
    sessions: dict[int, Session] = field(default_factory=dict)
    given: set[int] = field(default_factory=set)
    replays: int = 0
    refusals: int = 0
    _keys: deque[tuple[int, bytes]] = field(default_factory=deque)
    """When they were completed, the oldest first."""

    def on_chapter(self, chapter: Chapter, before: Before) -> None:
        """Follow one entry."""
        limits, now_ms = before.machine.limits, chapter.cluster_time_ms
        self._age(now_ms, limits)
        done = zip(chapter.commands, chapter.results, chapter.revisions, strict=True)
        for command, result, revision in done:
            if isinstance(command, Request) and command.identity is not None:
                wanted = self._wanted(command, command.identity, now_ms, limits)
                self._judge(command, wanted, result)
                self._note(command, result, revision, now_ms, limits)
            elif isinstance(command, Resolve):
                self._resolve(command.identity, result, now_ms, limits)
            elif isinstance(command, SessionOpen) and isinstance(result, SessionResult):
                self._opened(result.session_id, now_ms)
            elif isinstance(command, SessionClose):
                self.sessions.pop(command.session_id, None)

    def _age(self, now_ms: int, limits: ApplyLimits) -> None:
        """The oldest keys go first; there are never more than an entry may forget."""
        idle = now_ms - limits.session_idle_ms
        for number in [each for each, session in self.sessions.items() if session.used_ms <= idle]:
            del self.sessions[number]
        old = now_ms - limits.key_retention_ms
        while self._keys and self._keys[0][0] <= old:
            del self.known[self._keys.popleft()[1]]

    def _opened(self, session_id: int, now_ms: int) -> None:
        if session_id in self.given:
            self.chronicle.report("session-id-reused", f"session {session_id} is given again")
        self.given.add(session_id)
        self.sessions[session_id] = Session(1, now_ms)

    # -- requests

    def _wanted(
        self, command: Request, identity: Identity, now_ms: int, limits: ApplyLimits
    ) -> str:
        """Say what must come."""
        refused = self._look(identity, now_ms, limits)
        known = self.known.get(_name(identity))
        if refused is not None:
            return refused
        if known is None:
            return DONE
        first = known.request
        if first is None:
            return Reason.ABANDONED
        asked = (command.mutation, command.condition, command.fences)
        same = (first.mutation, first.condition, first.fences) == asked
        return REPLAY if same else Reason.KEY_REUSED

    def _judge(self, command: Request, wanted: str, result: Result) -> None:
        came = _kind(result)
        if came != wanted:
            self.chronicle.report(_breach(wanted, came), f"{command} is {came}, not {wanted}")
        self.refusals += came in OWN_REASONS

    def _note(
        self, command: Request, result: Result, revision: int, now_ms: int, limits: ApplyLimits
    ) -> None:
        assert command.identity is not None
        name = _name(command.identity)
        known = self.known.get(name)
        if isinstance(result, Replayed):
            self.replays += 1
            if known is not None and known.request is not None:
                self._compare(f"{command}", known, result, limits)
        elif _kind(result) == DONE:
            self._keep(name, Known(command, result, revision, now_ms))

    def _keep(self, name: Name, known: Known) -> None:
        if isinstance(name, bytes) and name not in self.known:
            self._keys.append((known.time_ms, name))
        self.known[name] = known

    def _look(self, identity: Identity, now_ms: int, limits: ApplyLimits) -> Reason | None:
        """What the session says, before anything is looked up."""
        if isinstance(identity, KeyIdentity):
            return None
        session = self.sessions.get(identity.session_id)
        if session is None:
            return Reason.SESSION_EXPIRED
        session.used_ms = now_ms
        session.first_unacked = max(session.first_unacked, identity.first_unacked)
        if identity.sequence < session.first_unacked:
            return Reason.SESSION_EXPIRED
        beyond = identity.sequence >= session.first_unacked + limits.session_window
        return Reason.OVERLOAD if beyond else None

    def _compare(
        self, what: str, known: Known, told: Replayed | Resolved, limits: ApplyLimits
    ) -> None:
        """What is too large to keep is told in outline: what came of it, not with which values."""
        first = known.result
        assert first is not None
        is_large = len(encode_result(first)) > limits.outcome_reply_bytes
        alike = _outline(told.result) == _outline(first) if is_large else told.result == first
        if not alike or told.omitted is not is_large or told.revision != known.revision:
            detail = f"{what}: {told}, before {first} at {known.revision}"
            self.chronicle.report("replay-differs", detail)

    def _resolve(
        self, identity: Identity, result: Result, now_ms: int, limits: ApplyLimits
    ) -> None:
        refused = self._look(identity, now_ms, limits)
        if refused is not None or isinstance(result, Refused):
            if refused != _kind(result):
                self.chronicle.report("wrong-resolution", f"{identity}: {result}, not {refused}")
            return
        assert isinstance(result, Resolved)
        name = _name(identity)
        known = self.known.get(name)
        if known is None:
            known = Known(None, None, 0, now_ms)
            self._keep(name, known)
        if known.request is None:
            if result != Resolved(None):
                self.chronicle.report("wrong-resolution", f"{identity} was burned: {result}")
        else:
            self._compare(f"{identity}", known, result, limits)


def _outline(result: Result | None) -> tuple[object, ...]:
    if isinstance(result, TxnResult):
        return TxnResult, *_outline(result.unmet)
    clause = result.clause if isinstance(result, Unmet) else None
    return type(result), clause, getattr(result, "succeeded", None)


def _name(identity: Identity) -> Name:
    if isinstance(identity, SessionIdentity):
        return identity.session_id, identity.sequence
    return identity.key


def _kind(result: Result) -> str:
    if isinstance(result, Replayed):
        return REPLAY
    if isinstance(result, Refused) and result.reason in OWN_REASONS:
        return result.reason
    return DONE


def _breach(wanted: str, came: str) -> str:
    if wanted == Reason.ABANDONED:
        return "burned-but-applied"
    if wanted == Reason.KEY_REUSED:
        return "identity-unbound"
    if came == DONE:
        return "effect-twice"
    return "wrong-identity-answer"
