"""Outboxes and sagas while the leader is cut off and another is killed."""

import asyncio
from collections import Counter
from random import Random

import pytest

from kvraft_chaos.leader_faults import told, values
from kvraft_client import actions, operations
from kvraft_client.conditions import number as number_of
from kvraft_client.recipes import Abort, AsyncOutbox, AsyncSaga, AsyncStep, Effect

pytestmark = pytest.mark.long

# -- an outbox


class Shop:
    """Orders that are written with a message each; two of the workers deliver."""

    def __init__(self, prefix):
        self.prefix, self.delivered = prefix, Counter()

    async def trade(self, kv, number, stop):
        outbox, made = AsyncOutbox(kv, f"{self.prefix}/outbox"), 0
        while not stop.is_set() or len(self.delivered) < 30:
            made += 1
            if number < 2:
                await self.deliver_all(outbox)
                continue
            name = f"{number}-{made}"
            order = operations.put(f"{self.prefix}/orders/{name}", b"")
            message = outbox.message(name.encode(), name)
            await told(kv.txn, then=[order, message], idempotency_key=f"{self.prefix}/{name}")
            await asyncio.sleep(0.03)

    async def deliver_all(self, outbox):
        for message in await told(outbox.pending):
            name = message.value.decode()
            self.delivered[name] += 1
            counted = operations.update(f"{self.prefix}/counted/{name}", actions.add(1))
            await told(outbox.settle, message, counted)

    async def trade_naively(self, kv, number, _meeting):
        """Die after the order, before its message."""
        await kv.put(f"{self.prefix}/orders/{number}", b"")

    async def audit(self, kv):
        """Every order's message was delivered, and had its effect in the store once."""
        await self.deliver_all(AsyncOutbox(kv, f"{self.prefix}/outbox"))
        orders = await values(kv, f"{self.prefix}/orders/")
        counted = await values(kv, f"{self.prefix}/counted/")
        found = sorted(orders.keys() ^ self.delivered.keys())
        return found + [name for name in orders if counted.get(name) != "1"]


def test_every_order_has_its_message_and_every_message_one_effect(recipes, progress):
    shop = Shop("shop")
    assert recipes.audited(shop.trade, shop.audit) == []
    again = sum(shop.delivered.values()) - len(shop.delivered)
    progress(f"{len(shop.delivered)} messages, {again} delivered again")
    assert len(shop.delivered) >= 30

    naive = Shop("naive-shop")
    recipes.convict(naive.trade_naively, naive.audit)


# -- sagas

STOCK, MONEY, PRICE = 1_000, 30_000, 100


class Trips:
    """Sagas of three steps whose runners die anywhere, and whose last step may be refused."""

    def __init__(self, prefix):
        self.prefix, self.known, self.died, self.outside = prefix, set(), 0, set()

    def steps(self, name):
        stock, money = f"{self.prefix}/stock", f"{self.prefix}/money"

        def counter(key, delta, least=None):
            async def step(_key):
                when = None if least is None else number_of(key) >= least
                return Effect([operations.update(key, actions.add(delta))], when)

            return step

        async def ship(key):
            await asyncio.sleep(0.02)
            if Random(name).random() < 0.4:
                raise Abort
            self.outside.add(key)
            return Effect([operations.put(f"{self.prefix}/shipped/{name}", b"")])

        async def nothing(_key):
            return Effect()

        return [
            AsyncStep(counter(stock, -1, least=1), counter(stock, 1)),
            AsyncStep(counter(money, -PRICE, least=PRICE), counter(money, PRICE)),
            AsyncStep(ship, nothing),
        ]

    def saga(self, kv, name):
        self.known.add(name)
        return AsyncSaga(kv, f"{self.prefix}/sagas/{name}", self.steps(name))

    async def open(self, kv):
        await told(kv.update, f"{self.prefix}/stock", actions.set_if_absent(str(STOCK)))
        await told(kv.update, f"{self.prefix}/money", actions.set_if_absent(str(MONEY)))

    async def travel(self, kv, number, stop):
        """Two workers at each saga; either may die on the way."""
        await self.open(kv)
        random, made = Random(number), 0
        while not stop.is_set() or made < 8 or self.died < 3:
            made += 1
            try:
                async with asyncio.timeout(random.choice((0.02, 0.05, 1.0))):
                    await told(self.saga(kv, f"{number // 2}-{made}").run)
            except TimeoutError:
                self.died += 1

    async def travel_naively(self, kv, _number, _meeting):
        """Die after the first step, with nothing written down."""
        await self.open(kv)
        await kv.update(f"{self.prefix}/stock", actions.add(-1))

    async def audit(self, kv):
        """Run what was left lying; then all steps of each saga are done, or none is."""
        names = sorted(self.known)
        runs = await asyncio.gather(*(told(self.saga(kv, name).run) for name in names))
        ends = dict(zip(names, runs, strict=True))
        self.done = sum(ends.values())
        shipped = await values(kv, f"{self.prefix}/shipped/")
        stock, money = [int((await kv.get(f"{self.prefix}/{k}")).value) for k in ("stock", "money")]
        found = sorted(shipped.keys() ^ {name for name, done in ends.items() if done})
        if (stock, money) != (STOCK - self.done, MONEY - PRICE * self.done):
            found.append((stock, money, self.done))
        if len(self.outside) != self.done:
            found.append("the outside saw other trips")
        return found


def test_a_saga_is_done_or_undone(recipes, progress):
    trips = Trips("trips")
    assert recipes.audited(trips.travel, trips.audit) == []
    progress(f"{trips.done} of {len(trips.known)} done, {trips.died} runners died")
    assert trips.done >= 5
    assert len(trips.known) - trips.done >= 3
    assert trips.died >= 3

    naive = Trips("naive-trips")
    recipes.convict(naive.travel_naively, naive.audit)
