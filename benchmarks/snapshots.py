"""What a snapshot costs the writes that go on during it, at 100,000 and at 2,000,000 keys.

A snapshot is asked for by `kvraft snapshot save` in another process, which then copies the file:
the snapshot and the copy are told apart by the leader's counter of finished snapshots.
"""

import asyncio
import sys
from dataclasses import dataclass, field
from statistics import median

from benchmarks import one_loop
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


Window = tuple[float, float]


@dataclass(slots=True)
class _Found:
    """When it was quiet, a snapshot was taken, its file was copied; the load, once it has ended."""

    load: Latencies
    quiet: list[Window] = field(default_factory=list)
    during: list[Window] = field(default_factory=list)
    copied: list[Window] = field(default_factory=list)
    slice_ms: float = 0.0

    def longest_ms(self, windows: list[Window]) -> list[float]:
        """Return the longest write under way in each window."""
        return [max(self.load.took_ms(*window)) for window in windows]


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
            rows += _rows(keys, one_loop.run(_measure(cluster, keys, sizes, step)))
    return rows


def _rows(keys: int, found: _Found) -> list[Row]:
    quiet = found.longest_ms(found.quiet)
    seconds = median(end - begin for begin, end in found.during)
    note = (
        f"the goal is {PAUSE_MS:.0f} ms above the median of quiet times; a snapshot took "
        f"{seconds:.1f} s, longest slice {found.slice_ms:.1f} ms"
    )
    during, copied = found.longest_ms(found.during), found.longest_ms(found.copied)
    goals = {"high": median(quiet) + PAUSE_MS}
    return [
        Row(f"longest write, quiet, {keys} keys", "ms", spread(quiet)),
        Row(f"longest write, snapshot, {keys} keys", "ms", spread(during), goals, note),
        Row(f"longest write, its file is copied, {keys} keys", "ms", spread(copied)),
    ]


async def _measure(cluster: LocalCluster, keys: int, sizes: Sizes, step: Step) -> _Found:
    node, _ = await asyncio.to_thread(leader, cluster)
    async with (
        AsyncClient(cluster.endpoints, timeout=30.0) as client,
        AsyncClient(node.endpoint, timeout=30.0) as observer,
    ):
        found = _Found(Latencies(client, CALLERS, keys))
        await asyncio.sleep(WARM_S)
        for _ in range(sizes.snapshots):
            begin = found.load.now()
            await asyncio.sleep(sizes.quiet_s)
            found.quiet.append((begin, found.load.now()))
            await _snapshot(node, observer, found)
            step()
        await found.load.stop()
        found.slice_ms = (await _counters(observer))["longest_snapshot_slice_us"] / 1000
    return found


async def _snapshot(node: LocalNode, observer: AsyncClient, found: _Found) -> None:
    before, asked = (await _counters(observer))["snapshots"], found.load.now()
    command = ["-m", "kvraft", "--endpoints", node.endpoint, "--timeout", f"{SAVE_S:.0f}"]
    command += ["snapshot", "save", str(node.directory / "backup")]
    pipe = asyncio.subprocess.PIPE
    saving = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=pipe, stderr=pipe
    )
    while (  # noqa: ASYNC110 - another process' counter
        (await _counters(observer))["snapshots"] == before and saving.returncode is None
    ):
        await asyncio.sleep(POLL_S)
    taken = found.load.now()
    _, words = await saving.communicate()
    if saving.returncode != 0:
        raise ClusterError(f"snapshot save failed: {words.decode().strip()}")
    found.during.append((asked, taken))
    found.copied.append((taken, found.load.now()))


async def _counters(observer: AsyncClient) -> dict[str, int]:
    [status] = await observer.status(timeout=10.0)
    if status.error is not None:
        raise ClusterError(f"{status.endpoint} does not answer: {status.error}")
    return dict(status.counters)
