"""A store in memory on which one call comes after another, and clients that overlap on it.

It performs the calls of workloads without a cluster, thousands of them a second, and may lose
answers, so that checkers meet long honest histories; what is false in them, a test puts there.
"""

from itertools import count
from random import Random

from kvraft_chaos.checkers.sequential import Refused, ask
from kvraft_chaos.history import Recorder
from kvraft_chaos.workloads.script import Answer

READS = {"get", "list", "log"}
UNTOLD = {"list"}
"""The real client does not say at which revision it listed."""


class SequentialStore:
    def __init__(self):
        self.revision = 1
        self.entries = {}
        self.log = []

    def get(self, key):
        return self.entries.get(key)

    def keys(self, prefix):
        return sorted(key for key in self.entries if key.startswith(prefix))

    def perform(self, call):
        if call.f == "log":
            rows = [list(row) for row in self.log if row[1].startswith(call.key)]
            return Answer("ok", rows)
        asked_at = (call.argument or {}).get("revision") if call.f == "list" else None
        view = self if asked_at is None else Past(self.log, asked_at)
        try:
            writes, _ = ask(view, call.f, call.key, call.argument, self.revision + 1)
        except Refused as why:
            return Answer("fail", error=str(why))
        at = self.revision + bool(writes)
        _, result = ask(view, call.f, call.key, call.argument, at)
        if call.f in UNTOLD:
            del result["revision"]
        if writes:
            self._commit(writes)
        return Answer("ok", result)

    def _commit(self, writes):
        self.revision += 1
        for key, value in writes.items():
            self.log.append((self.revision, key, value))
            self.entries.pop(key, None)
            if value is not None:
                self.entries[key] = (value, self.revision)


class Past:
    """The store as it stood at a revision."""

    def __init__(self, log, revision):
        self.entries = {}
        for at, key, value in log:
            if at <= revision:
                self.entries.pop(key, None)
                if value is not None:
                    self.entries[key] = (value, at)

    get = SequentialStore.get
    keys = SequentialStore.keys


class Client:
    """One script: its open call, and its answer once the call took effect."""

    def __init__(self, script, recorder):
        self.script, self.recorder = script, recorder
        self.process = recorder.process()
        self.call = self.answer = self.last = None

    def ask(self):
        """Invoke the next call; False: the script is over."""
        try:
            self.call = next(self.script) if self.last is None else self.script.send(self.last)
        except StopIteration:
            return False
        call = self.call
        self.recorder.record(self.process, "invoke", call.f, key=call.key, value=call.argument)
        return True

    def hear(self, answer):
        call, self.call, self.answer, self.last = self.call, None, None, answer
        self.recorder.record(
            self.process, answer.type, call.f, key=call.key, value=answer.result, error=answer.error
        )
        if answer.type == "info":
            self.process = self.recorder.process()


class Honest:
    """Clients whose calls overlap; a share of the mutations loses its answer, one way or another.

    `store` may be a dishonest one: then the checkers must find out.
    """

    def __init__(self, workload, *, seed=1, lost=0.0, clients=None, store=None):
        ticks = count(0, 1_000_000)
        self.recorder = Recorder(now_ns=lambda: next(ticks))
        self.store = store or SequentialStore()
        self.workload, self._lost = workload, lost
        self._chance = Random(seed)
        self._late = []
        self._clients = clients or workload.clients

    def run(self, calls):
        """The events of so many calls, the workload's setup before and its finals after them."""
        self._alone(self.workload.setup())
        clients = [
            Client(self.workload.script(number, Random(number)), self.recorder)
            for number in range(self._clients)
        ]
        asked = 0
        while asked < calls:
            client = self._chance.choice(clients)
            if client.call is None:
                asked += client.ask()
            elif client.answer is None:
                self._decide(client)
            else:
                client.hear(client.answer)
            self._come_late()
        for client in clients:
            if client.call is not None:
                client.hear(client.answer or self.store.perform(client.call))
        self._alone(self.workload.finals())
        return self.recorder.events

    def _decide(self, client):
        """Let it take effect, or lose it: never done, done and not answered, or done much later."""
        if client.call.f in READS or self._chance.random() >= self._lost:
            client.answer = self.store.perform(client.call)
            return
        fate = self._chance.choice(("failed", "never", "done", "late"))
        if fate == "done":
            self.store.perform(client.call)
        if fate == "late":
            self._late.append(client.call)
        client.answer = Answer("fail" if fate == "failed" else "info", error=f"lost: {fate}")

    def _come_late(self):
        if self._late and self._chance.random() < 0.01:
            self.store.perform(self._late.pop(self._chance.randrange(len(self._late))))

    def _alone(self, script):
        client = Client(script, self.recorder)
        while client.ask():
            client.hear(self.store.perform(client.call))


def honest(workload, calls=2_000, **options):
    """A history that every checker must find valid."""
    return Honest(workload, **options).run(calls)
