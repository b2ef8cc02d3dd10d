"""Single guards: what stops the node, what is refused, and what costs only a connection."""

import pytest
from consensus_node import StoppedError
from consensus_world import World, without

from kvraft.consensus import envelope, wire
from kvraft.consensus.messages import (
    Append,
    AppendAck,
    Heartbeat,
    HigherTerm,
    Join,
    LogEntry,
    ReadAnswer,
    TimeoutNow,
    VoteRequest,
)
from kvraft.consensus.port import Applied, Failure, ProtocolError, Role
from kvraft.consensus.timing import Flow

pytestmark = pytest.mark.usefixtures("virtual_time")


@pytest.fixture
def world():
    world = World()
    world.lead("a")
    for at in range(5):
        world.write(b"w%d" % at)
    world.converge()
    return world


def tell(world, source, target, message):
    node = world[target]
    with world.running(node):
        node.engine.on_message(source, wire.encode(message))


# -- contradictions stop the node


def test_a_contradiction_of_a_committed_entry_stops_the_node(world):
    term = world.b.status.term
    with pytest.raises(StoppedError, match="contradicts entry 4"):
        tell(world, "a", "b", Append(term + 1, 1, 4, term + 1, 0, ()))


def test_overwriting_a_committed_entry_stops_the_node(world):
    term = world.b.status.term
    entry = LogEntry(term + 1, envelope.wrap(b"other"))
    with pytest.raises(StoppedError, match="would overwrite entry 4"):
        tell(world, "a", "b", Append(term + 1, 1, 3, term, 0, (entry,)))


def test_an_ack_beyond_the_log_stops_the_node(world):
    term, last = world.a.status.term, world.a.status.last_index
    with pytest.raises(StoppedError, match=f"acknowledges entry {last + 1}"):
        tell(world, "b", "a", AppendAck(term, term, 1, True, last + 1))


def test_a_second_leader_of_the_term_stops_the_node(world):
    with pytest.raises(StoppedError, match="both lead term"):
        tell(world, "b", "a", Heartbeat(world.a.status.term, 1, 0, 0))


def test_a_raise_of_apply_stops_the_node_once(world):
    def fail(_index, _payload):
        raise KeyError("bug")

    world.b.apply = fail
    world.a.propose(b"x")
    world.run(0.2)
    assert not world.b.alive
    assert len(world.b.fatals) == 1
    assert "KeyError" in world.b.fatals[0]


def test_an_even_cluster_is_refused():
    with pytest.raises(ValueError, match="odd number of names"):
        World("ab")


def test_an_entry_larger_than_an_append_is_refused(world):
    world.a.propose(b"x" * Flow().append_bytes)
    assert "at most" in world.a.fatals[0]


# -- bytes from peers cost their connection


@pytest.mark.parametrize("data", [b"", b"noise", bytes(40), b"\x0b\x01" + bytes(500)])
def test_malformed_bytes_are_counted_and_nothing_else(world, data):
    before = world.b.status
    with world.running(world.b), pytest.raises(ProtocolError):
        world.b.engine.on_message("a", data)
    after = world.b.status
    assert after.counters["malformed"] == before.counters["malformed"] + 1
    assert (after.role, after.term, after.last_index) == (
        before.role,
        before.term,
        before.last_index,
    )


def test_a_term_no_election_can_have_is_refused(world):
    with pytest.raises(ProtocolError, match="speaks in term"):
        tell(world, "a", "b", HigherTerm(world.b.status.term + (1 << 20) + 1))
    assert world.b.status.term < 100


def test_a_higher_term_makes_a_leader_step_down(world):
    term = world.a.status.term
    tell(world, "b", "a", HigherTerm(term + 1))
    assert world.a.status.role is Role.FOLLOWER
    assert world.a.status.term == term + 1
    assert any("b is in term" in text for _, text in world.a.events)


# -- votes


def test_nobody_votes_while_a_leader_is_alive(world):
    last = world.b.status.last_index
    request = VoteRequest(world.b.status.term + 1, last + 9, world.b.status.term, forced=False)
    tell(world, "c", "b", request)
    assert world.b.status.term < request.term
    tell(world, "c", "b", VoteRequest(request.term, last + 9, world.b.status.term, forced=True))
    assert world.b.status.term == request.term


def test_without_stickiness_they_do(world):
    world.crash("b")
    world.b.start(switches=without("stickiness"))
    world.run(0.3)
    last, term = world.b.status.last_index, world.b.status.term
    tell(world, "c", "b", VoteRequest(term + 1, last + 9, term, forced=False))
    assert world.b.status.term == term + 1


def test_the_same_candidate_gets_the_same_vote_again(world):
    term, last = world.b.status.term, world.b.status.last_index
    sent = []
    world.capture = lambda a, b, data: sent.append((a, b, wire.decode(data)))
    for _ in range(2):
        tell(world, "c", "b", VoteRequest(term + 1, last, term, forced=True))
        world.run(0.01)
    answers = [one for a, b, one in sent if (a, b) == ("b", "c") and hasattr(one, "granted")]
    assert [one.granted for one in answers if one.term == term + 1] == [True, True]


