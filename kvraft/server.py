"""The composition root of one node: opens the disk, wires the parts, runs until told to stop."""

import asyncio
import gc
import logging
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from kvraft.config import ServerConfig
from kvraft.consensus.disk_door import NodeDisk
from kvraft.consensus.engine import RaftEngine
from kvraft.consensus.journal import JournalError
from kvraft.consensus.membership import Identity
from kvraft.consensus.port import Role
from kvraft.consensus.pysyncobj_core import UntestedLibraryError
from kvraft.consensus.sockets import Address, PeerListenError
from kvraft.consensus.tcp import PeerTransport
from kvraft.consensus.timing import Timing
from kvraft.core.commands import COMMAND_VERSION
from kvraft.core.errors import CodecError
from kvraft.core.limits import RequestLimits
from kvraft.driver import Driver
from kvraft.loop_errors import ends_the_node, quiet_about_clients
from kvraft.open_disk import OpenDisk, open_disk
from kvraft.replica.replica import Replica
from kvraft.service.server import BindError, ClientServer, build_server
from kvraft.storage.errors import StorageError
from kvraft.storage.writer import LogWriter
from kvraft.tls import TlsError, client_context, server_context

logger = logging.getLogger("kvraft")

TRANSFER_WAIT_S = 1.0
"""A leader that is told to stop waits this long for another to lead."""
DRAIN_WAIT_S = 2.0
"""... and this long for what is in flight."""
GRACE_S = 1.0
"""Calls that are being answered get this long before they are cut."""
CLOSE_WAIT_S = 3.0
"""The disk gets this long to finish what it writes; a hung one must not keep the process."""
DRAIN_POLL_S = 0.01
CANNOT_START = (
    StorageError,
    BindError,
    PeerListenError,
    TlsError,
    JournalError,
    CodecError,
    UntestedLibraryError,
)
"""What start-up may find; each is one line for people."""


class Server:
    """One running node."""

    def __init__(self, config: ServerConfig, disk: OpenDisk) -> None:
        self._config = config
        self._disk = disk
        self._stop = asyncio.Event()
        self._timing = Timing()
        self._limits = (
            RequestLimits()
            if config.state_mib is None
            else RequestLimits(state_bytes=config.state_mib << 20)
        )

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; BindError, PeerListenError or TlsError if it cannot."""
        loop, config = asyncio.get_running_loop(), self._config
        loop.set_exception_handler(self._on_loop_error)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        require_free(config.listen)
        self._compose(loop)
        service = build_server(
            self._replica, str(config.listen), tls=config.client_tls, requests=self._limits
        )
        self._engine.start()
        gc.collect()  # what start-up left behind; the driver spares what stays
        await self._transport.start(self._engine)
        self._driver.start()
        await service.start()
        logger.info("serving clients on %s, peers on %s", service.address, self._transport.address)
        await self._stop.wait()
        await self._shut_down(service)

    def _compose(self, loop: asyncio.AbstractEventLoop) -> None:
        config, disk = self._config, self._disk
        self._driver = driver = Driver(loop, self._timing.tick_ms)
        driver.on_fatal = disk.prepare_for_the_next_start
        driver.free_disk_bytes = disk.free_bytes
        driver.open_current = disk.open_current
        self._writer = LogWriter(
            disk.wal,
            loop.call_soon_threadsafe,
            self._on_durable,
            self._on_disk_error,
        )
        self._replica = Replica(
            config.name,
            driver,
            election_ms=self._timing.election_min_ms,
            disk_id=disk.directory.identity.disk_id,
            version=version("kvraft"),
            request_limits=self._limits,
        )
        self._engine = self._build_engine()
        self._replica.connect(self._engine)
        self._transport = self._build_transport()
        driver.connect(self._engine, self._replica, self._writer, self._transport)

    def _build_engine(self) -> RaftEngine:
        config, disk = self._config, self._disk
        on_disk = disk.directory.identity
        identity = Identity(
            disk_id=on_disk.disk_id,
            boot_id=secrets.randbits(63) | 1,
            cluster_id=on_disk.cluster_id,
            origin=on_disk.origin,
            rejoining=on_disk.rejoining,
            command_version=COMMAND_VERSION,
            endpoint=config.advertise,
        )
        return RaftEngine(
            config.name,
            tuple(name for name in config.peers if name != config.name),
            identity=identity,
            save_identity=disk.save_identity,
            log=disk.wal,
            disk=NodeDisk(disk.wal, disk.snapshots, self._writer),
            doors=self._driver,
            application=self._replica,
            timing=self._timing,
        )

    def _build_transport(self) -> PeerTransport:
        config = self._config
        tls = config.peer_tls
        return PeerTransport(
            config.peer_listen,
            {name: address for name, address in config.peers.items() if name != config.name},
            event=self._driver.event,
            dial=config.dial,
            timing=self._timing,
            server_tls=None if tls is None else server_context(tls),
            client_tls=None if tls is None else client_context(tls),
        )

    def _on_durable(self, sequence: int) -> None:
        self._engine.on_durable(sequence)  # wakes the driver where something may commit or apply

    def _on_disk_error(self, error: StorageError) -> None:
        self._driver.fatal(str(error))

    def _on_loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        logger.error("%s", context.get("message"), exc_info=error)
        if ends_the_node(error):
            self._driver.fatal(f"{type(error).__name__}: {error}")

    async def _shut_down(self, service: ClientServer) -> None:
        """Refuse new work, hand leadership over, finish what is in flight, close."""
        logger.info("stopping: draining")
        self._replica.stop_accepting()
        if self._engine.role is Role.LEADER:
            ended: list[str | None] = []
            self._engine.transfer_leadership(None, ended.append)
            await self._until(
                lambda: bool(ended) or self._engine.role is not Role.LEADER, TRANSFER_WAIT_S
            )
        await self._until(lambda: self._replica.idle, DRAIN_WAIT_S)
        await service.stop(GRACE_S)
        self._driver.stop()
        await self._transport.close()
        closing = threading.Thread(target=self._writer.close, daemon=True)
        closing.start()
        await self._until(lambda: not closing.is_alive(), CLOSE_WAIT_S)
        if closing.is_alive():  # nobody was told of what it still writes
            self._driver.fatal(f"the disk did not finish a write within {CLOSE_WAIT_S:.0f} s")
        self._disk.close()
        logger.info("stopped")

    async def _until(self, condition: Callable[[], bool], limit_s: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + limit_s
        while not condition() and loop.time() < end:  # noqa: ASYNC110
            await asyncio.sleep(DRAIN_POLL_S)  # the parts are sans-I/O: nothing to await


def require_free(address: Address) -> None:
    """Raise BindError, in words of the system's, where nobody can listen on `address` now.

    gRPC's own error does not say why, and writes a second line of its own.
    """
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, kind, protocol, _, where in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(where)
    except OSError as error:
        raise BindError(f"cannot listen for clients on {address}: {error.strerror}") from error


def run(config: ServerConfig) -> int:
    """Run one node; return its exit status."""
    name = config.name.replace("%", "%%")
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format=f"%(asctime)s {name} %(levelname)s %(message)s",
    )
    quiet_about_clients()
    try:
        disk = open_disk(config)
        asyncio.run(Server(config, disk).run())
    except CANNOT_START as error:
        logger.critical("cannot start: %s", error)
        return 1
    return 0
