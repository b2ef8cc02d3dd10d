"""Runs that never happened, to draw: written as a run directory is, from a seed."""

import heapq
import json
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from kvraft_chaos.history import Event, Recorder
from kvraft_chaos.run.directory import RunDirectory
from kvraft_chaos.run.marks import Marks

MS = 1_000_000
BEGIN = 5_000 * MS
FAULTS = ("isolate-leader", "one-way-in", "kill", "delay", "pause", "slow-disk", "clock-jump")
UNKNOWN_AFTER = 2_000 * MS
FIELDS = tuple(Event.__dataclass_fields__)


class Clock:
    now = BEGIN

    def __call__(self) -> int:
        return self.now


class Store:
    """Registers with revisions. An operation takes effect when it is answered, so it is legal."""

    def __init__(self) -> None:
        self.revision = 0
        self.keys: dict[str, list[tuple[str, int]]] = {}

    def current(self, key):
        return self.keys.get(key, [None])[-1]

    def read(self, key, back=1):
        if key not in self.keys:
            return {"value": None}
        value, revision = self.keys[key][-back]
        return {"value": value, "mod_revision": revision}

    def expectation(self, key):
        current = self.current(key)
        return {"absent": True} if current is None else {"mod_revision": current[1]}

    def answer(self, f, key, argument):
        if f == "get":
            return self.read(key)
        if f == "cas" and argument["expect"] != self.expectation(key):
            return {"succeeded": False}
        self.revision += 1
        self.keys.setdefault(key, []).append((argument["value"], self.revision))
        done = {"succeeded": True} if f == "cas" else {}
        return {**done, "mod_revision": self.revision}


