"""What can go wrong between an application and the nodes; the links of peers are not in reach."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar

from kvraft_chaos.nemesis import links
from kvraft_chaos.nemesis.argument import Argument, Choice, taking
from kvraft_chaos.nemesis.fault import LONGEST_MS, Fault
from kvraft_chaos.nemesis.plan import Plan, Step
from kvraft_chaos.nemesis.stroke import Stream, Stroke, chosen, links_of
from kvraft_chaos.nemesis.target import Target

CLIENTS = Choice(("clients",))
EVERY_MS = 2_000
"""A stroke begins on average; they last 1 to 5 s, so they overlap, and there are quiet times."""


def to_clients(fault: type[Fault]) -> Mapping[str, Argument]:
    """What it takes, where only the links of clients are in reach."""
    return {**fault.takes, "where": CLIENTS}


def _links(cluster: Target, node: str) -> list[str]:
    return links_of(cluster, node, "clients")


class _ToNode(Stroke):
    """On the links of one node, or of all."""

    takes = taking(node=links.ANY)

    def aim(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        node = chosen(cluster, arguments["node"])
        self.struck = cluster.names if node == "all" else (node,)
        return node


class Cut(_ToNode):
    name = "cut"
    sentence = "nothing passes: connections stay open and silent, new ones hang"

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        node = self.aim(cluster, arguments)
        self.cut(cluster, _links(cluster, node))
        return node


class OneWay(_ToNode):
    name = "one-way"
    sentence = "requests never arrive, or they are done and no answer comes back"
    takes = taking(node=links.ANY, lost=Choice(("requests", "answers")))

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        node = self.aim(cluster, arguments)
        lost = arguments["lost"]
        stream: Stream = "upstream" if lost == "requests" else "downstream"
        for link in _links(cluster, node):
            self.toxic(cluster, link, "timeout", stream, {"timeout": 0})
        return f"{lost} of {node} are lost"


class Refuse(_ToNode):
    name = "refuse"
    sentence = "connections are closed at once, and new ones refused"

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        node = self.aim(cluster, arguments)
        for link in _links(cluster, node):
            self.switch_off(cluster, link)
        return node


class Flapping(_ToNode):
    name = "flapping"
    sentence = "connections are closed and refused, and let in again, several times a second"
    beat_ms: ClassVar[int | None] = 300

    def strike(self, cluster: Target, arguments: Mapping[str, Any]) -> str:
        node = self.aim(cluster, arguments)
        self._flapping = _links(cluster, node)
        for link in self._flapping:
            self.switch_off(cluster, link)
        return node

    def beat(self, cluster: Target, number: int) -> None:
        act = self.switch_on if number % 2 else self.switch_off
        for link in self._flapping:
            act(cluster, link)


class Delay(links.Delay):
    takes = to_clients(links.Delay)


class Bandwidth(links.Bandwidth):
    takes = to_clients(links.Bandwidth)


class Slicing(links.Slicing):
    takes = to_clients(links.Slicing)


class Resets(links.Resets):
    takes = to_clients(links.Resets)


FAULTS: dict[str, type[Fault]] = {
    fault.name: fault
    for fault in (Cut, OneWay, Refuse, Flapping, Resets, Delay, Bandwidth, Slicing)
}


def drawn(faults: Sequence[str], seed: str, duration_ms: int, names: tuple[str, ...]) -> Plan:
    """Return a plan of these faults, drawn from the seed."""
    chance = Random(seed)
    steps: list[Step] = []
    at_ms = 0.0
    while True:
        at_ms += chance.expovariate(1 / EVERY_MS)
        fault = FAULTS[chance.choice(faults)]
        for_ms = chance.randint(fault.shortest_ms, LONGEST_MS)
        arguments = fault.draw(chance, names)
        if at_ms + for_ms > duration_ms:
            return Plan("", 0, duration_ms, names, tuple(steps))
        steps.append(Step(int(at_ms), for_ms, fault.name, arguments))
