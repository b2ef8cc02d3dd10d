"""RULES B1: only one of a pair's two connections dies, and takes an answer with it."""

import pytest
from consensus_world import World, without

from kvraft.consensus import wire
from kvraft.consensus.messages import Append

pytestmark = pytest.mark.usefixtures("virtual_time")


def lose_the_answer_of_a_probe(switches):
    """a>b stays up; b>a dies with the answer to the probe, and comes back at once."""
    world = World(switches=switches)
    world.lead("c")
    world.write(b"one")
    world.converge()
    world.crash("b")
    for at in range(5):
        world.write(b"missed %d" % at)
    world.lead("a")  # a new leader does not know where b is
    probes = []

    def look(source, target, data):
        is_append = isinstance(wire.decode(data), Append)
        if (source, target) == ("a", "b") and is_append and not probes:
            probes.append(wire.decode(data))
            world.block("b", "a")

    world.capture = look
    world.b.start()
    world.until(lambda: len(probes) == 1)
    world.run(0.01)  # b has answered into the blocked connection
    assert world.links[("b", "a")], "the answer must be on its way"
    world.unblock(("b", "a"))
    world.lose("b", "a")
    assert ("a", "b") in world.links
    return world


def test_a_lost_answer_does_not_stop_replication():
    world = lose_the_answer_of_a_probe(without())
    world.until(lambda: world.b.payloads == world.a.payloads, 2.0)


@pytest.mark.parametrize("kept", ["link_epochs", "ask_again"])
def test_either_guard_alone_is_enough(kept):
    other = {"link_epochs": "ask_again", "ask_again": "link_epochs"}[kept]
    world = lose_the_answer_of_a_probe(without(other))
    world.until(lambda: world.b.payloads == world.a.payloads, 2.0)


def test_without_both_the_follower_hangs():
    world = lose_the_answer_of_a_probe(without("link_epochs", "ask_again"))
    world.run(30.0)
    assert ("b", "a") in world.links, "the network is whole again"
    assert len(world.b.payloads) < len(world.a.payloads)
