"""Snapshots: a lagging follower gets one while writes go on; recovery makes one story of both."""

import pytest
from consensus_node import Snapshot
from consensus_world import World, without

from kvraft.consensus.timing import Flow

pytestmark = pytest.mark.usefixtures("virtual_time")

SMALL = Flow(log_tail_bytes=200, snapshot_chunk_bytes=64, snapshot_window=2)


def lagging(switches=None):
    """c is down while a and b write, snapshot and trim."""
    world = World(flow=SMALL, switches=switches)
    world.lead("a")
    world.write(b"first")
    world.converge()
    world.crash("c")
    for at in range(60):
        world.write(b"w%d" % at)
    world.a.snapshot()
    world.b.snapshot()
    world.run(0.1)
    assert world.a.engine._shared.journal.first_index > 20
    return world


def test_a_lagging_follower_installs_a_snapshot_while_writes_go_on():
    world = lagging()
    world.c.start()
    for at in range(40):
        world.write(b"during %d" % at)
    world.converge()
    assert world.c.status.counters["snapshots_installed"] == 1
    assert world.c.payloads == world.a.payloads
    assert len(world.c.payloads) == 101


def test_the_snapshot_survives_a_connection_lost_on_the_way():
    world = lagging()
    world.c.start()
    world.until(lambda: world.c.engine._node.receiver._incoming is not None)
    world.lose("c", "a")
    world.run(0.01)
    world.lose("a", "c")
    world.converge()
    assert world.c.status.counters["snapshots_installed"] == 1


def test_a_lost_chunk_answer_is_asked_for_again():
    """Without epochs, time limits alone bring the stream forward again."""
    world = lagging(without("link_epochs"))
    world.c.start()
    world.until(lambda: world.c.engine._node.receiver._incoming is not None)
    world.lose("c", "a")
    world.converge(10.0)


def test_a_restart_after_an_install_needs_no_second_one():
    world = lagging()
    world.c.start()
    world.until(lambda: world.c.status.counters["snapshots_installed"] == 1)
    world.run(0.2)
    world.write(b"more")
    world.converge()
    world.crash("c", power_loss=True)
    world.c.start()
    world.converge()
    assert world.c.status.counters["snapshots_installed"] == 0


def test_a_crash_between_current_and_the_log_is_healed_at_start():
    """The received snapshot is CURRENT, the record that resets the log is not durable."""
    world = lagging()
    world.c.start()
    world.until(lambda: world.c.directory.current is not None)
    world.crash("c", power_loss=True)
    world.c.start()
    assert world.c.status.applied_index == world.c.directory.current.index
    world.converge()


def test_the_suffix_behind_the_snapshot_is_kept():
    """Gap row 4: what extends the snapshot was acknowledged."""
    world = World(flow=SMALL)
    world.lead("a")
    for at in range(30):
        world.write(b"w%d" % at)
    world.converge()
    world.b.snapshot()
    world.run(0.1)
    for at in range(3):
        world.write(b"late%d" % at)
    world.converge()
    last = world.b.status.last_index
    world.crash("b", power_loss=True)
    world.b.start()
    assert world.b.status.last_index == last


def test_without_alignment_the_suffix_is_lost():
    world = World(flow=SMALL)
    world.lead("a")
    for at in range(30):
        world.write(b"w%d" % at)
    world.converge()
    world.b.snapshot()
    world.run(0.1)
    world.write(b"late")
    world.converge()
    last = world.b.status.last_index
    world.crash("b")
    world.b.start(switches=without("align_log_to_snapshot"))
    assert world.b.status.last_index < last


def test_a_hole_between_snapshot_and_log_stops_the_start():
    world = World(flow=SMALL)
    world.lead("a")
    for at in range(30):
        world.write(b"w%d" % at)
    world.a.snapshot()
    world.run(0.1)
    world.crash("a")
    world.a.directory.current = Snapshot(5, 1, b"([], None)")
    with pytest.raises(Exception, match="the snapshot ends at 5"):
        world.a.start()


def test_a_snapshot_chunk_commits_nothing():
    """Gap row 3: a deposed leader's lost entries must not be applied by a chunk."""

    def run(switches):
        world = World(flow=SMALL, switches=switches)
        world.lead("a")
        world.write(b"first")
        world.converge()
        world.cut("a")
        phantom = [world.a.propose(b"phantom %d" % at) for at in range(2)]
        world.until(lambda: all(phantom), 3.0)
        world.until(lambda: world.b.leads or world.c.leads)
        for at in range(60):
            world.write(b"good %d" % at)
        for node in (world.b, world.c):
            node.snapshot()
        world.run(0.1)
        seen = []
        apply = world.a.apply

        def watch(index, payload):
            seen.append(payload)
            return apply(index, payload)

        world.a.apply = watch
        world.reset_pair("a", "b")
        world.reset_pair("a", "c")
        world.unblock()
        world.run(3.0)
        return any(payload.startswith(b"phantom") for payload in seen)

    assert not run(without())
    assert run(without("clamp_snapshot_commit"))
