"""RULES B1: one of the two connections of a pair breaks alone, with an answer on it."""

from dataclasses import replace

from kvraft.consensus.messages import AppendAck, Message, SnapshotAck, VoteAnswer
from kvraft_chaos.simulation.process import Settings
from kvraft_chaos.simulation.schedule import Findings, decoded, findings, ledger, schedule
from kvraft_chaos.simulation.world import World

PLAIN = Settings()
SNAPSHOTS = replace(PLAIN, flow=replace(PLAIN.flow, log_tail_bytes=0, snapshot_chunk_bytes=300))


def lose_what_is_on_the_way_back(
    world: World, source: str, target: str, kind: type[Message]
) -> bool:
    """Reset only the connection that carries an answer of this kind; True if it did."""
    back = decoded(world.network.in_flight(source, target), kind)
    world.network.reset(source, target)
    world.network.heal(source, target)
    return bool(back)


@schedule(
    "B1",
    seeds=(0, 1, 2),
    guards={"link_epochs+ask_again": "hangs", "link_epochs": "slow"},
)
def the_answer_to_a_probe_is_lost_alone(world: World) -> Findings:
    world.boot("C")
    world.network.cut("B", "A", noticed=False)
    world.lead("A")  # by C's vote; it asks where B is
    for _ in range(5):
        world.write("A")
    world.run(0.15)
    lost = lose_what_is_on_the_way_back(world, "B", "A", AppendAck)
    begun = world.now
    while world["B"].applied != world["A"].applied and world.now - begun < 30.0:
        world.run(0.02)
    took = world.now - begun
    return findings(nothing_was_lost=not lost, hangs=took >= 30.0, slow=took > 0.1)


@schedule("B1", guards={"link_epochs+ask_again": "another-term-was-needed"})
def the_answer_to_a_vote_request_is_lost_alone(world: World) -> Findings:
    world.boot("A")
    world.hold_timers("C")
    world.crash("A")
    votes: list[VoteAnswer] = []
    while not votes:  # B campaigns; C's answer is on its way
        world.run(0.0005)
        votes = decoded(world.network.in_flight("C", "B"), VoteAnswer)
    term = world["B"].term
    lost = lose_what_is_on_the_way_back(world, "C", "B", VoteAnswer)
    begun = world.now
    while not world["B"].leads and world.now - begun < 10.0:
        world.run(0.01)
    return findings(
        nothing_was_lost=not lost,
        slow=world.now - begun > 0.7,
        another_term_was_needed=world["B"].term != term,
    )


@schedule("B1, 11 (s)", settings=SNAPSHOTS, guards={"link_epochs+ask_again": "hangs"})
def the_answers_of_a_snapshot_window_are_lost_alone(world: World) -> Findings:
    world.boot("A")
    world.crash("B")
    for _ in range(300):
        world.write("A")
    world.run(0.5)
    world["A"].post(world["A"].ledger.snapshot)
    world.run(1.0)
    world.network.links["B", "A"].delay = (0.05, 0.05)
    world.restart("B")
    world.write("A")
    back = []
    for _ in range(5000):  # the follower takes chunks; its acks are on their way
        world.run(0.001)
        back = decoded(world.network.in_flight("B", "A"), SnapshotAck)
        if back:
            break
    lost = lose_what_is_on_the_way_back(world, "B", "A", SnapshotAck)
    world.network.links["B", "A"].delay = (0.001, 0.001)
    begun = world.now
    while world["B"].applied != world["A"].applied and world.now - begun < 30.0:
        world.run(0.02)
    return findings(
        nothing_was_lost=not lost,
        hangs=world.now - begun >= 30.0,
        lost=world.lost(),
        no_snapshot_was_installed=world["B"].ledger.applied_from == 0,
    )


@schedule("11 (s)", settings=SNAPSHOTS, seeds=(0, 1, 2))
def s_a_reconnect_in_the_middle_of_a_snapshot_leaves_no_gap(world: World) -> Findings:
    world.boot("A")
    for _ in range(12):
        world.write("A")
    world.run(0.3)
    world["B"].post(world["B"].ledger.snapshot)
    world.run(0.5)
    good = world["B"].engine().status().snapshot_index
    world.crash("B")
    for _ in range(300):
        world.write("A")
    world.run(0.5)
    world["A"].post(world["A"].ledger.snapshot)
    world.run(1.0)
    world.restart("B")
    resets = 0
    for _ in range(6):
        world.run(0.013)
        if world["B"].ledger.applied_from <= good:
            world.reset("A", "B")
            resets += 1
    world.until(world.converged, 20)
    world.crash("B", power=True)
    world.restart("B")
    world.until(world.converged, 20)
    return findings(no_snapshot=good == 0, not_interrupted=resets == 0, lost=world.lost())


@schedule("12 (p)", settings=SNAPSHOTS)
def p_a_snapshot_floods_nobody(world: World) -> Findings:
    world.boot("A")
    world.crash("B")
    for _ in range(300):
        world.write("A")
    world.run(0.5)
    world["A"].post(world["A"].ledger.snapshot)
    world.run(1.0)
    size = len(ledger(world, "A").state.encode())
    before = world.network.streams.delivered
    world.restart("B")
    world.until(world.converged, 20)
    messages = world.network.streams.delivered - before
    chunks = size // SNAPSHOTS.flow.snapshot_chunk_bytes + 1
    return findings(flood=messages > 6 * chunks + 200, no_chunks=messages < chunks)
