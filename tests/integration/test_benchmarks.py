"""The benchmarks themselves: every part runs, and says what it measured; not how fast it is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import PARTS, _together
from benchmarks.report import Row, spread

ROOT = Path(__file__).resolve().parents[2]
FIGURES = {
    "startup": {"three fresh nodes to the first write"},
    "failover": {"failover, kill -9 of the leader", "failover, leader silent (SIGSTOP)"},
    "writes": {"put, 1 callers", "put, 16 callers"},
    "memory": {
        "resident, no keys",
        "resident, 500 keys of 256 B",
        "resident, after 1000 overwrites",
        "resident, after the restart",
        "kill -9 of all three, restart to serving",
    },
    "cas": {
        "CAS, 1 caller",
        "CAS, 1 caller, p50",
        "CAS, 16 callers",
        "CAS, 64 callers",
    },
    "reads": {"linearizable read, 1 caller", "linearizable read, 1 caller, p50"},
    "unary": {"CAS by unary calls, 64 callers"},
    "memory-peers": {"a node with 500 keys of 256 B"},
    "snapshots": {
        "longest write, quiet, 1000 keys",
        "longest write, snapshot, 1000 keys",
        "longest write, its file is copied, 1000 keys",
    },
    "hot-key": {
        "update add, 64 callers",
        "modify, 64 callers",
        "modify, 64 callers, p99",
    },
    "watchers": {"lag of an event, 20 watchers, 20 writes/s"},
    "lock": {
        "lock cycles, 1 callers",
        "lock cycles, 16 callers",
        "hand-over, 8 waiters",
    },
    "overload": {
        "puts, saturated",
        "puts acknowledged, 4 times as many offered",
        "... / saturated",
        "... p99 of the acknowledged",
        "leases kept alive beside it, of 20",
    },
    "checker": {
        "100 operations, with revisions",
        "100 operations, 2 % unknown",
        "100 operations, 10 % unknown",
        "100 operations, one stale read",
        "100 operations, no revisions, 5 values",
        "100 operations, no revisions, 5 values, 2 % unknown",
        "100 operations, no revisions, one wrong read",
        "2 keys of 100 operations each",
    },
    "scale": {
        "puts, 1000 keys",
        "puts, 65536 bytes a value",
        "puts, 1 callers",
        "puts, 16 callers",
        "puts, 8 puts a transaction",
        "puts, 3 nodes",
        "puts, 4 watchers",
    },
    "leases": {
        "leader, 50 leases of 3 s, granted at once",
        "alive of 50, granted at once",
        "leader, 50 leases of 3 s, granted evenly",
        "alive of 50, granted evenly",
    },
}


def benchmarks(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "120", **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("part", PARTS)
def test_a_part_measures_what_it_says(part, tmp_path):
    file = tmp_path / "bench.json"

    done = benchmarks(part, "--quick", "--json", str(file))

    assert done.returncode == 0, done.stderr
    written = json.loads(file.read_text())
    assert written["quick"] is True
    assert list(written["load_before"]) == [part]
    rows = {row["name"]: row for row in written["rows"]}
    peers = "etcd", "ZooKeeper", "Redis"  # are measured where they are found
    own = {name for name in rows if not any(peer in name for peer in peers)}
    assert own == FIGURES[part]
    for row in rows.values():
        if row["store"]:
            assert row["details"]["rate"] == row["spread"]["median"]
            assert 0 < row["details"]["p50_ms"] <= row["details"]["p99_ms"]
            assert row["details"]["failed"] == row["details"]["unknown"] == 0
        found = row["spread"]
        assert 0 < found["low"] <= found["median"] <= found["high"], row
        assert found["count"] >= 1
        assert row["met"] is (all_met(row) if row["goals"] or row["least"] else None)


def all_met(row):
    found = row["spread"]
    return all(found[which] <= most for which, most in row["goals"].items()) and all(
        found[which] >= least for which, least in row["least"].items()
    )


def test_a_missed_goal_is_told():
    row = Row("figure", "s", spread([0.1, 0.2, 1.5]), {"median": 0.3, "high": 1.0})

    assert row.met is False
    assert Row("figure", "s", spread([0.1, 0.2, 1.0]), row.goals).met is True


def test_what_is_measured_beside_the_same_stores_shares_their_servers():
    assert [name for name, _ in _together(["failover", "reads", "lock", "cas"])] == [
        "failover",
        "reads, cas",
        "lock",
    ]
    assert dict(_together(["lock"])) == {"lock": PARTS["lock"]}


def test_a_store_that_is_not_installed_is_named_and_left_out(tmp_path):
    file = tmp_path / "bench.json"

    done = benchmarks("unary", "--quick", "--json", str(file), PATH="/nowhere")
    table = subprocess.run(
        [sys.executable, "-m", "benchmarks.table", str(file)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    assert done.returncode == 0, done.stderr
    if (Path(sys.executable).parent / "etcd").exists():
        pytest.skip("etcd stands beside the interpreter")
    assert "not installed here, so not compared: etcd" in done.stdout
    assert "| operations a second | kvraft | kvraft's goal |" in table
    assert "\n| CAS by unary calls, 64 callers | " in table
    assert "etcd" not in table


def test_an_unknown_part_is_one_clear_line():
    done = benchmarks("failovr")

    assert done.returncode == 2
    assert "no part 'failovr'; there are startup, failover" in done.stderr
