"""Counts increments under locks whose holders are stopped, or cut off, for longer than they hold.

`python -m kvraft_chaos.fenced_counter [--increments N] [--without-fences]`. Workers in processes of
their own increment counters; the history of the counters is then compared with what the workers
were told: every write has a name and must follow on the one before. Without fences the same
program must lose increments: that control is the proof that the strikes do what they claim.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from rich.console import Console
from rich.progress import Progress

from kvraft.cli import local_cluster
from kvraft.cli.local_cluster import LocalCluster
from kvraft.config import PORT_STEP
from kvraft_chaos.fenced_worker import COUNTER, CUT, PAUSE, TTL_S, Order, Report
from kvraft_chaos.ports import free_base_port, free_ports
from kvraft_chaos.proxies import Proxies, ProxySpec
from kvraft_chaos.toxiproxy.find import embedded_server
from kvraft_client import AsyncClient

WORKERS = 3
COUNTERS = 8
"""Each with a lock of its own, all in every worker: who is stopped with one is with all."""
READY_S = 60.0
STRIKE_EVERY = 250
"""Increments of a worker to one strike."""
STRIKE_S = (TTL_S * 1.3, TTL_S * 2.0)
LINE_BYTES = 1 << 26
"""Of a worker's report, with all names."""
HOST = "127.0.0.1"


@dataclass(slots=True)
class Audit:
    """What was done, what the strikes were, and what the counters' history shows."""

    increments: int
    fences: bool
    pauses: int = 0
    cuts: int = 0
    acknowledged: int = 0
    """Increments that their workers know as done; `settled` ones too, as they turned out."""
    settled: int = 0
    """Writes that were unknown at first, and then asked about."""
    stale: int = 0
    """Writes that the store refused for their fence."""
    counted: int = 0
    """What the counters show together."""
    lost: int = 0
    """Acknowledged, and not counted."""
    overwrites: int = 0
    """Writes that do not follow on the one before."""
    doubled: int = 0
    """Writes that are in the history twice."""
    missing: int = 0
    """Acknowledged writes that are not in the history."""
    unwanted: int = 0
    """Writes in the history that were told as not applied."""
    seconds: float = 0.0

    @property
    def is_exact(self) -> bool:
        """Whether every increment that was acknowledged counts once, and no other does."""
        wrong = self.overwrites, self.doubled, self.missing, self.unwanted
        return self.counted == self.acknowledged and not any(wrong)


class Ledger:
    """The history of the counters, write by write."""

    def __init__(self) -> None:
        self._values: dict[bytes, int] = {}
        self._names: set[int] = set()
        self.overwrites = 0
        self.doubled = 0

    def add(self, key: bytes, value: bytes) -> None:
        """Take the next write of a counter."""
        number, name = (int(part) for part in value.split())
        self.overwrites += number != self._values.get(key, 0) + 1
        self.doubled += name in self._names
        self._values[key] = number
        self._names.add(name)

    def compare(self, audit: Audit, reports: Sequence[Report]) -> None:
        """Write down what was found."""
        applied = {name for report in reports for name in report.applied}
        others = {name for report in reports for name in report.not_applied}
        audit.acknowledged = len(applied)
        audit.settled = sum(report.settled for report in reports)
        audit.stale = sum(report.stale for report in reports)
        audit.counted = sum(self._values.values())
        audit.lost = audit.acknowledged - audit.counted
        audit.overwrites, audit.doubled = self.overwrites, self.doubled
        audit.missing = len(applied - self._names)
        audit.unwanted = len(others & self._names)


