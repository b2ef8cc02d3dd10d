"""Which Toxiproxy server a run uses: a given URL, the real binary, or the embedded one."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from kvraft_chaos.ports import free_ports
from kvraft_chaos.proxies import Proxies, ToxiproxyError
from kvraft_chaos.toxiproxy.server import EmbeddedToxiproxy
from kvraft_chaos.waiting import wait_until

START_SECONDS = 10.0
STOP_SECONDS = 5.0


def find_binary(environment: Mapping[str, str], *directories: Path) -> str | None:
    """$TOXIPROXY_BIN, else `toxiproxy-server` on PATH, else in one of the directories."""
    named = environment.get("TOXIPROXY_BIN")
    if named:
        if not os.access(named, os.X_OK):
            raise ToxiproxyError(f"TOXIPROXY_BIN={named} is not an executable file")
        return named
    path = os.pathsep.join([environment.get("PATH", ""), *map(str, directories)])
    return shutil.which("toxiproxy-server", path=path)


@contextlib.contextmanager
def real_server(binary: str, seed: int = 1) -> Iterator[Proxies]:
    """Run the real server on a free port, and end it afterwards."""
    (port,) = free_ports(1)
    command = [binary, "-host", "127.0.0.1", "-port", str(port), "-seed", str(seed)]
    environment = {**os.environ, "LOG_LEVEL": "error"}
    process = subprocess.Popen(  # noqa: S603  (the binary that the caller chose)
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    proxies = Proxies(f"http://127.0.0.1:{port}")

    def answers() -> bool:
        if process.poll() is not None:
            raise ToxiproxyError(f"{binary} ended at once with status {process.returncode}")
        with contextlib.suppress(ToxiproxyError):
            return bool(proxies.version())
        return False

    try:
        wait_until(answers, START_SECONDS, f"{binary} answers on port {port}")
        yield proxies
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def embedded_server(seed: int = 1) -> Iterator[Proxies]:
    with EmbeddedToxiproxy(seed=seed) as server:
        yield Proxies(server.url)


@contextlib.contextmanager
def found_server(environment: Mapping[str, str], *directories: Path) -> Iterator[Proxies]:
    """The server of this run. A URL that does not answer is an error: nothing falls back.

    TOXIPROXY_URL=embedded takes the embedded server though a binary is at hand.
    """
    url = environment.get("TOXIPROXY_URL")
    if url == "embedded":
        with embedded_server() as proxies:
            yield proxies
        return
    if url:
        proxies = Proxies(url)
        proxies.version()
        yield proxies
        return
    binary = find_binary(environment, *directories)
    with real_server(binary) if binary else embedded_server() as proxies:
        yield proxies