def test_only_the_leader_may_hand_over(world):
    tell(world, "c", "b", TimeoutNow(world.b.status.term))
    assert world.b.status.role is Role.FOLLOWER


# -- log


def test_what_an_isolated_leader_wrote_is_replaced(world):
    world.cut("a")
    lost = [world.a.propose(b"lost%d" % at) for at in range(30)]
    world.until(lambda: all(lost))
    world.until(lambda: world.b.leads or world.c.leads)
    for at in range(40):
        world.write(b"kept%d" % at)
    world.unblock()
    world.converge()
    assert all(one == [Failure.LEADERSHIP_LOST] for one in lost)
    assert not any(payload.startswith(b"lost") for payload in world.a.payloads)
    assert world.a.status.counters["conflicts"] <= 2, "a term a round, not an entry a round"


def test_a_duplicate_of_an_old_append_changes_nothing(world):
    term = world.b.status.term
    entries = tuple(
        LogEntry(entry.term, entry.command) for entry in world.b.engine._shared.journal.entries[2:4]
    )
    last = world.b.status.last_index
    before = world.b.engine._shared.journal.term_at(2)
    tell(world, "a", "b", Append(term, 1, 2, before, 0, entries))
    assert world.b.status.last_index == last
    assert world.b.status.counters["duplicates_trimmed"] >= 2


def test_a_full_link_is_waited_for(world):
    send = world.send

    def full(a, b, data, *, bulk):
        return not (bulk and (a, b) == ("a", "b")) and send(a, b, data, bulk=bulk)

    world.send = full
    for at in range(10):
        world.write(b"full%d" % at)
    assert len(world.b.payloads) < len(world.a.payloads)
    world.send = send
    world.a.call(world.a.engine.on_writable, "b")
    world.converge(1.0)


def test_an_answer_to_a_question_nobody_asked_is_ignored(world):
    tell(world, "a", "b", ReadAnswer(world.b.status.term, 99, 10**9))
    answers = world.b.barrier()
    world.until(lambda: answers)
    assert answers == [None]


def test_a_join_for_another_disk_than_the_one_that_talks_is_ignored(world):
    world.bootstrap()
    tell(world, "b", "a", Join(world.a.status.term, 12345, 1))
    assert world.a.joins == []


def test_messages_of_an_older_boot_are_dropped(world):
    hello = world.b.engine.hello()
    old_inbound = world.links[("b", "a")]
    world.crash("b")
    world.b.start()
    newer = world.b.engine.hello()
    with world.running(world.a):
        world.a.engine.on_inbound_up("b", hello)
        world.a.engine.on_outbound_up("b", newer)
    before = world.a.status.counters["messages_of_old_boots"]
    tell(world, "b", "a", HigherTerm(world.a.status.term + 1))
    assert world.a.status.counters["messages_of_old_boots"] == before + 1
    assert world.a.status.role is Role.LEADER
    refused = world.a.engine.check_hello(hello)
    assert refused is not None
    assert "started again" in refused.reason
    assert old_inbound is not None


def disturb(world):
    """Do one random thing to the cluster, and undo it within two seconds."""
    kind, name = world.rng.randrange(5), world.rng.choice("abc")
    other = world.rng.choice([one for one in "abc" if one != name])
    if kind == 0:
        world.crash(name, power_loss=world.rng.random() < 0.5)
        world.at(world.rng.random(), lambda: world[name].alive or world[name].start())
    elif kind == 1:
        world.cut(name)
        world.at(world.rng.random() * 2, world.unblock)
    elif kind == 2:
        world.lose(name, other)
    elif kind == 3:
        world.block(name, other)
        world.at(world.rng.random() * 2, world.unblock)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_acknowledged_is_lost_in_a_storm(seed):
    """Random crashes, power losses, cuts and resets: what was acknowledged is there at the end."""
    world = World(seed=seed)
    world.elect()
    proposed = {}
    for _ in range(25):
        disturb(world)
        for _ in range(5):
            if leader := world.leader():
                payload = b"%d" % len(proposed)
                proposed[payload] = leader.propose(payload)
            world.run(0.05)
    world.unblock()
    for node in world.nodes.values():
        if not node.alive:
            node.start()
    world.run(3.0)
    world.elect()
    world.converge(10.0)
    sure = {one for one, answers in proposed.items() if isinstance((answers or [0])[0], Applied)}
    assert len(sure) > 20
    assert all(len(answers) <= 1 for answers in proposed.values())
    payloads = world.a.payloads
    assert len(payloads) == len(set(payloads))
    assert sure <= set(payloads)
    assert all(not node.fatals for node in world.nodes.values())
