"""Money moved between accounts, each transfer one transaction, and all of it counted at a time."""

from collections.abc import Sequence
from itertools import count
from random import Random
from typing import Any

from kvraft_chaos.checkers.bank import ACCOUNT, PREFIX, TRANSFER, check_bank
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.replay import check_replay
from kvraft_chaos.history import Event
from kvraft_chaos.workloads.script import Call, Script, Workload

ACCOUNTS = 8
"""Few, so that transfers meet."""
OPENING = 100
"""Of every account."""
MOST = 60
"""Of one transfer: often more than an account has."""
CHOICES = {"transfer": 6, "list": 2, "txn": 1, "past": 1}
"""`list` and `txn` count all accounts now, `past` at a revision seen before."""


class Bank(Workload):
    """A transfer that its payer cannot afford is refused by the transaction's own condition."""

    name = "bank"
    sentence = "transfers by transactions; the sum never changes, nobody overdraws, nothing twice"

    def __init__(self) -> None:
        self._transfers = count()
        self._revision = 0

    def setup(self) -> Script:
        """Open all accounts at one revision, whatever it takes."""
        puts = [["put", account(place), str(OPENING)] for place in range(ACCOUNTS)]
        opening = {"when": [["absent", account(0)]], "then": puts}
        while not (yield Call("txn", PREFIX, opening)).ok:
            pass

    def script(self, number: int, chance: Random) -> Script:
        del number  # all clients are alike
        while True:
            answer = yield self._choose(chance)
            if answer.ok:
                self._revision = max(self._revision, answer.result.get("revision", 0))

    def finals(self) -> Script:
        """The balances, and how they came about."""
        yield Call("list", ACCOUNT)
        yield Call("log", PREFIX)

    def check(self, events: Sequence[Event]) -> list[Finding]:
        return [check_replay(events, PREFIX), check_bank(events)]

    def _choose(self, chance: Random) -> Call:
        (kind,) = chance.choices(tuple(CHOICES), tuple(CHOICES.values()))
        if kind == "transfer":
            payer, payee = chance.sample(range(ACCOUNTS), 2)
            name = f"{TRANSFER}{next(self._transfers):06d}"
            money = chance.randint(1, MOST)
            return Call("txn", PREFIX, transfer(name, payer, payee, money))
        if kind == "txn":
            return Call("txn", PREFIX, {"then": [["get", account(n)] for n in range(ACCOUNTS)]})
        if kind == "past" and self._revision:
            return Call("list", ACCOUNT, {"revision": self._revision})
        return Call("list", ACCOUNT)


def account(place: int) -> str:
    """The key of an account."""
    return f"{ACCOUNT}{place}"


def transfer(name: str, payer: int, payee: int, money: int) -> dict[str, Any]:
    """A transaction whose `name` is a key of its own: done twice, it would be written twice."""
    return {
        "when": [["number", account(payer), ">=", money]],
        "then": [
            ["add", account(payer), -money],
            ["add", account(payee), money],
            ["put", name, f"{payer} {payee} {money}"],
        ],
    }
