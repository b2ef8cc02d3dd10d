"""Every drill plays to its end as anybody would run it, and fails where a promise is broken."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest

from kvraft_chaos.cluster import ChaosCluster
from kvraft_chaos.drills import (
    ambiguous_timeout,
    deadlock,
    hold_over_slow_call,
    last_seat,
    lost_update,
    paused_worker,
    retry_storm,
    split_brain,
)
from kvraft_chaos.drills.catalogue import DRILLS
from kvraft_chaos.drills.ground import Ground
from kvraft_chaos.drills.stage import Stage
from kvraft_chaos.toxiproxy.find import embedded_server

KVRAFT = (sys.executable, "-m", "kvraft", "drill")
PAGE = Path(__file__).resolve().parents[2] / "docs/drills.md"
PLAY_SECONDS = 60
"""Under 10 where nothing else runs; a machine that builds something needs a few times that."""


@pytest.fixture
def begin(tmp_path):
    """Start a drill whose temp folder is the test's; it and its nodes are ended afterwards."""
    started = []

    def run(*arguments):
        process = subprocess.Popen(
            [*KVRAFT, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
        started.append(process)
        return process

    yield run
    for each in started:
        each.kill()
        each.communicate()


def left_behind(folder):
    """Files in the temp folder, and processes that inherited it from the drill."""
    found = [each.name for each in folder.iterdir()]
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile, or somebody else's
            if f"TMPDIR={folder}\0".encode() in (each / "environ").read_bytes():
                found.append((each / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


@pytest.mark.parametrize("name", DRILLS)
def test_a_drill_shows_both_sides(name, begin, tmp_path):
    process = begin(name, "--no-input", "--json")
    play, told = process.communicate(timeout=PLAY_SECONDS)
    assert process.returncode == 0, told + play
    report = json.loads(play)

    assert report["passed"]
    assert {check["side"] for check in report["checks"]} == {"naive", "store"}
    assert told.startswith(f"{name}\n{report['question']}\n")
    assert len(re.findall(r"^Act \d:", told, flags=re.MULTILINE)) >= 2
    assert f"Lesson: {report['lesson']}" in told
    assert all(f"\n{figure} " in PAGE.read_text() for figure in report["figures"])
    assert left_behind(tmp_path) == []


def test_the_paused_worker_has_token_41(begin):
    process = begin("paused-worker", "--no-input")
    play, _ = process.communicate(timeout=PLAY_SECONDS)

    assert re.search(r"token of worker 1, of worker 2 +- +41, 42\n", play)
    assert "StaleFence: token 41 of lock" in play


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
@pytest.mark.parametrize("moment", ["starting", "pauses worker 1"])
def test_a_signal_leaves_nothing_behind(number, moment, begin, tmp_path):
    process = begin("paused-worker", "--no-input")
    while moment not in process.stdout.readline():
        assert process.poll() is None
    begun = time.monotonic()
    process.send_signal(number)
    rest, told = process.communicate(timeout=PLAY_SECONDS)

    assert process.returncode == 130
    assert "stopped; nothing is left of it" in rest
    assert told == ""
    assert left_behind(tmp_path) == []
    assert time.monotonic() - begun < PLAY_SECONDS / 2


# -- a promise that is broken is found


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """One cluster for all plays below: each leaves three healthy nodes."""
    directory = tmp_path_factory.mktemp("drills")
    with embedded_server() as proxies, ChaosCluster(directory, proxies) as cluster:
        yield Ground(cluster)


def played(drill, ground):
    """What the drill reports, played in this process."""
    stage = Stage(StringIO())
    stage.open(drill.name, drill.question)
    try:
        drill.play(stage, ground)
    finally:
        ground.end_children()
    return stage.report


BROKEN = {
    "lost-update": (lost_update, {"store_change": "naive_change"}),
    "lost-update, crowd": (lost_update, {"store_increment": "naive_increment"}),
    "last-seat": (last_seat, {"store_buy": "naive_buy"}),
    "retry-storm": (retry_storm, {"store_storm": "naive_storm"}),
    "deadlock": (deadlock, {"store_transfer": "naive_transfer"}),
    "ambiguous-timeout": (ambiguous_timeout, {"store_payment": "naive_payment"}),
    "split-brain": (split_brain, {"store_may_sell": "naive_may_sell"}),
    "hold-over-slow-call": (hold_over_slow_call, {"store_buy": "naive_buy"}),
}
"""What the store's side does, done as the naive program does it."""


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_promise_fails_the_drill(broken, ground, monkeypatch):
    module, replaced = BROKEN[broken]
    for store, naive in replaced.items():
        monkeypatch.setattr(module, store, getattr(module, naive))
    report = played(module.DRILL, ground)
    failed = [check.what for check in report.checks if check.side == "store" and not check.held]

    assert failed
    assert not report.passed


def test_a_fence_that_is_switched_off_fails_the_drill(ground, monkeypatch):
    late_write = paused_worker.late_write

    def without_fence(stage, worker, key, *, fenced):
        return late_write(stage, worker, key, fenced=False)

    monkeypatch.setattr(paused_worker, "late_write", without_fence)
    report = played(paused_worker.DRILL, ground)
    failed = [check.what for check in report.checks if not check.held]

    assert "the late write is refused by the store" in failed
    assert "the report of the holder stands" in failed
    assert not report.passed


CAUTIOUS = {
    "last-seat": (last_seat, {"naive_buy": "store_buy"}),
    "split-brain": (split_brain, {"naive_may_sell": "store_may_sell"}),
}


@pytest.mark.parametrize("cautious", CAUTIOUS)
def test_a_naive_side_that_goes_right_fails_the_drill(cautious, ground, monkeypatch):
    module, replaced = CAUTIOUS[cautious]
    for naive, store in replaced.items():
        monkeypatch.setattr(module, naive, getattr(module, store))
    report = played(module.DRILL, ground)

    assert [check for check in report.checks if check.side == "naive" and not check.held]
    assert all(check.held for check in report.checks if check.side == "store")
    assert not report.passed