@dataclass
class Sample:
    """What a run of `register` might leave. `invalid`: one read of k1 is stale."""

    path: Path
    operations: int = 400
    clients: int = 6
    seconds: float = 20.0
    faults: int = 4
    unknown: float = 0.01
    invalid: bool = False
    seed: int = 7
    stale: Event | None = field(default=None, init=False)

    def write(self) -> RunDirectory:
        directory = RunDirectory(self.path)
        self._clock, self._chance, self._store = Clock(), Random(self.seed), Store()
        recorder = Recorder(now_ns=self._clock)
        self._operate(recorder)
        with directory.history.open("w") as file:  # at once: 100,000 lines are wanted too
            for event in recorder.events:
                file.write(json.dumps({name: getattr(event, name) for name in FIELDS}) + "\n")
        marks = sorted(self._marks(), key=lambda mark: mark[0])
        with Marks(directory.faults, now_ns=self._clock) as file:
            for at, kind, name, more in marks:
                self._clock.now = at
                file.add(kind, name, **more)
        directory.verdict.write_text(json.dumps(self._verdict(recorder.events)))
        return directory

    def _operate(self, recorder: Recorder) -> None:
        pause = int(self.seconds * 1e9) * self.clients // max(1, self.operations)
        turns = [
            (BEGIN + self._chance.randrange(pause), client, recorder.process(), None)
            for client in range(self.clients)
        ]
        heapq.heapify(turns)
        asked = 0
        while turns:
            self._clock.now, client, process, call = heapq.heappop(turns)
            now = self._clock.now
            if call is not None:
                process = self._complete(recorder, process, call)
                wait = int(pause * self._chance.uniform(0.05, 0.8))
                heapq.heappush(turns, (now + wait, client, process, None))
            elif asked < self.operations:
                asked += 1
                call, took = self._invoke(recorder, process, f"n{client % 3 + 1}", asked)
                heapq.heappush(turns, (now + took, client, process, call))

    def _invoke(self, recorder, process, node, number):
        f = self._chance.choice(("get", "get", "put", "cas"))
        key = f"k{self._chance.randrange(4)}"
        argument = None if f == "get" else {"value": str(number)}
        if f == "cas":
            argument["expect"] = self._store.expectation(key)
        recorder.record(process, "invoke", f, key=key, value=argument, node=node)
        lost = self._chance.random() < self.unknown
        slow = self._chance.expovariate(1 / 30) if self._chance.random() < 0.03 else 0.0
        took = int((self._chance.lognormvariate(1.2, 0.5) + slow) * MS)
        return (f, key, argument, node, lost), UNKNOWN_AFTER if lost else took

    def _complete(self, recorder, process, call) -> int:
        f, key, argument, node, lost = call
        if lost:
            recorder.record(process, "info", f, key=key, node=node, error="deadline exceeded")
            return recorder.process()
        if f != "get" and self._chance.random() < 0.02:
            recorder.record(process, "fail", f, key=key, node=node, error="no quorum")
            return process
        written = len(self._store.keys.get(key, ()))
        tell_old = self.invalid and self.stale is None and f == "get" and key == "k1"
        if tell_old and written > 1 and len(recorder.events) > self.operations:
            answer = self._store.read(key, back=2)
            self.stale = recorder.record(process, "ok", f, key=key, value=answer, node=node)
        else:
            answer = self._store.answer(f, key, argument)
            recorder.record(process, "ok", f, key=key, value=answer, node=node)
        return process

    def _marks(self) -> list:
        end, term = self._clock.now, 1
        span = end - BEGIN
        marks = [
            (BEGIN + span * share // 20, "phase", name, {})
            for share, name in ((0, "setup"), (1, "faults"), (17, "healed"), (19, "finals"))
        ]
        marks.append((BEGIN + MS, "leader", "n1", {"value": term}))
        for number in range(self.faults):
            name, victim = FAULTS[number % len(FAULTS)], f"n{number % 3 + 1}"
            at = BEGIN + span * (number + 1) // (self.faults + 2)
            stop = at + int(span / (self.faults + 1) * self._chance.uniform(0.5, 1.6))
            more = {"stroke": number, "nodes": (victim,), "detail": f"{victim} alone"}
            marks.append((at, "strike", name, more))
            marks.append((min(stop, end - MS), "heal", name, {"stroke": number}))
            if name in {"isolate-leader", "kill", "pause"}:
                term += 1
                marks.append(
                    (at + span // 25, "leader", f"n{(number + 1) % 3 + 1}", {"value": term})
                )
        return marks

    def _verdict(self, events) -> dict:
        asked = sum(event.type == "invoke" for event in events)
        unknown = sum(event.type == "info" for event in events)
        return {
            "verdict": "invalid" if self.stale else "valid",
            "workload": "register",
            "seed": self.seed,
            "negative": "local-reads" if self.invalid else None,
            "operations": asked,
            "unknown": unknown,
            "unknown_share": unknown / max(1, asked),
            "faults": list(FAULTS[: self.faults]),
            "findings": [
                finding("leaders", "at most one leader a term: 1: n1, 2: n3, 3: n2"),
                self._judged(events),
                finding("hashes", f"three nodes have the same state at {self._store.revision}"),
            ],
            "recovery": {"leader_ms": 640, "operations_ms": 1210},
            "kvraft": "0.1.0",
            "command": "kvraft chaos run --workload register --faults isolate-leader,one-way,kill "
            f"--duration {self.seconds:g} --seed {self.seed}",
        }

    def _judged(self, events) -> dict:
        if self.stale is None:
            return finding("linearizability", "every key has a legal order (4 keys)")
        invokes: dict[int, int] = {}
        order = []
        for event in events[: self.stale.index]:
            if event.type == "invoke":
                invokes[event.process] = event.index
            elif event.type == "ok" and event.key == "k1":
                order.append(invokes[event.process])
        sentence = (
            f"k1: after {len(order)} operations the key holds another value, and event "
            f"{self.stale.index} (get by process {self.stale.process}) fits nowhere"
        )
        return {
            **finding("linearizability", sentence),
            "verdict": "invalid",
            "key": "k1",
            "contradiction": [invokes[self.stale.process], self.stale.index],
            "prefix": order,
        }


def finding(checker: str, sentence: str) -> dict:
    return {
        "checker": checker,
        "verdict": "valid",
        "sentence": sentence,
        "key": None,
        "contradiction": [],
        "prefix": [],
    }
