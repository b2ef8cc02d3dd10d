"""The client port of one node: all services on one grpc.aio server, its options, start and stop."""

from collections.abc import Sequence
from typing import Final

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from kvraft.core.limits import RequestLimits
from kvraft.replica.port import Node
from kvraft.service.accepting import Acceptors
from kvraft.service.calls import Calls
from kvraft.service.cluster import ClusterService
from kvraft.service.health import SERVICE_NAME as HEALTH_NAME
from kvraft.service.health import HealthService
from kvraft.service.kv import KeyValueService
from kvraft.service.lease import LeaseService
from kvraft.service.limits import ServiceLimits
from kvraft.service.lock import LockService
from kvraft.service.session import SessionService
from kvraft.service.unreadable import Registrar
from kvraft.service.watch import SERVICE_NAME as WATCH_NAME
from kvraft.service.watch import WatchService
from kvraft.tls import TlsFiles, read_pem
from kvraft.v1 import (
    cluster_pb2,
    cluster_pb2_grpc,
    kv_pb2,
    kv_pb2_grpc,
    lease_pb2,
    lease_pb2_grpc,
    lock_pb2,
    lock_pb2_grpc,
    session_pb2,
    session_pb2_grpc,
)

SERVICES: Final = (
    kv_pb2.DESCRIPTOR.services_by_name["KVService"].full_name,
    lease_pb2.DESCRIPTOR.services_by_name["LeaseService"].full_name,
    lock_pb2.DESCRIPTOR.services_by_name["LockService"].full_name,
    cluster_pb2.DESCRIPTOR.services_by_name["ClusterService"].full_name,
    session_pb2.DESCRIPTOR.services_by_name["SessionService"].full_name,
    WATCH_NAME,
)


class BindError(OSError):
    """The client port cannot be had; one line that names the address."""


def server_options(limits: ServiceLimits) -> Sequence[tuple[str, int]]:
    """Return gRPC's settings for the client port (reasons: limits)."""
    return (
        # Two servers on one port would share its connections silently (grpc#10755).
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", limits.message_bytes),
        ("grpc.max_send_message_length", limits.message_bytes),
        ("grpc.max_concurrent_streams", limits.streams),
        ("grpc.keepalive_time_ms", limits.keepalive_ms),
        ("grpc.keepalive_timeout_ms", limits.keepalive_timeout_ms),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", limits.client_ping_min_ms),
        ("grpc.server_handshake_timeout_ms", limits.handshake_ms),
    )


class ClientServer:
    """The services of one node; `address` is where they listen, with the port that was given."""

    def __init__(
        self,
        server: grpc.aio.Server,
        address: str,
        *,
        acceptors: Acceptors,
        health: HealthService,
        keys: KeyValueService,
        leases: LeaseService,
        locks: LockService,
        watches: WatchService,
    ) -> None:
        self._server = server
        self._acceptors = acceptors
        self._watches = watches
        self._health = health
        self._keys = keys
        self._leases = leases
        self._locks = locks
        self.address = address

    async def start(self) -> None:
        """Begin to answer."""
        await self._server.start()
        self._acceptors.start()

    @property
    def pipelines(self) -> int:
        """How many streams of calls are open."""
        return self._keys.pipelines

    def refresh_health(self) -> None:
        """Tell health watchers now what would else be found out within `health_ms`."""
        self._health.refresh()

    async def stop(self, grace_s: float) -> None:
        """Say NOT_SERVING, end streams with where to go, finish calls for `grace_s`, then close."""
        self._health.close()
        self._keys.close()
        self._leases.close()
        self._locks.close()
        self._watches.close()
        await self._server.stop(grace_s)


def build_server(
    node: Node,
    address: str,
    *,
    tls: TlsFiles | None = None,
    requests: RequestLimits | None = None,
    limits: ServiceLimits | None = None,
) -> ClientServer:
    """Bind HOST:PORT (port 0: any) and return the server, not started yet.

    BindError where the port cannot be had, TlsError where `tls` cannot be used.
    """
    limits = limits or ServiceLimits()
    calls = Calls(node, requests or RequestLimits(), limits)
    server = grpc.aio.server(options=server_options(limits), maximum_concurrent_rpcs=limits.calls)
    ours = Registrar(server)
    keys, leases = KeyValueService(calls), LeaseService(calls)
    locks, watches = LockService(calls), WatchService(calls)
    health = HealthService(calls, SERVICES)
    kv_pb2_grpc.add_KVServiceServicer_to_server(keys, ours)
    lease_pb2_grpc.add_LeaseServiceServicer_to_server(leases, ours)
    lock_pb2_grpc.add_LockServiceServicer_to_server(locks, ours)
    cluster_pb2_grpc.add_ClusterServiceServicer_to_server(ClusterService(calls), ours)
    session_pb2_grpc.add_SessionServiceServicer_to_server(SessionService(calls), ours)
    watches.add_to(server)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    names = (*SERVICES, HEALTH_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    bound = _bind(server, address, tls)
    return ClientServer(
        server,
        bound,
        acceptors=Acceptors(server, ours.methods, calls),
        health=health,
        keys=keys,
        leases=leases,
        locks=locks,
        watches=watches,
    )


def _credentials(tls: TlsFiles) -> grpc.ServerCredentials:
    """Demand a certificate of every client."""
    pem = read_pem(tls)
    return grpc.ssl_server_credentials(
        [(pem.key, pem.cert)], root_certificates=pem.ca, require_client_auth=True
    )


def _bind(server: grpc.aio.Server, address: str, tls: TlsFiles | None) -> str:
    """Return `address` with the port that was bound; gRPC raises, or (before 1.60) returns 0."""
    try:
        if tls is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, _credentials(tls))
    except RuntimeError as error:
        raise BindError(f"cannot listen on {address} for clients: {error}") from error
    if port == 0:
        raise BindError(f"cannot listen on {address} for clients")
    return f"{address.rpartition(':')[0]}:{port}"
