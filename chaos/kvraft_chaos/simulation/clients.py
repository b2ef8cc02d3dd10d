"""Clients of a campaign: writes, compare-and-sets and reads, in bursts, all recorded."""

from collections import defaultdict
from functools import partial

from kvraft.consensus.port import Applied, Failure
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.ledger import Command
from kvraft_chaos.simulation.linearizability import Operation, check_register
from kvraft_chaos.simulation.node import SimulatedNode
from kvraft_chaos.simulation.world import World

CLIENTS = 4
KEYS = 12
PATIENCE = 3.0
"""Seconds after which a client goes on without an answer."""


class Burst:
    """Operations that one client has in flight; it goes on after the last, or out of patience."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.over = False


class Clients:
    """All clients of one run, and what they were told."""

    def __init__(self, world: World, seed: int, horizon: float) -> None:
        self._world = world
        self._chance = Chance(seed, "clients")
        self._end = world.now + horizon
        self._identity = 0
        self.histories: dict[str, list[Operation]] = defaultdict(list)
        self.acknowledged: list[int] = []
        self.refused: set[int] = set()
        """Told that it was not applied."""
        self.done = 0

    def start(self) -> None:
        """Let every client begin."""
        for _ in range(CLIENTS):
            target = self._chance.pick(self._world.names)
            self._later(self._chance.random(), target)

    def _later(self, seconds: float, target: str) -> None:
        self._world.scheduler.after(seconds, partial(self._turn, target))

    def _turn(self, target: str) -> None:
        chance, world = self._chance, self._world
        if world.now >= self._end:
            return
        node = world.nodes[target]
        wait = chance.between(0.005, 0.08)
        away = node.process is None or node.paused
        if away or (not node.leads and chance.happens(0.8)):
            self._later(wait, chance.pick(world.names))
            return
        size = chance.pick((1, 1, 1, 6))
        burst = Burst(size)
        go_on = partial(self._go_on, burst, wait, target)
        for key in chance.sample(range(KEYS), size):
            self._operate(node, f"k{key}", burst, go_on)
        world.scheduler.after(PATIENCE, go_on)

    def _go_on(self, burst: Burst, wait: float, target: str) -> None:
        if not burst.over:
            burst.over = True
            self._later(wait, target)

    def _operate(self, node: SimulatedNode, key: str, burst: Burst, go_on: "partial[None]") -> None:
        drawn = self._chance.random()
        history = self.histories[key]
        self._identity += 1
        identity = self._identity
        value = str(identity)
        if drawn < 0.3:
            operation = Operation(self._world.now, "read")
        elif drawn < 0.65:
            operation = Operation(self._world.now, "write", value=value)
        else:
            writes = [each for each in history[-20:] if each.kind != "read"]
            expected = writes[-1].value if writes else None
            operation = Operation(self._world.now, "cas", expected=expected, value=value)
        history.append(operation)
        calls = 0

        def done(outcome: Applied | Failure | None) -> None:
            nonlocal calls
            calls += 1
            if calls > 1:
                self._world.invariants.report("answered-twice", f"operation {identity}")
                return
            self._note(node, key, operation, identity, outcome)
            burst.left -= 1
            if burst.left == 0:
                go_on()

        if operation.kind == "read":
            node.post(lambda: node.ledger.barrier(done))
        else:
            command = Command(operation.kind, identity, key, operation.expected, operation.value)
            node.post(lambda: node.ledger.propose(command, done))

    def _note(
        self,
        node: SimulatedNode,
        key: str,
        operation: Operation,
        identity: int,
        outcome: Applied | Failure | None,
    ) -> None:
        if outcome is None:
            operation.returned = self._world.now
            operation.result = node.ledger.state.registers.get(key)
            self.done += 1
        elif isinstance(outcome, Applied):
            operation.returned = self._world.now
            operation.result = outcome.result
            self.acknowledged.append(identity)
            self.done += 1
        elif operation.kind == "read" or outcome is not Failure.LEADERSHIP_LOST:
            self.histories[key].remove(operation)
            if operation.kind != "read":
                self.refused.add(identity)

    def judge(self, applied: list[int]) -> None:
        """Check what the clients were told against what the cluster holds in the end."""
        report = self._world.invariants.report
        present = set(applied)
        gone = [each for each in self.acknowledged if each not in present]
        if gone:
            report("acknowledged-write-lost", f"{len(gone)}, for example {gone[:5]}")
        if len(present) != len(applied):
            report("applied-twice", f"{len(applied) - len(present)} operations")
        lied = sorted(self.refused & present)
        if lied:
            report("refused-but-applied", f"{lied[:5]}")
        for key, history in self.histories.items():
            if check_register(history) is False:
                report("not-linearizable", f"{key}, {len(history)} operations")
                return
