"""`kvraft chaos proxy` before three real nodes, as an application meets it."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest

from kvraft_chaos.ports import free_ports
from kvraft_chaos.toxiproxy.find import embedded_server
from kvraft_chaos.waiting import wait_until
from kvraft_client import Client, KvraftError

WAIT_S = 20.0


class Proxy:
    """The command, with its stdin and what it says on stderr; the endpoints are on stdout."""

    def __init__(self, cluster, *arguments, **environment):
        command = [sys.executable, "-m", "kvraft", "chaos", "proxy", "--json"]
        self.process = subprocess.Popen(
            [*command, "--endpoints", cluster.endpoints, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **environment},
        )  # fmt: skip
        self.endpoints = json.loads(self.process.stdout.readline())["endpoints"]

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def heard(self, *words):
        """Wait for a line with these words."""
        for line in self.process.stderr:
            if all(word in line for word in words):
                return line
        raise AssertionError(f"it ended without saying {words}")

    def stopped(self):
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=WAIT_S)
        return self.process.returncode, said


@pytest.fixture
def proxy(module_cluster):
    started = []

    def start(*arguments, **environment):
        started.append(Proxy(module_cluster, *arguments, **environment))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


def test_an_application_goes_on_under_faults_and_ctrl_c_ends_them(proxy):
    front = proxy("--seed", "5", "--faults", "cut,refuse,delay")
    with Client(front.endpoints, timeout=WAIT_S) as kv:
        kv.put("app", "0")
        struck = front.heard("strike")
        kv.put("app", "1")
        assert kv.get("app").value == b"1"
    assert any(fault in struck for fault in ("cut", "refuse", "delay"))

    status, said = front.stopped()
    assert status == 0
    assert said.splitlines()[-1] == "healed, and gone"
    with Client(front.endpoints, timeout=0.5) as kv, pytest.raises(KvraftError):
        kv.get("app")


def test_commands_strike_and_heal_at_once(proxy):
    front = proxy("--interactive")
    with Client(front.endpoints, timeout=1.0) as kv:
        kv.put("by hand", "0")
        front.say("refuse all")
        front.heard("1: refuse: all")
        with pytest.raises(KvraftError):
            kv.put("by hand", "1")
        front.say("list")
        front.heard("1: refuse of n1 n2 n3")
        front.say("heal 1")
        front.heard("1: refuse is healed")
    with Client(front.endpoints, timeout=WAIT_S) as kv:
        kv.put("by hand", "2")
        front.say("delay all latency_ms=700 jitter_ms=0")
        front.heard("2: delay: clients of all: 700 +/- 0 ms")
        begun = time.monotonic()
        kv.get("by hand")
        assert time.monotonic() - begun > 0.7
        for line, answer in (
            ("tremble n1", "there is no 'tremble': cut, one-way"),
            ("cut n9", "node: a node (n1, n2, n3) or a role"),
            ("cut n1 latency_ms=3", "cut takes no 'latency_ms': node"),
            ("heal 7", "there is no stroke 7"),
        ):
            front.say(line)
            front.heard(answer)
    front.say("quit")

    assert front.process.wait(WAIT_S) == 0


def test_calls_are_lost_and_repeated_and_streams_pass(proxy):
    front = proxy(
        "--faults", "", "--seed", "1", "--lose-replies", "0.2", "--repeat-requests", "0.2"
    )
    with Client(front.endpoints, timeout=WAIT_S) as kv, kv.lock("seat", ttl=5.0) as lock:
        for number in range(40):  # done once each, whatever happens to the calls
            kv.put(f"called/{number}", "x", fence=lock)
        assert kv.metrics().unknown == 0
        assert kv.metrics().retried_unknown > 0
        assert len(list(kv.list("called/"))) == 40
        assert all(entry.version == 1 for entry in kv.list("called/"))
        with kv.watch(prefix="called/", start_revision=1) as watch:
            assert [event.key for event in islice(watch, 3)][-1] == b"called/2"


def test_a_lock_is_waited_for_through_the_proxy_of_calls(proxy):
    """The answers to one acquire come one after another: waiting, then granted."""
    front = proxy("--faults", "", "--repeat-requests", "0.01")
    with Client(front.endpoints, timeout=WAIT_S) as kv, ThreadPoolExecutor(1) as pool:

        def hold():
            with kv.lock("queue", ttl=5.0, wait=WAIT_S, owner="second") as lock:
                return lock.token

        with kv.lock("queue", ttl=5.0, owner="first") as first:
            token, second = first.token, pool.submit(hold)
            wait_until(lambda: kv.describe_lock("queue").waiter_count == 1, WAIT_S, "it waits")
        assert second.result(WAIT_S) > token


def test_nothing_is_left_on_a_toxiproxy_of_somebody_else(proxy):
    with embedded_server() as server:
        front = proxy("--interactive", TOXIPROXY_URL=server.url)
        assert len(server.names()) == 3
        front.say("cut all")
        front.heard("1: cut: all")
        assert front.stopped()[0] == 0
        assert server.names() == []


def test_it_ends_by_itself_after_its_time(proxy):
    front = proxy("--duration", "0.5", "--faults", "")

    assert front.process.wait(WAIT_S) == 0


def failed(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "kvraft", "chaos", "proxy", *arguments],
        check=False, capture_output=True, text=True, timeout=WAIT_S,
        env={"PATH": "/usr/bin:/bin", **environment},
    )  # fmt: skip
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.returncode, done.stderr


def test_what_cannot_be_had_is_one_clear_line(module_cluster):
    (free,) = free_ports(1)
    there = ("--endpoints", module_cluster.endpoints)
    taken = module_cluster.endpoints.split(",")[0].rpartition(":")[2]

    assert failed("--endpoints", f"127.0.0.1:{free}") == (
        3,
        f"kvraft: error: no node answers at 127.0.0.1:{free}: [Errno 111] Connection refused\n",
    )
    for arguments, words in (
        (("--endpoints", "here"), "endpoint 'here' is not HOST:PORT"),
        ((*there, "--faults", "kill"), "there is no fault 'kill': cut, one-way, refuse"),
        ((*there, "--listen", "65535"), "--listen 65535: there is no port 65537"),
        ((*there, "--listen", taken), "address already in use"),
        ((*there, "--lose-replies", "2"), "--lose-replies"),
    ):
        status, said = failed(*arguments)
        assert status == 3
        assert words in said
    status, said = failed(*there, TOXIPROXY_URL=f"http://127.0.0.1:{free}")
    assert (status, "no server answers there" in said) == (3, True)
