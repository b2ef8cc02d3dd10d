"""Every workload by its name."""

from kvraft_chaos.workloads.append import Append
from kvraft_chaos.workloads.bank import Bank
from kvraft_chaos.workloads.fenced_counter import FencedCounter
from kvraft_chaos.workloads.lease import Lease
from kvraft_chaos.workloads.lock import Lock
from kvraft_chaos.workloads.mix import Mix
from kvraft_chaos.workloads.recipe import Recipe
from kvraft_chaos.workloads.register import Register
from kvraft_chaos.workloads.script import Workload
from kvraft_chaos.workloads.unique_set import UniqueSet
from kvraft_chaos.workloads.watch import Watch

WORKLOADS: dict[str, type[Workload]] = {
    each.name: each
    for each in (
        Register,
        Mix,
        Bank,
        Append,
        UniqueSet,
        FencedCounter,
        Lock,
        Lease,
        Watch,
        Recipe,
    )
}
