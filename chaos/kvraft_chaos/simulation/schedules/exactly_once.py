"""Schedules about identities: one effect, one answer, whatever is repeated, and when."""

from dataclasses import replace

from kvraft.core.actions import Action, ActionKind
from kvraft.core.commands import (
    Identity,
    KeyIdentity,
    Mutation,
    Put,
    Request,
    Resolve,
    SessionClose,
    SessionIdentity,
    SessionOpen,
    SetInvariant,
    Update,
)
from kvraft.core.errors import Reason
from kvraft.core.limits import ApplyLimits
from kvraft.core.results import PutResult, Refused, Replayed, Resolved, Result, SessionResult
from kvraft.replica.outcomes import Answer
from kvraft_chaos.simulation.schedule import Findings, findings, schedule
from kvraft_chaos.simulation.schedules.clients import (
    REPLICA,
    SNAPSHOTS,
    answered,
    machine,
    put,
    restarted,
)
from kvraft_chaos.simulation.schedules.clients import Request as Asking
from kvraft_chaos.simulation.store import Bounds
from kvraft_chaos.simulation.world import World

KEY = KeyIdentity(b"order 1")
RETENTION_MS = 4_000
SHORT = replace(REPLICA, bounds=Bounds(ApplyLimits(key_retention_ms=RETENTION_MS)))


def said(mutation: Mutation, identity: Identity = KEY) -> Request:
    """A mutation that says who it is."""
    return Request(mutation, identity=identity)


def add(key: bytes, number: int) -> Update:
    """Add to a number."""
    return Update(key, (Action(ActionKind.ADD, number),))


@schedule("B5", settings=SNAPSHOTS)
def what_was_answered_is_answered_after_a_restart(world: World) -> Findings:
    """By key and by session; every node has loaded a snapshot in between."""
    world.boot("A")
    session = answered(world, "A", SessionOpen())
    assert isinstance(session, SessionResult)
    requests = [
        said(add(b"c", 1)),
        said(add(b"c", 1), SessionIdentity(session.session_id, 1, 1)),
    ]
    first = [answered(world, name, each) for name, each in zip("AB", requests, strict=True)]
    now_leads = restarted(world)
    again = [answered(world, now_leads, each) for each in requests]
    told = [each.result if isinstance(each, Replayed) else None for each in again]
    found = machine(world, now_leads).get(b"c")
    return findings(done_twice=found is None or found.value != b"2", differs=told != first)


@schedule("I5", settings=REPLICA)
def a_refusal_is_told_again(world: World) -> Findings:
    """What forbade it is gone when the second copy comes."""
    world.boot("A")
    answered(world, "A", SetInvariant(b"acct/", is_prefix=True, minimum=0))
    request = said(add(b"acct/0", -5))
    first = answered(world, "A", request)
    answered(world, "A", put("acct/0", 100))
    again = answered(world, "B", request)
    refused = isinstance(first, Refused) and first.reason is Reason.INVARIANT
    return findings(not_refused=not refused, done_after_all=again_told(again) != first)


def again_told(result: Result) -> Result | None:
    """What a replay repeats; None where it is none."""
    return result.result if isinstance(result, Replayed) else None


@schedule("SEMANTICS, identities", settings=REPLICA)
def an_identity_is_of_one_request(world: World) -> Findings:
    world.boot("A")
    answered(world, "A", said(put("k", 1)))
    other = answered(world, "A", said(put("k", 2)))
    refused = isinstance(other, Refused) and other.reason is Reason.KEY_REUSED
    return findings(answered_for_another=not refused)


@schedule("B4", settings=REPLICA)
def two_copies_in_one_entry_are_one_effect(world: World) -> Findings:
    world.boot("A")
    copies = [Asking(world, "A", said(add(b"c", 1))) for _ in range(2)]
    world.until(lambda: all(each.told for each in copies))
    told = [each.told[0] for each in copies]
    entries = {each.index for each in told if isinstance(each, Answer)}
    found = machine(world, "A").get(b"c")
    assert found is not None
    return findings(
        two_entries=len(entries) != 1,
        both_done=found.value != b"1",
        no_replay=not any(isinstance(each.result, Replayed) for each in copies),
    )


@schedule("B5, retention", settings=SHORT)
def a_key_is_kept_for_as_long_as_is_said(world: World) -> Findings:
    """And no longer: then it names another request."""
    world.boot("A")
    request = said(add(b"c", 1))
    answered(world, "A", request)
    world.run(RETENTION_MS / 1000.0 - 1.0)
    early = answered(world, "A", request)
    world.run(2.0)
    late = answered(world, "A", request)
    return findings(
        forgotten_early=not isinstance(early, Replayed), never_forgotten=isinstance(late, Replayed)
    )


@schedule("I5, Resolve", settings=REPLICA)
def what_was_resolved_as_never_applied_never_is(world: World) -> Findings:
    """The request arrives behind the question what became of it."""
    world.boot("A")
    asked = answered(world, "A", Resolve(KEY))
    late = answered(world, "B", said(put("k", 1)))
    burned = isinstance(late, Refused) and late.reason is Reason.ABANDONED
    return findings(
        told_something=asked != Resolved(None),
        burned_but_done=not burned,
        written=machine(world, "A").get(b"k"),
    )


@schedule("B5, sessions", settings=SNAPSHOTS)
def a_session_id_is_given_once(world: World) -> Findings:
    """No session is left when the state is saved."""
    world.boot("A")
    first = answered(world, "A", SessionOpen())
    assert isinstance(first, SessionResult)
    answered(world, "A", SessionClose(first.session_id))
    again = answered(world, restarted(world), SessionOpen())
    assert isinstance(again, SessionResult)
    return findings(given_again=again.session_id <= first.session_id)


@schedule("B5, a client that comes back", settings=REPLICA)
def a_key_speaks_for_itself_after_failover(world: World) -> Findings:
    """The leader dies with the request committed, and its answer on the way."""
    world.boot("A")
    world.network.links["A", "B"].delay = (0.2, 0.2)
    request = said(Put(b"k", b"7"))
    asked = Asking(world, "B", request)
    world.until(lambda: machine(world, "A").get(b"k"))
    world.crash("A")
    world.until(lambda: asked.told and world.leader() in ("B", "C") and machine(world, "C"))
    world.run(1.0)
    again = answered(world, "C", request)
    found = machine(world, "C").get(b"k")
    assert found is not None
    told = again_told(again)
    return findings(done_twice=found.version != 1, lost=not isinstance(told, PutResult))
