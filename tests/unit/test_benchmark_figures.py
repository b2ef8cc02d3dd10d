"""What becomes of the figures of a benchmark: ratios, goals, processor time, Markdown."""

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import asdict

import pytest

from benchmarks import __main__ as command
from benchmarks import machine, one_loop
from benchmarks.contest import Contest, Heat
from benchmarks.machine import file_system
from benchmarks.peers.redis import PipelinedRedis
from benchmarks.process import Meter, memory_mib, with_children
from benchmarks.report import Row, spread
from benchmarks.swapping import Swaps
from benchmarks.table import markdown

HEAT = Heat("CAS", 16, p50_ms=1.0, times=(("etcd", 2.0), ("Redis", 1.0)))


def figures(rate, p50_ms=0.5):
    return {"rate": rate, "p50_ms": p50_ms, "leader_us": 100.0, "client_us": 40.0}


def contest(own, etcd):
    found = Contest([HEAT], {"kvraft": "kvraft", "etcd": "etcd 3"})
    found.figures["kvraft", HEAT] = own
    found.figures["etcd", HEAT] = etcd
    return found


def by_name(rows):
    return {row.name: row for row in rows}


def test_a_ratio_is_of_one_round_and_its_median_is_judged():
    # The machine is ten times slower in the last round: of medians, the ratio would be another.
    own = [figures(3_000.0), figures(2_400.0), figures(150.0)]
    rows = contest(own, [figures(1_000.0), figures(1_000.0), figures(100.0)]).rows()

    ratio = by_name(rows)["CAS, 16 callers / etcd 3"]
    assert (ratio.spread.low, ratio.spread.median, ratio.spread.high) == (1.5, 2.4, 3.0)
    assert ratio.met is True
    assert "Redis" not in " ".join(by_name(rows))


def test_a_goal_that_is_missed_is_not_met():
    rows = by_name(contest([figures(199.0, p50_ms=1.1)], [figures(100.0)]).rows("a word"))

    assert rows["CAS, 16 callers / etcd 3"].met is False
    assert rows["CAS, 16 callers, p50"].met is False
    assert rows["CAS, 16 callers"].note == "a word"
    assert rows["etcd 3: CAS, 16 callers"].note == ""


def test_a_contender_that_lost_a_round_is_not_compared_with_another_one():
    with pytest.raises(ValueError, match="shorter"):
        contest([figures(1.0), figures(2.0)], [figures(1.0)]).rows()


def content(rows):
    return {
        "machine": {"processor": "P", "cores": "2"},
        "stores": ["etcd 3", "kvraft"],
        "quick": False,
        "load_before": {"cas": 0.1},
        "rows": [{**asdict(row), "met": row.met} for row in rows],
    }


def test_the_figures_as_markdown():
    rows = contest([figures(3_000.0)], [figures(1_000.0)]).rows()
    rows.append(Row("failover", "s", spread([0.1, 0.2, 0.4]), {"median": 0.1, "high": 1.0}))

    promised = "p50: 0.5 ms, at most 1: met; / etcd 3: 3, at least 2: met"
    costs = "leader µs | follower µs | all servers µs | client µs"
    assert markdown(content(rows)).splitlines() == [
        "Measured on processor: P; cores: 2; load before each part: 0.1 (cas). Beside etcd 3.",
        "",
        "| operations a second | kvraft | etcd 3 | kvraft's goal |",
        "| --- | --- | --- | --- |",
        f"| CAS, 16 callers | 3,000 | 1,000 | {promised} |",
        "",
        "| figure | median (low to high, n) | goal |",
        "| --- | --- | --- |",
        "| failover | 0.2 (0.1 to 0.4, 3) s | at most 0.1, high at most 1: **missed** |",
        "",
        f"| figure | p50 ms | p95 ms | p99 ms | {costs} | unknown | failed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        "| CAS, 16 callers | 0.5 |  |  | 100 |  |  | 40 |  |  |",
        "| etcd 3: CAS, 16 callers | 0.5 |  |  | 100 |  |  | 40 |  |  |",
    ]


def test_a_quick_run_says_so():
    assert "shows that the benchmarks work" in markdown({**content([]), "quick": True})


