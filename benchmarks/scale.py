"""What a put costs as one number grows: keys, bytes, callers, puts a transaction, nodes, watchers.

One client process with 64 callers and values of 256 bytes where that is not what is changed.
`python -m benchmarks.plots` draws the curves and computes the model of docs/performance.md.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from benchmarks import one_loop
from benchmarks.bulk import make_backup
from benchmarks.private_cluster import private_cluster, start
from benchmarks.report import Progress, Row
from benchmarks.scale_load import Put, measured
from benchmarks.scale_points import AXES, Point, Round
from benchmarks.scale_watchers import watching
from benchmarks.sizes import Sizes
from benchmarks.writers import VALUE, key
from kvraft.cli.local_cluster import LocalCluster
from kvraft_client import AsyncClient, operations

CALLERS = 64
KEYS = 1_000
WATCHED_KEYS = 100
"""A thousand watchers are ten for each of them: a put is then ten events."""
VALUES_BYTES = 64 << 20
"""Of all values together where they are large: far below the limit of the store."""
STRIDE = 7919
"""A prime: successive puts are all over the keys."""
STATE_MIB = 1024
"""Two million keys of 256 bytes exceed the default limit on keys and values."""

Make = Callable[[AsyncClient], Put]


def run(progress: Progress, sizes: Sizes) -> list[Row]:
    """Measure every axis."""
    curves = (_keys, _values, _callers, _transactions, _nodes, _watchers)
    numbers = (
        sizes.scale_keys,
        sizes.scale_values,
        sizes.scale_callers,
        sizes.scale_transactions,
        sizes.scale_nodes,
        sizes.scale_watchers,
    )
    rows = []
    for axis, curve, xs in zip(AXES, curves, numbers, strict=True):
        step = progress(f"puts by {axis}", len(xs))
        for point in curve(axis, sizes):
            rows.append(point.row())
            step()
    return rows


def _keys(axis: str, sizes: Sizes) -> Iterator[Point]:
    for keys in sizes.scale_keys:
        with private_cluster() as cluster:
            backup = make_backup(cluster.directory, keys)
            start(cluster, ["--restore", str(backup), "--state-mib", str(STATE_MIB)])
            yield Point.of(axis, keys, _rounds(cluster, sizes, _puts(keys)))


def _values(axis: str, sizes: Sizes) -> Iterator[Point]:
    for size in sizes.scale_values:
        keys = min(KEYS, VALUES_BYTES // size)
        with _started() as cluster:  # of its own: no snapshot of the last one's values goes on
            yield Point.of(axis, size, _rounds(cluster, sizes, _puts(keys, b"v" * size)))


def _callers(axis: str, sizes: Sizes) -> Iterator[Point]:
    with _started() as cluster:
        for callers in sizes.scale_callers:
            yield Point.of(axis, callers, _rounds(cluster, sizes, _puts(), callers=callers))


def _transactions(axis: str, sizes: Sizes) -> Iterator[Point]:
    with _started() as cluster:
        for puts in sizes.scale_transactions:
            yield Point.of(axis, puts, _rounds(cluster, sizes, _txns(puts), weight=puts))


def _nodes(axis: str, sizes: Sizes) -> Iterator[Point]:
    for nodes in sizes.scale_nodes:
        with _started(nodes) as cluster:
            yield Point.of(axis, nodes, _rounds(cluster, sizes, _puts()))


def _watchers(axis: str, sizes: Sizes) -> Iterator[Point]:
    with _started() as cluster:
        for count in sizes.scale_watchers:
            with watching(cluster.endpoints, count, WATCHED_KEYS) as finish:
                rounds = _rounds(cluster, sizes, _puts(WATCHED_KEYS))
                yield Point.of(axis, count, rounds, events=finish())


@contextmanager
def _started(nodes: int = 3) -> Iterator[LocalCluster]:
    with private_cluster(nodes) as cluster:
        start(cluster)
        yield cluster


def _rounds(
    cluster: LocalCluster, sizes: Sizes, make: Make, *, callers: int = CALLERS, weight: int = 1
) -> list[Round]:
    async def load() -> list[Round]:
        async with AsyncClient(cluster.endpoints, timeout=60.0) as client:
            return await measured(
                cluster,
                make(client),
                callers=callers,
                rounds=sizes.rounds,
                seconds=sizes.scale_s,
                weight=weight,
            )

    return one_loop.run(load())


def _puts(keys: int = KEYS, value: bytes = VALUE) -> Make:
    """Put one of so many keys."""
    return lambda client: lambda number: client.put(key(number * STRIDE % keys), value)


def _txns(puts: int) -> Make:
    """Put so many keys in one transaction."""

    def make(client: AsyncClient) -> Put:
        def put(number: int) -> Awaitable[object]:
            names = (key((number * puts + each) * STRIDE % KEYS) for each in range(puts))
            return client.txn(then=[operations.put(name, VALUE) for name in names])

        return put

    return make
