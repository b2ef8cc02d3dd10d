"""Compare-and-set and linearizable reads beside the stores that people would pick instead.

Each store is driven by one client in this process, in interleaved rounds, all on one file system
and with an fsync before an answer. Redis is one server, which replicates to nobody.
"""

from collections.abc import Iterable

from benchmarks.contenders import CAS, READ, UNARY, contenders, missing
from benchmarks.contest import Contest, Heat
from benchmarks.report import Progress, Row
from benchmarks.sizes import Sizes

HEATS = {
    "cas": (
        Heat(CAS, 1, p50_ms=1.0, times=(("etcd", 1.1),)),
        Heat(CAS, 16, times=(("etcd", 2.5),)),
        Heat(CAS, 64, times=(("etcd", 3.0),)),
        Heat(CAS, 256, times=(("etcd", 3.0), ("Redis by redis-py", 1.0), ("Redis", 1.0))),
    ),
    "reads": (
        Heat(READ, 1, p50_ms=0.6),
        Heat(READ, 256, times=(("etcd", 2.0),)),
    ),
    "unary": (Heat(UNARY, 64, times=(("etcd", 0.5),)),),
}
"""By part: callers swap, or read, keys of their own; `unary` swaps by calls, without a pipeline."""


def run(parts: Iterable[str], progress: Progress, sizes: Sizes) -> list[Row]:
    """Measure these parts, all on the same servers in each round."""
    given = [heat for part in parts for heat in HEATS[part]]
    contest = Contest([heat for heat in given if heat.callers <= sizes.heat_callers])
    workloads = {heat.workload for heat in contest.heats}
    found = [each for each in contenders() if each.does & workloads]
    step = progress("beside other stores", sizes.rounds * len(found) * len(contest.heats))
    contest.run(found, sizes, step)
    lacks = missing()
    return contest.rows(f"not installed here, so not compared: {lacks}" if lacks else "")
