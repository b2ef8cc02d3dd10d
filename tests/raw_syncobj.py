"""A raw SyncObj as `Core` builds it, on a fake transport that writes everything down."""

import pysyncobj.syncobj as library

from kvraft.consensus import envelope
from kvraft.consensus.journal import Journal
from kvraft.consensus.pysyncobj_core import (
    LEADER,
    Core,
)
from kvraft.consensus.timing import Timing


class Log:
    def __init__(self):
        self.sequence, self.recovered, self.preamble = 0, (), None

    def append(self, kind, version, payload):
        self.sequence += 1
        return self.sequence


class Raw:
    """One SyncObj as `Core` builds it, with everything it sends and does written down."""

    def __init__(self, monkeypatch, peers="bc"):
        self.now = 10.0
        monkeypatch.setattr(library, "monotonicTime", self.clock)
        self.sent, self.applied, self.states = [], [], []
        self.journal = Journal(Log())
        self.core = Core(
            "a",
            tuple(peers),
            self.journal,
            Timing(),
            send=self.send,
            on_entry=self.applied.append,
            on_state=lambda old, new: self.states.append((old, new)),
        )

    def clock(self):
        self.now += 1e-6
        return self.now

    def send(self, peer, message):
        self.sent.append((peer, message))
        return True

    def take(self, kind=None):
        sent, self.sent = self.sent, []
        return [(p, m) for p, m in sent if kind is None or m["type"] == kind]

    def deliver(self, peer, **message):
        self.core._outlet.deliver(self.core._nodes[peer] if peer else None, message)

    def lead(self):
        self.core.connected("b")
        self.core.connected("c")
        self.core.campaign()
        self.core.vote_granted("b", self.core.term)
        assert self.core.state == LEADER
        return self


def entries(*numbered):
    return [(envelope.wrap(b"%d" % index), index, term) for index, term in numbered]
