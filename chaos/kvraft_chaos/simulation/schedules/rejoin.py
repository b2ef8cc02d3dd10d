"""RULES B2 and B3: a lost disk, the way back, and everything that must not count meanwhile."""

from functools import partial

from kvraft.consensus import wire
from kvraft.consensus.messages import (
    AppendAck,
    HeartbeatAck,
    PreVoteAnswer,
    VoteAnswer,
    VoteRequest,
)
from kvraft.consensus.port import Role
from kvraft_chaos.simulation.schedule import (
    Findings,
    arrivals,
    decoded,
    findings,
    inject,
    leader,
    ledger,
    process,
    schedule,
)
from kvraft_chaos.simulation.world import World


def rejoin(world: World, name: str) -> None:
    """Come back with an empty disk and --rejoin."""
    world.wipe(name)
    world[name].rejoin = True
    world.restart(name)


def _another_leads(world: World, name: str) -> bool:
    return world.leader() not in (None, name)


def others_fail_in_turn(world: World, first: str, names: list[str]) -> set[int]:
    """Whoever else fails, one after another: nothing acknowledged may be missing."""
    lost = set()
    for name in names:
        world.crash(name, power=True)
        world.until(partial(_another_leads, world, name))
        world.lead(first)
        write = world.write(first)
        world.until(partial(getattr, write, "done"))
        lost |= set(world.lost())
        world.restart(name)
        world.until(world.converged, 20)
    return lost


@schedule("22, B2")
def a_lost_disk_comes_back_and_then_the_others_fail_in_turn(world: World) -> Findings:
    world.boot("A")
    for _ in range(20):
        world.write("A")
    world.run(0.3)
    rejoin(world, "B")
    took = world.until(world.converged, 20)
    lost = others_fail_in_turn(world, "B", ["A", "C"])
    return findings(slow=took > 5.0, lost=lost)


@schedule("B2 (a)")
def rejoin_a_an_old_ack_is_read_while_the_node_rejoins(world: World) -> Findings:
    """C is slow; the ack that commits a write is B's old one, read after B has lost its disk."""
    world.boot("A")
    world.cut_off("C", reset=True)
    world.network.links["B", "A"].delay = (0.5, 0.5)
    write = world.write("A")
    world.run(0.3)  # B has it on disk; its ack is on its way
    acks = decoded(world.network.in_flight("B", "A"), AppendAck)
    world.crash("B", power=True)  # silently: what is on the way still arrives
    world["B"].wipe()
    world.run(0.4)
    acknowledged = write.acknowledged
    world.network.links["B", "A"].delay = (0.001, 0.001)
    world["B"].rejoin = True
    world.restart("B")
    world.run(2.0)
    waits = process(world, "B").role is Role.REJOINING
    world.heal("C")
    world.until(world.converged, 20)
    lost = others_fail_in_turn(world, "B", ["A"])
    return findings(
        nothing_on_the_way=not acks,
        not_acknowledged=not acknowledged,
        voter_too_early=not waits,
        lost=lost,
    )


@schedule("B2 (b)", guards={"rejoin_burned_vote": "votes-twice-in-a-term"})
def rejoin_b_the_vote_of_the_term_is_spent(world: World) -> Findings:
    """B's old disk voted in this term, for whomever: its new one must not vote in it again."""
    world.boot("A")
    world.write("A")
    world.run(0.3)
    rejoin(world, "B")
    world.until(world.converged, 20)
    world.run(0.5)
    term = world["B"].term
    answers = arrivals(world, "B", "C")
    better = VoteRequest(term, world["B"].log.last_index + 10, term, True)
    inject(world, "C", "B", wire.encode(better))
    world.run(0.1)
    granted = [answer for answer in decoded(answers, VoteAnswer) if answer.granted]
    return findings(
        votes_twice_in_a_term=granted,
        not_the_same_term=world["B"].term != term,
        no_answer=not decoded(answers, VoteAnswer),
    )


@schedule("B2 (c)", guards={"rejoin_silence+disk_identity": "stale-read"})
def rejoin_c_its_echoes_serve_no_stale_read(world: World) -> Findings:
    """A is deposed by B (old disk) and C and does not know; B's new disk meets A first."""
    world.boot("A")
    world.write("A", "old")
    world.run(0.3)
    world["A"].clock.set_rate(0.05)  # it believes in its leadership for long
    world.cut_off("A", reset=True)
    world.until(lambda: world.leader() in ("B", "C"))
    world.lead("C")
    write = world.write("C", "new")
    world.until(lambda: write.acknowledged)
    world.cut("B", "C")
    world.crash("B")
    world.network.heal("A", "B")
    world.network.heal("B", "A")
    rejoin(world, "B")
    world.run(0.3)
    leads = world["A"].leads
    read = world.read("A")
    world.run(0.5)
    return findings(deposed_already=not leads, stale_read=read.acknowledged and read.value == "old")


@schedule("B2 (c)", guards={"rejoin_silence+disk_identity": "lost"})
def rejoin_c_its_vote_elects_nobody(world: World) -> Findings:
    """A write is on A and B's old disk alone; B's new one and C must not elect C."""
    world.boot("A")
    world.cut("A", "C")
    write = world.write("A")
    world.until(lambda: write.acknowledged)
    world.wipe("B")
    world.crash("A")
    world.heal()
    rejoin(world, "B")
    world.run(5.0)
    elected = world.leader()
    world.restart("A")
    world.until(world.converged, 20) if elected is None else world.run(3.0)
    return findings(leader_without_the_write=elected, lost=world.lost())


