"""Schedules about disks: every state that a crash leaves, and an fsync that fails."""

from kvraft.storage.errors import DiskFailed
from kvraft_chaos.simulation.crash_states import Explorer, Subject, Violation
from kvraft_chaos.simulation.crash_subjects import IdentitySubject, LogSubject, SnapshotSubject
from kvraft_chaos.simulation.disk import Step
from kvraft_chaos.simulation.page_cache import Loss
from kvraft_chaos.simulation.schedule import Findings, findings, schedule
from kvraft_chaos.simulation.world import World

WORKLOADS = 3
"""Each is explored whole; the test of crash states goes much further."""


def _explore(subject: type[Subject]) -> Findings:
    for seed in range(WORKLOADS):
        try:
            Explorer(seed).explore(subject(), depth=1)
        except Violation:
            return {"promise-broken"}
    return set()


@schedule("5, 8")
def crash_states_of_the_log(_: World) -> Findings:
    return _explore(LogSubject)


@schedule("7, 9")
def crash_states_of_snapshots(_: World) -> Findings:
    return _explore(SnapshotSubject)


@schedule("22")
def crash_states_of_the_identity(_: World) -> Findings:
    return _explore(IdentitySubject)


@schedule("25")
def a_failed_fsync_promises_nothing(world: World) -> Findings:
    """B's disk refuses an fsync while C is down: what A and B hold must not be acknowledged."""
    world.boot("A")
    world.crash("C")
    node = world["B"]

    def fail(step: Step) -> None:
        if step.operation == "sync":
            raise DiskFailed(step.path, "fdatasync", "Input/output error")

    node.disk.on_step = fail
    outcome = world.write("A")
    world.run(0.5)
    early = outcome.acknowledged
    stopped = node.process is None
    node.crash(power=True, loss=Loss.EVERYTHING)
    node.disk.on_step = None
    world.crash("A")
    world.restart("B", "C")
    world.run(3.0)
    return findings(acknowledged=early, goes_on=not stopped, lost=world.lost())
