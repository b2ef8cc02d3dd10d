"""Keeps one outbound connection to one peer: dial, hold, pause, dial again."""

import asyncio
from collections.abc import Callable

from kvraft.consensus.outbound import DialFailure, OutboundConnection
from kvraft.consensus.plane import Plane
from kvraft.consensus.sockets import Address, cause


class Dialer:
    """One peer's dial loop; `connection` is the present one, up or on its way."""

    def __init__(
        self, plane: Plane, peer: str, address: Address, boot_seen: Callable[[str, int], None]
    ) -> None:
        self._plane = plane
        self._peer = peer
        self._address = address
        self._boot_seen = boot_seen
        self._urgent = asyncio.Event()
        self.connection: OutboundConnection | None = None
        self._task = asyncio.create_task(self._run(), name=f"dial {peer}")

    def dial_now(self) -> None:
        """Skip the next pause: the present one, or the one after the present connection."""
        self._urgent.set()

    async def close(self) -> None:
        """Dial no more and let what was sent leave, within `close_ms`."""
        self._task.cancel()
        await asyncio.wait([self._task])
        connection = self.connection
        if connection is None or not connection.made:
            return
        connection.close()
        await asyncio.wait([connection.lost], timeout=self._plane.timing.close_ms / 1_000)
        connection.abort("closing")
        await connection.lost

    async def _run(self) -> None:
        timing, now = self._plane.timing, asyncio.get_running_loop().time
        while True:
            connection = OutboundConnection(self._plane, self._peer, self._boot_seen)
            self.connection = connection
            failure = await self._dial(connection)
            if failure is None:
                up_at = now()
                await asyncio.shield(connection.lost)  # `close` waits for it too
                lived_ms = (now() - up_at) * 1_000
                # One that held is dialled anew at once; one that is closed again and again is not.
                pause_ms = 0 if lived_ms > timing.refused_redial_ms else timing.redial_ms
            else:
                self._failed(failure)
                pause_ms = timing.refused_redial_ms if failure.refused else timing.redial_ms
            await self._pause(pause_ms)

    async def _dial(self, connection: OutboundConnection) -> DialFailure | None:
        """Return None once `connection` is acknowledged (it may be lost again by then)."""
        self._plane.count("dials")
        limit_ms = self._plane.timing.handshake_ms
        try:
            async with asyncio.timeout(limit_ms / 1_000):
                await asyncio.get_running_loop().create_connection(
                    lambda: connection, *self._address, ssl=self._plane.client_tls
                )
                return await asyncio.shield(connection.handshake)
        except TimeoutError:
            connection.abort(f"no HELLO-ACK within {limit_ms} ms")
        except OSError as error:
            connection.abort(cause(error))
        return connection.handshake.result()  # acknowledged in the moment of the time limit: None

    def _failed(self, failure: DialFailure) -> None:
        self._plane.count("dial_failures")
        if not failure.refused:  # a refusal was reported with its reason
            self._plane.events.say(
                f"unreachable {self._peer}",
                f"cannot reach {self._peer} at {self._address}: {failure.reason}",
            )
        self._plane.consensus.on_dial_failed(self._peer)

    async def _pause(self, pause_ms: int) -> None:
        pause_ms += int(pause_ms * self._plane.random() / 2)  # so that peers do not dial in step
        try:
            async with asyncio.timeout(pause_ms / 1_000):
                await self._urgent.wait()
        except TimeoutError:
            pass
        self._urgent.clear()
