"""A whole cluster in one thread: what scripts and campaigns drive."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from kvraft.consensus.port import Applied, Failure, Role
from kvraft_chaos.simulation import patch
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.chronicle import Chronicle
from kvraft_chaos.simulation.client_network import ClientNetwork
from kvraft_chaos.simulation.invariants import Invariants
from kvraft_chaos.simulation.ledger import Command
from kvraft_chaos.simulation.network import Network
from kvraft_chaos.simulation.node import SimulatedNode, Surroundings
from kvraft_chaos.simulation.process import Settings
from kvraft_chaos.simulation.scheduler import Scheduler

STEP = 0.005
"""Seconds between two looks at a condition that is waited for."""
TOLD_S = 0.05
"""Within which followers hear of a commit: twice `tell_commit_ms`, a poll, and the way to them."""


@dataclass(slots=True)
class Outcome:
    """What became of one request: every call of its callback, in order."""

    calls: list[object] = field(default_factory=list)
    value: str | None = None
    """Of a read, at the moment its barrier was done."""

    @property
    def done(self) -> bool:
        """Whether it was answered."""
        return bool(self.calls)

    @property
    def acknowledged(self) -> bool:
        """Whether it was answered with success."""
        return any(call is None or isinstance(call, Applied) for call in self.calls)

    @property
    def failure(self) -> Failure | None:
        """The refusal, if that was the answer."""
        call = self.calls[0] if self.calls else None
        return call if isinstance(call, Failure) else None


class World:
    """Nodes named A, B, C, ... on one virtual clock."""

    def __init__(self, size: int = 3, seed: int = 0, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.names = [chr(ord("A") + i) for i in range(size)]
        self.scheduler = Scheduler()
        self.invariants = Invariants(lambda: self.scheduler.now)
        self.network = Network(
            self.scheduler,
            Chance(seed, "network"),
            self.names,
            delay=self.settings.delay,
            timing=self.settings.timing,
            flow=self.settings.flow,
        )
        self.log: list[str] = []
        """The trace: one line for everything that people would want to read."""
        self.nodes: dict[str, SimulatedNode] = {}
        self.shared = Surroundings(
            self.scheduler,
            self.network,
            self.invariants,
            self.settings,
            self.nodes,
            seed,
            self._trace,
            Chronicle(self.invariants.report, lambda: self.scheduler.now, self.invariants.order),
        )
        for name in self.names:
            self.nodes[name] = SimulatedNode(name, self.shared)
        self.network.stations.update(self.nodes)
        self.front = ClientNetwork(
            self.scheduler, Chance(seed, "front"), self.nodes, self.invariants.report
        )
        self.shared.process_ended.append(self.front.on_process_end)
        self.acknowledged: list[int] = []
        self.identity = 0
        """Of the last write proposed here."""
        self._patch = patch.world_of_nodes()

    def __enter__(self) -> Self:
        self._patch.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._patch.__exit__(kind, error, traceback)

    def _trace(self, line: str) -> None:
        self.log.append(f"{self.scheduler.now:9.4f} {line}")

    # -- time

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return self.scheduler.now

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.scheduler.run_until(self.scheduler.now + seconds)

    def until(self, condition: Callable[[], object], limit: float = 10.0) -> float:
        """Let time pass until `condition`; return how long it took. AssertionError at the limit."""
        begun = self.scheduler.now
        while not condition():
            assert self.scheduler.now - begun < limit, f"not within {limit} s; {self.summary()}"
            self.run(STEP)
        return self.scheduler.now - begun

    # -- the cluster

    def boot(self, leader: str = "A") -> None:
        """Start every node, wait for the bootstrap, and let `leader` lead."""
        for node in self.nodes.values():
            node.start()
        self.until(lambda: all(n.ledger.state.cluster_id for n in self.nodes.values()))
        self.lead(leader)
        self.run(0.3)

    def __getitem__(self, name: str) -> SimulatedNode:
        return self.nodes[name]

    def running(self) -> list[SimulatedNode]:
        """Nodes with a process."""
        return [node for node in self.nodes.values() if node.process is not None]

    def leader(self) -> str | None:
        """Return the name of the leader of the newest term."""
        leading = [node for node in self.running() if node.leads]
        return max(leading, key=lambda node: node.term).name if leading else None

    def lead(self, name: str, limit: float = 10.0) -> None:
        """Let `name` lead and be ready to propose, by transfer if another does."""
        begun = self.scheduler.now
        while not self.leads(name):
            assert self.scheduler.now - begun < limit, f"{name} does not lead; {self.summary()}"
            leader = self.leader()
            if leader is not None and leader != name:
                self.transfer(leader, name)
            self.run(0.2)

    def transfer(self, leader: str, to: str) -> None:
        """Ask `leader` to hand leadership over."""
        node = self.nodes[leader]
        node.post(lambda: node.engine().transfer_leadership(to, lambda _: None))

    def leads(self, name: str) -> bool:
        """Whether `name` is the newest leader and may propose."""
        node = self.nodes[name]
        return self.leader() == name and node.term in node.ledger.leading

    def summary(self) -> str:
        """One line about every node, for failure messages."""
        parts = []
        for node in self.nodes.values():
            if node.process is None:
                parts.append(f"{node.name}: down ({node.refusal})")
                continue
            status = node.process.engine.status()
            parts.append(
                f"{node.name}: {status.role} term {status.term} log {status.last_index} "
                f"commit {status.commit_index} applied {status.applied_index}"
            )
        return "; ".join(parts)

    # -- faults

    def cut(self, one: str, other: str) -> None:
        """Cut both directions between two nodes; bytes are held."""
        self.network.cut(one, other)
        self.network.cut(other, one)

    def cut_off(self, name: str, *, reset: bool = False) -> None:
        """Cut a node off from all others."""
        for other in self.names:
            if other != name:
                if reset:
                    self.reset(name, other)
                self.cut(name, other)

    def reset(self, one: str, other: str) -> None:
        """Break both connections of a pair."""
        self.network.reset(one, other)
        self.network.reset(other, one)

    def heal(self, *names: str) -> None:
        """Heal every cut link, or every one that touches one of `names`."""
        for source, target in self.network.links:
            if not names or source in names or target in names:
                self.network.heal(source, target)

    def crash(self, *names: str, power: bool = False) -> None:
        """Kill -9 (or take the power from) some nodes."""
        for name in names:
            if self.nodes[name].process is not None or power:
                self.nodes[name].crash(power=power)

    def restart(self, *names: str) -> None:
        """Start nodes that are down."""
        for name in names:
            if self.nodes[name].process is None:
                self.nodes[name].start()

    def wipe(self, name: str) -> None:
        """Crash a node and give it an empty disk."""
        self.crash(name)
        self.nodes[name].wipe()

    def hold_timers(self, *names: str) -> None:
        """Let the clocks of these nodes all but stand still: their timers do not expire."""
        for name in names:
            self.nodes[name].clock.set_rate(0.0)

    def release_timers(self, *names: str) -> None:
        """Let their clocks run again."""
        for name in names or self.names:
            self.nodes[name].clock.set_rate(1.0)

    # -- clients

    def write(self, name: str, value: str | None = None, key: str = "k") -> Outcome:
        """Propose a write on a node; its identity is the next number."""
        self.identity += 1
        wanted = value if value is not None else str(self.identity)
        return self.propose(name, Command("write", self.identity, key, value=wanted))

    def propose(self, name: str, command: Command) -> Outcome:
        """Propose a command on a node."""
        outcome = Outcome()

        def done(result: Applied | Failure) -> None:
            outcome.calls.append(result)
            if isinstance(result, Applied):
                self.acknowledged.append(command.identity)

        node = self.nodes[name]
        node.post(lambda: node.ledger.propose(command, done))
        return outcome

    def read(self, name: str, key: str = "k") -> Outcome:
        """Read a register linearizably on a node."""
        outcome = Outcome()
        node = self.nodes[name]

        def done(failure: Failure | None) -> None:
            outcome.calls.append(failure)
            if failure is None:
                outcome.value = node.ledger.state.registers.get(key)

        node.post(lambda: node.ledger.barrier(done))
        return outcome

    # -- checks

    @property
    def violations(self) -> list[str]:
        """Kinds of violations so far, after a last sweep."""
        self.invariants.sweep(self.nodes)
        return list(self.invariants.violations)

    def lost(self, names: Iterable[str] | None = None) -> list[int]:
        """Acknowledged writes that a running node (of `names`) does not apply, even soon."""
        self.run(TOLD_S)
        return self._missing(names)

    def _missing(self, names: Iterable[str] | None = None) -> list[int]:
        nodes = [n for n in self.running() if names is None or n.name in names]
        missing = [i for i in self.acknowledged for n in nodes if i not in n.applied]
        return sorted(set(missing))

    def converged(self) -> bool:
        """Whether all nodes run, are voters, and have applied the same."""
        nodes = list(self.nodes.values())
        if any(n.process is None or n.process.role is Role.REJOINING for n in nodes):
            return False
        return all(n.applied == nodes[0].applied for n in nodes) and not self._missing()
