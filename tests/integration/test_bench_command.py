"""`kvraft bench` on a real cluster: it measures, counts, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from kvraft_client import Client

WORKLOADS = ["cas", "put", "read", "update", "lock"]
PLAIN = {**os.environ, "NO_COLOR": "1"}


def bench(endpoints, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "kvraft", "--endpoints", endpoints, "bench", *arguments],
        env=PLAIN, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def keys(cluster):
    with Client(cluster.endpoints) as client:
        return [entry.key for entry in client.list()]


def test_every_workload_is_measured_and_its_keys_are_deleted(module_cluster, tmp_path):
    file = tmp_path / "figures.json"
    given = ["--callers", "1,8", "--seconds", "0.2", "--json", str(file)]
    with Client(module_cluster.endpoints) as client:
        client.put("kvraft-bench/mine", b"stays")

    done = bench(module_cluster.endpoints, *given)

    assert (done.returncode, done.stderr) == (0, "")
    figures = json.loads(file.read_text())
    rows = figures["rows"]
    assert figures["value_bytes"] == 256
    assert [(row["workload"], row["callers"]) for row in rows] == [
        (name, number) for name in WORKLOADS for number in (1, 8)
    ]
    for row in rows:
        assert row["done"] > 0
        assert row["rate"] == pytest.approx(row["done"] / row["seconds"], rel=0.05)
        assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
        assert (row["unknown"], row["failed"]) == (0, 0)
    shown = [line.split() for line in done.stdout.splitlines() if line.strip()]
    assert [tuple(line[:2]) for line in shown[2:]] == [
        (row["workload"], str(row["callers"])) for row in rows
    ]
    assert keys(module_cluster) == [b"kvraft-bench/mine"]


def test_an_update_adds_once_for_each_operation_that_was_done(module_cluster):
    given = ["--workload", "update", "--callers", "4", "--seconds", "0.2", "-o", "json"]
    with Client(module_cluster.endpoints) as client:
        before = max(node.revision for node in client.status())
        done = bench(module_cluster.endpoints, *given)
        added = max(node.revision for node in client.status()) - before

    (row,) = json.loads(done.stdout)["rows"]
    assert 0 < row["done"] <= added  # those of the time before, and of the preparation, come on top


def test_ctrl_c_shows_what_there_is_and_cleans_up(module_cluster):
    before = keys(module_cluster)
    with subprocess.Popen(
        [sys.executable, "-m", "kvraft", "--endpoints", module_cluster.endpoints, "bench",
         "--workload", "put", "--callers", "2,4", "--seconds", "60"],
        env=PLAIN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        end = time.monotonic() + 20
        while keys(module_cluster) == before:  # it works on keys of its own
            assert time.monotonic() < end
        time.sleep(0.8)  # past the warm-up: there is something to show
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=20)

    assert (process.returncode, error) == (130, "")
    (row,) = [line.split() for line in out.splitlines() if line.startswith(" put")]
    assert row[:2] == ["put", "2"]
    assert int(row[-3]) > 0
    assert keys(module_cluster) == before
