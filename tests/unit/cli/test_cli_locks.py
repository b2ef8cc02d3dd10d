"""lock, locks, guard, contention, and --fence."""

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import grpc
import pytest
import waiting
from fake_node import NO_QUORUM, deny

from kvraft.v1 import lock_pb2
from kvraft_client import Lock

SHOW = 'import os; print(os.environ["KVRAFT_LOCK"], os.environ["KVRAFT_FENCE"])'

until = partial(waiting.until, limit_s=20.0)


@pytest.fixture
def begin(node, monkeypatch):
    """Start a command line as a process of its own."""
    monkeypatch.setenv("KVRAFT_ENDPOINTS", node.endpoint)
    begun = []

    def run(*arguments):
        command = [sys.executable, "-m", "kvraft.cli.main", *arguments]
        begun.append(
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return begun[-1]

    yield run
    for process in begun:
        process.kill()
        process.communicate(timeout=10)


def python(code):
    return ["--", sys.executable, "-c", code]


def test_the_command_runs_under_the_lock_and_its_status_is_ours(kvraft, node, capfd):
    result = kvraft("lock", "jobs/1", "--ttl", "5", *python(SHOW + "; raise SystemExit(7)"))

    assert result.exit_code == 7
    assert capfd.readouterr().out == "jobs/1 41\n"
    (asked,) = node.named("Acquire")
    assert (asked.names[0], asked.ttl_ms) == (b"jobs/1", 5_000)
    assert len(node.named("Release")) == 1


def test_shared_and_counted(kvraft, node):
    assert kvraft("lock", "r", "--shared", "--", "true").exit_code == 0
    assert kvraft("lock", "c", "--capacity", "3", "--", "true").exit_code == 0
    assert [(each.mode, each.capacity) for each in node.named("Acquire")] == [(2, 0), (3, 3)]


def test_75_it_was_not_had_and_nothing_ran(kvraft, node, capfd):
    node.store.leases[1] = 60_000
    with node.store.lock:
        node.store.locks.enter(lock_pb2.AcquireRequest(key=b"x", names=[b"a"], lease_id=1), None)
    for wait in ("0", "0.2"):
        result = kvraft("lock", "a", "--wait", wait, *python("print('ran')"))
        assert result.exit_code == 75
        assert result.stderr.startswith("kvraft: not had: 'a' was not ")
    assert capfd.readouterr().out == ""
    assert len(node.store.locks.places) == 1


@pytest.mark.parametrize(
    "answer",
    [deny(grpc.StatusCode.FAILED_PRECONDITION, "LOCK_MODE"), NO_QUORUM],
)
def test_75_for_every_way_not_to_have_it(kvraft, node, answer):
    node.script["Acquire"] = [answer] * 100
    result = kvraft("lock", "a", "--timeout", "0.2", "--", "true")

    assert result.exit_code == 75


def test_a_mistake_is_no_75(kvraft, node):
    assert kvraft("lock", "a", "--shared", "--capacity", "2", "--", "true").exit_code == 1
    assert kvraft("lock", "a").exit_code == 1
    assert kvraft("lock", "", "--", "true").exit_code == 1
    assert node.calls == []


def test_a_command_that_cannot_be_started(kvraft, node, tmp_path):
    assert kvraft("lock", "a", "--", str(tmp_path / "none")).exit_code == 127
    assert kvraft("lock", "a", "--", str(tmp_path)).exit_code == 126
    assert node.store.locks.places == []


def test_76_it_was_lost_and_the_command_was_ended_with_all_it_had_started(begin, node):
    grandchild = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
    code = (
        "import subprocess, sys, time;"
        f"p = subprocess.Popen([sys.executable, '-c', {grandchild!r}]);"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    process = begin("lock", "a", "--ttl", "1", "--grace", "0.3", *python(code))
    pid = int(process.stdout.readline())
    with node.store.lock:
        node.store.leases.clear()

    assert process.wait(20) == 76
    assert "'a' is lost: the command is ended" in process.stderr.read()
    until(lambda: not alive(pid))


def test_76_it_was_lost_before_the_command_began(kvraft, monkeypatch, capfd):
    acquire = Lock.acquire
    monkeypatch.setattr(Lock, "acquire", lambda lock: acquire(lock).stale())

    assert kvraft("lock", "a", *python(SHOW)).exit_code == 76
    assert capfd.readouterr().out == ""


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_sigkill_after_the_grace_period(begin, node):
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True);"
    code += "time.sleep(60)"
    process = begin("lock", "a", "--ttl", "1", "--grace", "0.3", *python(code))
    process.stdout.readline()
    with node.store.lock:
        node.store.leases.clear()
    assert process.wait(20) == 76


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_passed_on(begin, node, number):
    code = (
        "import signal, sys, time;"
        f"signal.signal({int(number)}, lambda *_: sys.exit(9));"
        "print(1, flush=True); time.sleep(60)"
    )
    process = begin("lock", "a", *python(code))
    process.stdout.readline()
    process.send_signal(number)

    assert process.wait(20) == 9
    assert node.store.locks.places == []


def test_a_command_that_a_signal_ended(begin):
    process = begin("lock", "a", *python("import os; os.kill(os.getpid(), 9)"))
    assert process.wait(20) == 128 + 9


def test_a_signal_ends_the_wait(begin, node):
    holder = begin("lock", "a", *python("import time; print(1, flush=True); time.sleep(60)"))
    holder.stdout.readline()
    waiter = begin("lock", "a", "--", "true")
    until(lambda: len(node.store.locks.places) == 2)
    waiter.send_signal(signal.SIGINT)

    assert waiter.wait(20) == 130
    until(lambda: len(node.store.locks.places) == 1)
    os.kill(holder.pid, signal.SIGTERM)
    assert holder.wait(20) == 128 + 15


def test_locks_for_people_and_programs(kvraft, node):
    node.store.leases[1] = 60_000
    with node.store.lock:
        for key in (b"x", b"y"):
            request = lock_pb2.AcquireRequest(
                key=key, names=[b"jobs/1"], lease_id=1, owner=b"o" + key
            )
            node.store.locks.enter(request, None)
    (found,) = json.loads(kvraft("locks", "-o", "json").stdout)["locks"]
    assert (found["name"], found["holder_count"], found["waiter_count"]) == ("jobs/1", 1, 1)
    assert found["holders"][0] == {
        "place": 41, "owner": "ox", "lease_id": 1, "mode": "exclusive", "token": 41, "age_s": 1.5,
    }  # fmt: skip
    assert found["waiters"][0]["token"] is None
    assert json.loads(kvraft("locks", "--prefix", "x", "-o", "json").stdout) == {"locks": []}

    table = kvraft("locks").stdout
    rows = [line.split() for line in table.splitlines() if line.strip(" ─")]
    assert rows[0] == ["lock", "mode", "token", "owner", "lease", "age", "waiting"]
    assert rows[1] == ["jobs/1", "exclusive", "41", "ox", "1", "1.5", "s", "1"]
    assert rows[2] == ["exclusive", "waits", "oy", "1", "1.5", "s"]


COMMANDS = {
    "put": ["put", "k", "v"],
    "delete": ["delete", "k"],
    "delete prefix": ["delete", "k", "--prefix"],
    "cas": ["cas", "k", "v", "--expect-absent"],
    "update": ["update", "k", "--set", "value = 1"],
    "txn": ["txn", "--then", "put k v"],
    "guard set": ["guard", "set", "k", "--per-key"],
    "guard remove": ["guard", "remove", "k"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_fences(kvraft, node, command):
    fences = ["--fence", "a=b=7", "--fence", "c=8"]
    node.store.locks.holds = lambda name, token: True
    assert kvraft(*COMMANDS[command], *fences).exit_code == 0
    (request,) = [each for _, each in node.calls if getattr(each, "fences", ())]
    assert [(each.lock, each.token) for each in request.fences] == [(b"a=b", 7), (b"c", 8)]


@pytest.mark.parametrize("text", ["a", "=7", "a=", "a=x", "a=0", "a=-1", f"a={1 << 63}"])
def test_what_is_no_fence(kvraft, node, text):
    result = kvraft("put", "k", "v", "--fence", text)
    assert result.exit_code == 1
    assert "--fence" in result.stderr
    assert node.named("Put") == []


def test_a_stale_fence_is_an_error(kvraft, node):
    result = kvraft("put", "k", "v", "--fence", "a=7")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "STALE_FENCE" in result.stderr
    assert node.store.entries == {}


def test_guards(kvraft):
    assert kvraft("guard", "set", "billing/", "--lock", "billing").stdout == "guard set\n"
    assert kvraft("guard", "set", "seats/", "--per-key", "-o", "json").exit_code == 0
    assert json.loads(kvraft("guard", "list", "-o", "json").stdout)["guards"] == [
        {"prefix": "billing/", "lock": "billing", "per_key": False},
        {"prefix": "seats/", "lock": None, "per_key": True},
    ]
    table = kvraft("guard", "list").stdout
    assert "billing/*" in table
    assert "(named like the key)" in table
    assert kvraft("guard", "remove", "billing/").stdout == "guard removed\n"
    assert kvraft("guard", "set", "p").exit_code == 1
    assert kvraft("guard", "set", "p", "--per-key", "--lock", "a").exit_code == 1


SEEN = {
    "keys": [{"key": b"k", "attempts": 10, "conflicts": 4}],
    "locks": [
        {
            "name": b"l",
            "grants": 3,
            "waits": 2,
            "wait_ms": {"bounds": [1, 2, 5], "counts": [0, 1, 0, 1], "sum": 90},
            "queue_length": 4,
            "overheld": 1,
            "holders": [{"token": 42, "owner": b"o", "age_ms": 7}],
            "blockers": ["a waits for b"],
        }
    ],
}


def test_contention(kvraft, node):
    node.store.contention = SEEN
    table = kvraft("contention", "--once", "--limit", "3").stdout
    assert "40.0%" in table
    assert "42 o (1 too long)" in table
    assert "a waits for b" in table
    assert node.named("Contention")[0].limit == 3

    for arguments in (["--json"], ["-o", "json"]):
        found = json.loads(kvraft("contention", *arguments).stdout)
        assert found["keys"] == [{"key": "k", "attempts": 10, "conflicts": 4, "error": 0}]
        assert found["locks"][0]["wait_ms"]["p50"] == 2
        assert found["locks"][0]["hold_ms"]["p50"] is None


def test_contention_goes_on_until_ctrl_c(node, monkeypatch):
    """Live, on a terminal."""
    node.store.contention = SEEN
    primary, secondary = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "kvraft.cli.main", "contention", "--interval", "0.05"],
        stdin=secondary,
        stdout=secondary,
        stderr=subprocess.PIPE,
        env={**os.environ, "KVRAFT_ENDPOINTS": node.endpoint, "TERM": "xterm"},
    )
    os.close(secondary)
    try:
        until(lambda: len(node.named("Contention")) > 3)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert b"40.0%" in os.read(primary, 1 << 16)
    finally:
        process.kill()
        process.communicate()
        os.close(primary)
