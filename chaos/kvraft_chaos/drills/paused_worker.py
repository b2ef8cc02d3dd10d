"""A worker is paused for longer than its lock lasts, and writes when it wakes up."""

import json
import signal
import sys
import time
from typing import Any

from kvraft_chaos.drills.drill import Drill
from kvraft_chaos.drills.ground import Ground
from kvraft_chaos.drills.stage import Stage
from kvraft_client import Client, FenceRequired, Lock

QUESTION = (
    "A worker takes a lock and is paused. The lock ends, another worker takes it. "
    "The first one wakes up and writes. Whose word stands?"
)
LOCK = "jobs/report"
TTL_S = 1.0
"""The shortest there is."""
WAIT_S = 8.0
FIRST_TOKEN = 41
"""Of the first worker, as in the story that everybody tells; 42 is the second's."""
NAMES = 40
"""Most that one acquisition of `_run_tokens_to` takes: each takes a token."""


def play(stage: Stage, ground: Ground) -> None:
    """Pause the first worker while the second takes over; then let it write without, and with."""
    with ground.client() as kv:
        worker = _Worker(ground)
        stage.act("a worker takes the lock, and is paused")
        _run_tokens_to(kv, FIRST_TOKEN)
        first = worker.take_lock()
        stage.say("worker 1", f"has the lock {LOCK!r}, token {first}")
        worker.pause()
        stage.say("the machine", "pauses worker 1 (SIGSTOP): it can neither renew nor notice")
        begun = time.monotonic()
        with kv.lock(LOCK, ttl=10.0, wait=WAIT_S) as second:
            waited = time.monotonic() - begun
            stage.say("worker 2", f"waited {waited:.2f} s, has the lock, token {second.token}")
            for key in ("naive/report", "store/report", "guarded/report"):
                kv.put(key, "by worker 2", fence=second)
            stage.say("worker 2", "writes the report")
            worker.resume()
            stage.say("the machine", "lets worker 1 run again; it believes to have the lock")
            _late_writes(stage, kv, worker, second, first)


def _late_writes(stage: Stage, kv: Client, worker: "_Worker", second: Lock, first: int) -> None:
    stage.act("the naive way: worker 1 writes, as it had the lock")
    naive_error = late_write(stage, worker, "naive/report", fenced=False)
    naive = _report(stage, kv, "naive/report")
    stage.act("the store's way: worker 1 writes with the token of its lock")
    store_error = late_write(stage, worker, "store/report", fenced=True)
    store = _report(stage, kv, "store/report")
    stage.act("and where somebody forgets the token: a guarded prefix")
    kv.guard("guarded/", lock=LOCK)
    guard_error = late_write(stage, worker, "guarded/report", fenced=False)
    guarded = _report(stage, kv, "guarded/report")
    kv.put("guarded/report", "by worker 2, again", fence=second)
    stage.say("worker 2", "writes there with its token: done")

    stage.figure("token of worker 1, of worker 2", store=f"{first}, {second.token}")
    stage.figure("whose report stands", naive=naive, store=store)
    stage.figure("the late write was told", naive=naive_error or "OK", store=store_error or "OK")
    stage.figure("... without a token, guarded", store=guard_error or "OK")
    stage.foretold(naive == "by worker 1", "the late write replaces the report, and is told OK")
    stage.promised(second.token > first, "a later holder has a larger token")
    stage.promised(store_error == "StaleFence", "the late write is refused by the store")
    stage.promised(store == "by worker 2", "the report of the holder stands")
    stage.promised(guard_error == FenceRequired.__name__, "nobody writes there without a token")
    stage.promised(guarded == "by worker 2", "... and nothing was written")
    stage.close(
        "A lock that is not checked at the write protects nothing: give every write its fence.",
        "with kv.lock(name) as lock: kv.put(key, value, fence=lock); once: kv.guard(prefix, lock=)",
    )


def late_write(stage: Stage, worker: "_Worker", key: str, *, fenced: bool) -> str | None:
    """Let worker 1 write; the name of the error that it met."""
    told = worker.write(key, "by worker 1", fenced=fenced)
    how = "with its token" if fenced else "without a token"
    met = "done" if told["error"] is None else f"{told['error']}: {told['message']}"
    stage.say("worker 1", f"writes {how}: {met}")
    error: str | None = told["error"]
    return error


def _report(stage: Stage, kv: Client, key: str) -> str:
    entry = kv.get(key)
    stands = "nothing" if entry is None else entry.value.decode()
    stage.say("the report", f"is {stands}")
    return stands


def _run_tokens_to(kv: Client, wanted: int) -> None:
    """Let the next token be the wanted one, if it is not past that: every grant takes one."""
    with kv.lock("tokens/0") as lock:
        left = wanted - 1 - lock.token
    while left > 0:
        several = min(left, NAMES)
        with kv.lock([f"tokens/{number}" for number in range(several)]):
            left -= several


class _Worker:
    """The process of worker 1."""

    def __init__(self, ground: Ground) -> None:
        command = [sys.executable, "-m", "kvraft_chaos.drills.worker", ground.endpoints]
        self._process = ground.start(command)

    def take_lock(self) -> int:
        return int(self._told({"lock": LOCK, "ttl": TTL_S})["token"])

    def write(self, key: str, value: str, *, fenced: bool) -> dict[str, Any]:
        return self._told({"key": key, "value": value, "fenced": fenced})

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def _told(self, command: dict[str, Any]) -> dict[str, Any]:
        to, answers = self._process.stdin, self._process.stdout
        if to is None or answers is None:
            raise AssertionError("it was started with pipes")
        to.write(json.dumps(command) + "\n")
        to.flush()
        answer = answers.readline()
        if not answer:
            raise RuntimeError("worker 1 ended by itself")
        told: dict[str, Any] = json.loads(answer)
        return told


DRILL = Drill("paused-worker", QUESTION, play)
