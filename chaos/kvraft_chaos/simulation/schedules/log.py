"""Schedules about the log: what is stored, acknowledged, committed, and kept."""

from dataclasses import replace

from kvraft.consensus.messages import Append, AppendAck
from kvraft_chaos.simulation.process import Settings
from kvraft_chaos.simulation.schedule import (
    Findings,
    arrivals,
    decoded,
    findings,
    inject,
    lose_unsynced,
    process,
    schedule,
)
from kvraft_chaos.simulation.world import Outcome, World

BIG = "x" * 40_000
PLAIN = Settings()
SNAPSHOTS = replace(PLAIN, snapshot_every=10, flow=replace(PLAIN.flow, log_tail_bytes=0))


def write_many(world: World, name: str, count: int, pause: float = 0.02) -> list[Outcome]:
    """Write one after another."""
    outcomes = []
    for _ in range(count):
        outcomes.append(world.write(name))
        world.run(pause)
    return outcomes


@schedule("1 (a)", guards={"normalise_appends": "truncates-committed"})
def a_duplicate_batches_never_truncate(world: World) -> Findings:
    world.boot("A")
    world.cut("A", "C")
    seen = arrivals(world, "A", "B")
    outcomes = [world.write("A", BIG + str(i)) for i in range(6)]
    world.run(0.3)
    last = world["B"].log.last_index
    appends = [m for m in seen if decoded([m], Append) and decoded([m], Append)[0].entries]
    for message in appends[1:3] + appends[:2]:
        inject(world, "A", "B", message)
    if world["B"].process is None or world["B"].log.last_index < last:
        return findings(log_is_shorter=True)
    world.run(0.3)
    world.crash("A")
    world.heal()
    world.lead("B")
    world.restart("A")
    world.until(world.converged, 20)
    acked = sum(outcome.acknowledged for outcome in outcomes)
    return findings(not_acknowledged=acked != 6, lost=world.lost())


@schedule("2 (b)", size=5, guards={"term_on_acks": "quorum-retention"})
def b_stale_ack_is_dropped(world: World) -> Findings:
    world.boot("A")
    for name in "CDE":
        world.cut("A", name)
        world.cut("B", name)
    world.network.cut("B", "A", noticed=False)
    old = write_many(world, "A", 6, pause=0.005)
    world.run(0.1)  # B has them on disk; its acks are on their way
    stale = [m for m in world.network.in_flight("B", "A") if decoded([m], AppendAck)]
    world.until(lambda: world.leader() in ("C", "D", "E"))
    world.lead("E")
    world.heal("E")
    world.until(lambda: world["A"].term == world["B"].term == world["E"].term)
    world.run(0.5)  # E's log replaces the old writes on A and B
    world.crash("E")
    world.hold_timers("B", "C", "D")
    for name in "CD":
        world.network.heal("A", name)
        world.network.heal(name, "A")
    world.until(lambda: world.leads("A"))
    world.cut("A", "D")
    world.cut("A", "B")
    new = world.write("A")
    world.run(0.01)
    for message in stale:
        inject(world, "B", "A", message)
    world.run(0.3)
    return findings(
        no_stale_acks=not stale,
        old_acknowledged=any(outcome.acknowledged for outcome in old),
        acknowledged_without_quorum=new.acknowledged,
    )


@schedule("3 (c)", settings=SNAPSHOTS, guards={"clamp_snapshot_commit": "state-machine-safety"})
def c_snapshot_chunk_cannot_commit(world: World) -> Findings:
    world.boot("A")
    world.cut_off("A", reset=True)
    phantoms = [world.write("A"), world.write("A")]
    world.until(lambda: world.leader() in ("B", "C"))
    world.lead("B")
    write_many(world, "B", 60)
    world.run(0.5)
    installed = world["A"].ledger.applied_from
    world.heal()
    world.until(world.converged, 20)
    return findings(
        phantom_acknowledged=any(outcome.acknowledged for outcome in phantoms),
        phantom_unanswered=not all(outcome.done for outcome in phantoms),
        no_snapshot_was_sent=world["A"].ledger.applied_from == installed,
    )


@schedule("4, 9 (d, e)", settings=SNAPSHOTS, guards={"align_log_to_snapshot": "quorum-retention"})
def e_crash_around_a_snapshot_keeps_the_suffix(world: World) -> Findings:
    world.boot("A")
    world.crash("C")
    outcomes = write_many(world, "A", 33)
    world.run(0.5)
    snapshot = world["B"].engine().status().snapshot_index
    before = world["B"].log.last_index
    lose_unsynced(world, "B")
    world.restart("B")
    after = world["B"].log.last_index
    lose_unsynced(world, "A")
    world.restart("C")
    if after == before:
        world.lead("B")
        world.run(0.5)
    return findings(
        no_snapshot=snapshot == 0,
        nothing_behind_the_snapshot=before <= snapshot,
        suffix_lost=after != before,
        not_acknowledged=not all(outcome.acknowledged for outcome in outcomes),
        lost=world.lost(),
    )


@schedule("5 (f)", guards={"hold_acks_for_disk": "quorum-retention"})
def f_power_loss_keeps_acknowledged_entries(world: World) -> Findings:
    world.boot("A")
    world.crash("C")
    world["B"].speed.extra = 0.2
    outcome = world.write("A")
    world.run(0.1)
    early = outcome.acknowledged
    world.run(0.3)
    world["B"].speed.extra = 0.0
    lose_unsynced(world, "B")
    world.restart("B")
    world.crash("A")
    world.restart("C")
    world.lead("B")
    world.run(0.3)
    return findings(
        acknowledged_before_fsync=early,
        not_acknowledged=not outcome.acknowledged,
        lost=world.lost(),
    )


