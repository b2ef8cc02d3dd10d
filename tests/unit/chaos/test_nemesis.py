"""Each fault's own doing on a cluster that only remembers, and that strokes never heal others."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from random import Random

import pytest
from fake_target import FakeTarget
from hypothesis import given, settings
from hypothesis import strategies as st

from kvraft_chaos.nemesis.catalogue import FAULTS, lacking, rig_for
from kvraft_chaos.nemesis.clients import LoopClient, ProcessClient
from kvraft_chaos.nemesis.node_processes import NotHere
from kvraft_chaos.nemesis.processes import PAUSE_MS
from kvraft_chaos.observed import ClusterError
from kvraft_chaos.topology import NODES, around, client_link
from kvraft_chaos.waiting import wait_until

FIVE = ("n1", "n2", "n3", "n4", "n5")
ANYWHERE = sorted(
    set(FAULTS) - {"slow-disk", "full-disk", "clock-jump", "rejoin", "snapshot", "transfer-leader"}
)
"""Those that need no process, directory or server."""


class FakeClient:
    def __init__(self, name):
        self.name, self.paused = name, False

    def pause(self):
        self.paused = True

    def resume(self):
        self.paused = False


def struck(name, cluster, **arguments):
    fault = FAULTS[name]()
    fault.strike(cluster, arguments)
    return fault


@pytest.mark.parametrize(
    ("name", "arguments", "silent"),
    [
        ("isolate-leader", {}, set(around("n1"))),
        ("isolate-follower", {}, set(around("n2"))),
        ("halves", {"side": ["n3"]}, set(around("n3"))),
        ("one-way", {"node": "n1", "direction": "out"}, {"n1-to-n2", "n1-to-n3"}),
        ("one-way", {"node": "leader", "direction": "in"}, {"n2-to-n1", "n3-to-n1"}),
        ("bridge", {"order": ["n2", "n1", "n3"]}, {"n1-to-n3", "n3-to-n1"}),
        ("ring", {"order": ["n1", "n2", "n3"]}, {"n2-to-n1", "n3-to-n2", "n1-to-n3"}),
    ],
)
def test_a_partition_silences_exactly_its_links(name, arguments, silent):
    cluster = FakeTarget()
    fault = struck(name, cluster, **arguments)
    assert cluster.proxies.silent() == silent
    fault.heal(cluster)
    assert cluster.state() == FakeTarget().state()


def test_five_nodes_fall_in_halves_and_hang_on_a_bridge():
    cluster = FakeTarget(FIVE)
    struck("halves", cluster, side=["n1", "n2"])
    assert len(cluster.proxies.silent()) == 12
    assert "n1-to-n2" not in cluster.proxies.silent()
    cluster = FakeTarget(FIVE)
    struck("bridge", cluster, order=["n3", "n1", "n2", "n4", "n5"])
    assert len(cluster.proxies.silent()) == 8
    assert not [link for link in cluster.proxies.silent() if "n3" in link]


@pytest.mark.parametrize(
    ("name", "arguments", "kind", "attributes"),
    [
        ("delay", {"latency_ms": 30, "jitter_ms": 9}, "latency", {"latency": 30, "jitter": 9}),
        ("bandwidth", {"kb_per_s": 7}, "bandwidth", {"rate": 7}),
        ("resets", {"after_ms": 80}, "reset_peer", {"timeout": 80}),
        (
            "slicing",
            {"bytes": 64, "pause_us": 500},
            "slicer",
            {"average_size": 64, "size_variation": 32, "delay": 500},
        ),
    ],
)
def test_a_bad_link_has_its_toxic_in_both_directions(name, arguments, kind, attributes):
    cluster = FakeTarget()
    struck(name, cluster, node="n2", where="clients", **arguments)
    toxics = cluster.proxies.links[client_link("n2")].values()
    assert sorted(toxics, key=str) == [
        (kind, "downstream", attributes),
        (kind, "upstream", attributes),
    ]
    struck(name, cluster, node="all", where="peers", **arguments)
    peers = {link: toxics for link, toxics in cluster.proxies.links.items() if link.startswith("n")}
    assert all(len(toxics) == 2 for toxics in peers.values())


def test_half_open_loses_only_the_answers():
    cluster = FakeTarget()
    struck("half-open", cluster, node="n3", where="clients")
    assert [*cluster.proxies.links["client-to-n3"].values()] == [
        ("timeout", "downstream", {"timeout": 0})
    ]


def test_a_swizzle_clogs_one_after_another_and_unclogs_in_another_order():
    cluster = FakeTarget()
    fault = struck("swizzle-clog", cluster, clog=["n1", "n2", "n3"], unclog=["n2", "n3", "n1"])
    seen = []
    for beat in range(1, 8):
        seen.append({name for name in NODES if cluster.proxies.links[client_link(name)]})
        clogged = {link for name in seen[-1] for link in (*around(name), client_link(name))}
        assert cluster.proxies.silent() == clogged, "a link is clear when both its ends are"
        fault.beat(cluster, beat)
    assert seen == [{"n1"}, {"n1", "n2"}, set(NODES), {"n1", "n3"}, {"n1"}, set(), set()]


def test_a_restart_storm_kills_one_after_another_and_all_run():
    cluster = FakeTarget()
    fault = struck("restart-storm", cluster)
    for beat in range(1, 5):
        fault.beat(cluster, beat)
    assert cluster.killed == ["n1", "n2", "n3", "n1", "n2"]
    assert cluster.up == set(NODES)


def test_a_role_is_whoever_has_it_and_the_first_node_where_nobody_has():
    cluster = FakeTarget(leader="n3")
    assert struck("kill", cluster, node="leader").struck == ("n3",)
    assert struck("pause", cluster, node="follower").struck == ("n1",)
    cluster.leading = None
    assert struck("pause", cluster, node="leader").struck == ("n1",)


def test_a_node_stays_down_until_the_last_stroke_on_it_heals():
    cluster = FakeTarget()
    one, all_of_them = struck("kill", cluster, node="n1"), struck("kill-all", cluster)
    one.heal(cluster)
    assert cluster.up == set()
    all_of_them.heal(cluster)
    assert cluster.up == set(NODES)


def test_a_pause_outlives_another_pause_and_a_restart_ends_it():
    cluster = FakeTarget()
    first, second = struck("pause", cluster, node="n1"), struck("pause", cluster, node="n1")
    second.heal(cluster)
    assert cluster.paused == {"n1"}
    kill = struck("kill", cluster, node="n1")
    first.heal(cluster)
    kill.heal(cluster)
    assert (cluster.up, cluster.paused) == (set(NODES), set())


def test_a_node_that_ended_by_itself_is_not_started_by_a_stroke():
    cluster = FakeTarget()
    cluster.up.remove("n2")
    fault = FAULTS["kill"]()
    with pytest.raises(ClusterError, match="n2 ended by itself"):
        fault.strike(cluster, {"node": "n2"})
    fault.heal(cluster)
    assert "n2" not in cluster.up


def test_a_stroke_that_broke_off_half_way_heals_what_it_did():
    cluster = FakeTarget()
    cluster.proxies.broken = {"n3-to-n1"}
    fault = FAULTS["isolate-leader"]()
    with pytest.raises(OSError, match="n3-to-n1"):
        fault.strike(cluster, {})
    assert cluster.proxies.silent() != set()
    fault.heal(cluster)
    assert cluster.state() == FakeTarget().state()


def test_a_link_that_cannot_be_healed_keeps_no_other_from_it():
    cluster = FakeTarget()
    fault = struck("isolate-leader", cluster)
    cluster.proxies.broken = {"n1-to-n3"}
    with pytest.raises(OSError, match="n1-to-n3"):
        fault.heal(cluster)
    assert cluster.proxies.silent() == {"n1-to-n3"}


def victims(active, *names):
    return {node for fault in active if fault.name in names for node in fault.struck}


def toxics_of(cluster, fault):
    mine = f"{fault.name}-{fault._number}-"
    return {
        (link, toxic)
        for link, toxics in cluster.proxies.links.items()
        for toxic in toxics
        if toxic.startswith(mine)
    }


def check_overlap(cluster, active, beats):
    """The cluster is as it would be had only the active strokes struck, each by itself."""
    assert cluster.up == set(cluster.names) - victims(active, "kill", "kill-all")
    assert cluster.cut_off == victims(active, "disconnect")
    shut = [fault for fault in active if fault.name == "flapping" and beats[fault] % 2 == 0]
    assert cluster.proxies.disabled == {
        link for fault in shut for node in fault.struck for link in around(node, cluster.names)
    }
    theirs = set()
    for fault in active:
        if fault.name != "swizzle-clog":
            assert toxics_of(cluster, fault) == fault.at_first
        theirs |= toxics_of(cluster, fault)
    assert sum(map(len, cluster.proxies.links.values())) == len(theirs)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32), nodes=st.sampled_from([NODES, FIVE]))
def test_strokes_that_overlap_in_any_way_leave_nothing_and_never_heal_each_other(seed, nodes):
    chance, cluster = Random(seed), FakeTarget(nodes)
    cluster.clients = [FakeClient("a"), FakeClient("b")]
    beats = {}
    for _ in range(40):
        act = chance.randrange(4)
        if act <= 1 and len(beats) < 6:
            fault = FAULTS[chance.choice(ANYWHERE)]()
            fault.strike(cluster, fault.draw(chance, nodes))
            fault.at_first = toxics_of(cluster, fault)
            beats[fault] = 0
        elif act == 2 and beats:
            fault = chance.choice(list(beats))
            fault.heal(cluster)
            del beats[fault]
        else:
            for fault, before in beats.items():
                beats[fault] = before + 1
                fault.beat(cluster, before + 1)
        check_overlap(cluster, list(beats), beats)
    for fault in beats:
        fault.heal(cluster)
    assert cluster.state() == FakeTarget(nodes).state()
    assert not any(client.paused for client in cluster.clients)


@pytest.mark.parametrize("name", ["slow-disk", "clock-jump", "rejoin", "full-disk"])
def test_what_reaches_into_a_process_says_where_there_is_none(name):
    cluster = FakeTarget()
    fault = FAULTS[name]()
    with pytest.raises(NotHere, match="no processes of this machine"):
        fault.strike(cluster, FAULTS[name].draw(Random(1), NODES))
    fault.heal(cluster)
    assert cluster.state() == FakeTarget().state()


def test_without_clients_nobody_is_paused():
    assert FAULTS["pause-client"]().strike(FakeTarget(), {"client": 1}).startswith("nobody")


def test_a_client_process_is_stopped_and_goes_on():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        cluster = FakeTarget()
        cluster.clients = [ProcessClient("child", child.pid)]
        fault = struck("pause-client", cluster, client=5)
        wait_until(lambda: _state(child.pid) == "T", 5, "stopped")
        fault.heal(cluster)
        wait_until(lambda: _state(child.pid) != "T", 5, "going on")
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    cluster.clients[0].resume()  # gone: nothing to do


def _state(pid):
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]


def test_a_client_on_a_loop_runs_no_further_until_it_is_resumed():
    loop, beats = asyncio.new_event_loop(), []

    def beat():
        beats.append(None)
        loop.call_later(0.005, beat)

    loop.call_soon(beat)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    client, held = LoopClient("loop", loop), threading.Event()
    try:
        wait_until(lambda: len(beats) > 3, 5, "it runs")
        client.pause()
        loop.call_soon_threadsafe(held.set)
        count = len(beats)
        assert not held.wait(0.1), "what came after the pause is not done"
        assert len(beats) <= count + 1
        client.resume()
        assert held.wait(5)
        wait_until(lambda: len(beats) > count + 3, 5, "it goes on")
    finally:
        client.resume()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_every_fault_is_described_and_its_arguments_fit_what_it_takes():
    for name, fault in FAULTS.items():
        assert fault.name == name
        assert fault.sentence
        assert not fault.sentence.endswith(".")
        for seed in range(30):
            drawn = fault.draw(Random(seed), NODES)
            assert drawn.keys() == fault.takes.keys()
            for key, argument in fault.takes.items():
                assert argument.problem(drawn[key], NODES) is None
    assert FAULTS["pause"].shortest_ms == FAULTS["pause-client"].shortest_ms == PAUSE_MS > 2_000


def test_what_is_lacking_is_not_rigged(monkeypatch):
    monkeypatch.setattr("kvraft_chaos.wall_clock.library", lambda: None)
    assert lacking(FAULTS).keys() == {"clock-jump"}
    assert not rig_for(["clock-jump", "kill"]).clocks
    assert rig_for(["slow-disk"]).disks
    assert not rig_for(["kill"]).disks
