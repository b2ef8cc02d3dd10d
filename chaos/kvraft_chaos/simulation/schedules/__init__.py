"""Every scripted schedule, by name."""

from kvraft_chaos.simulation.schedule import SCHEDULES
from kvraft_chaos.simulation.schedules import (
    clients,
    commits,
    disks,
    elections,
    exactly_once,
    fences,
    history,
    links,
    locks,
    log,
    rejoin,
    snapshots,
    transactions,
    watches,
)

__all__ = [
    "SCHEDULES",
    "clients",
    "commits",
    "disks",
    "elections",
    "exactly_once",
    "fences",
    "history",
    "links",
    "locks",
    "log",
    "rejoin",
    "snapshots",
    "transactions",
    "watches",
]
