"""The simulated network behaves like TCP between two proxied, one-way connections a pair."""

import pytest

from kvraft.consensus.port import Hello, HelloRefused, ProtocolError
from kvraft.consensus.timing import Flow, Timing
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.network import Network
from kvraft_chaos.simulation.scheduler import Scheduler
from kvraft_chaos.simulation.station import Reach

TIMING = Timing()


class Recorder:
    """Stands where consensus stands and writes down what it hears."""

    def __init__(self, name):
        self.name = name
        self.heard = []
        self.refuse = None

    def hello(self):
        return Hello(7, 0, self.name, 1, 1, 1, 1, 1, "")

    def check_hello(self, hello):
        return HelloRefused(self.refuse) if self.refuse else None

    def on_outbound_up(self, peer, ack):
        self.heard.append(("out+", peer))

    def on_outbound_down(self, peer):
        self.heard.append(("out-", peer))

    def on_inbound_up(self, peer, hello):
        self.heard.append(("in+", peer))

    def on_inbound_down(self, peer):
        self.heard.append(("in-", peer))

    def on_message(self, peer, message, *, more=False):
        if message == b"bad":
            raise ProtocolError("bad")
        self.heard.append((peer, message))

    def on_piece(self, peer):
        self.heard.append(("piece", peer))

    def on_writable(self, peer):
        self.heard.append(("room", peer))

    def on_dial_failed(self, peer):
        self.heard.append(("failed", peer))


class FakeNode:
    def __init__(self, name):
        self.name = name
        self.state = Reach.SERVING
        self.recorder = Recorder(name)

    def reach(self):
        return self.state

    def engine(self):
        return self.recorder

    def post(self, action):
        if self.state is Reach.SERVING:
            action()

    def note(self, text):
        pass


class Pair:
    def __init__(self, delay=(0.001, 0.001), flow=None):
        self.scheduler = Scheduler()
        self.network = Network(
            self.scheduler,
            Chance(1, "network"),
            ["A", "B"],
            delay=delay,
            timing=TIMING,
            flow=flow or Flow(),
        )
        self.a, self.b = FakeNode("A"), FakeNode("B")
        self.network.stations.update(A=self.a, B=self.b)

    def up(self):
        for name in "AB":
            self.network.start(name)
        self.run(0.5)
        assert self.network.is_up("A", "B")
        assert self.network.is_up("B", "A")
        self.forget()
        return self

    def forget(self):
        self.a.recorder.heard.clear()
        self.b.recorder.heard.clear()

    def run(self, seconds):
        self.scheduler.run_until(self.scheduler.now + seconds)

    def send(self, *messages, bulk=False):
        for message in messages:
            assert self.network.send("A", "B", message, bulk=bulk)

    def got(self):
        return [what for peer, what in self.b.recorder.heard if peer == "A"]


def test_two_connections_a_pair():
    pair = Pair()
    pair.network.start("A")
    pair.run(0.1)
    assert pair.a.recorder.heard == [("out+", "B")]
    assert pair.b.recorder.heard == [("in+", "A")]
    assert not pair.network.send("B", "A", b"x", bulk=False)


def test_jitter_keeps_order():
    pair = Pair(delay=(0.001, 0.1)).up()
    messages = [b"%d" % i for i in range(100)]
    pair.send(*messages)
    pair.run(1)
    assert pair.got() == messages


def test_a_cut_holds_and_a_heal_releases():
    pair = Pair().up()
    pair.network.cut("A", "B")
    pair.send(b"1", b"2")
    pair.run(TIMING.unacknowledged_ms / 1000 - 0.2)
    assert pair.got() == []
    assert pair.network.in_flight("A", "B") == [b"1", b"2"]
    pair.network.send("B", "A", b"back", bulk=False)
    pair.run(0.1)
    assert pair.a.recorder.heard == [("B", b"back")]
    pair.network.heal("A", "B")
    pair.run(0.1)
    assert pair.got() == [b"1", b"2"]


@pytest.mark.parametrize("noticed", [True, False])
def test_tcp_gives_a_long_cut_up_unless_a_proxy_holds_it(noticed):
    pair = Pair().up()
    pair.network.cut("A", "B", noticed=noticed)
    pair.send(b"1")
    pair.run(TIMING.unacknowledged_ms / 1000 + 0.1)
    assert (("out-", "B") in pair.a.recorder.heard) is noticed
    pair.network.heal("A", "B")
    pair.run(2)
    assert pair.got() == ([] if noticed else [b"1"])
    assert pair.network.is_up("A", "B")


