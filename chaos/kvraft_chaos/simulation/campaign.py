"""One random run: a world, its clients and a nemesis, from one seed."""

import time
import traceback
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

from kvraft.consensus.switches import Switches
from kvraft.core.limits import ApplyLimits
from kvraft.replica.limits import ReplicaLimits
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.clients import Clients
from kvraft_chaos.simulation.faults import Fault, draw_plan
from kvraft_chaos.simulation.invariants import Violation
from kvraft_chaos.simulation.nemesis import Nemesis
from kvraft_chaos.simulation.process import Settings
from kvraft_chaos.simulation.scripts.players import Players, with_history
from kvraft_chaos.simulation.store import Bounds
from kvraft_chaos.simulation.world import World

HORIZON = 20.0
"""Seconds of faults."""
QUIET = 6.0
"""Seconds after healing in which the cluster may find itself again."""
PATIENCE = 20.0
"""... and the time in which it must accept a write, and all nodes must be equal."""
SWEEP = 0.5
"""Seconds between checks that concern several nodes."""
FINAL_IDENTITY = 1 << 40
"""Identities of the judge's own writes begin here, above every client's."""

SMALL = Bounds(
    ApplyLimits(
        history_revisions=60,
        history_ms=1_500,
        key_retention_ms=20_000,
        session_idle_ms=5_000,
        session_window=32,
        outcome_reply_bytes=450,
        attach_ms=3_000,
        grants_per_entry=2,
        ended_ms=20_000,
        released_ms=20_000,
    ),
    ReplicaLimits(
        batch_bytes=2_000,
        watch_message_bytes=700,
        watch_buffer_revisions=12,
        watch_slice_revisions=8,
    ),
)
"""Small enough that a run meets each of them. A key outlives every copy of its request: a client
sends the last one within 9.5 s, and what a cut holds is dropped after 10 s."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one seed gave."""

    seed: int
    size: int
    violations: list[Violation]
    simulated_seconds: float
    wall_seconds: float
    operations: int
    elections: int
    crashes: int
    client_crashes: int
    snapshots: int
    wipes: int
    bit_flips: int
    expired_leases: int
    compared_hashes: int
    """Digests of whole states, held against another node's at the same index."""
    undecided_keys: int
    """Histories that the checker of linearizability gave up on."""
    messages: int
    trace: int
    """Hash of everything that was delivered, and when."""
    plan: list[Fault]
    log: list[str]
    workload: str | None = None
    """Its clients' one; None: the simulator's own mix of everything."""

    def in_figures(self) -> "Run":
        """Without its log and plan: a campaign of many seeds is summed up, not remembered."""
        return replace(self, log=[], plan=[])

    def leading_up(self, lines: int) -> list[str]:
        """The last lines of the log up to the first violation, or of all where there is none."""
        end = min((each.time for each in self.violations), default=self.simulated_seconds)
        return [line for line in self.log if float(line.split(maxsplit=1)[0]) <= end][-lines:]


def draw_settings(seed: int, switches: Switches) -> Settings:
    """Return what a run is made of: some bounds differ from seed to seed."""
    chance = Chance(seed, "settings")
    plain = Settings()
    flow = replace(
        plain.flow,
        append_bytes=chance.pick((2_500, 8_000, plain.flow.append_bytes)),
        window_appends=chance.pick((2, 8, plain.flow.window_appends)),
        log_tail_bytes=chance.pick((0, 500, 5_000)),
        snapshot_chunk_bytes=chance.pick((200, 2_000)),
    )
    return Settings(
        flow=flow,
        switches=switches,
        delay=(0.0002, 0.003),
        tick_delay=0.002,
        tick_jitter=0.5,
        snapshot_every=chance.pick((0, 20, 60)),
        segment_bytes=chance.pick((2_000, 20_000)),
        replica=True,
        bounds=SMALL,
    )


