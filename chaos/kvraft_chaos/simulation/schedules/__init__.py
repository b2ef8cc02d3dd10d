"""Every scripted schedule, by name."""

from kvraft_chaos.simulation.schedule import SCHEDULES
from kvraft_chaos.simulation.schedules import (
    clients,
    commits,
    disks,
    elections,
    links,
    log,
    rejoin,
    snapshots,
)

__all__ = [
    "SCHEDULES",
    "clients",
    "commits",
    "disks",
    "elections",
    "links",
    "log",
    "rejoin",
    "snapshots",
]