@schedule("5 (f)", guards={"leader_counts_own_disk": "quorum-retention"})
def f_leader_counts_itself_only_when_durable(world: World) -> Findings:
    world.boot("A")
    world.crash("C")
    world["A"].speed.extra = 0.3
    outcome = world.write("A")
    world.run(0.1)
    early = outcome.acknowledged
    world.until(lambda: outcome.done)
    return findings(acknowledged_before_own_fsync=early, lost=world.lost())


@schedule("5 (g)", guards={"vote_durable": "election-safety"})
def g_power_loss_is_no_second_vote(world: World) -> Findings:
    world.boot("A")
    world.hold_timers("B", "C")
    world.crash("A")
    world.run(0.3)  # both followers know that the leader's process is gone
    world.cut("A", "C")
    world["B"].speed.extra = 0.5
    world.restart("A")
    world.until(lambda: world["B"].term > world["C"].term)
    world.run(0.05)
    early = world.leader() == "A"
    lose_unsynced(world, "B")
    world["B"].speed.extra = 0.0
    world.run(0.1)
    world.hold_timers("A")
    world.restart("B")
    world.release_timers("C")
    world.until(lambda: world["C"].leads)
    return findings(elected_by_a_vote_not_on_disk=early)


@schedule("6 (h)", guards={"distrust_stored_commit": "quorum-retention"})
def h_lost_tail_does_not_commit_alone(world: World) -> Findings:
    world.boot("A")
    write_many(world, "A", 5)
    world.cut_off("A", reset=True)
    alone = world.write("A")
    world.run(0.05)  # on A's disk and nowhere else
    lose_unsynced(world, *world.names)
    world.heal()
    world.restart("A")
    world.run(0.3)
    world.restart("B", "C")
    world.run(5.0)
    return findings(
        single_copy_acknowledged=alone.acknowledged,
        not_converged=not world.converged(),
        lost=world.lost(),
    )


@schedule(
    "14 (q)",
    settings=replace(PLAIN, delay=(0.01, 0.01)),
    guards={"fast_backtracking": "slow"},
)
def q_backtracking_is_one_round_a_term(world: World) -> Findings:
    world.boot("A")
    world.cut_off("A", reset=True)
    for _ in range(200):
        world.write("A")
    world.until(lambda: world.leader() in ("B", "C"))
    world.lead("B")
    for _ in range(300):
        world.write("B")
    world.run(1.0)
    world.lead("C")
    world.run(0.5)
    world.heal()
    world.until(lambda: world.network.is_up("C", "A") and world.network.is_up("A", "C"))
    took = world.until(lambda: world["A"].applied == world["C"].applied, 30)
    return findings(slow=took > 1.0, lost=world.lost())


@schedule(
    "13 (u)",
    settings=replace(PLAIN, flow=replace(PLAIN.flow, append_bytes=64 << 10)),
    guards={"probe": "slow"},
)
def u_no_livelock_with_a_divergent_tail(world: World) -> Findings:
    world.boot("A")
    world.cut_off("A", reset=True)
    for _ in range(5):
        world.write("A")
    world.until(lambda: world.leader() in ("B", "C"))
    world.lead("B")
    for i in range(10):
        world.write("B", BIG + str(i))
    world.run(1.0)
    world.lead("C")
    world.run(0.5)
    world.heal()
    world.until(lambda: world.network.is_up("C", "A") and world.network.is_up("A", "C"))
    world.run(2.0)
    return findings(slow=world["A"].applied != world["C"].applied, lost=world.lost())


@schedule("20 (o)")
def o_entries_of_every_awkward_size_arrive(world: World) -> Findings:
    world.boot("A")
    outcomes = [
        world.write("A", "y" * (pieces * 65_536 - pad))
        for pieces in (1, 2)
        for pad in range(0, 120, 7)
    ]
    world.until(lambda: all(outcome.done for outcome in outcomes))
    world.until(world.converged)
    return findings(not_acknowledged=not all(outcome.acknowledged for outcome in outcomes))


@schedule("24")
def a_backlog_of_old_terms_commits_after_a_restart_of_all(world: World) -> Findings:
    """Nothing is known committed after it, and all of it is of older terms than the leader's."""
    world.boot("A")
    outcomes = [world.write("A") for _ in range(600)]
    world.until(lambda: all(outcome.done for outcome in outcomes) and world.converged())
    world.crash(*world.names)
    world.restart(*world.names)
    world.run(5.0)
    return findings(not_converged=not world.converged(), lost=world.lost())


@schedule("24")
def apply_of_a_backlog_is_sliced(world: World) -> Findings:
    """A restarted node applies at most a batch a tick, so that its loop stays free."""
    world.boot("A")
    outcomes = [world.write("A") for _ in range(600)]
    world.until(lambda: all(outcome.done for outcome in outcomes) and world.converged())
    world.crash("B")
    world.restart("B")
    restarted, most = process(world, "B"), 0
    tick = restarted.tick

    def counted() -> None:
        nonlocal most
        before = len(restarted.ledger.history)
        tick()
        most = max(most, len(restarted.ledger.history) - before)

    restarted.tick = counted  # type: ignore[method-assign]  # to look on
    world.until(world.converged)
    return findings(too_much_in_a_tick=most > PLAIN.flow.apply_batch, nothing_applied=most == 0)
