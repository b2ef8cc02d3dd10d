"""Schedules about what counts as committed, and what a read may rest on."""

from dataclasses import replace

from kvraft_chaos.simulation.process import Settings
from kvraft_chaos.simulation.schedule import Findings, findings, leader, schedule
from kvraft_chaos.simulation.world import World

PLAIN = Settings()
BIG = "x" * 40_000
ALONE = replace(PLAIN, delay=(0.02, 0.02), flow=replace(PLAIN.flow, append_bytes=40_060))
"""A big entry leaves no room for another in its append."""


@schedule("5.4.2 of the Raft paper, figure 8", settings=ALONE)
def an_entry_of_an_old_term_is_committed_by_none(world: World) -> Findings:
    """A's old entry reaches C without A's newer one; B, with a newer term, then replaces it."""
    world.boot("A")
    index = world["A"].log.last_index + 1
    world.cut_off("A", reset=True)
    old = world.write("A", BIG)  # on A alone
    world.until(lambda: world.leader() in ("B", "C"))
    other = leader(world)
    third = "C" if other == "B" else "B"
    world.cut_off(other, reset=True)  # before its first entry leaves it
    world.run(0.1)
    alone = world[other].log.last_index == index and world[third].log.last_index < index
    world.crash(other)
    world.heal("A")
    world.hold_timers(third)
    world.release_timers("A")
    world.until(lambda: world["A"].leads)
    world.until(lambda: world[third].log.last_index >= index)
    world.network.cut("A", third, noticed=False)  # what follows does not arrive
    world.run(0.05)
    follows = world[third].log.last_index > index
    world.reset("A", third)
    world.crash("A")
    world.release_timers()
    world.heal()
    world.restart(other)
    world.until(lambda: world.leader() == other)
    world.until(lambda: world[third].log.last_index > index)
    world.restart("A")
    world.until(world.converged, 20)
    return findings(
        not_alone=not alone,
        more_arrived=follows,
        old_acknowledged=old.acknowledged,
        lost=world.lost(),
    )


@schedule("16 (n), B1")
def an_old_answer_serves_no_newer_read(world: World) -> Findings:
    """An answer that is late belongs to the question it answers, whatever was asked since."""
    world.boot("A")
    first = world.write("A", "old")
    world.until(lambda: world["B"].ledger.state.registers.get("k") == "old")
    world.network.links["A", "B"].delay = (0.5, 0.5)
    early = world.read("B")
    world.run(0.1)  # asked; the answer is on its way
    second = world.write("A", "new")
    world.until(lambda: second.acknowledged)
    late = world.read("B")
    world.network.reset("B", "A")  # B asks again, for both
    world.run(0.45)
    stale = late.acknowledged and late.value == "old"
    world.network.links["A", "B"].delay = (0.001, 0.001)
    world.until(lambda: early.done and late.done)
    return findings(
        stale_read=stale or (late.acknowledged and late.value == "old"),
        not_acknowledged=not first.acknowledged,
    )


@schedule("16 (n)")
def a_follower_reads_only_what_it_has_applied(world: World) -> Findings:
    """The answer to a question overtakes the entries that it counts in, on a narrow link."""
    world.boot("A")
    world.write("A", "old")
    world.until(lambda: world["B"].ledger.state.registers.get("k") == "old")
    world.network.links["A", "B"].bytes_per_second = 1_000_000.0
    writes = [world.write("A", BIG + str(number)) for number in range(12)]
    world.until(lambda: all(write.acknowledged for write in writes))
    read = world.read("B")
    world.until(lambda: read.done)
    return findings(
        stale_read=read.acknowledged and read.value != BIG + "11",
        refused=not read.acknowledged,
    )
