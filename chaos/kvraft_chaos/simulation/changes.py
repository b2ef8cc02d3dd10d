"""Updates, transactions and conditions of one simulated client: what it draws, and on which keys.

Each family of keys has a law of its own, that the checks hold against: accounts keep their sum
(`past`), counters, words and the highest number add up (`tallies`), and plain keys are registers.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from kvraft.core.actions import Action, ActionKind
from kvraft.core.commands import (
    Delete,
    Get,
    GetRange,
    Mutation,
    Operation,
    Put,
    SetInvariant,
    Txn,
    Update,
)
from kvraft.core.conditions import All, AnyOf, Clause, Condition, Not, Operator, Target
from kvraft.core.results import KeyValue
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.past import ACCOUNTS, BANK, DEPOSIT
from kvraft_chaos.simulation.tallies import COUNTERS, DOCUMENT, HIGHEST, WORDS

KEYS = tuple(f"k{number:02}".encode() for number in range(12))
FIRSTS = tuple(f"b/{number}".encode() for number in range(8))
"""Written by whoever comes first; immutable from then on."""
AMOUNT = 60
"""At most, of a transfer: more than half of an account, so that many are refused."""

Send = Callable[[Mutation, Condition | None], Awaitable[object]]


class Numbers(Protocol):
    """Every written value is a number that nobody wrote before."""

    def next(self) -> bytes:
        """Return the next value."""
        ...


class Changes:
    """What the workload draws beyond single keys."""

    def __init__(
        self, chance: Chance, numbers: Numbers, seen: Mapping[bytes, KeyValue | None], send: Send
    ) -> None:
        """`seen`: the newest entries that the client knows."""
        self._chance = chance
        self._numbers = numbers
        self._seen = seen
        self._send = send
        self._is_open = False
        """The bank: nobody moves money before that, or more than there is could be taken."""

    async def open_bank(self) -> None:
        """Fund the accounts, where nobody has, and say what must hold of them."""
        nobody = Clause(ACCOUNTS[0], Target.EXISTS, Operator.EQ, (False,))
        deposits = tuple(Put(key, str(DEPOSIT).encode()) for key in ACCOUNTS)
        funded = await self._send(Txn(nobody, deposits), None)
        self._is_open = await self.invariant() and funded is not None

    async def invariant(self) -> bool:
        """Nobody owes; what was first stays."""
        told = await self._send(SetInvariant(BANK, is_prefix=True, minimum=0), None)
        await self._send(SetInvariant(b"b/", is_prefix=True, immutable=True), None)
        return told is not None

    # -- updates

    async def count(self) -> None:
        """Add one."""
        key = self._chance.pick(COUNTERS)
        condition = None
        if self._chance.happens(0.3):
            bound = self._chance.below(40)
            condition = Clause(key, Target.NUMBER, Operator.GE, (bound,))
        await self._send(Update(key, (Action(ActionKind.ADD, 1),)), condition)

    async def append(self) -> None:
        """Add a word that nobody else adds."""
        word = b";" + self._numbers.next()
        await self._send(Update(WORDS, (Action(ActionKind.APPEND, word),)), None)

    async def edit_json(self) -> None:
        """Add one inside of a document, and say who did."""
        number = self._numbers.next()
        actions = (
            Action(ActionKind.JSON_ADD, 1, "/sum"),
            Action(ActionKind.JSON_SET, number, "/last"),
        )
        await self._send(Update(DOCUMENT, actions), None)

    async def be_first(self) -> None:
        """Write what is never written again."""
        key, value = self._chance.pick(FIRSTS), self._numbers.next()
        if self._chance.happens(0.5):
            await self._send(Update(key, (Action(ActionKind.SET_IF_ABSENT, value),)), None)
        else:
            await self._send(Put(key, value), None)

    async def highest(self) -> None:
        """Keep the highest number."""
        number = int(self._numbers.next())
        await self._send(Update(HIGHEST, (Action(ActionKind.MAX, number),)), None)

    # -- conditions

    async def put_if(self) -> None:
        """Write a key under a condition on it and others."""
        key = self._chance.pick(KEYS)
        await self._send(Put(key, self._numbers.next()), self._condition(key))

    async def delete_if(self) -> None:
        """Delete a key under a condition."""
        key = self._chance.pick(KEYS)
        await self._send(Delete(key), self._condition(key))

    def _condition(self, key: bytes) -> Condition:
        chance = self._chance
        clause = self._clause(key)
        match chance.below(5):
            case 0:
                return All((clause, self._clause(chance.pick(KEYS))))
            case 1:
                return AnyOf((clause, self._clause(chance.pick(KEYS))))
            case 2:
                return Not(clause)
            case _:
                return clause

    def _clause(self, key: bytes) -> Clause:
        seen, chance = self._seen.get(key), self._chance
        if seen is None:
            return Clause(key, Target.EXISTS, Operator.EQ, (False,))
        match chance.below(4):
            case 0:
                return Clause(key, Target.VALUE, Operator.EQ, (seen.value,))
            case 1:
                return Clause(key, Target.VERSION, Operator.EQ, (seen.version,))
            case 2:
                return Clause(b"k", Target.COUNT, Operator.LT, (chance.below(len(KEYS)),))
            case _:
                return Clause(key, Target.MOD_REVISION, Operator.EQ, (seen.mod_revision,))

    # -- transactions

    async def transfer(self) -> None:
        """Move money; where the source has too little, the condition or the invariant says so."""
        if not self._is_open:
            await self.open_bank()
            return
        chance = self._chance
        source, target = chance.sample(ACCOUNTS, 2)
        amount = 1 + chance.below(AMOUNT)
        take = Update(source, (Action(ActionKind.ADD, -amount),))
        give = Update(target, (Action(ActionKind.ADD, amount),))
        enough = Clause(source, Target.NUMBER, Operator.GE, (amount,))
        moves: tuple[Operation, ...] = (take, give, Get(target))
        match chance.below(4):
            case 0:
                txn = Txn(None, (Txn(enough, moves, (Get(source),)),))
            case 1:
                txn = Txn(None, (give, take, Get(source)))  # the second one may be refused
            case _:
                txn = Txn(enough, moves, (Get(source), Get(target)))
        await self._send(txn, None)

    async def write_two(self) -> None:
        """Write two keys at one revision, and read them there."""
        one, other = self._chance.sample(KEYS, 2)
        writes = (
            Put(one, self._numbers.next()),
            Put(other, self._numbers.next()),
            Get(one),
            GetRange(KEYS[0], None, 3),
        )
        await self._send(Txn(self._condition(one), writes, (Get(one), Get(other))), None)
