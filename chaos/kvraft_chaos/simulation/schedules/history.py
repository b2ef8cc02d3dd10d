"""Schedules about the past: what is kept is the same everywhere, and what is gone is refused."""

from dataclasses import replace

from kvraft.core.commands import SessionOpen
from kvraft.core.errors import Reason
from kvraft.core.limits import ApplyLimits
from kvraft.core.results import KeyValue, PutResult, SessionResult
from kvraft_chaos.simulation.reads import read_at
from kvraft_chaos.simulation.schedule import Findings, findings, schedule
from kvraft_chaos.simulation.schedules.clients import (
    REPLICA,
    SNAPSHOTS,
    answered,
    digests,
    machine,
    put,
    restarted,
)
from kvraft_chaos.simulation.store import Bounds
from kvraft_chaos.simulation.world import World

KEPT = 5
SHORT = replace(
    REPLICA,
    bounds=Bounds(ApplyLimits(history_revisions=KEPT, history_ms=1_000, history_removals=1)),
)


@schedule("I11", settings=SHORT)
def every_node_forgets_the_same(world: World) -> Findings:
    """By the log's time: the nodes' clocks have nothing to do with each other."""
    for name, zero in zip(world.names, (0.0, 50.0, 1000.0), strict=True):
        world[name].clock.offset = zero
    world.boot("A")
    for number in range(3 * KEPT):
        answered(world, "A", put("k", number))
    early = set(digests(world))
    world.run(1.5)
    for number in range(3 * KEPT):
        answered(world, "A", put("k", number))
    nothing_gone = machine(world, "A").compacted_revision <= 1
    return findings(
        states_differ=len(early) != 1 or len(set(digests(world))) != 1, nothing_gone=nothing_gone
    )


@schedule("I11, snapshots", settings=SNAPSHOTS)
def the_past_is_the_same_after_a_restart(world: World) -> Findings:
    world.boot("A")
    written = [answered(world, "A", put("k", number)) for number in (1, 2, 3)]
    entries = [each.entry for each in written if isinstance(each, PutResult)]
    state = machine(world, restarted(world))
    kept = [read_at(state, b"k", each.mod_revision) for each in entries]
    events = state.history_after(1, 10)
    return findings(past_differs=kept != entries, events_are_gone=len(events) < len(entries))


@schedule("I11, reads", settings=SHORT)
def what_is_forgotten_is_refused(world: World) -> Findings:
    """And what is kept is answered."""
    world.boot("A")
    first = answered(world, "A", put("k", 0))
    assert isinstance(first, PutResult)
    answered(world, "A", put("k", 1))
    world.run(1.5)
    for number in range(2, 4 * KEPT):
        last = answered(world, "A", put("k", number))
    assert isinstance(last, PutResult)
    newest = last.entry.mod_revision
    gone = read_at(machine(world, "A"), b"k", first.entry.mod_revision)
    kept = read_at(machine(world, "A"), b"k", newest - KEPT)
    beyond = read_at(machine(world, "A"), b"k", newest + 1)
    return findings(
        forgotten_but_answered=gone is not Reason.COMPACTED,
        kept_but_refused=not isinstance(kept, KeyValue),
        future_answered=beyond is not Reason.FUTURE,
    )


@schedule("I15, sessions and history", settings=REPLICA)
def a_state_hash_sees_who_asked_and_what_was(world: World) -> Findings:
    world.boot("A")
    session = answered(world, "A", SessionOpen())
    assert isinstance(session, SessionResult)
    answered(world, "A", put("k", 1))
    answered(world, "A", put("k", 2))
    equal = set(digests(world))
    odd = machine(world, "C")._identities.sessions  # noqa: SLF001 - rot, by hand
    first_unacked, used_ms = odd.table.get(session.session_id) or (0, 0)
    odd.use(session.session_id, first_unacked + 1, used_ms)
    sessions = set(digests(world))
    odd.use(session.session_id, first_unacked, used_ms)
    events = machine(world, "C")._history._chunks[-1]  # noqa: SLF001 - rot, by hand
    events.befores[-1] = (b"3", *(events.befores[-1] or ())[1:])
    history = set(digests(world))
    return findings(
        differ_for_no_reason=len(equal) != 1,
        blind_to_sessions=len(sessions) == 1,
        blind_to_history=len(history) == 1,
    )
