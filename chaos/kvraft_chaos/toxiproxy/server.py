"""The embedded server: the API and its proxies on one loop, in the foreground or in a thread."""

import asyncio
import threading
from collections.abc import Callable
from typing import Self

from kvraft_chaos.toxiproxy.api import Api
from kvraft_chaos.toxiproxy.http import HEAD_BYTES, converse

START_SECONDS = 10.0
"""Binding one local port; longer means that the machine is not able to run a test anyway."""


async def serve(
    host: str, port: int, stop: asyncio.Event, started: Callable[[int], None], seed: int | None
) -> None:
    """Serve until `stop` is set; `started` hears the bound port."""
    api = Api(seed)
    writers: set[asyncio.StreamWriter] = set()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            await converse(reader, writer, api.answer)
        finally:
            writers.discard(writer)

    server = await asyncio.start_server(client, host, port, limit=HEAD_BYTES)
    started(server.sockets[0].getsockname()[1])
    try:
        await stop.wait()
    finally:
        server.close()
        api.close()
        for writer in list(writers):
            writer.transport.abort()
        await asyncio.sleep(0)  # the aborted sockets close on the next turn of the loop


class EmbeddedToxiproxy:
    """The server in a thread of this process: `with EmbeddedToxiproxy() as server: server.url`."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, seed: int | None = None) -> None:
        self.url = ""
        self._host = host
        self._port = port
        self._seed = seed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._up = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="embedded-toxiproxy", daemon=True)

    def start(self) -> None:
        """Return once the API answers; OSError where the port is taken."""
        self._thread.start()
        if not self._up.wait(START_SECONDS):
            raise TimeoutError(f"the embedded Toxiproxy did not start in {START_SECONDS:g} s")
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        """Close the API, all listeners and all connections, and end the thread."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001  (handed to the thread that asked for the start)
            self._failure = error
        finally:
            self._up.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()

        def started(port: int) -> None:
            self.url = f"http://{self._host}:{port}"
            self._up.set()

        await serve(self._host, self._port, self._stop, started, self._seed)