class Campaign:
    """One seed, from boot to verdict."""

    def __init__(
        self,
        seed: int,
        size: int,
        switches: Switches,
        plan: list[Fault] | None = None,
        workload: str | None = None,
    ) -> None:
        self._seed = seed
        self._workload = workload
        settings = draw_settings(seed, switches)
        if workload is not None:
            settings = with_history(settings)
        self._world = World(size, seed, settings)
        self._scheduler = self._world.scheduler
        self._trace = 0
        self._world.network.streams.taps.append(self._tap)
        chance = Chance(seed, "machines")
        for node in self._world.nodes.values():
            node.clock.offset = chance.between(0.0, 50.0)
            node.speed.fsync = (0.0005, 0.010)
            node.speed.task = (0.002, 0.05)
            node.speed.stall = 1.5
        self._plan = draw_plan(seed, self._world.names, HORIZON) if plan is None else plan

    def _tap(self, source: str, target: str, message: bytes) -> None:
        when = f"{self._scheduler.now:.9f}{source}{target}".encode()
        self._trace = zlib.crc32(message, zlib.crc32(when, self._trace))

    def run(self) -> Run:
        """Run it."""
        begun = time.perf_counter()
        world = self._world
        nemesis = Nemesis(world)
        clients = self._clients()
        with world:
            try:
                self._live(nemesis, clients)
            except Exception as error:  # noqa: BLE001 - whatever breaks is a finding, with its seed
                at = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{Path(at.filename).name}, line {at.lineno}, in {at.name}"
                world.invariants.report("exception", f"{error!r} ({where})")
        return Run(
            seed=self._seed,
            size=len(world.names),
            violations=list(world.invariants.violations.values()),
            simulated_seconds=world.now,
            wall_seconds=time.perf_counter() - begun,
            operations=clients.done,
            elections=world.invariants.elections,
            crashes=nemesis.crashes,
            client_crashes=clients.crashes,
            snapshots=world.shared.counters.get("snapshots", 0),
            wipes=nemesis.wipes,
            bit_flips=nemesis.flips,
            expired_leases=clients.watch.expired,
            compared_hashes=world.shared.chronicle.hashes,
            undecided_keys=clients.account.undecided,
            messages=world.network.streams.delivered,
            trace=self._trace,
            plan=self._plan,
            log=world.log,
            workload=self._workload,
        )

    def _clients(self) -> Clients | Players:
        if self._workload is None:
            return Clients(self._world, self._seed, HORIZON)
        return Players(self._world, self._seed, HORIZON, self._workload)

    def _live(self, nemesis: Nemesis, clients: Clients | Players) -> None:
        world = self._world
        self._boot()
        self._sweep()
        clients.prepare()
        nemesis.schedule(self._plan)
        clients.start()
        world.run(HORIZON)
        nemesis.heal_everything()
        world.run(QUIET)
        self._judge(clients)

    def _boot(self) -> None:
        for node in self._world.nodes.values():
            node.start()
        self._world.run(2.0)

    def _sweep(self) -> None:
        self._world.invariants.sweep(self._world.nodes)
        self._world.scheduler.after(SWEEP, self._sweep)

    def _judge(self, clients: Clients | Players) -> None:
        """Demand what a healed cluster owes: a write, equal nodes, and every promise kept."""
        world = self._world
        world.identity = FINAL_IDENTITY
        for name, node in world.nodes.items():
            if node.process is None:
                world.invariants.report("down-after-healing", f"{name}: {node.refusal}")
                node.start()
        end = world.now + PATIENCE
        accepted = False
        while world.now < end and not (accepted and world.converged()):
            leader = world.leader()
            if not accepted and leader is not None:
                before = len(world.acknowledged)
                world.write(leader, key="final")
                world.run(1.0)
                accepted = len(world.acknowledged) > before
            world.run(0.2)
        if not accepted:
            world.invariants.report("no-progress", world.summary())
        elif not world.converged():
            world.invariants.report("no-convergence", world.summary())
        world.invariants.sweep(world.nodes)
        clients.judge()