@schedule("B2 (d)", guards={"rejoin_silence": "counts-too-early"})
def rejoin_d_killed_half_way_and_started_without_the_flag(world: World) -> Findings:
    world.boot("A")
    world.crash("C")
    world.write("A")
    world.run(0.3)
    seen = arrivals(world, "B", "A")
    rejoin(world, "B")
    world.run(1.0)
    world.crash("B", power=True)
    world["B"].rejoin = False
    world.restart("B")
    world.run(2.0)
    counting = (AppendAck, HeartbeatAck, VoteAnswer, PreVoteAnswer)
    counted = [message for kind in counting for message in decoded(seen, kind)]
    role = process(world, "B").role
    world.restart("C")
    world.until(world.converged, 20)
    return findings(counts_too_early=counted or role is not Role.REJOINING, lost=world.lost())


@schedule("B2")
def the_leader_changes_between_request_and_commit(world: World) -> Findings:
    world.boot("A")
    world.write("A")
    world.run(0.3)
    world.cut("A", "C")  # A can propose the disk, and nobody can commit it
    rejoin(world, "B")
    world.until(lambda: ledger(world, "A").join_requests)
    world.run(0.02)
    world.crash("A", power=True)
    world.heal()
    world.run(1.0)
    alone = world.leader()
    world.restart("A")
    world.until(lambda: world.leader() is not None)
    world.lead("C")
    world.until(world.converged, 20)
    lost = others_fail_in_turn(world, "B", ["A", "C"])
    return findings(elected_with_a_rejoining_node=alone, lost=lost)


@schedule("B2", guards={"rejoin_silence": "voter-without-majority"})
def the_other_follower_is_down_so_it_waits_and_says_for_whom(world: World) -> Findings:
    world.boot("A")
    world.write("A")
    world.run(0.3)
    world.crash("C")
    rejoin(world, "B")
    world.run(8.0)
    rejoining = process(world, "B")
    role = rejoining.role
    says = [line for line in rejoining.events if "rejoining" in line and "C" in line]
    world.restart("C")
    world.until(world.converged, 20)
    return findings(
        voter_without_majority=role is not Role.REJOINING,
        says_nothing=not says,
        lost=world.lost(),
    )


@schedule("B3, F18b", guards={"disk_identity": "accepted"})
def a_wiped_disk_without_the_flag_is_refused_by_every_peer(world: World) -> Findings:
    world.boot("A")
    write = world.write("A")
    world.run(0.3)
    seen = arrivals(world, "B", "A"), arrivals(world, "B", "C")
    world.wipe("B")
    world.restart("B")
    world.run(3.0)
    refusals = [line for line in world.log if "different disk" in line and "--rejoin" in line]
    by = {line.split()[1] for line in refusals}
    up = world.network.is_up("B", "A") or world.network.is_up("B", "C")
    world.crash("A")
    world.run(3.0)
    elected = world.leader()
    votes = [m for each in seen for m in decoded(each, VoteAnswer) + decoded(each, PreVoteAnswer)]
    return findings(
        accepted=up,
        not_refused_by_all=not {"A", "C"} <= by,
        votes=votes,
        elected_with_an_empty_disk=elected,
        not_acknowledged=not write.acknowledged,
    )


@schedule("B3, F18b", guards={"disk_identity": "leader-completeness"})
def a_wiped_disk_without_the_flag_elects_nobody(world: World) -> Findings:
    """A write is on A and B's old disk alone: C and an empty B must not lead."""
    world.boot("A")
    world.cut("A", "C")
    write = world.write("A")
    world.until(lambda: write.acknowledged)
    world.wipe("B")
    world.crash("A")
    world.heal()
    world.restart("B")
    world.run(5.0)
    return findings(elected_with_an_empty_disk=world.leader())


@schedule("B3")
def a_slot_that_was_empty_joins_without_a_flag(world: World) -> Findings:
    """C was not there at the bootstrap: it never voted, so it may join as it is."""
    for name in "AB":
        world[name].start()
    world.until(lambda: all(world[name].ledger.state.cluster_id for name in "AB"))
    first = leader(world)
    world.until(lambda: world.leads(first))
    write = world.write(first)
    world.until(lambda: write.acknowledged)
    world.restart("C")
    world.until(lambda: process(world, "C").is_member() and world.converged(), 20)
    disks = set(world[first].ledger.state.disks)
    world.crash(first)
    world.until(lambda: _another_leads(world, first))
    return findings(not_a_member=disks != {"A", "B", "C"}, lost=world.lost())


@schedule("B2, B3")
def a_restart_does_not_go_back_in_the_member_table(world: World) -> Findings:
    """Replaying its log, a node passes tables of the past: they must not count again (seed 120)."""
    world.boot("A")
    outcomes = [world.write("A") for _ in range(600)]  # many ticks between the two tables
    world.until(lambda: all(outcome.done for outcome in outcomes) and world.converged())
    rejoin(world, "B")
    world.until(lambda: process(world, "B").is_member() and world.converged(), 20)
    world.crash(*world.names)
    world.restart(*world.names)
    world.until(lambda: world.leader() is not None)
    world.run(2.0)
    says = [line for each in world.running() for line in process(world, each.name).events]
    refused = [line for line in world.log if "different disk" in line]
    return findings(
        goes_back=[line for line in says if "rejoin" in line] or len(world.running()) < 3,
        peers_refused=refused,
        not_converged=not world.converged(),
    )
