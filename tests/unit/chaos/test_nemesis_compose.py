"""What is asked of the `docker` command, of which there is only a stand-in here."""

import pytest
from fake_target import FakeProxies

from kvraft_chaos.compose_cluster import ComposeCluster, docker
from kvraft_chaos.nemesis.catalogue import FAULTS
from kvraft_chaos.nemesis.node_processes import NotHere
from kvraft_chaos.observed import ClusterError
from kvraft_chaos.topology import NODES


class Engine:
    """Containers as an engine keeps them; `asked` are the commands that change something."""

    def __init__(self):
        self.states = dict.fromkeys(NODES, "running")
        self.networked = {name: name for name in NODES}
        self.asked = []
        self.broken = set()

    def __call__(self, arguments):
        verb, container = arguments[0], arguments[-1]
        name = container.split("-")[1]
        if verb == "inspect":
            if "Status" in arguments[2]:
                return self.states[name] + "\n"
            return "kvraft_default \n" if name in self.networked else "\n"
        if verb == "logs":
            return f"the end of {name}"
        if (verb, name) in self.broken:
            raise ClusterError(f"{verb} {name}: the engine says no")
        self.asked.append(" ".join(arguments))
        before = self.states[name]
        if verb == "network":
            self._network(arguments, name)
        elif verb == "kill":
            assert before == "running", "an engine kills no paused container"
            self.states[name] = "exited"
        else:
            needed, after = {
                "start": ("exited", "running"),
                "pause": ("running", "paused"),
                "unpause": ("paused", "running"),
            }[verb]
            assert before == needed, f"{verb} of a container that is {before}"
            self.states[name] = after
        return ""

    def _network(self, arguments, name):
        if arguments[1] == "disconnect":
            del self.networked[name]
        else:
            self.networked[name] = arguments[arguments.index("--alias") + 1]


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def cluster(engine, monkeypatch):
    monkeypatch.setattr(ComposeCluster, "leader", lambda _self: "n2")
    return ComposeCluster(with_links=False, run=engine, proxies=FakeProxies([]))


def strike(name, cluster, **arguments):
    fault = FAULTS[name]()
    fault.strike(cluster, arguments)
    return fault


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("kill", ["kill --signal KILL kvraft-n2-1", "start kvraft-n2-1"]),
        ("pause", ["pause kvraft-n2-1", "unpause kvraft-n2-1"]),
        (
            "disconnect",
            [
                "network disconnect kvraft_default kvraft-n2-1",
                "network connect --alias n2 kvraft_default kvraft-n2-1",
            ],
        ),
    ],
)
def test_a_fault_is_two_commands(cluster, engine, name, asked):
    fault = strike(name, cluster, node="leader")
    assert engine.asked == asked[:1]
    fault.heal(cluster)
    assert engine.asked == asked
    assert engine.networked == {name: name for name in NODES}


def test_a_paused_container_goes_on_before_it_is_killed(cluster, engine):
    pause = strike("pause", cluster, node="n1")
    kill = strike("kill", cluster, node="n1")
    assert engine.states["n1"] == "exited"
    pause.heal(cluster)
    kill.heal(cluster)
    assert engine.states == dict.fromkeys(NODES, "running")


def test_mending_goes_on_where_the_engine_refuses(cluster, engine):
    strike("kill-all", cluster)
    strike("disconnect", cluster, node="n3")
    engine.broken = {("start", "n1")}
    with pytest.raises(ClusterError, match="start n1: the engine says no"):
        cluster.mend()
    assert engine.states == {"n1": "exited", "n2": "running", "n3": "running"}
    assert set(engine.networked) == set(NODES)
    with pytest.raises(ClusterError, match="n1 is exited\nthe end of n1"):
        cluster.check_alive()


def test_who_is_kept_down_is_not_missed(cluster):
    strike("kill", cluster, node="n1")
    cluster.check_alive()


@pytest.mark.parametrize("name", ["slow-disk", "full-disk", "rejoin"])
def test_containers_have_no_disk_within_reach(cluster, name):
    with pytest.raises(NotHere):
        strike(name, cluster, node="n1", sync_ms=5)


def test_clients_go_through_the_links_where_there_are_links():
    assert ComposeCluster(with_links=True, run=Engine()).endpoint("n2") == "127.0.0.1:14389"
    assert ComposeCluster(with_links=False, run=Engine()).endpoint("n2") == "127.0.0.1:4389"


def test_a_command_that_fails_is_told_in_one_line(tmp_path, monkeypatch):
    command = tmp_path / "docker"
    command.write_text("#!/bin/sh\necho first >&2\necho 'no such container' >&2\nexit 1\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match=r"^docker start x: no such container$"):
        docker(["start", "x"])
    command.unlink()
    with pytest.raises(ClusterError, match="no docker command"):
        docker(["start", "x"])
