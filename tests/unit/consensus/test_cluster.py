"""Three engines: elect, replicate, read, restart, hand over, fail over."""

import pytest
from consensus_world import World, without

from kvraft.consensus.port import Applied, Failure, Role
from kvraft.consensus.timing import Flow

pytestmark = pytest.mark.usefixtures("virtual_time")


def test_elects_one_leader_and_replicates():
    world = World()
    leader = world.elect(2.0)
    answers = [leader.propose(b"x%d" % i) for i in range(20)]
    world.run(0.5)
    assert all(len(one) == 1 and isinstance(one[0], Applied) for one in answers)
    world.converge()
    assert all(node.payloads == [b"x%d" % i for i in range(20)] for node in world.nodes.values())
    assert [node.status.role for node in world.nodes.values()].count(Role.LEADER) == 1


def test_first_leader_comes_quickly():
    for seed in range(10):
        world = World(seed=seed)
        world.elect(0.6)


def test_five_nodes():
    world = World("abcde")
    world.elect()
    world.write(b"x")
    world.crash("a")
    world.crash("b")
    world.write(b"y")
    world.converge()
    assert world.e.payloads[-1] == b"y"


@pytest.mark.parametrize("power_loss", [False, True])
def test_everything_acknowledged_survives_a_restart_of_all(power_loss):
    world = World()
    world.bootstrap()
    for i in range(10):
        world.write(b"w%d" % i)
    for name in "abc":
        world.crash(name, power_loss=power_loss)
    for name in "abc":
        world[name].start()
    world.elect()
    world.converge()
    assert world.a.payloads[1:] == [b"w%d" % i for i in range(10)]
    world.write(b"after")


def test_a_follower_that_was_away_catches_up():
    world = World()
    world.lead("a")
    world.crash("c")
    for i in range(300):
        world.a.propose(b"m%d" % i)
    world.run(1.0)
    world.c.start()
    world.until(lambda: world.c.payloads == world.a.payloads, 3.0)


def test_barrier_on_every_node():
    world = World()
    world.lead("a")
    world.write(b"x")
    world.run(0.3)
    for node in world.nodes.values():
        answers = node.barrier()
        world.until(lambda answers=answers: answers, 0.2)
        assert answers == [None]
        assert node.payloads == [b"x"], "what was acknowledged is visible behind the barrier"


def test_barriers_of_one_turn_share_a_round():
    world = World()
    leader = world.elect()
    world.write(b"x")
    before = leader.status.counters["read_rounds"]
    answers = [leader.barrier() for _ in range(50)]
    world.until(lambda: all(answers))
    assert leader.status.counters["read_rounds"] == before + 1


def test_a_cut_off_follower_answers_no_quorum_in_time():
    world = World()
    world.lead("a")
    world.write(b"x")
    world.run(0.5)
    world.cut("c")
    late = world.c.barrier()
    world.run(1.1)
    assert late == [Failure.NO_QUORUM]
    assert world.c.barrier() == [Failure.NO_QUORUM]
    assert not world.c.engine.quorum_reachable()


def test_a_mute_follower_knows_that_it_is_not_heard():
    """RULES I8: it hears the leader, but what it sends gets lost."""
    world = World()
    world.lead("a")
    world.run(0.5)
    assert world.c.engine.quorum_reachable()
    world.block("c", "a")
    world.run(1.3)
    assert world.c.status.leader == "a"
    assert not world.c.engine.quorum_reachable()


def test_transfer_is_quick_and_loses_nothing():
    world = World()
    world.lead("a")
    world.write(b"x")
    answers, writes = [], []
    world.a.call(world.a.engine.transfer_leadership, "b", answers.append)
    writes.append(world.a.propose(b"held"))
    started = world.now
    world.until(lambda: world.b.leads, 0.3)
    assert world.now - started < 0.2
    world.until(lambda: answers)
    assert answers == [None]
    assert writes == [[Failure.NOT_LEADER]], "held while it lasted, then definitely not applied"
    world.write(b"y")
    world.converge()
    assert world.c.payloads == [b"x", b"y"]


def test_transfer_to_a_dead_node_is_refused_and_writes_go_on():
    world = World()
    world.lead("a")
    world.crash("b")
    answers = []
    world.a.call(world.a.engine.transfer_leadership, "b", answers.append)
    assert "b does not answer" in answers[0]
    answers.clear()
    world.cut("c")
    world.a.call(world.a.engine.transfer_leadership, "c", answers.append)
    world.unblock()
    world.until(lambda: answers, 2.0)
    world.write(b"x")


