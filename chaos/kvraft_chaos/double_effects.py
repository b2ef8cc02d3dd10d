"""Counts effects: many increments through proxies that lose replies and repeat requests.

`python -m kvraft_chaos.double_effects [--operations N] [--without-identities]`. Each operation adds
1 to a key of its own, so that afterwards the store itself tells what was applied twice (2), or was
acknowledged and is not there (absent). Without identities the same program must find double
effects: that control is the proof that the proxies do what they claim.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from kvraft.cli import local_cluster
from kvraft.config import PORT_STEP
from kvraft_chaos.call_proxy import CallFaults, CallProxy
from kvraft_chaos.ports import free_base_port
from kvraft_client import AsyncClient, KvraftError, NeverApplied, OutcomeUnknown, actions

FAULTS = CallFaults(lost_replies=0.05, repeated_requests=0.05)
CALLERS = 32
TIMEOUT_S = 20.0
READY_S = 60.0
PREFIX = "op/"
PAGE = 5_000


@dataclass(slots=True)
class Audit:
    """What was asked, what the faults did, and what the store holds afterwards."""

    operations: int
    identities: bool
    acknowledged: int = 0
    unknown: int = 0
    """Left unknown to the caller until it asked `outcome`."""
    refused: int = 0
    lost_replies: int = 0
    repeated_requests: int = 0
    double_effects: int = 0
    lost_effects: int = 0
    """Acknowledged (or resolved as applied), and not there."""
    wrong_outcomes: int = 0
    """Resolved as never applied, and there all the same."""


class _Run:
    def __init__(self, client: AsyncClient, audit: Audit, bar: Progress) -> None:
        self._client = client
        self._audit = audit
        self._bar = bar
        self._task = bar.add_task("operations", total=audit.operations)
        self._numbers = iter(range(audit.operations))
        self._applied: set[int] = set()
        self._never: set[int] = set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(self._caller())
        await self._judge()

    async def _caller(self) -> None:
        for number in self._numbers:
            await self._operate(number)
            self._bar.advance(self._task)

    async def _operate(self, number: int) -> None:
        """Add 1; without identities an unknown outcome is tried again, as naive programs do."""
        while True:
            try:
                await self._client.update(_key(number), actions.add(1))
            except OutcomeUnknown as unknown:
                self._audit.unknown += 1
                if not self._audit.identities:
                    continue
                if await self._resolved(unknown):
                    self._applied.add(number)
                else:
                    self._never.add(number)
                return
            except KvraftError:
                self._audit.refused += 1
                return
            self._audit.acknowledged += 1
            self._applied.add(number)
            return

    async def _resolved(self, unknown: OutcomeUnknown) -> bool:
        assert unknown.identity is not None
        while True:
            with contextlib.suppress(OutcomeUnknown):
                return not isinstance(await self._client.outcome(unknown.identity), NeverApplied)

    async def _judge(self) -> None:
        found: dict[int, int] = {}
        async for entry in self._client.list(PREFIX, page_size=PAGE):
            found[int(entry.key[len(PREFIX) :])] = int(entry.value)
        audit = self._audit
        audit.double_effects = sum(value - 1 for value in found.values())
        audit.lost_effects = len(self._applied - found.keys())
        audit.wrong_outcomes = len(self._never & found.keys())


def _key(number: int) -> str:
    return f"{PREFIX}{number:08d}"


async def audit_endpoints(
    endpoints: list[str], operations: int, *, identities: bool, seed: int, bar: Progress
) -> Audit:
    """Run the operations through a proxy before each endpoint, and count."""
    audit = Audit(operations, identities)
    async with contextlib.AsyncExitStack() as stack:
        proxies = [
            await stack.enter_async_context(CallProxy(each, FAULTS, seed + number))
            for number, each in enumerate(endpoints)
        ]
        through = ",".join(proxy.endpoint for proxy in proxies)
        client = AsyncClient(through, timeout=TIMEOUT_S, exactly_once=identities)
        async with client:
            await _Run(client, audit, bar).run()
        audit.lost_replies = sum(proxy.lost for proxy in proxies)
        audit.repeated_requests = sum(proxy.repeated for proxy in proxies)
    return audit


def run(operations: int, *, identities: bool, seed: int) -> Audit:
    """Audit a private cluster of three processes."""
    with tempfile.TemporaryDirectory(prefix="kvraft-effects-") as name:
        cluster = local_cluster.describe(Path(name), 3, free_base_port(3, PORT_STEP))
        try:
            started = local_cluster.start(cluster)
            local_cluster.wait_until_ready(cluster, started, READY_S)
            endpoints = [node.endpoint for node in cluster.nodes]
            with Progress(console=Console(stderr=True), transient=True) as bar:
                return asyncio.run(
                    audit_endpoints(
                        endpoints, operations, identities=identities, seed=seed, bar=bar
                    )
                )
        finally:
            local_cluster.stop(list(cluster.nodes))


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0: every operation had one effect at most, and none was lost."""
    parser = argparse.ArgumentParser(prog="python -m kvraft_chaos.double_effects")
    parser.add_argument("--operations", type=int, default=200_000)
    parser.add_argument("--without-identities", action="store_true", help="the control")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    audit = run(options.operations, identities=not options.without_identities, seed=options.seed)
    sys.stdout.write(json.dumps(asdict(audit), indent=1) + "\n")
    return 1 if audit.double_effects or audit.lost_effects or audit.wrong_outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
