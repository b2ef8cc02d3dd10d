"""One simulated machine: a disk, a clock, and at most one process running on them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from kvraft.consensus.port import Consensus
from kvraft.storage.errors import StorageError
from kvraft_chaos.simulation import patch
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.chronicle import Chronicle
from kvraft_chaos.simulation.clock import NodeClock
from kvraft_chaos.simulation.disk import Crash, SimulatedDisk
from kvraft_chaos.simulation.invariants import Invariants, LogView, Observed
from kvraft_chaos.simulation.ledger import Ledger
from kvraft_chaos.simulation.logview import stored_log
from kvraft_chaos.simulation.network import Network
from kvraft_chaos.simulation.page_cache import Loss
from kvraft_chaos.simulation.process import FatalError, Process, Settings
from kvraft_chaos.simulation.scheduler import Scheduler
from kvraft_chaos.simulation.station import Reach
from kvraft_chaos.simulation.store import Store
from kvraft_chaos.simulation.writer import DiskSpeed, crash_at

CLOCK_STEP = 1e-9
"""Seconds below which two points in time are the same: what is left to wait must move the clock."""


@dataclass(slots=True)
class Surroundings:
    """What all nodes of a cluster share."""

    scheduler: Scheduler
    network: Network
    invariants: Invariants
    settings: Settings
    nodes: dict[str, "SimulatedNode"]
    seed: int
    trace: Callable[[str], None]
    chronicle: Chronicle
    counters: dict[str, int] = field(default_factory=dict)
    process_ended: list[Callable[[str, bool], None]] = field(default_factory=list)
    """Told (node, whether the power went) when a process ends."""

    def count(self, what: str) -> None:
        """Add one to a counter of the run."""
        self.counters[what] = self.counters.get(what, 0) + 1


class SimulatedNode:
    """A machine and, while it runs, its process."""

    def __init__(self, name: str, shared: Surroundings) -> None:
        self.name = name
        self.shared = shared
        self.disk = SimulatedDisk()
        self.clock = NodeClock(shared.scheduler)
        self.speed = DiskSpeed()
        self.chance = Chance(shared.seed, f"node {name}")
        self.local_time = self.clock.read
        self.random = self.chance.random
        self.disk_chance = Chance(shared.seed, f"disk {name}")
        self.process: Process | None = None
        self.powered = True
        self.paused = False
        self.rejoin = False
        """Start with --rejoin."""
        self.wiped = False
        """Its disk was lost, and it is not a voter again yet."""
        self.refusal: str | None = None
        """Why the last start failed, or the last process stopped itself."""
        self.switches = shared.settings.switches
        self._backlog: list[Callable[[], object]] = []
        self._stored: LogView = stored_log(self.disk, name)
        self._tick_due = False
        self._ticked_at = 0.0

    # -- Station (for the network)

    def reach(self) -> Reach:
        """Return what a dial meets here."""
        if not self.powered:
            return Reach.SILENT
        return Reach.SERVING if self.process else Reach.REFUSING

    def engine(self) -> Consensus:
        """Return the consensus of the running process."""
        assert self.process is not None
        return self.process.engine

    def note(self, text: str) -> None:
        """Add a line to the trace."""
        self.shared.trace(f"{self.name} {text}")

    def post(self, action: Callable[[], object]) -> None:
        """Run `action` on this node's loop: later if paused, never if the process ends first."""
        if self.process is None:
            return
        if self.paused:
            self._backlog.append(action)
            return
        self.run(action)

    # -- running code

    def run(self, action: Callable[[], object]) -> None:
        """Run code of the process and check what it did; it ticks soon if it asks for that."""
        process = self.process
        assert process is not None
        before = patch.enter(self)
        try:
            action()
        except FatalError as error:
            self._stopped_itself(str(error))
            return
        except AssertionError as error:
            self._failed(error)
            return
        finally:
            patch.enter(before)
        if self.process is process and process.has_moved():
            self.shared.invariants.observe(self, self.shared.nodes)

    def after(self, process: Process, seconds: float, action: Callable[[], object]) -> None:
        """Run `action` on this node's loop in `seconds`, if `process` still runs then."""
        self.shared.scheduler.after(seconds, partial(self._due, process, action))

    def _due(self, process: Process, action: Callable[[], object]) -> None:
        if self.process is process:
            self.post(action)

    def wake(self) -> None:
        """The `Doors.wake` of this node: a turn after whatever asked for one."""
        if self._tick_due or self.process is None:
            return
        self._tick_due = True
        shared = self.shared
        seconds = shared.settings.tick_delay * self.chance.random()
        shared.scheduler.after(seconds, partial(self._turn, self.process))

    def _turn(self, process: Process) -> None:
        self._tick_due = False
        if self.process is process and not self.paused:
            self._ticked_at = self.shared.scheduler.now
            self.run(process.tick)

    def _poll(self, process: Process) -> None:
        """Poll at least so often; a turn that was taken since the last time does as well."""
        if self.process is not process:
            return
        shared = self.shared
        scheduler, settings = shared.scheduler, shared.settings
        pause = settings.timing.tick_ms / 1000.0
        since = scheduler.now - self._ticked_at
        if self.paused:
            since = 0.0
        elif since > pause - CLOCK_STEP:
            self._ticked_at, since = scheduler.now, 0.0
            self.run(process.poll)
        else:
            self.run(process.expire)
        jitter = 1.0 + settings.tick_jitter * self.chance.random()
        scheduler.after(pause * jitter - since, partial(self._poll, process))

    def _stopped_itself(self, reason: str) -> None:
        """Fail-stop: allowed only where a fault explains it."""
        self.note(f"stops: {reason}")
        self.refusal = reason
        self.shared.count("stops")
        expected = self.process is not None and self.process.disk_failed
        self.crash()
        if not expected:
            self.shared.invariants.report("node-stopped", f"{self.name}: {reason}")

    def _failed(self, error: AssertionError) -> None:
        self.note(f"fails: {error}")
        self.refusal = f"assertion: {error}"
        self.crash()
        self.shared.invariants.report("assertion", f"{self.name}: {error}")

    # -- life and death

    def start(self, *, crash_after_steps: int | None = None) -> bool:
        """Start a process on what the disk holds; False if it refuses or dies on the way."""
        assert self.process is None
        self.powered = True
        self.paused = False
        self.refusal = None
        self.shared.network.node_up(self.name)
        if crash_after_steps is not None:
            self.disk.on_step = crash_at(crash_after_steps, self.disk_chance.below(2000))
        before = patch.enter(self)
        try:
            process = Process(self, self.shared.settings)
        except Crash:
            self.disk.kill()
            self._keep_stored()
            return False
        except (StorageError, FatalError) as error:
            self.refusal = str(error)
            self.note(f"refuses to start: {error}")
            self.disk.kill()
            self._keep_stored()
            return False
        finally:
            patch.enter(before)
            self.disk.on_step = None
        self.process = process
        self._tick_due = False
        self._ticked_at = -1.0  # the first tick comes at once
        self.shared.invariants.process_started(self.name)
        process.watch_cuts(lambda index: self.shared.invariants.cut(self, index))
        self.shared.network.start(self.name)
        self.run(process.begin)
        self._poll(process)
        return True

    def crash(self, *, power: bool = False, keep: int = 0, loss: Loss | None = None) -> None:
        """Kill -9, or (`power`) the machine loses power: the page cache goes, peers hear nothing.

        `keep` portions in flight on each of its connections still arrive. `loss` says how much of
        what was not fsynced survives, and that nothing in flight to the disk was begun; by default
        both are drawn.
        """
        process, self.process = self.process, None
        self._backlog.clear()
        self.paused = False
        if process is not None and loss is None:
            process.crash()
        self.shared.network.node_down(self.name, silent=power, keep=keep)
        for told in self.shared.process_ended:
            told(self.name, power)
        if power:
            self.powered = False
            self.disk.power_loss(self.disk_chance, loss)
        else:
            self.disk.kill()
        self._keep_stored()

    def wipe(self) -> None:
        """Put an empty disk into a machine that is down."""
        assert self.process is None
        self.disk.wipe()
        self.wiped = True
        self._keep_stored()

    def pause(self) -> None:
        """SIGSTOP."""
        self.paused = self.process is not None

    def resume(self) -> None:
        """SIGCONT: everything that came meanwhile is handled now."""
        self.paused = False
        backlog, self._backlog = self._backlog, []
        for action in backlog:
            self.post(action)

    def _keep_stored(self) -> None:
        self._stored = stored_log(self.disk, self.name)

    # -- Observed (for the invariants)

    @property
    def leads(self) -> bool:
        """Whether it calls itself leader."""
        return self.process is not None and self.process.leads

    @property
    def holds(self) -> bool:
        """Whether its proposals wait for leadership to be handed over."""
        return self.process is not None and self.process.holds

    @property
    def term(self) -> int:
        """Its term."""
        return self.process.term if self.process else 0

    @property
    def commit_index(self) -> int:
        """How far it knows the log committed."""
        return self.process.commit_index if self.process else 0

    @property
    def log(self) -> LogView:
        """Its log, or the one a restart would find."""
        return self.process.log if self.process else self._stored

    @property
    def ledger(self) -> Ledger | Store:
        """The application of the running process."""
        assert self.process is not None, f"{self.name} is down"
        return self.process.ledger

    @property
    def applied(self) -> list[int]:
        """Identities of the operations it applied."""
        return self.process.ledger.history if self.process else []

    @property
    def disk_lost(self) -> bool:
        """Its disk was lost, and it has not come back as a voter."""
        if self.wiped and self.process is not None and self.process.is_member():
            self.wiped = False
        return self.wiped


_: type[Observed] = SimulatedNode