class _Run:
    def __init__(
        self,
        cluster: LocalCluster,
        proxies: Proxies,
        audit: Audit,
        *,
        strike_every: int,
        seed: int,
    ) -> None:
        self._cluster, self._proxies, self._audit = cluster, proxies, audit
        self._strike_every, self._seed = strike_every, seed
        self._random = Random(seed)
        self._control = asyncio.Lock()
        self._ledger = Ledger()

    async def run(self, bar: Progress) -> None:
        async with AsyncClient(self._cluster.endpoints) as client:
            watching = asyncio.create_task(self._watch(client, bar))
            async with asyncio.TaskGroup() as group:
                workers = [group.create_task(self._worker(number)) for number in range(WORKERS)]
            await client.put(COUNTER, b"closed")
            await watching
        self._ledger.compare(self._audit, [each.result() for each in workers])

    async def _watch(self, client: AsyncClient, bar: Progress) -> None:
        task = bar.add_task("increments", total=self._audit.increments)
        async for event in client.watch(prefix=COUNTER, start_revision=1):
            if event.key == COUNTER.encode():
                return
            self._ledger.add(event.key, event.entry.value)
            bar.advance(task)

    # -- workers and what is done to them

    async def _worker(self, number: int) -> Report:
        links = self._links(number)
        share, rest = divmod(self._audit.increments, WORKERS * COUNTERS)
        order = Order(
            worker=number,
            endpoints=",".join(links.values()),
            increments=[share + (number + WORKERS * each < rest) for each in range(COUNTERS)],
            strike_every=self._strike_every,
            fences=self._audit.fences,
            seed=self._seed,
        )
        module = [sys.executable, "-m", "kvraft_chaos.fenced_worker"]
        process = await asyncio.create_subprocess_exec(
            *module, json.dumps(asdict(order)), stdin=PIPE, stdout=PIPE, limit=LINE_BYTES
        )
        try:
            return await self._attend(process, list(links))
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def _attend(self, process: Process, links: list[str]) -> Report:
        assert process.stdout is not None
        async for line in process.stdout:
            told = line.decode().strip()
            if told == PAUSE:
                await self._pause(process)
            elif told == CUT:
                await self._cut(process, links)
            else:
                return Report(**json.loads(told))
        raise RuntimeError("a worker ended without a report")

    async def _pause(self, process: Process) -> None:
        await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WSTOPPED)
        await asyncio.sleep(self._random.uniform(*STRIKE_S))
        process.send_signal(signal.SIGCONT)
        self._audit.pauses += 1

    async def _cut(self, process: Process, links: list[str]) -> None:
        is_silent = self._random.random() < 0.5  # as often as not
        async with self._control:  # its calls are not thread-safe
            cut = self._proxies.cut_silent if is_silent else self._proxies.cut_reset
            await asyncio.to_thread(cut, *links)
        assert process.stdin is not None
        process.stdin.write(b"cut\n")
        await asyncio.sleep(self._random.uniform(*STRIKE_S))
        async with self._control:
            await asyncio.to_thread(self._proxies.heal, *links)
        self._audit.cuts += 1

    def _links(self, number: int) -> dict[str, str]:
        """Make its own way to each node; return the links' names and where they listen."""
        nodes = self._cluster.nodes
        specs = [
            ProxySpec(f"worker-{number}-to-{node.name}", f"{HOST}:{port}", node.endpoint)
            for node, port in zip(nodes, free_ports(len(nodes)), strict=True)
        ]
        return self._proxies.populate(specs)


def run(increments: int, *, fences: bool, seed: int, strike_every: int = STRIKE_EVERY) -> Audit:
    """Audit a private cluster of three processes."""
    audit = Audit(increments, fences)
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kvraft-counter-")))
        cluster = local_cluster.describe(directory, 3, free_base_port(3, PORT_STEP))
        stack.callback(local_cluster.stop, list(cluster.nodes))
        local_cluster.wait_until_ready(cluster, local_cluster.start(cluster), READY_S)
        proxies = stack.enter_context(embedded_server(seed))
        bar = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
        begun = time.monotonic()
        run = _Run(cluster, proxies, audit, strike_every=strike_every, seed=seed)
        asyncio.run(run.run(bar))
        audit.seconds = round(time.monotonic() - begun, 1)
    return audit


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0: nothing was lost or doubled; without fences: something was lost."""
    parser = argparse.ArgumentParser(prog="python -m kvraft_chaos.fenced_counter")
    parser.add_argument("--increments", type=int, default=200_000)
    parser.add_argument("--without-fences", action="store_true", help="the control")
    parser.add_argument("--strike-every", type=int, default=STRIKE_EVERY, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    audit = run(
        options.increments,
        fences=not options.without_fences,
        seed=options.seed,
        strike_every=options.strike_every,
    )
    sys.stdout.write(json.dumps(asdict(audit), indent=1) + "\n")
    is_as_claimed = audit.is_exact if audit.fences else audit.lost > 0
    return 0 if is_as_claimed else 1


if __name__ == "__main__":
    sys.exit(main())
