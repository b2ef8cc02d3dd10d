"""What the cluster does with processes and links; the nodes themselves are stand-ins here."""

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from kvraft import config
from kvraft_chaos.cluster import ChaosCluster
from kvraft_chaos.observed import ClusterError
from kvraft_chaos.ports import EPHEMERAL, free_ports
from kvraft_chaos.proxies import ProxySpec, ToxiproxyError
from kvraft_chaos.topology import NODES, around, client_link, peer_link, peer_links
from kvraft_chaos.toxiproxy.find import embedded_server
from kvraft_chaos.waiting import wait_until

SLEEPER = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)")
FAILING = (sys.executable, "-c", "import sys; sys.exit('no space on the moon')")


@pytest.fixture
def proxies():
    with embedded_server() as server:
        yield server


@pytest.fixture
def sleepers(tmp_path, proxies, monkeypatch):
    monkeypatch.setattr(ChaosCluster, "wait_ready", lambda _self: 0.0)
    with ChaosCluster(tmp_path / "nodes", proxies, command=SLEEPER) as cluster:
        yield cluster


def state(pid):
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_every_pair_has_two_links_and_every_node_a_client_link(sleepers, proxies):
    expected = [peer_link(a, b) for a, b in peer_links()] + [client_link(n) for n in NODES]
    assert len(expected) == 9
    assert proxies.names() == sorted(expected)
    for a, b in peer_links():
        assert proxies.show(peer_link(a, b))["upstream"] == sleepers.nodes[b].peer_listen


def test_ports_are_distinct_free_and_not_the_kernels_own():
    ports = free_ports(50)
    assert len(set(ports)) == 50
    assert max(ports) < int(EPHEMERAL.read_text().split()[0])
    with socket.create_server(("127.0.0.1", ports[0])):
        assert ports[0] not in free_ports(50)


def test_a_refusal_of_the_server_is_told_in_its_words(proxies):
    with pytest.raises(ToxiproxyError, match=r'DELETE /proxies/none: \{"error": "proxy not found"'):
        proxies.delete("none")


def test_isolating_a_node_takes_its_four_links():
    assert sorted(around("n1")) == ["n1-to-n2", "n1-to-n3", "n2-to-n1", "n3-to-n1"]


def test_the_server_takes_the_options_and_dials_only_through_its_own_links(sleepers, proxies):
    for name in NODES:
        settings = config.load(sleepers.arguments(name), {})
        assert settings.name == name
        assert settings.advertise == proxies.show(client_link(name))["listen"]
        dialled = {peer: f"{a.host}:{a.port}" for peer, a in settings.dial.items()}
        assert dialled == {
            peer: proxies.show(peer_link(name, peer))["listen"] for peer in NODES if peer != name
        }
        assert f"{settings.listen.host}:{settings.listen.port}" == sleepers.nodes[name].listen


def test_kill_restart_pause_and_resume_act_on_the_process(sleepers):
    first = sleepers.nodes["n1"].process.pid
    sleepers.pause("n1")
    wait_until(lambda: state(first) == "T", 5, "stopped")
    sleepers.resume("n1")
    wait_until(lambda: state(first) in "SRD", 5, "running")
    sleepers.kill("n1")
    assert gone(first)
    with pytest.raises(ClusterError, match="n1 is not running"):
        sleepers.kill("n1")
    sleepers.restart("n1")
    assert sleepers.nodes["n1"].process.pid != first
    with pytest.raises(ClusterError, match="n1 is running already"):
        sleepers.start("n1")


def test_nothing_is_left_of_it_even_of_paused_and_stubborn_nodes(tmp_path, proxies, monkeypatch):
    monkeypatch.setattr(ChaosCluster, "wait_ready", lambda _self: 0.0)
    monkeypatch.setattr("kvraft_chaos.cluster.STOP_SECONDS", 0.5)
    stubborn = (
        "import signal,time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    )
    with ChaosCluster(tmp_path, proxies, command=(sys.executable, "-c", stubborn)) as cluster:
        nodes = list(cluster.nodes.values())
        wait_until(lambda: all(node.log.stat().st_size for node in nodes), 10, "all are up")
        pids = [node.process.pid for node in nodes]
        os.kill(pids[0], signal.SIGSTOP)
    assert all(gone(pid) for pid in pids)
    assert proxies.names() == []


def test_a_node_that_ends_by_itself_is_told_with_its_last_words(tmp_path, proxies):
    with pytest.raises(ClusterError, match=r"n\d ended with status 1\nno space on the moon"):
        ChaosCluster(tmp_path, proxies, command=FAILING).__enter__()
    assert proxies.names() == []


def test_two_clusters_share_one_server_by_their_prefix(tmp_path, proxies, monkeypatch):
    monkeypatch.setattr(ChaosCluster, "wait_ready", lambda _self: 0.0)
    proxies.populate([ProxySpec("someone-elses", "127.0.0.1:0", "127.0.0.1:9")])
    with ChaosCluster(tmp_path, proxies, command=SLEEPER, prefix="second-") as cluster:
        assert cluster.link("n1-to-n2") in proxies.names()
    assert proxies.names() == ["someone-elses"]


def test_a_wiped_node_comes_back_by_rejoining_once(sleepers):
    directory = sleepers.nodes["n2"].directory
    directory.mkdir()
    (directory / "identity").write_text("n2")
    (directory / "wal").mkdir()
    with pytest.raises(ClusterError, match="n2 runs"):
        sleepers.wipe("n2")
    sleepers.kill("n2")
    sleepers.wipe("n2")
    assert list(directory.iterdir()) == []
    assert sleepers.arguments("n2")[-1] == "--rejoin"
    assert sleepers.without_disk() == ["n2"], "nobody has heard of it yet"
    (directory / "identity").write_text("n2, rejoining")
    assert "--rejoin" not in sleepers.arguments("n2"), "its directory remembers"


def test_two_disconnected_nodes_are_connected_one_by_one(sleepers, proxies):
    sleepers.disconnect("n1")
    sleepers.disconnect("n2")
    sleepers.connect("n1")
    silent = {name for name in proxies.names() if proxies.toxics(name)}
    assert silent == {*around("n2"), client_link("n2")}
    sleepers.connect("n2")
    assert not any(proxies.toxics(name) for name in proxies.names())


def test_mending_brings_everything_back_but_a_node_that_ended_by_itself(sleepers, proxies):
    stopped, dead = sleepers.nodes["n1"].process.pid, sleepers.nodes["n3"].process
    sleepers.holds.take("down n2", "somebody who forgot")
    sleepers.kill("n2")
    sleepers.pause("n1")
    sleepers.disconnect("n1")
    proxies.set_enabled("n1-to-n2", enabled=False)
    os.kill(dead.pid, signal.SIGKILL)
    wait_until(lambda: dead.poll() is not None, 5, "n3 ended")
    sleepers.mend()
    wait_until(lambda: state(stopped) in "SRD", 5, "n1 runs")
    assert [name for name in NODES if sleepers.running(name)] == ["n1", "n2"]
    assert sleepers.holds.things() == []
    assert all(proxies.show(name)["enabled"] for name in proxies.names())
    assert not any(proxies.toxics(name) for name in proxies.names())
    with pytest.raises(ClusterError, match="n3 ended with status -9"):
        sleepers.check_alive()
    sleepers.holds.take("down n3", "a full disk")
    sleepers.check_alive()
