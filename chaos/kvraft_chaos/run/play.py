"""Plays a plan on a cluster: clients, faults, healing, what is measured then, what is read last."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from random import Random

from kvraft_chaos.checkers.leaders import LeaderFact
from kvraft_chaos.cluster import ChaosCluster
from kvraft_chaos.history import Recorder
from kvraft_chaos.negatives.catalogue import NEGATIVES
from kvraft_chaos.negatives.negative import ordinary
from kvraft_chaos.nemesis.clients import LoopClient, PauseClient
from kvraft_chaos.nemesis.conduct import conduct
from kvraft_chaos.nemesis.plan import Plan
from kvraft_chaos.node_client import NodeClient
from kvraft_chaos.observer import Observer
from kvraft_chaos.run.client import END_SECONDS, Client
from kvraft_chaos.run.errors import RunError
from kvraft_chaos.run.loops import Loops
from kvraft_chaos.run.marks import Marks
from kvraft_chaos.run.recovery import Recovery
from kvraft_chaos.run.states import record_states
from kvraft_chaos.workloads.catalogue import WORKLOADS
from kvraft_chaos.workloads.perform import Performer
from kvraft_chaos.workloads.script import Script

LOOK_SECONDS = 0.05
"""How often it is looked whether something ended: the nemesis, a client, the patience of a user."""
SETUP_SECONDS = 20.0
"""For what a workload needs before it begins, on a healthy cluster."""
FINALS_SECONDS = 60.0
"""For what is read last: the store's own history of a long run is the most of it."""
HEALED_SECONDS = 1.0
"""Of work after the cluster has recovered: whoever is not served then is a finding."""
NEMESIS_SECONDS = 60.0
"""To heal everything: a cluster that was killed starts again in a few."""


@dataclass(frozen=True, slots=True)
class Play:
    """One plan, on a cluster that is ready."""

    plan: Plan
    cluster: ChaosCluster
    recorder: Recorder
    marks: Marks
    loops: Loops
    stop: threading.Event
    """Set: faults are healed now, and the run is brought to its end."""

    def play(self) -> None:
        """Play it. RunError where the run itself broke: then there is no verdict."""
        workload = WORKLOADS[self.plan.workload]()
        self._phase("setup")
        with self._observed():
            self._alone("setup", workload.setup(), SETUP_SECONDS)
            self._phase("faults")
            scripts = [
                workload.script(number, Random(f"{self.plan.seed}-client-{number}"))
                for number in range(workload.clients)
            ]
            with self._clients(scripts) as clients:
                over = time.monotonic() + self.plan.duration_ms / 1_000
                self._strike(clients)
                self._recover()
                self._work_until(max(over, time.monotonic() + HEALED_SECONDS), clients)
            self._phase("finals")
            self._alone("finals", workload.finals(), FINALS_SECONDS)
            record_states(self.cluster, self.recorder)
        self._phase("end")

    def _phase(self, name: str, detail: str = "") -> None:
        self.marks.add("phase", name, detail=detail)

    @contextmanager
    def _observed(self) -> Iterator[None]:
        """Mark who leads, by what the nodes say of themselves: no fault is on these connections."""

        def direct(name: str) -> NodeClient:
            return NodeClient(name, self.cluster.nodes[name].listen)

        def told(fact: LeaderFact) -> None:
            self.marks.add("leader", fact.node, nodes=(fact.node,), value=fact.term)

        with Observer(self.cluster.names, direct, told):
            yield

    def _client(self, name: str, number: int, script: Script) -> Client:
        endpoints = [self.cluster.endpoint(each) for each in self.cluster.names]
        negative = NEGATIVES[self.plan.negative] if self.plan.negative else None
        return Client(
            name,
            script,
            self.recorder,
            partial(negative.connect if negative else ordinary, endpoints, number),
            negative.performer if negative else Performer,
        )

    def _alone(self, what: str, script: Script, within_s: float) -> None:
        client = self._client(what, 0, script)
        client.begin(self.loops.get())
        if not client.join(within_s):
            raise RunError(f"{what}: not done within {within_s:g} s")

    @contextmanager
    def _clients(self, scripts: list[Script]) -> Iterator[list[Client]]:
        """Each at work until the end of the block, and for faults to pause."""
        clients = [
            self._client(str(number), number, script) for number, script in enumerate(scripts)
        ]
        try:
            for client in clients:
                loop = self.loops.get()
                client.begin(loop)
                if pauses_clients(self.plan):
                    self.cluster.clients.append(LoopClient(client.name, loop))
            yield clients
        finally:
            self.cluster.clients.clear()
            for client in clients:
                client.end()
            deadline = time.monotonic() + END_SECONDS
            for client in clients:
                client.join(max(deadline - time.monotonic(), 0.0))

    def _strike(self, clients: list[Client]) -> None:
        """Until everything is healed: after the plan, or soon where there is a reason to end."""
        heal = threading.Event()
        errors: list[BaseException] = []
        strikes = partial(conduct, self.plan, self.cluster, self.marks.write, heal)
        nemesis = threading.Thread(
            target=_kept, args=(strikes, errors), name="nemesis", daemon=True
        )
        nemesis.start()
        while nemesis.is_alive() and not self._ends(clients):
            pass
        heal.set()
        nemesis.join(NEMESIS_SECONDS)
        if nemesis.is_alive():
            raise RunError(f"the faults are not healed after {NEMESIS_SECONDS:g} s")
        if errors:
            raise RunError(f"the nemesis broke: {errors[0]}") from errors[0]

    def _recover(self) -> None:
        """Measure from the last heal on, which is when all nodes run again."""
        recovery = Recovery(self.cluster)
        silent = recovery.silent()
        self._phase("healed")
        self.marks.add("recovered", "", nodes=tuple(silent), value=recovery.measure())

    def _work_until(self, over: float, clients: list[Client]) -> None:
        while time.monotonic() < over and not self._ends(clients):
            pass

    def _ends(self, clients: list[Client]) -> bool:
        """Look, after a moment, whether there is a reason to end."""
        told = self.stop.wait(LOOK_SECONDS) or self.recorder.is_nearly_full
        return told or any(client.broke for client in clients)


def pauses_clients(plan: Plan) -> bool:
    """Whether a client must be on a loop of its own."""
    return any(step.fault == PauseClient.name for step in plan.steps)


def _kept(run: Callable[[], object], errors: list[BaseException]) -> None:
    """Run it, and keep what it raises for the thread that waits."""
    try:
        run()
    except BaseException as error:  # noqa: BLE001 - raised by whoever waits
        errors.append(error)
