"""A negative control: a cluster or clients with one known mistake, which a run must find guilty."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kvraft_chaos.cluster import KVRAFT
from kvraft_chaos.nemesis.plan import Step
from kvraft_chaos.workloads.perform import Performer
from kvraft_client import AsyncClient

Connect = Callable[[Sequence[str], int], AsyncClient]
"""The client of a process, given where the nodes are and the process' number."""


def ordinary(endpoints: Sequence[str], _number: int) -> AsyncClient:
    """Knows all nodes, and gives every mutation an identity."""
    return AsyncClient(endpoints)


def pinned(endpoints: Sequence[str], number: int) -> AsyncClient:
    """Knows one node only, so that somebody stays with the one that is cut off."""
    return AsyncClient(endpoints[number % len(endpoints)])


def nameless(endpoints: Sequence[str], _number: int) -> AsyncClient:
    """Gives no mutation an identity: the store cannot know one that is sent again."""
    return AsyncClient(endpoints, exactly_once=False)


@dataclass(frozen=True, slots=True)
class Negative:
    """One mistake, and a fixed plan that lets it show: nothing of the verdict is left to luck."""

    name: str
    sentence: str
    """The mistake, for `--list`."""
    workload: str
    duration_ms: int
    steps: tuple[Step, ...] = ()
    command: tuple[str, ...] = KVRAFT
    """Starts a node, in the place of `kvraft serve` and with its options."""
    connect: Connect = ordinary
    performer: Callable[[AsyncClient], Performer] = Performer
