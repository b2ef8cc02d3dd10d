"""Schedules about snapshots: sent, installed, replaced, damaged."""

from dataclasses import replace

from kvraft.consensus.messages import SnapshotChunk
from kvraft_chaos.simulation.logview import DATA
from kvraft_chaos.simulation.process import Settings
from kvraft_chaos.simulation.schedule import (
    Findings,
    arrivals,
    decoded,
    findings,
    inject,
    lose_unsynced,
    schedule,
)
from kvraft_chaos.simulation.world import World

PLAIN = Settings()
FEW_CHUNKS = replace(PLAIN, flow=replace(PLAIN.flow, log_tail_bytes=0))
MANY_CHUNKS = replace(PLAIN, flow=replace(FEW_CHUNKS.flow, snapshot_chunk_bytes=50))


def write_all(world: World, count: int, leader: str = "A") -> None:
    """Write on the leader, and wait until every write is acknowledged."""
    writes = [world.write(leader) for _ in range(count)]
    world.until(lambda: all(write.acknowledged for write in writes))


def fall_behind(world: World, name: str, count: int = 100) -> None:
    """Let a node miss so much that only a snapshot brings it back; A leads."""
    world.crash(name)
    write_all(world, count)
    world["A"].post(world["A"].ledger.snapshot)
    world.run(0.5)


@schedule("3, 11", settings=FEW_CHUNKS)
def an_old_snapshot_winds_nothing_back(world: World) -> Findings:
    """The chunks of a snapshot that was installed long ago come again."""
    world.boot("A")
    fall_behind(world, "C")
    seen = arrivals(world, "A", "C")
    world.restart("C")
    world.until(world.converged, 20)
    chunks = [message for message in seen if decoded([message], SnapshotChunk)]
    write_all(world, 20)
    world.until(world.converged, 20)
    reached = world["C"].log.last_index
    shortest = reached
    for message in chunks:
        inject(world, "A", "C", message)
    for _ in range(500):
        world.run(0.001)
        shortest = min(shortest, world["C"].log.last_index)
    return findings(no_chunks=not chunks, wound_back=shortest < reached)


@schedule("4, 11", settings=FEW_CHUNKS)
def an_installed_snapshot_cuts_the_log(world: World) -> Findings:
    """A node with a tail nobody else has installs a snapshot, goes on, and starts again."""
    world.boot("A")
    world.cut_off("C", reset=True)
    write_all(world, 100)
    world["A"].post(world["A"].ledger.snapshot)
    world.run(0.5)
    world.heal()
    world.until(world.converged, 20)
    installed = world["C"].ledger.applied_from
    write_all(world, 10)
    world.until(world.converged, 20)
    world.crash("C")
    started = world["C"].start()
    if started:
        world.until(world.converged, 20)
    return findings(
        no_snapshot_was_installed=installed == 0, node_stopped=not started, lost=world.lost()
    )


@schedule("4, 5, seed 1388", settings=FEW_CHUNKS)
def a_snapshot_of_a_newer_term_survives_a_crash(world: World) -> Findings:
    """C hears of term 2 by a snapshot alone, which is durable before its log says so."""
    world.boot("A")
    world.crash("C")
    world.lead("B")  # it takes C to be where itself is now
    write_all(world, 100, "B")
    world["B"].post(world["B"].ledger.snapshot)
    world.run(0.5)
    world["C"].speed.hangs = True  # its log; snapshots are written by another thread
    world.restart("C")
    world.until(lambda: any("C installed snapshot" in line for line in world.log))
    lose_unsynced(world, "C")
    world["C"].speed.hangs = False
    started = world["C"].start()
    if started:
        world.until(world.converged, 20)
        world.crash("A")
        write_all(world, 1, "B")
    return findings(node_stopped=not started, lost=world.lost("BC"))


@schedule("11 (s), seed 5", settings=MANY_CHUNKS)
def a_snapshot_being_sent_stays_readable(world: World) -> Findings:
    """The leader replaces its snapshot while a follower still receives the one before."""
    world.boot("A")
    fall_behind(world, "C", 300)
    world.network.links["A", "C"].delay = (0.05, 0.05)
    world.restart("C")
    world.until(lambda: any("C receives snapshot" in line for line in world.log))
    write_all(world, 30)
    world["A"].post(world["A"].ledger.snapshot)
    world.run(1.0)
    world.network.links["A", "C"].delay = (0.001, 0.001)
    world.restart("A")
    world.until(world.converged, 20)
    return findings(lost=world.lost())


@schedule("11, the writer's thread", settings=FEW_CHUNKS, seeds=(0, 1, 2))
def blocks_do_not_wait_for_the_loop(world: World) -> Findings:
    """The thread that writes a snapshot is far ahead of what the loop has heard of it."""
    world.boot("A")
    write_all(world, 300)
    world["A"].speed.task = (0.001, 0.05)
    world["A"].post(world["A"].ledger.snapshot)
    world.run(2.0)
    running = world["A"].process is not None
    return findings(
        stopped=not running,
        no_snapshot=running and world["A"].engine().status().snapshot_index == 0,
    )


@schedule("10 (r)")
def a_damaged_snapshot_is_refused(world: World) -> Findings:
    """One bit of the CURRENT snapshot turns; the node must not start on it."""
    world.boot("A")
    write_all(world, 30)
    world.until(world.converged)
    world["B"].post(world["B"].ledger.snapshot)
    world.run(0.5)
    world.crash("B")
    directory, disk = f"{DATA}/snapshots", world["B"].disk
    (name,) = [each for each in disk.listdir(directory) if each.endswith(".snapshot")]
    path = f"{directory}/{name}"
    disk.flip_bit(path, disk.size(path) // 2, 0)
    accepted = world["B"].start()
    return findings(damage_accepted=accepted, not_named=path not in (world["B"].refusal or path))
