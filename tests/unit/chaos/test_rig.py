"""What nodes are started with so that disks can be slow and clocks can jump."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kvraft_chaos import slow_disk, wall_clock
from kvraft_chaos.cluster import KVRAFT, ChaosCluster
from kvraft_chaos.rig import Rig, disk_file, say
from kvraft_chaos.toxiproxy.find import embedded_server
from kvraft_chaos.waiting import wait_until

SHOWN = """
import os, time
print(os.environ.get("KVRAFT_CHAOS_DISK"), os.environ["MORE"], flush=True)
time.sleep(600)
"""
SHOWS = (sys.executable, "-c", SHOWN)


def test_an_fsync_waits_for_as_long_as_the_file_says(tmp_path):
    done, control = [], tmp_path / "n1.disk"
    sync = slow_disk.slowed(done.append, control)

    def took():
        begun = time.monotonic()
        sync(7)
        return time.monotonic() - begun

    assert took() < 0.05, "no file, no delay"
    say(control, "60")
    assert took() >= 0.06
    say(control, "nonsense")
    assert took() < 0.05
    assert done == [7, 7, 7]
    say(control, "999999999")
    assert slow_disk.delay_s(control) == slow_disk.LONGEST_MS / 1000


def test_only_a_process_that_is_told_of_a_file_is_slowed(monkeypatch, tmp_path):
    before = os.fdatasync
    monkeypatch.setattr(os, "fsync", os.fsync)
    monkeypatch.setattr(os, "fdatasync", before)
    monkeypatch.delenv(slow_disk.CONTROL, raising=False)
    slow_disk.slow_down()
    assert os.fdatasync is before
    monkeypatch.setenv(slow_disk.CONTROL, str(tmp_path / "x"))
    slow_disk.slow_down()
    assert os.fdatasync is not before


def test_nodes_are_started_as_users_start_them_unless_a_fault_needs_more():
    assert Rig().command(KVRAFT) == KVRAFT
    assert Rig().environment(Path("n1")) == {}
    assert Rig(disks=True).command(KVRAFT)[1:] == ("-m", "kvraft_chaos.slow_disk", "serve")
    assert Rig(disks=True).command(("other", "server")) == ("other", "server")


def test_each_node_has_a_file_of_its_own_and_what_all_are_given(tmp_path, monkeypatch):
    monkeypatch.setattr(ChaosCluster, "wait_ready", lambda _self: 0.0)
    given = {"rig": Rig(disks=True), "environment": {"MORE": "of it"}}
    with (
        embedded_server() as proxies,
        ChaosCluster(tmp_path, proxies, command=SHOWS, **given) as nodes,
    ):
        logs = [node.log for node in nodes.nodes.values()]
        wait_until(lambda: all(each.read_text().endswith("\n") for each in logs), 10, "all up")
        for node in nodes.nodes.values():
            assert node.last_words() == f"{disk_file(node.directory)} of it"
            assert disk_file(node.directory).read_text() == "0"
        assert len({disk_file(node.directory) for node in nodes.nodes.values()}) == 3


@pytest.fixture
def afresh():
    wall_clock.library.cache_clear()
    yield
    wall_clock.library.cache_clear()


def test_a_library_that_does_nothing_or_hangs_is_not_sound(monkeypatch, tmp_path):
    idle = tmp_path / "libfaketimeMT.so.1"
    idle.write_text("no library: the loader leaves it out, and no clock jumps")
    assert not wall_clock.sound(idle)
    monkeypatch.setattr(wall_clock, "TRIAL", "import time; time.sleep(60)")
    monkeypatch.setattr(wall_clock, "TRIAL_SECONDS", 0.2)
    assert not wall_clock.sound(idle)


@pytest.mark.usefixtures("afresh")
def test_the_first_that_is_sound_is_taken_and_without_any_there_is_a_word(monkeypatch):
    first, second = Path("first"), Path("second")
    monkeypatch.setattr(wall_clock, "libfaketime", lambda: first)
    monkeypatch.setattr(wall_clock, "compiled", lambda: second)
    monkeypatch.setattr(wall_clock, "sound", lambda each: each == second)
    assert wall_clock.library() == second
    wall_clock.library.cache_clear()
    monkeypatch.setattr(wall_clock, "sound", lambda _each: True)
    assert wall_clock.library() == first
    wall_clock.library.cache_clear()
    monkeypatch.setattr(wall_clock, "libfaketime", lambda: None)
    monkeypatch.setattr(wall_clock, "compiled", lambda: None)
    assert wall_clock.lacking().startswith("a sound libfaketime")


def test_our_own_library_moves_the_wall_clock_only_and_while_the_process_runs(tmp_path):
    made = wall_clock.compiled()
    if made is None:
        pytest.skip("no C compiler here")
    assert wall_clock.sound(made)
    clock = tmp_path / "clock"
    say(clock, "+0")
    asks = "import sys, time\nfor _ in sys.stdin: print(time.time(), time.monotonic(), flush=True)"
    child = subprocess.Popen(
        [sys.executable, "-c", asks],
        env={**os.environ, **wall_clock.environment(made, clock)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def off_by(seconds):
        child.stdin.write("?\n")
        child.stdin.flush()
        wall, monotonic = map(float, child.stdout.readline().split())
        assert abs(monotonic - time.monotonic()) < 30
        return abs(wall - time.time() - seconds) < 30

    try:
        wait_until(lambda: off_by(0), 5, "right at first")
        for seconds in (3_600, -86_400, 0):
            say(clock, f"{seconds:+d}")
            wait_until(lambda seconds=seconds: off_by(seconds), 5, f"off by {seconds} s")
    finally:
        child.communicate()
