"""Engines on a virtual clock: directed connections, disks that sync late, clocks that never stand.

A minimal world for the tests of consensus; `kvraft_chaos.simulation` is the real one.
"""

import heapq
import random
from collections import deque
from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import pysyncobj.syncobj as library
from consensus_node import Directory, Node, members

from kvraft.consensus.port import Applied
from kvraft.consensus.switches import Switches
from kvraft.consensus.timing import Flow, Timing


class World:
    """Directed connections: a link a>b carries a's messages, in order; cut ones hold them."""

    def __init__(self, names="abc", *, seed=1, switches=None, flow=None, start=True):
        self.now, self.rng = 100.0, random.Random(seed)
        self.timing, self.flow = Timing(), flow or Flow()
        self.switches = switches or Switches()
        self.heap, self.order = [], count()
        self.nodes = {}
        self.auto_join = True
        for name in names:
            self.nodes[name] = Node(self, name)
        self.links = {}  # (a, b) -> deque while the connection stands
        self.blocked = set()
        self.latency_s = 0.0005
        self.capture = None  # sees (a, b, message); False drops nothing, only looks
        if start:
            for node in self.nodes.values():
                node.start()
            self._redial()

    def __getattr__(self, name):
        try:
            return self.__dict__["nodes"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __getitem__(self, name):
        return self.nodes[name]

    def running(self, node):
        return _Running(self, node)

    def at(self, delay, action):
        heapq.heappush(self.heap, (self.now + delay, next(self.order), action))

    def run(self, seconds):
        end = self.now + seconds
        while self.heap and self.heap[0][0] <= end:
            self.now, _, action = heapq.heappop(self.heap)
            action()
        self.now = end

    def until(self, condition, seconds=5.0, step=0.005):
        end = self.now + seconds
        while not condition():
            assert self.now < end, f"not within {seconds} s: {self.describe()}"
            self.run(step)

    def describe(self):
        return [
            (n.name, str(n.status.role), n.status.term, n.status.commit_index, n.status.last_index)
            if n.alive
            else (n.name, "down", n.fatals)
            for n in self.nodes.values()
        ]

    # network
    def _redial(self):
        for a in self.nodes:
            for b in self.nodes:
                if a != b and (a, b) not in self.links:
                    self.dial(a, b, report=False)
        self.at(self.timing.redial_ms / 1000, self._redial)

    def dial(self, a, b, *, report=True):
        one, two = self.nodes[a], self.nodes[b]
        if not one.alive or (a, b) in self.links or (a, b) in self.blocked:
            return
        hello = one.engine.hello()
        refused = two.alive and two.engine.check_hello(hello)
        if not two.alive or refused or one.engine.check_hello(two.engine.hello()):
            if report or refused:
                one.call(one.engine.on_dial_failed, b)
            return
        self.links[a, b] = deque()
        answer = two.engine.hello()
        two.call(two.engine.on_inbound_up, a, hello)
        if one.alive and (a, b) in self.links:
            one.call(one.engine.on_outbound_up, b, answer)

    def send(self, a, b, message, *, bulk):
        queue = self.links.get((a, b))
        if queue is None:
            return False
        if self.capture:
            self.capture(a, b, message)
        queue.append(message)
        self.at(self.latency_s, lambda: self._deliver(a, b, queue))
        return True

    def _deliver(self, a, b, queue):
        if self.links.get((a, b)) is not queue or (a, b) in self.blocked or not queue:
            return
        message = queue.popleft()
        node = self.nodes[b]
        if node.alive:
            node.call(node.engine.on_message, a, message)

    def block(self, a, b):
        """Hold what a sends to b (a silent cut)."""
        self.blocked.add((a, b))

    def unblock(self, *pairs):
        for pair in pairs or tuple(self.blocked):
            self.blocked.discard(pair)
            queue = self.links.get(pair)
            for _ in range(len(queue or ())):
                self.at(0, lambda pair=pair, queue=queue: self._deliver(*pair, queue))

    def lose(self, a, b):
        """Break the connection a>b; what is on it is lost."""
        if self.links.pop((a, b), None) is None:
            return
        one, two = self.nodes[a], self.nodes[b]
        if one.alive:
            one.call(one.engine.on_outbound_down, b)
        if two.alive:
            two.call(two.engine.on_inbound_down, a)

    def reset_pair(self, a, b):
        self.lose(a, b)
        self.lose(b, a)

    def cut(self, *names):
        """Cut these nodes off from all others, silently, both ways."""
        for a in names:
            for b in self.nodes:
                if b not in names:
                    self.block(a, b)
                    self.block(b, a)

    def crash(self, name, *, power_loss=False):
        node = self.nodes[name]
        if not node.alive:
            return
        node.alive = False
        for other in self.nodes:
            self.lose(name, other)
            self.lose(other, name)
        node.directory.log.reopen(power_loss=power_loss)

    def wipe(self, name, *, rejoin):
        node = self.nodes[name]
        self.crash(name)
        node.directory = Directory(disk_id=self.rng.getrandbits(60), rejoining=rejoin)

    # cluster
    def leader(self):
        leaders = [node for node in self.nodes.values() if node.leads]
        return max(leaders, key=lambda node: node.status.term) if leaders else None

    def elect(self, seconds=5.0):
        self.until(lambda: self.leader() is not None, seconds)
        return self.leader()

    @staticmethod
    def _can_take_over(leader, name):
        status = leader.status
        peer = next(peer for peer in status.peers if peer.name == name)
        return peer.match_index == status.last_index and peer.contact_age_ms is not None

    def lead(self, name):
        """Make this node the leader."""
        leader = self.elect()
        if leader.name != name:
            answers = []
            self.until(lambda: self._can_take_over(leader, name))
            leader.call(leader.engine.transfer_leadership, name, answers.append)
            self.until(lambda: answers)
            assert answers == [None], answers
            self.until(lambda: self.nodes[name].leads)
        return self.nodes[name]

    def write(self, payload, seconds=3.0):
        """Propose at the leader, again while the outcome is known not to have happened."""
        end = self.now + seconds
        while True:
            leader = self.elect(seconds)
            answers = leader.propose(payload)
            self.until(lambda answers=answers: answers, seconds)
            if isinstance(answers[0], Applied):
                return answers[0]
            assert self.now < end, answers

    def converge(self, seconds=5.0):
        alive = [node for node in self.nodes.values() if node.alive]
        self.until(lambda: len({tuple(node.applied) for node in alive}) == 1, seconds)

    def bootstrap(self):
        disks = {name: node.directory.disk_id for name, node in self.nodes.items()}
        self.write(members(77, disks))
        self.converge()


class _Running:
    """SyncObj's clock and chance are module globals: point them at the node whose turn it is."""

    current = None

    def __init__(self, world, node):
        self.node = node

    def __enter__(self):
        self.before, _Running.current = _Running.current, self.node

    def __exit__(self, *exc):
        _Running.current = self.before


def _now():
    return _Running.current.now()


def _random():
    return _Running.current.random()


def patch_syncobj(monkeypatch):
    """Give SyncObj the clock and the chance of the node that runs."""
    monkeypatch.setattr(library, "monotonicTime", _now)
    chance = SimpleNamespace(random=_random)
    monkeypatch.setattr(library, "random", chance)


def without(*names):
    """Return the switches with these guards off."""
    return replace(Switches(), **dict.fromkeys(names, False))
