"""Schedules about watches: everything, once, in order, however slow the user and whoever dies."""

from dataclasses import replace

from kvraft.core.commands import DeleteRange, Put, Txn
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.watch_topics import Kind, WatchSpec
from kvraft.replica.watcher import Message, Watcher
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.client_process import ClientProcess
from kvraft_chaos.simulation.past import Past
from kvraft_chaos.simulation.schedule import Findings, findings, leader, schedule
from kvraft_chaos.simulation.schedules.clients import (
    REPLICA,
    SNAPSHOTS,
    answered,
    put,
    replica,
)
from kvraft_chaos.simulation.store import Bounds
from kvraft_chaos.simulation.watching import Bookmark, Watching
from kvraft_chaos.simulation.world import World
from kvraft_client.policy.watch import WatchPosition

ALL = WatchSpec(Kind.PREFIX, b"")
BUFFER = 4
TIGHT = Bounds(replica=ReplicaLimits(watch_buffer_revisions=BUFFER, watch_message_bytes=700))
SLOW = replace(REPLICA, bounds=TIGHT)
RESTARTS = replace(SNAPSHOTS, bounds=TIGHT)


def _opened(world: World, name: str, start: int) -> Watcher:
    watcher = replica(world, name).watches.open(ALL, start, 60_000, lambda: None)
    assert isinstance(watcher, Watcher)
    return watcher


def _taken(world: World, name: str, watcher: Watcher) -> list[Message]:
    """All messages that there are now, the node's loop having its turns."""
    said: list[Message] = []

    def take() -> None:
        while (message := watcher.take()) is not None:
            said.append(message)

    for _ in range(50):
        world[name].post(take)
        world.run(0.02)
    return said


@schedule("I9, slow consumers", settings=SLOW)
def a_slow_watch_misses_nothing(world: World) -> Findings:
    """It is told of the first write, and sleeps for many more than are buffered."""
    world.boot("A")
    watcher = _opened(world, "A", 2)
    answered(world, "A", put("k", 0))
    awake = _taken(world, "A", watcher)
    for number in range(1, 6 * BUFFER):
        answered(world, "A", put("k", number))
    said = awake + _taken(world, "A", watcher)
    values = [each.event.record for message in said for each in message.changes]
    seen = [int(record[0]) for record in values if record is not None]
    counted = replica(world, "A").watches.fell_behind
    return findings(
        skipped=set(seen) != set(range(6 * BUFFER)),
        repeated=len(seen) != len(set(seen)),
        out_of_order=seen != sorted(seen),
        never_fell_behind=counted == 0,
    )


@schedule("I9, progress", settings=SLOW)
def a_mark_of_progress_promises_what_was_handed_out(world: World) -> Findings:
    """The user takes a message, and notes its revision; the rest comes in messages of their own."""
    world.boot("A")
    for number in range(6 * BUFFER):
        answered(world, "A", put("k", number))
    said = _taken(world, "A", _opened(world, "A", 2))
    ahead = False
    for at, message in enumerate(said):
        later = [each.revision for rest in said[at + 1 :] for each in rest.changes]
        ahead = ahead or any(revision <= message.revision for revision in later)
    return findings(mark_ahead=ahead, one_message=len(said) < 3)


def _user(world: World) -> tuple[Past, Bookmark]:
    """A client that watches everything from the first write on, and checks what it gets."""
    past = Past(world.shared.chronicle)
    world.shared.chronicle.listeners.append(past.on_chapter)
    world.boot("A")
    world.front.add_client("c")
    process = ClientProcess("c", world.scheduler, world.front, Chance(0, "client c"))
    bookmark = Bookmark(spec=ALL, position=WatchPosition(2))
    watching = Watching(process, past, bookmark, world.settings.bounds)
    watching.stopped = True  # it never dawdles
    process.begin(watching.run())
    return past, bookmark


def _has_all(past: Past, bookmark: Bookmark) -> bool:
    through = bookmark.position.through if bookmark.position else None
    return through is not None and through >= past.revisions[-1]


@schedule("I9, resume", settings=RESTARTS)
def a_watch_goes_on_through_failovers_and_restarts(world: World) -> Findings:
    past, bookmark = _user(world)
    written = 0
    for _ in range(3):
        for _ in range(2 * BUFFER):
            written += 1
            answered(world, leader(world), put("k", written))
        victim = leader(world)
        world[victim].post(world[victim].ledger.snapshot)
        world.run(0.3)
        world.crash(victim)
        world.until(lambda: world.leader() and world.leads(leader(world)))
        world.restart(victim)
    world.until(lambda: _has_all(past, bookmark))
    assert bookmark.told is not None
    return findings(
        never_interrupted=bookmark.resumes == 0, not_all_came=bookmark.told.events != written
    )


@schedule("I9, large revisions", settings=RESTARTS)
def a_revision_in_parts_arrives_whole(world: World) -> Findings:
    """Its messages are broken off in the middle, by a connection that is lost."""
    past, bookmark = _user(world)
    keys = [f"part {number}".encode() for number in range(20)]
    for round_ in range(6):
        writes = tuple(Put(key, str(round_).encode()) for key in keys)
        answered(world, "A", Txn(None, writes))
        world.run(0.002 * round_)
        for name in world.names:
            world.front.reset("c", name)
        answered(world, "A", DeleteRange(keys[0], None))
    world.until(lambda: _has_all(past, bookmark))
    assert bookmark.told is not None
    return findings(
        never_interrupted=bookmark.resumes == 0,
        not_all_came=bookmark.told.events != 12 * len(keys),
    )
