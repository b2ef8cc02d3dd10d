"""All clients of a run: processes with the real policy, their deaths and returns, the verdict."""

from kvraft.core.machine import StateMachine
from kvraft_chaos.simulation import tallies
from kvraft_chaos.simulation.account import Account
from kvraft_chaos.simulation.availability import SAMPLE, Availability
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.changes import KEYS
from kvraft_chaos.simulation.client_process import ClientProcess, application
from kvraft_chaos.simulation.faults import CLIENTS
from kvraft_chaos.simulation.identity_watch import IdentityWatch
from kvraft_chaos.simulation.lease_watch import LeaseWatch
from kvraft_chaos.simulation.lock_holder import LockHolder, LockNotebook
from kvraft_chaos.simulation.lock_watch import LockWatch
from kvraft_chaos.simulation.locking import Locking
from kvraft_chaos.simulation.past import Past
from kvraft_chaos.simulation.sending import Notebook, Sending
from kvraft_chaos.simulation.watching import Bookmark, Watching
from kvraft_chaos.simulation.workload import Books, Identities, Workload
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
        chronicle = world.shared.chronicle
        self.account = Account(chronicle, registers=frozenset(KEYS))
        self._availability = Availability(world.nodes)
        self.watch = LeaseWatch(chronicle, self._availability)
        chronicle.looks_back = self.watch.looks_back
        self.past = Past(chronicle)
        self.identities = IdentityWatch(chronicle)
        self.locks = LockWatch(chronicle, self.watch)
        for listener in (self.locks, self.watch, self.past, self.identities):
            chronicle.listeners.append(listener.on_chapter)
        bounds = world.settings.bounds
        self._books = Books(self.account, self.watch, self.past, Identities(), bounds)
        self._notebooks = {name: Notebook() for name in CLIENTS}
        self._bookmarks = {name: Bookmark() for name in CLIENTS}
        self._watching: dict[str, Watching] = {}
        self._running: dict[str, Workload] = {}
        self._lock_notes = {name: (Notebook(), LockNotebook()) for name in CLIENTS}
        self._locking: dict[str, tuple[Locking, Sending]] = {}
        self.crashes = 0
        for name in CLIENTS:
            world.front.add_client(name)

    @property
    def done(self) -> int:
        """Operations that were answered."""
        return self.account.done

    def prepare(self) -> None:
        """Nothing has to be there before they begin."""

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
        window = self._books.bounds.apply.session_window
        sending = Sending(
            process, self.account, self._notebooks[name], now=lambda: world.now, window=window
        )
        workload = Workload(process, self._books, sending)
        self._running[name] = workload
        watching = Watching(process, self.past, self._bookmarks[name], self._books.bounds)
        self._watching[name] = watching
        watching.stopped = self._horizon <= 0.0
        process.begin(watching.run())
        workload.start()
        self._start_locking(name)

    def _start_locking(self, name: str) -> None:
        """Another process of the same client, so that its draws are its own."""
        world = self._world
        chance = Chance(self._seed, f"locks {name} {self._lives}")
        process = ClientProcess(name, world.scheduler, world.front, chance)
        window = self._books.bounds.apply.session_window
        kept, open_locks = self._lock_notes[name]
        sending = Sending(
            process, self.account, kept, now=lambda: world.now, window=window, task="/locks"
        )
        holder = LockHolder(process, sending, open_locks, (self.locks, self.watch))
        locking = Locking(holder, self.locks.fences, self._lives)
        self._locking[name] = locking, sending
        locking.start()

    def crash(self, name: str, seconds: float) -> None:
        """A client dies in the middle of whatever it does; it comes back, knowing nothing."""
        workload = self._running.pop(name, None)
        if workload is None:
            return
        self.crashes += 1
        workload.crash()
        locking, sending = self._locking.pop(name)
        locking.crash()
        self.account.crash(sending.crash())
        self._world.scheduler.after(seconds, lambda: self._return(name))

    def _return(self, name: str) -> None:
        if self._horizon > 0.0:
            self._start(name)

    def _stop(self) -> None:
        self._horizon = 0.0
        for workload in self._running.values():
            workload.stop()
        for locking, _ in self._locking.values():
            locking.stop()
        for watching in self._watching.values():
            watching.stopped = True

    def _look(self) -> None:
        self._availability.look(self._world.now)
        self._world.scheduler.after(SAMPLE, self._look)

    # -- the end

    def judge(self) -> None:
        """Check what the clients were told against what the healed cluster holds."""
        world = self._world
        machines = level(world)
        for name, machine in machines.items():
            self.account.check_durable(name, machine.index)
            world.shared.chronicle.compare_state(name, machine)
        if machines:
            machine = next(iter(machines.values()))
            self.watch.check_alive(machine, world.now)
            self.past.check_live(machine)
            self._check_watches()
        self.locks.judge(world.now)
        self.watch.check_early()
        self.account.judge(self.watch.removals)
        tallies.judge(self.account, self.past.live, world.shared.chronicle.report)

    def _check_watches(self) -> None:
        """Every user has got everything, in time."""
        world = self._world
        marks = [self._bookmarks[name] for name in self._running]
        end = world.now + LEVEL
        while not all(self._is_told(mark) for mark in marks) and world.now < end:
            world.run(0.1)
        for mark in marks:
            if mark.told is None or mark.position is None or mark.position.through is None:
                world.invariants.report("watch-behind", "a watch never began")
            else:
                mark.told.check_end(mark.position.through)

    def _is_told(self, mark: Bookmark) -> bool:
        newest = self.past.revisions[-1] if self.past.revisions else 0
        through = None if mark.position is None else mark.position.through
        return mark.told is not None and through is not None and through >= newest


def level(world: World) -> dict[str, StateMachine]:
    """Wait until all nodes are at one index; report it where they never are."""
    end = world.now + LEVEL
    while True:
        nodes = [node for node in world.nodes.values() if node.process is not None]
        machines = {node.name: application(node).machine for node in nodes}
        is_level = len({machine.index for machine in machines.values()}) == 1
        if is_level and len(machines) == len(world.nodes):
            return machines
        if world.now > end:
            world.invariants.report("no-convergence", f"not level: {world.summary()}")
            return {}
        world.run(0.05)
