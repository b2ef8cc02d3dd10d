"""The stores that are measured side by side, each driven by one client in this process.

What a caller does is the same everywhere: it swaps the value of a key of its own, knowing what
stands there, or reads it linearizably. Directories are all on one file system; all fsync.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass

import grpc.aio

from benchmarks.peers import etcd, redis, zookeeper, zookeeper_pipeline
from benchmarks.peers.servers import Servers
from benchmarks.private_cluster import pid_of, private_cluster, start
from benchmarks.swapping import Swaps, key
from kvraft.cli.closed_loop import Operation
from kvraft.cli.workloads import Workloads
from kvraft.v1 import kv_pb2, kv_pb2_grpc
from kvraft_client import AsyncClient

TIMEOUT_S = 30.0
OWN = "kvraft"
CAS, READ, UNARY = "CAS", "linearizable read", "CAS by unary calls"
"""Workloads."""
RedisClient = type[redis.PipelinedRedis] | type[redis.RedisPy]
EVERYTHING = frozenset({CAS, READ, UNARY})


@dataclass(frozen=True, slots=True)
class Store:
    """A store that runs, and what its callers do."""

    name: str
    leader: int
    """Which of its servers leads."""
    prepare: Callable[[int], Awaitable[None]]
    """Makes ready for so many callers."""
    operations: Mapping[str, Operation]


@dataclass(frozen=True, slots=True)
class Contender:
    """A store that can be started here."""

    kind: str
    """The same in every run: `kvraft`, `etcd`, ..."""
    servers: Callable[[], AbstractContextManager[Servers]]
    client: Callable[[Servers], AbstractAsyncContextManager[Store]]
    does: frozenset[str] = frozenset({CAS, READ})
    """Workloads."""


def contenders() -> list[Contender]:
    """Return those that are installed, ours first."""
    found = [Contender(OWN, _own_servers, _own_client, EVERYTHING)]
    if binary := etcd.find_etcd():
        found.append(_etcd(binary))
    if script := zookeeper.find_zookeeper():
        found.append(
            Contender("ZooKeeper", lambda: zookeeper.zookeeper_servers(script), _zookeeper_client)
        )
    if binary := redis.find_redis():
        found += _redis(binary)
    return found


def missing() -> str:
    """Name the stores that are not installed, and what would be needed; empty: all are."""
    lacks = {
        "etcd": etcd.find_etcd() is None,
        "ZooKeeper (its server script, and kazoo)": zookeeper.find_zookeeper() is None,
        "Redis": redis.find_redis() is None,
        "redis-py": not redis.has_redis_py(),
    }
    return ", ".join(name for name, lacking in lacks.items() if lacking)


@contextmanager
def _own_servers() -> Iterator[Servers]:
    with private_cluster() as cluster:
        start(cluster)
        nodes = cluster.nodes
        yield Servers([node.endpoint for node in nodes], [pid_of(node) for node in nodes])


@asynccontextmanager
async def _own_client(servers: Servers) -> AsyncIterator[Store]:
    async with AsyncClient(servers.endpoints, timeout=TIMEOUT_S) as client:
        leader = [each.role for each in await client.status()].index("leader")
        workloads = Workloads(client, "bench/")
        async with grpc.aio.insecure_channel(servers.endpoints[leader]) as channel:
            unary = _unary(kv_pb2_grpc.KVServiceStub(channel))

            async def prepare(callers: int) -> None:
                await workloads.prepare(callers)
                await unary.prepare(callers)

            operations = {
                CAS: workloads.operations["cas"],
                READ: workloads.operations["read"],
                UNARY: unary.swap,
            }
            yield Store(OWN, leader, prepare, operations)


def _unary(stub: kv_pb2_grpc.KVServiceStub) -> Swaps[int]:
    """The generated stub alone: what a program in any language does that has no client library."""

    async def write(name: str, value: bytes) -> int:
        request = kv_pb2.PutRequest(key=name.encode(), value=value)
        return int((await stub.Put(request, timeout=TIMEOUT_S)).entry.mod_revision)

    async def swap(caller: int, value: bytes, revision: int) -> int | None:
        expect = kv_pb2.Expect(mod_revision=revision)
        request = kv_pb2.CompareAndSetRequest(key=key(caller).encode(), value=value, expect=expect)
        answer = await stub.CompareAndSet(request, timeout=TIMEOUT_S)
        return int(answer.entry.mod_revision) if answer.succeeded else None

    return Swaps(write, swap)


def _etcd(binary: str) -> Contender:
    name = etcd.version(binary)

    @asynccontextmanager
    async def client(servers: Servers) -> AsyncIterator[Store]:
        async with etcd.EtcdClient(servers.endpoints) as calls:
            leader = await calls.leader()

            async def write(name: str, value: bytes) -> int:
                await calls.put(name.encode(), value, leader)
                found = await calls.get(name.encode(), leader)
                return found[1] if found else 0

            swaps = Swaps(
                write,
                lambda caller, value, revision: calls.swap(
                    key(caller).encode(), value, revision, leader
                ),
            )

            async def read(caller: int) -> None:
                await calls.get(key(caller).encode(), leader)

            operations = {CAS: swaps.swap, READ: read, UNARY: swaps.swap}
            yield Store(name, leader, swaps.prepare, operations)

    return Contender("etcd", lambda: etcd.etcd_servers(binary), client, EVERYTHING)


@asynccontextmanager
async def _zookeeper_client(servers: Servers) -> AsyncIterator[Store]:
    async with zookeeper_pipeline.PipelinedZooKeeper.connected(servers) as calls:

        async def write(name: str, value: bytes) -> int:
            await calls.create(name, value)
            return 0

        swaps = Swaps(write, lambda caller, value, version: calls.cas(key(caller), value, version))

        async def read(caller: int) -> None:
            await calls.get(key(caller))

        name, leader = zookeeper_pipeline.version_and_leader(servers.endpoints)
        yield Store(name, leader, swaps.prepare, {CAS: swaps.swap, READ: read})


def _redis(binary: str) -> list[Contender]:
    """One server, which replicates to nobody, by a bare pipelining client and by the usual one."""
    found: list[tuple[str, RedisClient, str]] = [("Redis", redis.PipelinedRedis, "")]
    if redis.has_redis_py():
        found.append(("Redis by redis-py", redis.RedisPy, " by redis-py"))
    name = redis.version(binary)

    def contender(kind: str, client_type: RedisClient, how: str) -> Contender:
        @asynccontextmanager
        async def client(servers: Servers) -> AsyncIterator[Store]:
            async with client_type.connected(servers) as calls:

                async def write(name: str, value: bytes) -> bytes:
                    await calls.set(name.encode(), value)
                    return value

                async def swap(caller: int, value: bytes, expected: bytes) -> bytes | None:
                    done = await calls.cas(key(caller).encode(), value, expected)
                    return value if done else None

                async def read(caller: int) -> None:
                    await calls.get(key(caller).encode())

                swaps = Swaps(write, swap)
                yield Store(name + how, 0, swaps.prepare, {CAS: swaps.swap, READ: read})

        return Contender(kind, lambda: redis.redis_server(binary), client)

    return [contender(*each) for each in found]
