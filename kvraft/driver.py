"""Turns the loop of one node: the doors to clock, chance, peers and log, and who runs when.

Sans-I/O parts ask to be woken; one turn later the replica proposes, the engine acts, the log is
written. Nothing here decides anything.
"""

import asyncio
import gc
import logging
import os
import random
import time
from collections.abc import Callable, Mapping
from typing import NoReturn

from kvraft.consensus.engine import RaftEngine
from kvraft.consensus.tcp import PeerTransport
from kvraft.core.machine import StateMachine
from kvraft.replica.port import BackupReader
from kvraft.replica.replica import Replica
from kvraft.storage.writer import LogWriter

logger = logging.getLogger("kvraft")

SLOW_FSYNC_MS = 200.0
"""An fsync that takes longer is worth a line: it is in every client's latency."""
HOUSEKEEPING_S = 1.0
"""How often free disk space is looked at."""
SPARE_GROWTH = 1.25
SPARE_KEYS = 10_000
"""The collector is told to spare the table again when it has grown by so much and so many."""


class Driver:
    """The `Doors` of consensus and replica on one asyncio loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tick_ms: int) -> None:
        self.now = time.monotonic
        """Monotonic seconds (a door; the function itself, for it is asked all the time)."""
        self.random = random.random
        """Uniform in [0, 1) (a door)."""
        self._loop = loop
        self._tick_s = tick_ms / 1000
        self._awake = False
        self._stopped = False
        self._housekeeping_at = 0.0
        self._spared: StateMachine | None = None
        self._spared_keys = 0
        self.on_fatal: Callable[[], None] = lambda: None
        self.free_disk_bytes: Callable[[], int | None] = lambda: None
        self.open_current: Callable[[], BackupReader]

    def connect(
        self, engine: RaftEngine, replica: Replica, writer: LogWriter, transport: PeerTransport
    ) -> None:
        """Give the driver what it drives; once, before `start`."""
        self._engine = engine
        self._replica = replica
        self._writer = writer
        self._transport = transport
        self.send = transport.send
        self.flush = transport.flush

    def start(self) -> None:
        """Turn from now on."""
        self._tick()

    def stop(self) -> None:
        """Turn no more."""
        self._stopped = True

    # -- doors

    def dial_now(self, peer: str) -> None:
        """See `consensus.port.Doors`."""
        self._transport.dial_now(peer)

    def reset(self, peer: str, reason: str) -> None:
        """See `consensus.port.Doors`."""
        self._transport.reset(peer, reason)

    def wake(self) -> None:
        """Take a turn soon."""
        if not self._awake:
            self._awake = True
            self._loop.call_soon(self._turn)

    def wake_in(self, seconds: float) -> None:
        """Take a turn about so much later."""
        self._loop.call_later(seconds, self.wake)

    def event(self, text: str) -> None:
        """Write a line for people."""
        logger.info(text)

    def fatal(self, reason: str) -> NoReturn:
        """Stop the process at once: nothing that was not sent yet may leave it."""
        logger.critical("stopping: %s", reason)
        self.on_fatal()
        logging.shutdown()
        os._exit(1)

    def counters(self) -> Mapping[str, int]:
        """What the disk and the links have done."""
        return {
            **self._transport.counters,
            "fsyncs": self._writer.fsyncs,
            "log_bytes": self._writer.bytes,
            "slowest_fsync_us": int(self._writer.slowest_ms * 1000),
        }

    def open_backup(self) -> BackupReader:
        """Open the CURRENT snapshot file."""
        return self.open_current()

    # -- turns

    def _turn(self) -> None:
        self._awake = False
        if not self._stopped:
            self._or_end(self._act)

    def _tick(self) -> None:
        if not self._stopped:
            self._or_end(self._poll)
            self._loop.call_later(self._tick_s, self._tick)

    def _or_end(self, part: Callable[[], None]) -> None:
        try:
            part()
        except Exception as error:  # a node that is wrong about itself must not go on
            logger.exception("a turn failed")
            self.fatal(f"{type(error).__name__}: {error}")

    def _act(self) -> None:
        self._replica.tick()
        self._engine.tick()  # and hands what it appended to the log's writer

    def _poll(self) -> None:
        self._writer.mark_if_idle()
        self._replica.expire()
        self._act()
        now = self.now()
        if now >= self._housekeeping_at:
            self._housekeeping_at = now + HOUSEKEEPING_S
            self._housekeep()

    def _housekeep(self) -> None:
        self._replica.admission.free_disk_bytes = self.free_disk_bytes()
        self._spare_the_table()
        slowest = self._writer.take_slowest_ms()
        if slowest >= SLOW_FSYNC_MS:
            logger.warning("slow disk: an fsync of the log has taken %.0f ms", slowest)

    def _spare_the_table(self) -> None:
        """Keep the collector's full passes out of the state: they find nothing, and take long.

        Measured at 1,000,000 keys: 33 ms a pass where only the empty table was spared, else 6 ms.
        What becomes cyclic garbage later is never freed, so this is done as the table grows only.
        """
        machine = self._replica.machine
        grown = machine.key_count > self._spared_keys * SPARE_GROWTH + SPARE_KEYS
        if machine is not self._spared or grown:
            self._spared, self._spared_keys = machine, machine.key_count
            gc.freeze()
