"""All clients of a run: processes with the real policy, their deaths and returns, the verdict."""

from kvraft.core.machine import StateMachine
from kvraft_chaos.simulation.account import Account
from kvraft_chaos.simulation.availability import SAMPLE, Availability
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.client_process import ClientProcess, application
from kvraft_chaos.simulation.faults import CLIENTS
from kvraft_chaos.simulation.lease_watch import LeaseWatch
from kvraft_chaos.simulation.workload import Identities, Workload
from kvraft_chaos.simulation.world import World

LEVEL = 10.0
"""Seconds within which all nodes of a quiet cluster must have applied the same index."""


class Clients:
    """All clients of one run, and what they were told."""

    def __init__(self, world: World, seed: int, horizon: float) -> None:
        self._world = world
        self._seed = seed
        self._horizon = horizon
        self._lives = 0
        self._identities = Identities()
        chronicle = world.shared.chronicle
        self.account = Account(chronicle)
        self._availability = Availability(world.nodes)
        self.watch = LeaseWatch(chronicle, self._availability)
        chronicle.looks_back = self.watch.looks_back
        chronicle.listeners.append(self.watch.on_chapter)
        self._running: dict[str, Workload] = {}
        self.crashes = 0
        for name in CLIENTS:
            world.front.add_client(name)

    @property
    def done(self) -> int:
        """Operations that were answered."""
        return self.account.done

    def start(self) -> None:
        """Let every client begin; they stop by themselves at the horizon."""
        world = self._world
        for name in CLIENTS:
            self._start(name)
        self._look()
        world.front.crash_client = self.crash
        world.scheduler.after(self._horizon, self._stop)

    def _start(self, name: str) -> None:
        world = self._world
        self._lives += 1
        chance = Chance(self._seed, f"client {name} {self._lives}")
        process = ClientProcess(name, world.scheduler, world.front, chance)
        workload = Workload(process, self.account, self.watch, self._identities)
        self._running[name] = workload
        workload.start()

    def crash(self, name: str, seconds: float) -> None:
        """A client dies in the middle of whatever it does; it comes back, knowing nothing."""
        workload = self._running.pop(name, None)
        if workload is None:
            return
        self.crashes += 1
        workload.crash()
        self._world.scheduler.after(seconds, lambda: self._return(name))

    def _return(self, name: str) -> None:
        if self._horizon > 0.0:
            self._start(name)

    def _stop(self) -> None:
        self._horizon = 0.0
        for workload in self._running.values():
            workload.stop()

    def _look(self) -> None:
        self._availability.look(self._world.now)
        self._world.scheduler.after(SAMPLE, self._look)

    # -- the end

    def judge(self) -> None:
        """Check what the clients were told against what the healed cluster holds."""
        world = self._world
        machines = self._level()
        for name, machine in machines.items():
            self.account.check_durable(name, machine.index)
            world.shared.chronicle.compare_state(name, machine)
        if machines:
            self.watch.check_alive(next(iter(machines.values())), world.now)
        self.watch.check_early()
        self.account.judge(self.watch.removals)

    def _level(self) -> dict[str, StateMachine]:
        """Wait until all nodes are at one index; report it where they never are."""
        world = self._world
        end = world.now + LEVEL
        while True:
            nodes = [node for node in world.nodes.values() if node.process is not None]
            machines = {node.name: application(node).machine for node in nodes}
            level = len({machine.index for machine in machines.values()}) == 1
            if level and len(machines) == len(world.nodes):
                return machines
            if world.now > end:
                world.invariants.report("no-convergence", f"not level: {world.summary()}")
                return {}
            world.run(0.05)
