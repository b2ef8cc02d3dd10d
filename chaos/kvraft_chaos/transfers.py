"""Money moved between accounts by many clients at a time, each transfer one transaction."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random

from kvraft_chaos.checkers.bank import ACCOUNT, TRANSFER
from kvraft_client import (
    AsyncClient,
    KvraftError,
    NeverApplied,
    OutcomeUnknown,
    actions,
    operations,
)
from kvraft_client.conditions import number

OPENING = 100
"""Of every account."""
MOST = 60
"""Of one transfer: often more than an account has."""
CALL_SECONDS = 10.0


def account(place: int) -> str:
    """Return an account's key."""
    return f"{ACCOUNT}{place:03d}"


@dataclass(slots=True)
class Transfers:
    """What became of the transfers, as their clients were told."""

    accounts: int
    done: set[str] = field(default_factory=set)
    too_poor: int = 0
    never: set[str] = field(default_factory=set)
    resolved: int = 0
    """Unknown at first; the store said later what became of them."""
    refused: int = 0
    _numbers: Iterator[int] = field(default_factory=count)

    def opening(self) -> dict[str, int]:
        """Return the first balance of every account."""
        return {account(place): OPENING for place in range(self.accounts)}

    async def open(self, client: AsyncClient) -> int:
        """Write the accounts at one revision, and return it."""
        puts = [operations.put(key, str(money)) for key, money in self.opening().items()]
        return (await client.txn(then=puts)).revision

    async def make(self, client: AsyncClient, random: Random, stop: asyncio.Event) -> None:
        """Transfer until told to stop; an unknown outcome is asked about until it is known."""
        while not stop.is_set():
            payer, payee = random.sample(range(self.accounts), 2)
            name = f"{TRANSFER}{next(self._numbers):06d}"
            try:
                await self._transfer(client, name, payer, payee, random.randint(1, MOST))
            except OutcomeUnknown as unknown:
                await self._settle(client, name, unknown)
            except KvraftError:
                self.refused += 1

    async def _transfer(
        self, client: AsyncClient, name: str, payer: int, payee: int, money: int
    ) -> None:
        result = await client.txn(
            when=number(account(payer)) >= money,
            then=[
                operations.update(account(payer), actions.add(-money)),
                operations.update(account(payee), actions.add(money)),
                operations.put(name, f"{payer} {payee} {money}"),
            ],
            timeout=CALL_SECONDS,
        )
        if result.succeeded:
            self.done.add(name)
        else:
            self.too_poor += 1

    async def _settle(self, client: AsyncClient, name: str, unknown: OutcomeUnknown) -> None:
        assert unknown.identity is not None
        while True:
            try:
                fate = await client.outcome(unknown.identity, timeout=CALL_SECONDS)
            except KvraftError:
                continue
            self.resolved += 1
            if isinstance(fate, NeverApplied):
                self.never.add(name)
            return