def test_processor_time_is_counted_for_each_operation():
    busy = [sys.executable, "-c", "print(flush=True)\nwhile True: pass"]
    idle = [sys.executable, "-c", "print(flush=True)\nimport time; time.sleep(60)"]
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(busy, stdout=pipe) as leader,
        subprocess.Popen(idle, stdout=pipe) as follower,
    ):
        try:
            for process in (leader, follower):
                process.stdout.readline()  # its interpreter has started
            meter = Meter([follower.pid, leader.pid], 1)
            meter.mark()
            time.sleep(0.5)
            meter.mark()
        finally:
            leader.kill()
            follower.kill()

    cost = meter.of_each(10)
    assert 1_000 < cost["leader_us"] <= 60_000
    assert cost["follower_us"] < cost["leader_us"] / 3
    assert cost["servers_us"] == pytest.approx(cost["leader_us"] + cost["follower_us"])
    assert cost["client_us"] < 50_000


def test_the_children_of_a_process_are_part_of_it():
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo; wait"], stdout=subprocess.PIPE) as shell:
        shell.stdout.readline()
        found = with_children(shell.pid)
        for pid in found:
            os.kill(pid, 9)

    assert found[0] == shell.pid
    assert len(found) == 2


def test_memory_is_that_of_the_process():
    assert 5 < memory_mib(os.getpid(), "VmRSS") <= memory_mib(os.getpid(), "VmHWM") < 10_000


def test_the_file_system_is_that_of_the_folder(tmp_path):
    assert file_system(tmp_path) not in {"?", "proc"}
    assert file_system(type(tmp_path)("/proc")) == "proc"


@pytest.mark.parametrize(("kind", "warned"), [("tmpfs", True), ("ext4", False)])
def test_a_folder_in_memory_is_no_place_to_measure(monkeypatch, kind, warned):
    monkeypatch.setattr(machine, "file_system", lambda _: kind)

    assert ("set TMPDIR" in machine.describe()["file system"]) is warned


def test_the_loop_ends_with_the_run_and_not_with_the_interpreter(monkeypatch, tmp_path):
    """At exit Python 3.12 starts no thread any more, and it takes one to end a loop's executor."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # restored behind it
    loops = []

    async def use():
        await asyncio.to_thread(time.time)
        loops.append(asyncio.get_running_loop())

    def part(_progress, _sizes):
        one_loop.run(use())
        one_loop.run(use())
        return []

    monkeypatch.setitem(command.PARTS, "part", part)

    assert command.main(["part", "--quick", "--json", str(tmp_path / "bench.json")]) == 0
    assert loops[0] is loops[1]
    assert loops[0].is_closed()


ANSWERS = b"+OK\r\n:1\r\n$5\r\nv\r\n:1\r\n$-1\r\n-ERR no\r\n$0\r\n\r\n"


@pytest.mark.parametrize("cut", range(1, len(ANSWERS)))
def test_an_answer_of_redis_may_come_in_two_parts(cut):
    async def run():
        client = PipelinedRedis()
        loop = asyncio.get_running_loop()
        waiting = [loop.create_future() for _ in range(6)]
        client._waiting.extend(waiting)
        client.data_received(ANSWERS[:cut])
        client.data_received(ANSWERS[cut:])
        return await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 1)

    ok, number, text, absent, error, empty = asyncio.run(run())
    assert (ok, number, text, absent, empty) == (b"OK", 1, b"v\r\n:1", None, b"")
    assert isinstance(error, RuntimeError)


def test_a_redis_that_ends_ends_its_calls():
    async def run():
        client = PipelinedRedis()
        client._waiting.append(asyncio.get_running_loop().create_future())
        client.connection_lost(None)
        with pytest.raises(ConnectionError, match="ended the connection"):
            await asyncio.wait_for(client._waiting[0], 1)

    asyncio.run(run())


def test_a_caller_swaps_what_it_wrote_last_and_nobody_else_does():
    held = {}

    async def write(name, value):
        assert name not in held
        held[name] = value
        return value

    async def swap(caller, value, expected):
        name = f"bench-{caller:08d}"
        if held[name] != expected:
            return None
        held[name] = value
        return value

    async def run():
        swaps = Swaps(write, swap)
        await swaps.prepare(2)
        await swaps.prepare(3)
        values = [dict(held)]
        for caller in (0, 1, 0):
            await swaps.swap(caller)
            values.append(dict(held))
        assert len(set(map(str, values))) == 4
        assert {len(value) for value in held.values()} == {256}
        held["bench-00000002"] = b"another"
        with pytest.raises(RuntimeError, match="nobody else"):
            await swaps.swap(2)

    asyncio.run(run())
