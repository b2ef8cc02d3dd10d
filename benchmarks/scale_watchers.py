"""Watchers in a process of their own (`python -m benchmarks.scale_watchers ENDPOINTS COUNT KEYS`).

Each watches one of the keys written, on one of the nodes in turn. It says `ready`, watches until
its input ends, and says how many events a second came.
"""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from benchmarks.writers import key
from kvraft.cli.local_cluster import ClusterError
from kvraft_client import AsyncClient

OPEN_S = 60.0


@contextlib.contextmanager
def watching(endpoints: str, count: int, keys: int) -> Iterator[Callable[[], float]]:
    """Watch in a child process; the function ends it and returns the events a second."""
    if count == 0:
        yield lambda: 0.0
        return
    command = [sys.executable, "-m", "benchmarks.scale_watchers", endpoints, f"{count}", f"{keys}"]
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    assert child.stdin is not None
    assert child.stdout is not None

    def finish() -> float:
        words, _ = child.communicate()
        if child.returncode != 0:
            raise ClusterError(f"the watchers failed: {child.returncode}")
        return float(words)

    try:
        if child.stdout.readline().strip() != "ready":
            raise ClusterError("the watchers do not open")
        yield finish
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate()


async def _watch(endpoints: list[str], count: int, keys: int) -> None:
    seen, opened = 0, asyncio.Semaphore(0)

    async def follow(client: AsyncClient, name: str) -> None:
        nonlocal seen
        async with client.watch(key=name) as watch:
            opened.release()
            async for _ in watch:
                seen += 1

    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(AsyncClient(each, timeout=30.0)) for each in endpoints
        ]
        async with asyncio.TaskGroup() as group:  # the first error ends them all
            tasks = [
                group.create_task(follow(clients[number % len(clients)], key(number % keys)))
                for number in range(count)
            ]
            async with asyncio.timeout(OPEN_S):
                for _ in tasks:
                    await opened.acquire()
            begun = time.monotonic()
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.read)
            elapsed = time.monotonic() - begun
            for task in tasks:
                task.cancel()
    print(seen / elapsed)


if __name__ == "__main__":
    asyncio.run(_watch(sys.argv[1].split(","), int(sys.argv[2]), int(sys.argv[3])))
