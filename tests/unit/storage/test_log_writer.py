"""The writer's threads: group commit, one batch in flight, fail-stop."""

import queue
import threading
import time

import pytest

from kvraft.storage import writer
from kvraft.storage.disk import OsDisk
from kvraft.storage.errors import DiskFailed, StorageError
from kvraft.storage.wal import WriteAheadLog
from kvraft.storage.writer import LogWriter

LIMIT_S = 10


class Loop:
    """Stands for the event loop: what the threads call runs here, when the test says so."""

    def __init__(self):
        self.calls = queue.Queue()
        self.closed = False

    def call_soon_threadsafe(self, callback, *arguments):
        if self.closed:
            raise RuntimeError("Event loop is closed")
        self.calls.put((callback, arguments))

    def run_one(self):
        callback, arguments = self.calls.get(timeout=LIMIT_S)
        callback(*arguments)


class GatedDisk(OsDisk):
    """Each fsync of a file waits at a gate."""

    def __init__(self):
        self.arrived = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)
        self.failure = None

    def create(self, path):
        disk, file = self, super().create(path)
        file.honest_sync = file.sync

        def sync():
            disk.arrived.release()
            assert disk.gate.acquire(timeout=LIMIT_S)
            if disk.failure:
                raise disk.failure
            file.honest_sync()

        file.sync = sync
        return file


class Node:
    def __init__(self, path, disk):
        self.disk, self.loop = disk, Loop()
        self.wal = WriteAheadLog.open(disk, path)
        self.durable, self.errors = [], []
        self.writer = LogWriter(
            self.wal,
            self.loop.call_soon_threadsafe,
            self.durable.append,
            self.errors.append,
        )

    def append(self, count=1):
        for _ in range(count):
            self.wal.append(7, 1, b"x")
            self.writer.kick()


@pytest.fixture
def node(tmp_path):
    node = Node(str(tmp_path / "wal"), OsDisk())
    yield node
    node.writer.close()
    node.wal.close()


@pytest.fixture
def gated(tmp_path):
    node = Node(str(tmp_path / "wal"), GatedDisk())
    yield node
    node.disk.gate.release(100)
    node.writer.close()


def test_a_kick_writes_and_reports(node):
    node.append()
    assert node.durable == []  # not before the disk has it

    node.loop.run_one()

    assert node.durable == [2] == [node.wal.durable]
    assert node.writer.batches == 1
    assert node.writer.fsyncs == 2
    assert node.writer.bytes == node.wal.bytes_written > 0
    assert node.writer.slowest_ms > 0
    assert node.writer.busy_ms() == 0


def test_a_kick_with_nothing_to_write_does_nothing(node):
    node.writer.kick()

    assert node.writer.busy_ms() == 0
    assert node.loop.calls.empty()


def test_what_arrives_during_an_fsync_is_one_batch(gated):
    gated.append()
    assert gated.disk.arrived.acquire(timeout=LIMIT_S)
    gated.append(50)
    assert gated.writer.busy_ms() > 0
    gated.disk.gate.release()
    gated.loop.run_one()
    assert gated.durable == [2]

    gated.disk.gate.release()
    gated.loop.run_one()

    assert gated.durable == [2, 52]
    assert gated.writer.batches == 2
    assert gated.writer.fsyncs == 3  # two of the first batch, with its new segment; one of 50


def test_the_next_batch_is_on_its_way_before_the_last_is_reported(gated):
    busy = []
    gated.writer._on_durable = lambda _: busy.append(gated.writer.busy_ms() > 0)
    gated.append()
    assert gated.disk.arrived.acquire(timeout=LIMIT_S)
    gated.append()
    gated.disk.gate.release(2)

    gated.loop.run_one()

    assert busy == [True]


def test_a_failed_fsync_is_reported_once_and_nothing_follows(gated):
    gated.disk.failure = DiskFailed("the log", "fdatasync", "Input/output error")
    gated.append()
    gated.disk.gate.release()
    gated.loop.run_one()
    assert gated.errors == [gated.disk.failure]
    size = gated.wal.bytes_written

    gated.append(3)
    gated.writer.submit(lambda: None, gated.durable.append)
    gated.writer.close()

    assert gated.loop.calls.empty()
    assert gated.errors == [gated.disk.failure]
    assert gated.durable == []
    assert gated.wal.bytes_written == size


