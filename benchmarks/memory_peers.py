"""Memory of a node with 100,000 keys of 256 bytes: ours, and etcd's, written in the same run."""

from collections.abc import Awaitable, Sequence

from benchmarks import one_loop
from benchmarks.peers.etcd import EtcdClient, etcd_servers, find_etcd, version
from benchmarks.private_cluster import pid_of, private_cluster, start
from benchmarks.process import memory_mib
from benchmarks.report import Progress, Row, Spread, Step, spread
from benchmarks.sizes import Sizes
from benchmarks.writers import STEP, VALUE, key, write_all, write_keys

MOST_TIMES = 0.5
"""Of etcd's."""


def run(progress: Progress, sizes: Sizes) -> list[Row]:
    """Measure the resident memory of each of three nodes; the ratio is of their medians."""
    keys, binary = sizes.keys, find_etcd()
    step = progress(f"writing {keys} keys", (2 if binary else 1) * keys // STEP)
    what = f"a node with {keys} keys of {len(VALUE)} B"
    with private_cluster() as cluster:
        start(cluster)
        one_loop.run(write_keys(cluster.endpoints, range(keys), keys, step))
        own, note = _resident([pid_of(node) for node in cluster.nodes])
    if binary is None:
        return [Row(what, "MiB", own, note=f"{note}; no etcd here to compare")]
    with etcd_servers(binary) as servers:
        one_loop.run(_fill(servers.endpoints, keys, step))
        peer, etcds_note = _resident(servers.pids)
    name = version(binary)
    ratio = spread([own.median / peer.median])
    return [
        Row(what, "MiB", own, note=note),
        Row(f"{name}: {what}", "MiB", peer, note=etcds_note),
        Row(f"{what} / {name}", "times", ratio, {"median": MOST_TIMES}),
    ]


def _resident(pids: Sequence[int]) -> tuple[Spread, str]:
    """Return resident memory, and how much of it the kernel could drop: files that are mapped."""
    whole = spread([memory_mib(pid, "VmRSS") for pid in pids])
    mapped = spread([memory_mib(pid, "RssFile") for pid in pids])
    return whole, f"{mapped.median:.0f} MiB of it are files that are mapped"


async def _fill(endpoints: list[str], keys: int, step: Step) -> None:
    async with EtcdClient(endpoints) as client:
        leader = await client.leader()

        def put(number: int) -> Awaitable[None]:
            return client.put(key(number).encode(), VALUE, leader)

        await write_all(put, range(keys), step)
