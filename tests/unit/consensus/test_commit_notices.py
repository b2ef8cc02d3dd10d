"""What is committed is told with the next append, or soon after; and a follower acks first."""

import pytest
from consensus_world import World, patch_syncobj

from kvraft.consensus import wire
from kvraft.consensus.messages import Append, AppendAck, Heartbeat
from kvraft.consensus.timing import Timing

SOON = Timing().tell_commit_ms / 1000


@pytest.fixture(autouse=True)
def _virtual_time(monkeypatch):
    patch_syncobj(monkeypatch)


@pytest.fixture
def world():
    world = World()
    world.lead("a")
    world.write(b"first")
    world.converge()
    return world


def listen(world):
    """Every message that leaves from now on, as (when, from, to, message)."""
    heard = []
    world.capture = lambda a, b, data: heard.append((world.now, a, b, wire.decode(data)))
    return heard


def notices(heard):
    return [each for each in heard if isinstance(each[3], Heartbeat) and each[3].number == 0]


def test_a_lonely_commit_is_told_within_the_pause(world):
    heard = listen(world)
    world.write(b"x")
    committed = world.now
    world.until(lambda: all(node.payloads == [b"first", b"x"] for node in world.nodes.values()))
    assert world.now - committed < 2 * SOON
    assert [to for _, _, to, _ in notices(heard)] == ["b", "c"]


def test_the_next_append_tells_it_instead(world):
    heard = listen(world)
    for number in range(10):  # each takes less than the pause
        world.write(b"%d" % number)
    assert not notices(heard)
    assert [each[3].commit for each in heard if isinstance(each[3], Append)]
    world.converge()
    assert len(world.c.payloads) == 11


def test_the_pause_counts_from_the_last_commit(world):
    """Of calls that take longer than the pause, each told by the next one a little later."""
    heard = listen(world)
    for number in range(20):
        committed = world.a.propose(b"%d" % number)
        world.until(lambda committed=committed: committed, step=0.0005)
        world.run(SOON * 0.5)
    assert not notices(heard)
    world.run(SOON)
    assert [to for _, _, to, _ in notices(heard)] == ["b", "c"]


def test_whom_no_append_reaches_is_told_while_more_is_committed(world):
    """The window of c is full, for its acks are lost; b goes on, a commit every three ms."""
    world.block("c", "a")

    def write():
        assert world.a.propose(b"x") == []
        world.run(0.003)

    while world.a.status.commit_index - world.c.status.last_index < 2:
        write()
    stored = world.c.status.last_index
    for _ in range(4):
        write()
    assert world.c.status.applied_index == stored == world.c.status.last_index


def test_a_deposed_leader_tells_nothing(world):
    """A notice in the new term, which it does not lead, would claim that it does."""
    written = world.a.propose(b"x")
    world.until(lambda: written, step=0.0005)
    world.a.call(world.a.engine.transfer_leadership, "b", lambda _: None)
    heard = listen(world)
    world.until(lambda: world.b.leads)
    world.run(2 * SOON)
    term = world.b.status.term
    assert not [each for each in notices(heard) if each[1] == "a" and each[3].term == term]


def test_a_followers_readers_do_not_wait_for_the_pause(world):
    """The round of heartbeats that confirms the leader tells it."""
    written = world.a.propose(b"x")
    world.until(lambda: written, step=0.0005)
    begun, done = world.now, world.b.barrier()
    world.until(lambda: done, step=0.0005)
    assert done == [None]
    assert world.b.payloads == [b"first", b"x"]
    assert world.now - begun < SOON * 0.6  # two round trips take less


def test_a_follower_acknowledges_before_it_applies(world):
    order = []
    apply = world.b.apply
    world.b.apply = lambda index, payload: order.append(payload) or apply(index, payload)

    def look(a, b, data):
        if a == "b" and isinstance(wire.decode(data), AppendAck):
            order.append("ack")

    world.capture = look
    world.write(b"x")
    world.write(b"y")  # its append says that x is committed
    world.converge()
    assert order == ["ack", "ack", b"x", b"y"]


def test_a_quick_disk_reports_within_the_kick():
    """As the log's writer does on the loop: the engine hears of it before its turn is over."""
    world = World()
    for node in world.nodes.values():
        node.kick = lambda node=node: node._synced(node.directory.log.sequence)
    world.lead("a")
    heard = listen(world)
    told = list(world.b.payloads)
    for number in range(10):
        begun, committed = world.now, world.a.propose(b"%d" % number)
        world.until(lambda committed=committed: committed, step=0.0001)
        assert world.now - begun == pytest.approx(2 * world.latency_s, abs=0.0002)  # a round trip
        told.append(b"%d" % number)
        world.until(lambda: world.b.payloads == world.c.payloads == told, step=0.0005)
        assert world.now - begun < SOON + 4 * world.latency_s  # nothing waits for a timer
    assert len([each for each in heard if isinstance(each[3], AppendAck)]) == 20
    world.a.call(world.a.engine.transfer_leadership, "b", lambda _: None)
    world.until(lambda: world.b.leads)  # terms and votes are written so, too
    world.write(b"y")
    world.converge()
    assert world.c.payloads == [*told, b"y"]
