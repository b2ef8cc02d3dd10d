"""How much is measured: the real thing, or a smoke test of the benchmarks themselves."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Counts and durations of every part."""

    starts: int = 7
    kills: int = 20
    silences: int = 5
    settle_s: float = 1.0
    """Writes go on this long between two failures."""
    keys: int = 100_000
    overwrites: int = 1_000_000
    restarts: int = 3
    snapshot_keys: tuple[int, ...] = (100_000, 2_000_000)
    snapshots: int = 3
    quiet_s: float = 5.0
    """Writes without a snapshot, for comparison: the machine itself pauses too."""
    callers: tuple[int, ...] = (1, 16, 64)
    writes_s: float = 5.0
    rounds: int = 3
    """Of what is measured beside a peer, in turns."""
    heat_s: float = 1.5
    """Of each store, with each workload and number of callers, in each round."""
    heat_warm_s: float = 0.3
    heat_callers: int = 256
    """At most."""
    hot_s: float = 3.0
    locks_s: float = 2.5
    lock_waiters: int = 64
    """On one lock."""
    watchers: tuple[tuple[int, int], ...] = ((1_000, 50), (20, 1_000))
    """Watchers of one prefix, and writes a second."""
    watch_s: float = 20.0
    overload_s: float = 5.0
    overload_callers: tuple[int, ...] = (256, 512, 1_024)
    """That keep the cluster saturated; the best of them is the peak."""
    overload_leases: int = 200
    checks: int = 20
    """Histories of each sort."""
    checked_operations: int = 1_000
    checked_keys: int = 100
    scale_s: float = 2.0
    """Of a round at one point of a curve."""
    scale_keys: tuple[int, ...] = (10_000, 100_000, 500_000, 2_000_000)
    scale_values: tuple[int, ...] = (16, 256, 4 << 10, 64 << 10, 1 << 20)
    scale_callers: tuple[int, ...] = (1, 4, 16, 64, 256, 1_024)
    scale_transactions: tuple[int, ...] = (1, 8, 64)
    scale_nodes: tuple[int, ...] = (3, 5)
    scale_watchers: tuple[int, ...] = (0, 10, 100, 1_000)
    leases: int = 20_000
    leases_ttl_s: float = 30.0
    leases_periods: int = 2
    """Of renewal, a third of the TTL each, in which every lease is renewed once."""


FULL = Sizes()
QUICK = Sizes(
    starts=1,
    kills=1,
    silences=1,
    settle_s=0.1,
    keys=500,
    overwrites=1_000,
    restarts=1,
    snapshot_keys=(1_000,),
    snapshots=1,
    quiet_s=0.3,
    callers=(1, 16),
    writes_s=0.3,
    rounds=1,
    heat_s=0.2,
    heat_warm_s=0.1,
    heat_callers=64,
    hot_s=0.3,
    locks_s=0.5,
    lock_waiters=8,
    watchers=((20, 20),),
    watch_s=1.0,
    overload_s=0.5,
    overload_callers=(256,),
    overload_leases=20,
    checks=1,
    checked_operations=100,
    checked_keys=2,
    scale_s=0.3,
    scale_keys=(1_000,),
    scale_values=(64 << 10,),
    scale_callers=(1, 16),
    scale_transactions=(8,),
    scale_nodes=(3,),
    scale_watchers=(4,),
    leases=50,
    leases_ttl_s=3.0,
    leases_periods=1,
)
"""Shows that the benchmarks work, and nothing about the store."""
