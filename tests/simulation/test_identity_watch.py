"""The model of identities accepts what the state machine does, and convicts anything else."""

import pytest

from kvraft.core.codec import encode_entry
from kvraft.core.commands import (
    Entry,
    KeyIdentity,
    Put,
    Request,
    Resolve,
    SessionClose,
    SessionIdentity,
    SessionOpen,
)
from kvraft.core.errors import Reason
from kvraft.core.limits import ApplyLimits
from kvraft.core.machine import StateMachine
from kvraft.core.results import (
    KeyValue,
    PutResult,
    Refused,
    Replayed,
    Resolved,
    SessionResult,
)
from kvraft.replica.batcher import AppliedBatch
from kvraft_chaos.simulation.chronicle import Chronicle
from kvraft_chaos.simulation.identity_watch import IdentityWatch

LIMITS = ApplyLimits(key_retention_ms=1_000, session_idle_ms=500, session_window=4)
KEY = KeyIdentity(b"order 1")
PUT = Request(Put(b"k", b"1"), identity=KEY)
DONE = PutResult(KeyValue(b"k", b"1", 2, 2, 1, 0))


class Log:
    """A chronicle that a real state machine writes, and whose results can be tampered with."""

    def __init__(self):
        self.reported = []
        self.chronicle = Chronicle(lambda kind, _: self.reported.append(kind), lambda: 0.0, [])
        self.watch = IdentityWatch(self.chronicle)
        self.chronicle.listeners.append(self.watch.on_chapter)
        self.machine = StateMachine(limits=LIMITS)

    def apply(self, *commands, at_ms=0, told=None):
        entry = Entry(at_ms, commands)
        index = self.machine.index + 1
        before = self.chronicle.before(self.machine, entry)
        results = self.machine.apply(index, entry)
        batch = AppliedBatch(results if told is None else [told], self.machine.revisions)
        self.chronicle.write(index, encode_entry(entry), batch, before)
        return results


@pytest.fixture
def log():
    return Log()


def in_session(sequence, first_unacked=1, value=b"1"):
    return Request(Put(b"k", value), identity=SessionIdentity(1, sequence, first_unacked))


def test_what_the_state_machine_does_is_right(log):
    log.apply(PUT, PUT, Request(Put(b"k", b"2"), identity=KEY), Resolve(KEY))
    log.apply(
        Resolve(KeyIdentity(b"late")), Request(Put(b"k", b"3"), identity=KeyIdentity(b"late"))
    )
    log.apply(PUT, at_ms=1_000)
    log.apply(SessionOpen(), at_ms=1_100)
    log.apply(in_session(1), in_session(1), in_session(2, 2), in_session(1), at_ms=1_200)
    log.apply(in_session(6, 2), in_session(5, 2), at_ms=1_300)
    log.apply(in_session(7, 6), at_ms=1_900)
    log.apply(SessionOpen(), SessionClose(2), Resolve(SessionIdentity(2, 1, 1)), at_ms=1_900)
    assert log.reported == []
    assert log.watch.replays == 2
    assert log.watch.refusals == 5


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (DONE, "effect-twice"),
        (Replayed(DONE, 7), "replay-differs"),
        (Replayed(PutResult(KeyValue(b"k", b"9", 2, 2, 1, 0)), 2), "replay-differs"),
        (Replayed(DONE, 2, omitted=True), "replay-differs"),
        (Refused(Reason.KEY_REUSED, ""), "wrong-identity-answer"),
    ],
)
def test_a_copy_that_is_not_answered_as_the_first(log, told, found):
    log.apply(PUT)
    log.apply(PUT, told=told)
    assert log.reported == [found]


def test_a_key_that_is_forgotten_early(log):
    log.apply(PUT)
    log.apply(PUT, at_ms=999, told=DONE)
    assert log.reported == ["effect-twice"]


def test_another_request_under_the_same_key(log):
    log.apply(PUT)
    log.apply(Request(Put(b"k", b"2"), identity=KEY), told=Replayed(DONE, 2))
    assert log.reported == ["identity-unbound"]


def test_what_was_burned_and_is_done(log):
    log.apply(Resolve(KEY))
    log.apply(PUT, told=DONE)
    assert log.reported == ["burned-but-applied"]


def test_a_resolution_that_is_wrong(log):
    log.apply(PUT)
    log.apply(Resolve(KEY), told=Resolved(None))
    log.apply(Resolve(KeyIdentity(b"other")), told=Resolved(DONE, 2))
    assert log.reported == ["replay-differs", "wrong-resolution"]


def test_a_session_id_that_is_given_twice(log):
    log.apply(SessionOpen())
    log.apply(SessionOpen(), told=SessionResult(1))
    assert log.reported == ["session-id-reused"]


def test_a_session_that_ended_and_still_does(log):
    log.apply(SessionOpen())
    log.apply(in_session(1), at_ms=500, told=DONE)
    assert log.reported == ["effect-twice"]
