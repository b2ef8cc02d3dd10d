"""Schedules about leaders: who may lead, for how long, what a leader may answer, and how fast."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from statistics import median

from kvraft.consensus.port import Failure
from kvraft.consensus.timing import Timing
from kvraft_chaos.simulation.process import Settings
from kvraft_chaos.simulation.schedule import Findings, findings, leader, ledger, schedule
from kvraft_chaos.simulation.world import World

TIMING = Timing()
PLAIN = Settings()


@schedule("17 (l, m)", guards={"single_callback": "unanswered"})
def l_callbacks_fire_exactly_once(world: World) -> Findings:
    world.boot("A")
    at_follower = world.write("B")
    world.cut_off("A", reset=True)
    pending = world.write("A")
    world.until(lambda: world.leader() in ("B", "C"))
    world.run(2.0)
    world.heal()
    world.run(3.0)
    return findings(
        unanswered=not pending.done,
        answered_twice=len(pending.calls) > 1 or len(at_follower.calls) != 1,
        not_refused=at_follower.failure is not Failure.NOT_LEADER,
        not_unknown=pending.done and pending.failure is not Failure.LEADERSHIP_LOST,
    )


@schedule("17 (m)")
def m_leadership_lost_is_reported_as_unknown_for_a_write_that_commits(world: World) -> Findings:
    world.boot("A")
    world.network.cut("B", "A", noticed=False)
    world.network.cut("C", "A", noticed=False)
    outcome = world.write("A")
    world.run(0.1)  # stored everywhere; no ack comes back
    world.crash("A") if outcome.done else None
    world.until(lambda: outcome.done)
    world.until(lambda: world.leader() in ("B", "C"))
    world.until(lambda: world.leads(leader(world)))  # its own entry is applied, so this one is
    world.heal()
    world.until(world.converged)
    return findings(
        not_unknown=outcome.failure is not Failure.LEADERSHIP_LOST,
        not_applied=world.identity not in world["B"].applied,
    )


@schedule("15 (n)", guards={"check_quorum": "leads-for-too-long"})
def n_isolated_leader_steps_down_and_reads_nothing_stale(world: World) -> Findings:
    world.boot("A")
    world.write("A", "1")
    world.run(0.3)
    world.cut_off("A")
    first = world.read("A")
    took = 0.0
    while world["A"].leads and took < 5.0:
        world.run(0.05)
        took += 0.05
    world.until(lambda: world.leader() in ("B", "C"))
    second = world.write(leader(world), "2")
    third = world.read("A")
    world.run(2.5)
    return findings(
        leads_for_too_long=took > 1.2,
        read_without_quorum=first.acknowledged or third.acknowledged,
        unanswered=not first.done or not third.done,
        not_acknowledged=not second.acknowledged,
    )


@schedule("16 (n)", guards={"own_term_barrier": "stale-read"})
def n_new_leader_reads_only_after_its_own_entry(world: World) -> Findings:
    world.boot("A")
    world.write("A", "old")
    world.until(lambda: world["B"].ledger.state.registers.get("k") == "old")
    world.until(lambda: world["C"].ledger.state.registers.get("k") == "old")
    world.hold_timers("C")
    for name in "BC":  # what tells the followers that the write is committed is lost with A
        world.network.links["A", name].delay = (0.02, 0.02)
    outcome = world.write("A", "new")
    world.until(lambda: outcome.acknowledged)
    world.crash("A")
    # B's own entry waits for C's disk, heartbeats do not; two fsyncs fit into an election timeout.
    world["C"].speed.extra = 0.2
    world["B"].speed.extra = 0.2
    world.until(lambda: world["B"].leads)
    read = world.read("B")
    world.run(0.1)
    early = read.done
    world.until(lambda: read.done)
    return findings(
        stale_read=early and read.acknowledged and read.value == "old",
        unanswered=not read.done,
        wrong_read=read.acknowledged and read.value not in ("old", "new"),
    )


@schedule("16 (n)", guards={"barrier_fresh_round": "stale-read"})
def n_a_read_counts_only_answers_to_a_later_round(world: World) -> Findings:
    world.boot("A")
    world.write("A", "old")
    world.run(0.3)
    world["A"].clock.set_rate(0.001)  # it believes in its leadership, and begins no round
    world.cut_off("A", reset=True)
    world.until(lambda: world.leader() in ("B", "C"))
    write = world.write(leader(world), "new")
    world.until(lambda: write.acknowledged)
    leads = world["A"].leads
    read = world.read("A")
    world.run(0.1)
    world["A"].clock.set_rate(1.0)
    world.run(2.0)
    return findings(deposed_already=not leads, stale_read=read.acknowledged and read.value == "old")


@schedule("15 (t)", guards={"prevote": "elections", "stickiness": "elections"})
def t_partial_partition_is_stable(world: World) -> Findings:
    world.boot("A")
    before = world.invariants.elections
    world.cut("A", "B")
    world.run(5.0)  # B's log is as good as C's
    outcomes = []
    for _ in range(60):
        found = world.leader()
        if found is not None:
            outcomes.append(world.write(found))
        world.run(0.5)
    world.heal()
    world.run(2.0)
    acked = sum(outcome.acknowledged for outcome in outcomes)
    return findings(elections=world.invariants.elections > before, refused_writes=acked < 60)


@schedule("15 (t)", guards={"higher_term_notice": "slow"})
def t_a_leader_of_an_old_term_learns_of_it_at_once(world: World) -> Findings:
    """A is cut off from B, which leads by now, and from C for a while; C can tell it."""
    world.boot("A")
    world["A"].clock.set_rate(0.1)
    world.cut("A", "B")
    world.network.cut("A", "C", noticed=False)
    world.hold_timers("C")
    world["C"].clock.jump(1.1)
    world.until(lambda: world.leads("B"))
    world.network.heal("A", "C")
    took = world.until(lambda: not world["A"].leads)
    return findings(slow=took > 0.2)


@schedule("-- (v)")
def v_leadership_transfer_is_one_round_trip(world: World) -> Findings:
    world.boot("A")
    first = world.write("A")
    world.run(0.3)
    answers: list[object] = []
    world["A"].post(lambda: world["A"].engine().transfer_leadership("B", answers.append))
    took = world.until(lambda: world.leads("B"))
    second = world.write("B")
    world.run(0.3)
    return findings(
        slow=took > 0.1,
        not_acknowledged=not (first.acknowledged and second.acknowledged),
        transfer_not_answered=answers != [None],
    )


@schedule("-- (v), seed 690")
def leadership_is_not_handed_to_who_has_gone_silent(world: World) -> Findings:
    """B is suspended, its connections stand: proposals must not wait for it."""
    world.boot("A")
    world["B"].pause()
    world.run(0.5)
    answers: list[object] = []
    world["A"].post(lambda: world["A"].engine().transfer_leadership("B", answers.append))
    write = world.write("A")
    took = world.until(lambda: write.done)
    world["B"].resume()
    world.run(1.5)
    return findings(
        held=took > 0.1,
        not_acknowledged=not write.acknowledged,
        transfer_not_refused=len(answers) != 1 or answers == [None],
    )


def stalled_leader_disk(world: World) -> Findings:
    world.boot("A")
    world["A"].speed.hangs = True
    stuck = world.write("A")
    begun = world.now
    while world.leader() not in ("B", "C") and world.now - begun < 8.0:
        world.run(0.05)
    if world.leader() not in ("B", "C"):
        return findings(no_hand_over=True)
    world.until(lambda: world.leads(leader(world)))
    after = world.write(leader(world))
    world.run(1.0)
    return findings(
        no_hand_over=world.now - begun > 6.0,
        stuck_write_acknowledged=stuck.acknowledged,
        not_acknowledged=not after.acknowledged,
    )


@schedule("25 (w)")
def w_stalled_leader_disk_hands_over(world: World) -> Findings:
    return stalled_leader_disk(world)


PATIENT = replace(PLAIN, timing=replace(TIMING, disk_stall_ms=60_000))


@schedule("25 (w)", settings=replace(PATIENT))
def w_without_the_limit_nobody_takes_over(world: World) -> Findings:
    """The control: with the limit out of reach, the same schedule shows what it prevents."""
    return {"it-handed-over"} if stalled_leader_disk(world) != {"no-hand-over"} else set()


@schedule("I7", seeds=tuple(range(20)), guards={"fast_failover": "slow"})
def fast_failover_when_the_leaders_process_ends(world: World) -> Findings:
    world.boot("A")
    world.run(0.1)
    world.crash("A")
    took = world.until(lambda: any(world.leads(name) for name in "BC"))
    return findings(slow=took > 0.5, very_slow=took > 1.0)


@schedule("I7", seeds=tuple(range(5)))
def a_middlebox_reset_deposes_nobody(world: World) -> Findings:
    world.boot("A")
    before = world.invariants.elections
    for source, target in (("A", "B"), ("A", "C"), ("B", "A"), ("C", "A")):
        world.network.reset(source, target)
    world.run(3.0)
    return findings(deposed=world.invariants.elections > before or world.leader() != "A")


@schedule("I8", guards={"send_time_contact": "leads-on-old-answers"})
def contact_dates_from_when_the_question_was_sent(world: World) -> Findings:
    """Answers arrive all the time, but each is older than the one before."""
    world.boot("A")
    for step in range(12):
        for name in "BC":
            world.network.links[name, "A"].delay = (0.3 * step, 0.3 * step)
        world.run(0.4)
    return findings(leads_on_old_answers=world["A"].leads and world.leader() == "A")


@schedule("I8")
def a_follower_that_the_leader_does_not_hear_says_no_quorum(world: World) -> Findings:
    world.boot("A")
    reachable = world["B"].engine().quorum_reachable()
    world.network.cut("B", "A", noticed=False)
    took = world.until(lambda: not world["B"].engine().quorum_reachable(), 5)
    heard = world["B"].engine().status().leader == "A"
    read = world.read("B")
    world.run(0.2)
    return findings(
        said_so_before=not reachable,
        slow=took > 1.2,
        hears_no_leader=not heard,
        read_not_refused=read.failure is not Failure.NO_QUORUM,
    )


@schedule("I1", seeds=tuple(range(3)))
def on_leading_follows_the_own_entry(world: World) -> Findings:
    world.boot("A")
    for name in "BC":
        world["C"].speed.extra = 0.2
        world.lead(name)
    world.run(0.5)
    wrong = []
    for node in world.running():
        for term, applied in ledger(world, node.name).led_at:
            entry = node.log.entry(applied)
            wrong += [] if entry is not None and entry[0] == term else [(node.name, term)]
    led = [term for node in world.running() for term in node.ledger.leading]
    return findings(
        before_own_entry=wrong, never_led=len(led) < 3, led_twice=len(led) != len(set(led))
    )


def _led_by_another(world: World) -> bool:
    return any(world.leads(name) for name in "BC")


def failover_times(seeds: Iterable[int]) -> tuple[float, float]:
    """For the median: how long 20 kills of the leader leave the cluster without one."""
    times = []
    for seed in seeds:
        with World(3, seed, PLAIN) as world:
            world.boot("A")
            world.crash("A")
            times.append(world.until(partial(_led_by_another, world)))
    return median(times), max(times)
