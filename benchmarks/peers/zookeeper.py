"""Three ZooKeeper servers where they are installed, and kazoo's lock recipe on them."""

import asyncio
import contextlib
import importlib
import importlib.util
import logging
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.peers.servers import Servers
from kvraft_chaos.ports import free_ports

HOST = "127.0.0.1"
DEBIANS = "/usr/share/zookeeper/bin"
"""Where its package puts the script, which is not on the PATH."""
READY_S = 60.0
CALLERS_MOST = 64
SETTINGS = """\
tickTime=2000
initLimit=10
syncLimit=5
maxClientCnxns=0
admin.enableServer=false
clientPortAddress=127.0.0.1
"""


def find_zookeeper() -> str | None:
    """Return its server script, if kazoo is installed too; None if one of them is not."""
    if importlib.util.find_spec("kazoo") is None:
        return None
    return shutil.which("zkServer.sh", path=os.pathsep.join([os.environ["PATH"], DEBIANS]))


@contextlib.contextmanager
def zookeeper_servers(script: str) -> Iterator[Servers]:
    """Yield a cluster with durable defaults; stop and remove it afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="zookeeper-bench-"))
    ports = free_ports(9)
    members = "".join(
        f"server.{number}={HOST}:{peer}:{vote}\n"
        for number, (peer, vote) in enumerate(zip(ports[3:6], ports[6:], strict=True))
    )
    processes = []
    try:
        with (directory / "log").open("wb") as log:
            for number, port in enumerate(ports[:3]):
                data, config = directory / str(number), directory / f"{number}.cfg"
                data.mkdir()
                (data / "myid").write_text(str(number))
                config.write_text(f"{SETTINGS}dataDir={data}\nclientPort={port}\n{members}")
                command = [script, "start-foreground", str(config)]
                environment = {**os.environ, "ZOO_LOG_DIR": str(directory)}
                processes.append(
                    subprocess.Popen(
                        command, stdout=log, stderr=log, env=environment, start_new_session=True
                    )
                )
        yield Servers([f"{HOST}:{port}" for port in ports[:3]], [each.pid for each in processes])
    finally:
        for process in processes:  # the script may have Java as its child
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(directory, ignore_errors=True)


class ZooKeeperClient:
    """A session for each caller, which is its lease for all that it locks; kazoo's are threads."""

    def __init__(self, endpoints: list[str]) -> None:
        self._kazoo: Any = importlib.import_module("kazoo.client")
        logging.getLogger("kazoo").setLevel(logging.ERROR)  # the servers are starting
        self._endpoints = endpoints
        self._sessions: dict[int, Any] = {}
        self._threads = ThreadPoolExecutor(CALLERS_MOST)

    async def __aenter__(self) -> Self:
        await self._run(lambda: self._session(0))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for session in self._sessions.values():
            await self._run(session.stop)
            await self._run(session.close)
        self._threads.shutdown()

    async def _run(self, call: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _session(self, caller: int) -> Any:
        if caller not in self._sessions:
            first = caller % len(self._endpoints)
            hosts = ",".join(self._endpoints[first:] + self._endpoints[:first])
            session = self._kazoo.KazooClient(hosts, randomize_hosts=False)
            session.start(READY_S)
            self._sessions[caller] = session
        return self._sessions[caller]

    @contextlib.asynccontextmanager
    async def held(self, name: str, caller: int) -> AsyncIterator[None]:
        """Hold a lock by the recipe: a sequential node of the caller's session."""
        lock = (await self._run(lambda: self._session(caller))).Lock(f"/{name}")
        await self._run(lock.acquire)
        try:
            yield
        finally:
            await self._run(lock.release)
