"""RULES B2 and B3: a lost disk, an empty disk under a known name, and the way back."""

from dataclasses import replace

import pytest
from consensus_node import members
from consensus_world import World, without

from kvraft.consensus.port import Role
from kvraft.consensus.timing import Flow

pytestmark = pytest.mark.usefixtures("virtual_time")


def cluster(**kwargs):
    world = World(**kwargs)
    world.lead("a")
    world.bootstrap()
    world.write(b"x")
    world.converge()
    return world


def refusals(world, name):
    return [text for _, text in world[name].events]


def test_an_empty_disk_without_the_flag_is_refused_by_all():
    world = cluster()
    world.wipe("b", rejoin=False)
    world.b.start()
    hello = world.b.engine.hello()
    for name in "ac":
        refused = world[name].engine.check_hello(hello)
        assert refused is not None
        assert "b comes with a different disk" in refused.reason
        assert "--rejoin" in refused.reason
    world.run(3.0)
    assert not any("b" in pair for pair in world.links)
    assert world.b.payloads == []
    world.write(b"y")


def test_an_empty_disk_would_get_in_without_the_check():
    world = cluster(switches=without("disk_identity"))
    world.wipe("b", rejoin=False)
    world.b.start()
    assert world.a.engine.check_hello(world.b.engine.hello()) is None


def test_a_rejoining_node_comes_back_and_then_counts():
    world = cluster()
    old = world.b.directory.disk_id
    world.wipe("b", rejoin=True)
    world.b.start()
    assert world.b.status.role is Role.REJOINING
    world.until(lambda: world.b.status.role is not Role.REJOINING)
    world.converge()
    assert not world.b.directory.rejoining
    assert world.b.members[1]["b"] == world.b.directory.disk_id != old
    world.crash("c")
    world.write(b"counted")  # a and b are the majority now
    world.crash("a")
    world.c.start()
    world.elect()
    world.converge()
    assert world.b.payloads[-1] == b"counted"


def test_a_rejoining_node_counts_for_nothing_while_it_cannot_finish():
    """The other follower is down: the entry cannot commit without it, so nothing may."""
    world = cluster()
    world.crash("c")
    world.wipe("b", rejoin=True)
    world.b.start()
    pending = []
    world.run(0.05)
    if world.a.leads:
        pending = world.a.propose(b"must not be acknowledged")
    world.run(6.0)
    assert all("Applied" not in repr(one) for one in pending)
    assert world.b.status.role is Role.REJOINING
    assert any("not connected: c" in text for text in refusals(world, "b"))
    world.c.start()
    world.until(lambda: world.b.status.role is not Role.REJOINING)
    world.converge()


def test_a_rejoining_node_would_be_counted_without_the_guards():
    world = cluster(switches=without("rejoin_silence", "disk_identity"))
    world.crash("c")
    world.auto_join = False
    world.wipe("b", rejoin=True)
    world.b.start()
    world.run(0.3)
    pending = world.write(b"acknowledged by a disk that forgot")
    assert pending.index


def test_rejoining_survives_a_restart_without_the_flag():
    world = cluster()
    world.auto_join = False
    world.wipe("b", rejoin=True)
    world.b.start()
    world.run(1.0)
    world.crash("b")
    world.b.start()
    assert world.b.status.role is Role.REJOINING
    world.run(1.0)
    assert world.b.status.role is Role.REJOINING
    world.auto_join = True
    world.until(lambda: world.b.status.role is not Role.REJOINING)


def test_leader_change_between_request_and_commit():
    world = cluster()
    world.auto_join = False
    world.wipe("b", rejoin=True)
    world.b.start()
    world.until(lambda: world.a.joins)
    world.auto_join = True
    world.lead("c")
    world.until(lambda: world.b.status.role is not Role.REJOINING)
    world.write(b"y")
    world.converge()