def test_a_bug_in_the_thread_is_a_storage_error_too(node, monkeypatch):
    monkeypatch.setattr(node.wal, "write", lambda _batch: 1 // 0)
    node.append()

    node.loop.run_one()

    [error] = node.errors
    assert isinstance(error, StorageError)
    assert "ZeroDivisionError" in str(error)


def test_tasks_run_beside_the_log_and_in_order(gated):
    """A snapshot's work neither waits for the log's fsync nor delays it."""
    gated.append()
    assert gated.disk.arrived.acquire(timeout=LIMIT_S)
    done, names = [], []
    for number in range(3):
        gated.writer.submit(
            lambda number=number: (names.append(threading.current_thread().name), number)[1],
            done.append,
        )

    for _ in range(3):
        gated.loop.run_one()

    assert done == [0, 1, 2]
    assert set(names) == {"kvraft-snapshot"}
    assert gated.durable == []


def test_a_failing_task_stops_the_node(node):
    def fail():
        raise DiskFailed("CURRENT", "rename", "Input/output error")

    done = []
    node.writer.submit(fail, done.append)
    node.writer.submit(fail, done.append)
    node.loop.run_one()
    node.loop.run_one()

    assert len(node.errors) == 1
    assert done == []


def until_marked(node):
    """Look at the log again and again, as the driver does, until it has been marked."""
    deadline = time.monotonic() + LIMIT_S
    while node.loop.calls.empty():
        assert time.monotonic() < deadline
        node.writer.mark_if_idle()
    node.loop.run_one()


def test_an_idle_log_is_marked(node):
    node.append()
    node.loop.run_one()
    written = node.wal.bytes_written
    node.writer.mark_if_idle()
    assert node.loop.calls.empty()  # too early

    until_marked(node)

    assert node.wal.bytes_written == written + 26
    node.writer.mark_if_idle()
    assert node.writer.busy_ms() == 0  # once is enough
    node.append()  # and the log goes on
    node.loop.run_one()
    assert node.durable == [2, 3]


def test_a_mark_that_fails_stops_the_node(node, monkeypatch):
    failure = DiskFailed("the log", "write", "Input/output error")

    def fail():
        raise failure

    monkeypatch.setattr(node.wal, "mark", fail)
    node.append()
    node.loop.run_one()

    until_marked(node)

    assert node.errors == [failure]


def test_a_slow_batch_is_told_once_and_while_it_lasts(gated):
    gated.append()
    assert gated.disk.arrived.acquire(timeout=LIMIT_S)
    assert gated.writer.take_slowest_ms() > 0
    assert gated.writer.take_slowest_ms() > 0
    gated.disk.gate.release()
    gated.loop.run_one()

    assert gated.writer.take_slowest_ms() > 0
    assert gated.writer.take_slowest_ms() == 0


# -- a quick disk is waited for on the loop


@pytest.fixture
def quick(node, monkeypatch):
    """A quick disk, whatever the machine's is like."""
    monkeypatch.setattr(writer, "QUICK_MS", 1000 * LIMIT_S)
    node.threads = []
    honest = node.wal.write

    def write(batch):
        node.threads.append(threading.current_thread())
        return honest(batch)

    monkeypatch.setattr(node.wal, "write", write)
    return node


def test_a_quick_disk_is_waited_for_on_the_loop(quick):
    quick.append(2)

    assert quick.durable == [2, 3]
    assert quick.threads == [threading.main_thread()] * 2


@pytest.mark.parametrize("took", [[5.0] * 8, [60.0]], ids=["several slow ones", "a stall"])
def test_a_disk_is_quick_by_its_mean(node, monkeypatch, took):
    took_ms = iter([0.1] * 60 + [40.0] * 2 + [0.1] * 16 + took + [0.1] * 90)
    ways = []

    def write(batch):
        ways.append("loop" if threading.current_thread() is threading.main_thread() else "thread")
        return batch.last, next(took_ms)

    monkeypatch.setattr(node.writer, "_write", write)
    for _ in range(168 + len(took)):
        done = len(node.durable)
        node.append()
        if len(node.durable) == done:
            node.loop.run_one()

    first = ways.index("loop")
    assert 30 < first < 60
    assert ways[first:79] == ["loop"] * (79 - first), "two hiccups change nothing"
    slow = 78 + len(took)
    assert ways[slow : slow + 4] == ["thread"] * 4
    assert ways[-1] == "loop"


def test_a_large_batch_goes_to_the_thread(quick):
    quick.wal.append(7, 1, bytes(writer.QUICK_BYTES))
    quick.writer.kick()
    quick.loop.run_one()  # told by the thread

    assert quick.threads != [threading.main_thread()]


def test_a_write_on_the_loop_that_fails_stops_the_node(quick, monkeypatch):
    monkeypatch.setattr(quick.wal, "write", lambda _batch: 1 // 0)

    quick.append()

    [error] = quick.errors
    assert isinstance(error, StorageError)
    quick.append()
    assert quick.loop.calls.empty()


def test_after_a_failure_on_the_loop_not_even_the_batch_before_is_reported(node, monkeypatch):
    """The next batch is written, and fails, before the last one is reported."""
    monkeypatch.setattr(writer, "QUICK_MS", 0.0)
    node.append()  # to the thread
    node.wal.append(7, 1, b"y")
    told, arguments = node.loop.calls.get(timeout=LIMIT_S)
    monkeypatch.setattr(writer, "QUICK_MS", 1000 * LIMIT_S)
    monkeypatch.setattr(node.wal, "write", lambda _batch: 1 // 0)

    told(*arguments)

    assert len(node.errors) == 1
    assert node.durable == []


def test_close_waits_for_the_batch_in_flight_and_calls_nothing_back(gated):
    gated.append()
    gated.writer.submit(lambda: 1, gated.durable.append)
    assert gated.disk.arrived.acquire(timeout=LIMIT_S)
    gated.disk.gate.release()

    gated.writer.close()
    while not gated.loop.calls.empty():
        gated.loop.run_one()

    assert gated.wal.durable == 2
    assert gated.durable == gated.errors == []
    assert not any(thread.is_alive() for thread in gated.writer._threads)


def test_a_loop_that_is_gone_is_no_error(node):
    node.loop.closed = True
    node.append()
    node.writer.close()

    assert node.wal.durable == 2
    assert node.durable == node.errors == []
