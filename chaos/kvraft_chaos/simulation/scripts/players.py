"""All clients that play one workload in a run, and the verdict of the workload's own checkers."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from kvraft.core.limits import ApplyLimits
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Recorder
from kvraft_chaos.simulation.account import Account
from kvraft_chaos.simulation.availability import SAMPLE, Availability
from kvraft_chaos.simulation.clients import level
from kvraft_chaos.simulation.lease_watch import LeaseWatch
from kvraft_chaos.simulation.lock_watch import LockWatch
from kvraft_chaos.simulation.process import Settings
from kvraft_chaos.simulation.scripts.player import Player, Stage
from kvraft_chaos.simulation.store import Bounds
from kvraft_chaos.simulation.world import World
from kvraft_chaos.workloads.catalogue import WORKLOADS
from kvraft_chaos.workloads.script import Script, Workload

PLAYED: Mapping[str, type[Workload]] = {
    name: workload for name, workload in WORKLOADS.items() if name != "recipe"
}
"""Not `recipe`: its calls are the recipes of the client, which run on a real client only."""
SETUP_SECONDS = 20.0
"""For what a workload needs before it begins, on a healthy cluster."""
FINALS_SECONDS = 120.0
"""For what is read last, on a healed one."""
HEALED_SECONDS = 1.0
"""Of work after the healing: clients on a cluster that finds itself again."""


WATCHED_REVISIONS = 64
"""Of history in one look: the finals watch all of it."""
CHUNK_TIMES = 20
"""A state with all its history is so much larger, and so are the pieces of its snapshots: else a
node that needs one would get it in half a minute."""


def with_history(small: Settings) -> Settings:
    """As a run has them, but that all history is kept, which the finals read, and that a grant may
    stay unconfirmed for as long as the checkers of locks count on.
    """
    plain = ApplyLimits()
    apply = replace(
        small.bounds.apply,
        history_revisions=plain.history_revisions,
        history_ms=plain.history_ms,
        attach_ms=plain.attach_ms,
    )
    replica = replace(
        small.bounds.replica, watch_message_bytes=4_000, watch_slice_revisions=WATCHED_REVISIONS
    )
    chunk_bytes = small.flow.snapshot_chunk_bytes * CHUNK_TIMES
    flow = replace(small.flow, snapshot_chunk_bytes=chunk_bytes)
    return replace(small, bounds=Bounds(apply, replica), flow=flow)


class Players:
    """What `Clients` is to a run without a workload."""

    def __init__(self, world: World, seed: int, horizon: float, workload: str) -> None:
        self._world = world
        self._seed = seed
        self._horizon = horizon
        self._workload = PLAYED[workload]()
        self._availability = Availability(world.nodes)
        chronicle = world.shared.chronicle
        self.account = Account(chronicle, registers=frozenset({b""}))
        self.watch = LeaseWatch(chronicle, self._availability)
        locks = LockWatch(chronicle, self.watch)
        chronicle.looks_back = self.watch.looks_back
        for listener in (locks, self.watch):
            chronicle.listeners.append(listener.on_chapter)
        self.recorder = Recorder(now_ns=lambda: round(world.now * 1e9))
        self._stage = Stage(world, seed, self.recorder, self.account, locks, self.watch)
        self.findings: list[Finding] = []
        self._players: dict[str, Player] = {}
        self.crashes = 0

    @property
    def done(self) -> int:
        """Operations that were answered."""
        return self.account.done

    def prepare(self) -> None:
        """Do what the workload needs before the first fault."""
        self._look()
        self._alone("setup", self._workload.setup(), SETUP_SECONDS)

    def start(self) -> None:
        """Let every client begin; they stop by themselves a little after the horizon."""
        for number in range(self._workload.clients):
            chance = Random(f"{self._seed}/script {number}")
            name = f"c{number + 1}"  # the first few are those that faults hit
            self._players[name] = Player(self._stage, name, self._workload.script(number, chance))
        for player in self._players.values():
            player.live()
        self._world.front.crash_client = self.crash
        self._world.scheduler.after(self._horizon + HEALED_SECONDS, self._stop)

    def crash(self, name: str, seconds: float) -> None:
        """A client dies in the middle of whatever it does; its script goes on later."""
        player = self._players.get(name)
        if player is not None:
            self.crashes += player.crash(seconds)

    def judge(self) -> None:
        """Read the finals on the healed cluster, and let the workload judge all events."""
        world = self._world
        world.until(lambda: all(each.over for each in self._players.values()))
        self._alone("finals", self._workload.finals(), FINALS_SECONDS)
        for name, machine in level(world).items():
            world.shared.chronicle.compare_state(name, machine)
        self.findings = self._workload.check(self.recorder.events)
        for finding in self.findings:
            if finding.verdict is Verdict.INVALID:
                world.invariants.report(finding.checker.replace(" ", "-"), finding.sentence)
        unknown = sum(each.verdict is Verdict.UNKNOWN for each in self.findings)
        self.account.undecided += unknown

    def _alone(self, what: str, script: Script, seconds: float) -> None:
        player = Player(self._stage, what, script)
        player.live()
        self._world.until(lambda: player.over, seconds)

    def _stop(self) -> None:
        for player in self._players.values():
            player.stop()

    def _look(self) -> None:
        self._availability.look(self._world.now)
        self._world.scheduler.after(SAMPLE, self._look)