def test_the_vote_of_the_present_term_is_spent():
    world = cluster()
    world.wipe("b", rejoin=True)
    world.b.start()
    world.until(lambda: world.b.status.role is not Role.REJOINING)
    vote = world.b.engine._shared.journal.vote
    assert vote.spent
    assert vote.term == world.a.status.term
    world.crash("b", power_loss=True)
    world.b.start()
    assert world.b.status.role is Role.FOLLOWER
    assert world.b.engine._shared.journal.vote.spent


def test_a_restart_does_not_go_back_in_the_member_table():
    world = cluster()
    world.wipe("b", rejoin=True)
    world.b.start()
    world.until(lambda: world.b.status.role is not Role.REJOINING)
    world.converge()
    world.crash("b")
    roles, apply = set(), world.b.apply

    def watched(index, payload):
        result = apply(index, payload)
        roles.add(world.b.engine.role)
        return result

    world.b.apply = watched
    world.b.start()
    world.converge()
    assert roles == {Role.FOLLOWER}


def test_rejoin_by_snapshot():
    world = cluster(flow=Flow(log_tail_bytes=100))
    for at in range(50):
        world.write(b"w%d" % at)
    world.converge()
    for node in world.nodes.values():
        node.snapshot()
    world.run(0.2)
    world.wipe("b", rejoin=True)
    world.b.start()
    world.until(lambda: world.b.status.role is not Role.REJOINING)
    world.converge()
    assert world.b.status.counters["snapshots_installed"] == 1


def test_the_former_disk_is_refused_after_the_rejoin():
    world = cluster()
    former = world.b.directory
    world.wipe("b", rejoin=True)
    world.b.start()
    world.until(lambda: world.b.status.role is not Role.REJOINING)
    world.converge()
    world.crash("b")
    world.b.directory = former
    world.b.start()
    refused = world.a.engine.check_hello(world.b.engine.hello())
    assert refused is not None
    assert "different disk" in refused.reason


def test_a_node_with_an_old_table_still_learns_from_a_rejoined_leader():
    world = cluster()
    world.crash("c")  # c's table says the former disk of b
    world.c.start()
    world.converge()
    world.cut("c")
    world.reset_pair("c", "a")
    world.reset_pair("c", "b")
    world.wipe("b", rejoin=True)
    world.unblock()
    world.block("b", "c")
    world.b.start()
    world.until(lambda: world.b.status.role is not Role.REJOINING)
    world.crash("c", power_loss=True)
    world.lead("b")
    world.unblock()
    world.c.start()
    world.converge()


def test_a_slot_left_empty_by_the_bootstrap_is_filled_without_the_flag():
    world = World("abc", start=False)
    world.a.start()
    world.b.start()
    world._redial()
    world.elect()
    disks = {name: world[name].directory.disk_id for name in "ab"}
    world.write(members(77, disks))
    world.write(b"x")
    world.c.start()
    world.until(
        lambda: (
            world.c.members[1].get("c") == world.c.directory.disk_id
            if hasattr(world.c, "members")
            else False
        )
    )
    world.until(lambda: world.c.status.role is Role.FOLLOWER)
    world.converge()


def test_another_cluster_is_refused():
    world = cluster()
    hello = world.b.engine.hello()
    other = world.a.engine.check_hello(replace(hello, cluster_id=78))
    assert other is not None
    assert "belongs to cluster" in other.reason
    stranger = world.a.engine.check_hello(replace(hello, name="z"))
    assert stranger is not None
    assert "z is no member" in stranger.reason
    restored = world.a.engine.check_hello(replace(hello, cluster_id=0, origin=5))
    assert restored is not None
    protocol = world.a.engine.check_hello(replace(hello, protocol_min=9, protocol_max=9))
    assert protocol is not None
    assert "protocol" in protocol.reason


def test_a_leader_whose_slot_is_given_away_asks_nobody():
    """It leads until its silence is noticed, and has no link to itself."""
    world = cluster()
    a = world.a
    cluster_id, disks = a.members
    a.call(lambda: a.engine.set_members(cluster_id, {**disks, "a": disks["a"] + 1}))
    world.run(3.0)
    assert a.fatals == []
    assert a.status.role is Role.REJOINING