def test_transfer_to_a_silent_node_holds_nothing_up():
    world = World()
    world.lead("a")
    world.cut("b")
    world.run(0.5)
    answers = []
    world.a.call(world.a.engine.transfer_leadership, "b", answers.append)
    assert "b does not answer" in answers[0]
    started = world.now
    world.write(b"x")
    assert world.now - started < 0.2


def fail_over(seed, stop):
    world = World(seed=seed)
    leader = world.elect()
    world.bootstrap()
    world.run(1.0)
    stop(world, leader)
    started = world.now
    world.until(
        lambda: any(n.leads and n.alive and n is not leader for n in world.nodes.values()),
        5.0,
        0.001,
    )
    return world.now - started


def test_fail_over_after_kill():
    times = sorted(fail_over(seed, lambda w, n: w.crash(n.name)) for seed in range(21))
    assert times[10] <= 0.25, times
    assert times[-1] <= 0.8, times


def test_fail_over_after_kill_takes_a_timeout_without_the_fast_path():
    def slow(seed):
        world = World(seed=seed, switches=without("fast_failover"))
        leader = world.elect()
        world.run(1.0)
        world.crash(leader.name)
        started = world.now
        world.until(lambda: world.leader() is not None)
        return world.now - started

    assert min(slow(seed) for seed in range(5)) > 0.4


def test_fail_over_of_a_silent_leader():
    times = [fail_over(seed, lambda w, n: w.cut(n.name)) for seed in range(10)]
    assert max(times) <= 1.8, times


def test_a_reset_of_the_leaders_connection_elects_nobody():
    world = World()
    leader = world.lead("a")
    world.run(0.5)
    term = leader.status.term
    for _ in range(5):
        world.lose("a", "b")
        world.run(0.2)
        world.reset_pair("a", "c")
        world.run(0.2)
    assert world.leader() is leader
    assert leader.status.term == term


def test_an_isolated_leader_steps_down_and_answers_once():
    world = World()
    world.lead("a")
    world.write(b"x")
    world.cut("a")
    pending = world.a.propose(b"lost")
    started = world.now
    world.until(lambda: pending, 3.0)
    assert pending == [Failure.LEADERSHIP_LOST]
    assert world.now - started < 1.2
    assert world.a.propose(b"late") == [Failure.NOT_LEADER]
    world.until(lambda: world.b.leads or world.c.leads)
    world.write(b"y")
    world.unblock()
    world.converge()
    assert world.a.payloads == [b"x", b"y"]
    assert len(pending) == 1


def test_a_backlog_of_old_terms_is_applied_in_steps_after_a_restart_of_all():
    world = World()
    world.elect()
    for at in range(700):
        world.leader().propose(b"%d" % at)
    world.run(0.5)
    world.converge()
    for name in "abc":
        world.crash(name)
    for name in "abc":
        world[name].start()
    sizes, node = [], world.a
    turn = node.tick

    def counted():
        before = len(node.payloads)
        turn()
        sizes.append(len(node.payloads) - before)

    node.tick = counted
    world.until(lambda: len(node.payloads) == 700)
    assert 0 < max(sizes) <= Flow().apply_batch


def test_window_bounds_what_is_in_flight():
    world = World(flow=Flow(window_appends=4))
    world.lead("a")
    world.write(b"x")
    world.converge()
    world.block("a", "b")
    before = len(world.links[("a", "b")])
    for i in range(100):
        world.a.propose(b"%d" % i)
        world.run(0.001)
    appends = [m for m in list(world.links[("a", "b")])[before:] if m[0] == 1]
    assert len(appends) == 4
    world.unblock()
    world.converge()
    assert len(world.b.payloads) == 101


def test_a_stalled_disk_hands_leadership_over():
    world = World()
    world.lead("a")
    world.a.disk_hangs = True
    stuck = world.a.propose(b"stuck")
    started = world.now
    world.until(lambda: world.b.leads or world.c.leads, 6.0)
    assert world.now - started < 5.0
    assert stuck in ([], [Failure.LEADERSHIP_LOST])
    world.run(1.0)
    assert stuck == [Failure.LEADERSHIP_LOST]
    world.write(b"next")


def test_a_turn_hands_what_it_appended_to_the_disk():
    """Nobody else does: the driver only turns."""
    world = World()
    world.lead("a")
    world.run(1.0)
    assert not world.a.syncing
    world.a.propose(b"x")
    world.run(0.0005)  # less than an fsync takes
    assert world.a.syncing
