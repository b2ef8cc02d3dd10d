"""All faults, by the names that plans and `--faults` use."""

from collections.abc import Collection

from kvraft_chaos.nemesis import (
    clients,
    clocks,
    disks,
    links,
    partitions,
    processes,
    raft,
    wavering,
)
from kvraft_chaos.nemesis.fault import Fault
from kvraft_chaos.rig import Rig

FAULTS: dict[str, type[Fault]] = {
    fault.name: fault
    for fault in (
        partitions.Halves,
        partitions.IsolateLeader,
        partitions.IsolateFollower,
        partitions.OneWay,
        partitions.Bridge,
        partitions.Ring,
        partitions.Disconnect,
        wavering.Flapping,
        wavering.SwizzleClog,
        links.Delay,
        links.Bandwidth,
        links.Slicing,
        links.Resets,
        links.HalfOpen,
        processes.Kill,
        processes.KillAll,
        processes.Pause,
        processes.RestartStorm,
        clients.PauseClient,
        disks.SlowDisk,
        disks.FullDisk,
        clocks.ClockJump,
        raft.TransferLeader,
        raft.Snapshot,
        raft.Rejoin,
    )
}


def lacking(names: Collection[str]) -> dict[str, str]:
    """Return which of these faults this machine cannot have, and what it lacks."""
    words = {name: FAULTS[name].needs() for name in names}
    return {name: word for name, word in words.items() if word is not None}


def rig_for(names: Collection[str]) -> Rig:
    """What nodes must be started with so that these faults can strike them."""
    given = set(names) - lacking(names).keys()
    return Rig(disks="slow-disk" in given, clocks="clock-jump" in given)
