"""Many leases, each kept alive by itself in one client process: what that costs, and none is lost.

A lease is renewed every third of its TTL, by a command of its own that a log entry shares with
others: 20,000 leases of 30 s are 2,000 commands a second. Leases that one process granted at once
stay in step and fill their entries; those of many programs come one by one, in more entries.
"""

import asyncio
import time
from dataclasses import dataclass, field

from benchmarks import one_loop
from benchmarks.private_cluster import leader, pid_of, private_cluster, start
from benchmarks.processor_time import Used
from benchmarks.report import Progress, Row, Step, spread
from benchmarks.sizes import Sizes
from kvraft.cli.local_cluster import ClusterError, LocalCluster
from kvraft_client import AsyncClient, AsyncLease, LeaseState
from kvraft_client.policy.lease_state import RENEWALS_PER_TTL

LEADER_SHARE = 20.0
"""Percent of a core, of the leader's process."""
GRANTERS = 128


@dataclass(slots=True)
class _Found:
    """Each figure of each period."""

    used: list[Used] = field(default_factory=list)
    """As shares of a core."""
    entries: list[float] = field(default_factory=list)
    """A second."""
    alive: int = 0


def run(progress: Progress, sizes: Sizes) -> list[Row]:
    """Measure both ways in which a client's renewals may lie in time."""
    rows: list[Row] = []
    for way, over_s in (("at once", 0.0), ("evenly", sizes.leases_ttl_s / RENEWALS_PER_TTL)):
        step = progress(f"{sizes.leases} leases, granted {way}", 2 + sizes.leases_periods)
        with private_cluster() as cluster:
            start(cluster)
            found = one_loop.run(_measure(cluster, sizes, over_s, step))
        rows += _rows(found, sizes, way)
    return rows


def _rows(found: _Found, sizes: Sizes, way: str) -> list[Row]:
    count, ttl_s, last = sizes.leases, sizes.leases_ttl_s, found.used[-1]
    note = (
        f"{count * RENEWALS_PER_TTL / ttl_s:.0f} renewals/s in {found.entries[-1]:.0f} entries/s; "
        f"% of a core: the leader's loop {last.loop * 100:.1f}, a follower "
        f"{last.follower * 100:.1f}, the client {last.client * 100:.1f}"
    )
    shares = spread([each.leader * 100 for each in found.used])
    name = f"leader, {count} leases of {ttl_s:g} s, granted {way}"
    alive = spread([found.alive])
    return [
        Row(name, "% of a core", shares, {"median": LEADER_SHARE}, note),
        Row(f"alive of {count}, granted {way}", "leases", alive, least={"low": count}),
    ]


async def _measure(cluster: LocalCluster, sizes: Sizes, over_s: float, step: Step) -> _Found:
    """Grant, let every lease be renewed at least once, then measure whole periods of renewal."""
    found, period_s = _Found(), sizes.leases_ttl_s / RENEWALS_PER_TTL
    node, _ = await asyncio.to_thread(leader, cluster)
    pids = [pid_of(each) for each in cluster.nodes if each is not node]
    async with (
        AsyncClient(cluster.endpoints, timeout=30.0) as client,
        AsyncClient(node.endpoint, timeout=30.0) as observer,
    ):
        leases = await _granted(client, sizes, over_s)
        step()
        await asyncio.sleep(period_s)
        step()
        for _ in range(sizes.leases_periods):
            index, begun = await _leading(observer), time.monotonic()
            before = Used.until_now(pid_of(node), pids)
            await asyncio.sleep(period_s)
            used, elapsed = Used.until_now(pid_of(node), pids) - before, time.monotonic() - begun
            found.used.append(used.share_of(elapsed))
            found.entries.append((await _leading(observer) - index) / elapsed)
            step()
        held = sum(lease.state is not LeaseState.LOST for lease in leases)
        listed = {each.lease_id async for each in client.leases.list()}
        found.alive = min(held, len(listed & {lease.id for lease in leases}))
        await asyncio.gather(*(lease.abandon() for lease in leases))
    return found


async def _granted(client: AsyncClient, sizes: Sizes, over_s: float) -> list[AsyncLease]:
    """Grant them all within `over_s`: where that is the period, renewals come one by one."""
    leases = [client.lease(ttl=sizes.leases_ttl_s) for _ in range(sizes.leases)]
    pending, begun = iter(enumerate(leases)), time.monotonic()

    async def grant() -> None:
        for number, lease in pending:
            await asyncio.sleep(begun + over_s * number / len(leases) - time.monotonic())
            await lease.__aenter__()  # until all are abandoned: thousands of blocks are one list

    async with asyncio.TaskGroup() as group:
        for _ in range(GRANTERS):
            group.create_task(grant())
    return leases


async def _leading(observer: AsyncClient) -> int:
    """Return the commit index of the node, which must lead all the time."""
    [status] = await observer.status(timeout=30.0)
    if status.role != "leader":
        raise ClusterError(f"{status.endpoint} leads no more: {status.error or status.role}")
    return status.commit_index