def test_one_connection_resets_alone_and_keeps_a_prefix():
    pair = Pair().up()
    pair.send(b"1", b"2", b"3")
    pair.network.reset("A", "B", keep=2)
    assert pair.b.recorder.heard == [("A", b"1"), ("A", b"2"), ("in-", "A")]
    assert pair.a.recorder.heard == [("out-", "B")]
    pair.run(TIMING.redial_ms / 1000 * 2 + 0.1)
    assert pair.a.recorder.heard == [("out-", "B"), ("out+", "B")]
    pair.send(b"4")
    pair.run(0.1)
    assert pair.got() == [b"1", b"2", b"4"]


def test_a_killed_process_refuses_and_a_dead_machine_is_silent():
    pair = Pair().up()
    pair.b.state = Reach.REFUSING
    pair.network.node_down("B", silent=False)
    pair.run(0.5)
    assert pair.a.recorder.heard[:2] == [("out-", "B"), ("in-", "B")]
    assert ("failed", "B") in pair.a.recorder.heard
    pair = Pair().up()
    pair.b.state = Reach.SILENT
    pair.network.node_down("B", silent=True)
    pair.run(TIMING.unacknowledged_ms / 1000 - 0.1)
    assert pair.a.recorder.heard == []
    pair.b.state = Reach.SERVING
    pair.network.node_up("B")
    pair.network.start("B")
    pair.run(0.5)
    assert pair.network.is_up("A", "B")
    assert pair.network.is_up("B", "A")


def test_a_dial_over_a_cut_link_fails_after_the_handshake_limit():
    pair = Pair()
    pair.network.cut("A", "B")
    pair.network.start("A")
    pair.run(TIMING.handshake_ms / 1000 - 0.01)
    assert pair.a.recorder.heard == []
    pair.run(0.02)
    assert pair.a.recorder.heard == [("failed", "B")]
    pair.network.heal("A", "B")
    pair.run(0.5)
    assert pair.a.recorder.heard[-1] == ("out+", "B")


@pytest.mark.parametrize("side", ["a", "b"])
def test_either_side_may_refuse(side):
    pair = Pair()
    getattr(pair, side).recorder.refuse = "another cluster"
    pair.network.start("A")
    pair.run(0.01)
    assert not pair.network.is_up("A", "B")
    assert ("failed", "B") in pair.a.recorder.heard
    heard = [what for what, _ in pair.b.recorder.heard]
    assert heard == ([] if side == "b" else ["in+", "in-"])


def test_a_malformed_message_closes_its_connection_only():
    pair = Pair().up()
    pair.send(b"bad", b"lost")
    pair.run(0.01)
    assert pair.b.recorder.heard == [("in-", "A")]
    assert pair.a.recorder.heard == [("out-", "B")]
    assert pair.network.is_up("B", "A")
    pair.run(0.5)
    assert pair.network.is_up("A", "B")


def test_control_overtakes_bulk_on_a_narrow_link_and_a_full_one_says_when_there_is_room():
    flow = Flow(piece_bytes=1_000, send_buffer_bytes=5_000)
    pair = Pair(flow=flow).up()
    pair.network.links["A", "B"].bytes_per_second = 10_000.0
    pair.send(b"x" * 4_000, bulk=True)
    assert not pair.network.send("A", "B", b"y" * 4_000, bulk=True)
    pair.send(b"ping")
    pair.run(2)
    heard = pair.b.recorder.heard
    assert heard.index(("A", b"ping")) < heard.index(("A", b"x" * 4_000))
    assert heard.count(("piece", "A")) == 3
    assert ("room", "B") in pair.a.recorder.heard


def test_a_node_may_close_both_connections():
    pair = Pair().up()
    pair.network.close("A", "B")
    pair.run(0.01)
    assert sorted(pair.a.recorder.heard) == [("in-", "B"), ("out-", "B")]
    assert sorted(pair.b.recorder.heard) == [("in-", "A"), ("out-", "A")]


def test_a_connection_whose_control_messages_pile_up_is_given_up():
    pair = Pair(flow=Flow(control_buffer_bytes=2_000)).up()
    pair.network.links["A", "B"].bytes_per_second = 100.0
    while pair.network.send("A", "B", b"z" * 500, bulk=False):
        pass
    pair.run(0.01)
    assert ("out-", "B") in pair.a.recorder.heard
