"""What a snapshot costs the writes that go on during it, at 100,000 and at 2,000,000 keys.

A snapshot is asked for by `kvraft snapshot save` in another process, which then copies the file:
the snapshot and the copy are told apart by the leader's counter of finished snapshots.
"""

import asyncio
import sys
from dataclasses import dataclass, field
from statistics import median

from benchmarks.bulk import make_backup
from benchmarks.private_cluster import leader, private_cluster, start
from benchmarks.report import Progress, Row, Step, spread
from benchmarks.sizes import Sizes
from benchmarks.writers import Latencies
from kvraft.cli.local_cluster import ClusterError, LocalCluster, LocalNode
from kvraft_client import AsyncClient

CALLERS = 4
PAUSE_MS = 50.0
WARM_S = 1.0
"""Connections stand, caches are warm."""
POLL_S = 0.02
SAVE_S = 300.0
STATE_MIB = 1024
"""Two million keys of 256 bytes exceed the default limit on keys and values."""


@dataclass(slots=True)
class _Found:
    """The longest write of each quiet time, snapshot and copy; how long each snapshot took."""

    quiet_ms: list[float] = field(default_factory=list)
    during_ms: list[float] = field(default_factory=list)
    copy_ms: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    slice_ms: float = 0.0


def run(progress: Progress, sizes: Sizes) -> list[Row]:
    """Measure the longest write with and without a snapshot."""
    rows: list[Row] = []
    for keys in sizes.snapshot_keys:
        step = progress(f"snapshots of {keys} keys under load", 2 + sizes.snapshots)
        with private_cluster() as cluster:
            backup = make_backup(cluster.directory, keys)
            step()
            start(cluster, ["--restore", str(backup), "--state-mib", str(STATE_MIB)])
            step()
            rows += _rows(keys, asyncio.run(_measure(cluster, keys, sizes, step)))
    return rows


def _rows(keys: int, found: _Found) -> list[Row]:
    without = median(found.quiet_ms)
    note = (
        f"the goal is {PAUSE_MS:.0f} ms above the median of quiet times; a snapshot took "
        f"{median(found.seconds):.1f} s, longest slice {found.slice_ms:.1f} ms"
    )
    goals = {"high": without + PAUSE_MS}
    return [
        Row(f"longest write, quiet, {keys} keys", "ms", spread(found.quiet_ms)),
        Row(
            f"longest write in a snapshot, {keys} keys", "ms", spread(found.during_ms), goals, note
        ),
        Row(f"longest write while its file is copied, {keys} keys", "ms", spread(found.copy_ms)),
    ]


async def _measure(cluster: LocalCluster, keys: int, sizes: Sizes, step: Step) -> _Found:
    node, _ = await asyncio.to_thread(leader, cluster)
    found = _Found()
    async with (
        AsyncClient(cluster.endpoints, timeout=30.0) as client,
        AsyncClient(node.endpoint, timeout=30.0) as observer,
    ):
        load = Latencies(client, CALLERS, keys)
        await asyncio.sleep(WARM_S)
        for _ in range(sizes.snapshots):
            begin = load.now()
            await asyncio.sleep(sizes.quiet_s)
            asked = load.now()
            found.quiet_ms.append(max(load.took_ms(begin, asked)))
            await _snapshot(node, observer, load, found)
            step()
        await load.stop()
        found.slice_ms = (await _counters(observer))["longest_snapshot_slice_us"] / 1000
    return found


async def _snapshot(node: LocalNode, observer: AsyncClient, load: Latencies, found: _Found) -> None:
    before, asked = (await _counters(observer))["snapshots"], load.now()
    command = ["-m", "kvraft", "--endpoints", node.endpoint, "--timeout", f"{SAVE_S:.0f}"]
    command += ["snapshot", "save", str(node.directory / "backup")]
    pipe = asyncio.subprocess.PIPE
    saving = await asyncio.create_subprocess_exec(sys.executable, *command, stderr=pipe)
    while (  # noqa: ASYNC110 - another process' counter
        (await _counters(observer))["snapshots"] == before and saving.returncode is None
    ):
        await asyncio.sleep(POLL_S)
    taken = load.now()
    _, words = await saving.communicate()
    if saving.returncode != 0:
        raise ClusterError(f"snapshot save failed: {words.decode().strip()}")
    found.during_ms.append(max(load.took_ms(asked, taken)))
    found.copy_ms.append(max(load.took_ms(taken, load.now())))
    found.seconds.append(taken - asked)


async def _counters(observer: AsyncClient) -> dict[str, int]:
    [status] = await observer.status(timeout=10.0)
    if status.error is not None:
        raise ClusterError(f"{status.endpoint} does not answer: {status.error}")
    return dict(status.counters)
