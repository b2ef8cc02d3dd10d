"""Seats, accounts and quotas while the leader is cut off and another is killed.

What a worker is not told it asks again, with the same words: so each test is one of retries too.
A naive form of each is seen to break the same invariant, without any fault.
"""

from collections import Counter
from random import Random

import pytest

from kvraft_chaos.leader_faults import told, values
from kvraft_client import actions
from kvraft_client.recipes import AsyncAccounts, AsyncQuota, AsyncSeats

pytestmark = pytest.mark.long

WORKERS = 6

# -- the last seat

SEATS = 5


class SeatSales:
    """A show a round, for which all workers try to seat two guests each."""

    def __init__(self, prefix):
        self.prefix, self.seated, self.refused, self.rounds = prefix, Counter(), 0, 0

    async def sell(self, kv, number, stop):
        show = 0
        while not stop.is_set() or show < 5:
            seats = AsyncSeats(kv, f"{self.prefix}/{show}")
            await told(seats.open, SEATS)
            for guest in (f"{number}-a", f"{number}-b"):
                answers = [await told(seats.take, guest) for _ in range(2)]
                assert answers[0] or not answers[1]
                self.seated[show] += answers[1]
                self.refused += not answers[1]
            show += 1
            self.rounds = max(self.rounds, show)

    async def sell_naively(self, kv, number, meeting):
        free = f"{self.prefix}/0/free"
        await kv.update(free, actions.set_if_absent(str(SEATS)))
        self.rounds = 1
        left = int((await kv.get(free)).value)
        await meeting.wait()
        if left > 0:
            await kv.put(free, str(left - 1))
            await kv.put(f"{self.prefix}/0/guests/{number}", b"")
            self.seated[0] += 1

    async def audit(self, kv):
        found = []
        for show in range(self.rounds):
            guests = await values(kv, f"{self.prefix}/{show}/guests/")
            left = int((await kv.get(f"{self.prefix}/{show}/free")).value)
            if not left == SEATS - len(guests) >= 0 or len(guests) != self.seated[show]:
                found.append((show, left, len(guests), self.seated[show]))
        return found


@pytest.mark.smoke
def test_the_last_seat_is_sold_once(recipes, progress):
    sales = SeatSales("shows")
    assert recipes.audited(sales.sell, sales.audit) == []
    progress(f"{sales.rounds} shows, {sales.refused} guests turned away")
    assert sales.rounds >= 5
    assert sales.refused >= sales.rounds

    naive = SeatSales("naive-shows")
    recipes.convict(naive.sell_naively, naive.audit, workers=SEATS + 3)


# -- transfers

PEOPLE = ("ann", "bob", "cyd", "dan")


class Bank:
    """Transfers in all directions at once, each asked for twice."""

    def __init__(self, prefix):
        self.prefix, self.done, self.poor = prefix, {}, 0

    async def pay(self, kv, number, stop):
        accounts, random = AsyncAccounts(kv, self.prefix), Random(number)
        for name in PEOPLE:
            await told(accounts.open, name, 100)
        made = 0
        while not stop.is_set() or len(self.done) < 30 or not self.poor:
            made += 1
            payer, payee = random.sample(PEOPLE, 2)
            ticket, amount = f"{number}-{made}", random.randint(1, 90)
            for _ in range(2):
                paid = await told(
                    accounts.transfer, ticket, payer=payer, payee=payee, amount=amount
                )
                if paid:
                    self.done[ticket] = (payer, payee, amount)
            self.poor += not paid

    async def pay_naively(self, kv, number, meeting):
        for name in PEOPLE:
            await kv.update(f"{self.prefix}/balances/{name}", actions.set_if_absent("100"))
        payer, payee = Random(number).sample(PEOPLE, 2)
        key = f"{self.prefix}/balances/"
        has, had = [int((await kv.get(key + each)).value) for each in (payer, payee)]
        await meeting.wait()
        await kv.put(key + payer, str(has - 60))
        await kv.put(key + payee, str(had + 60))
        self.done[str(number)] = (payer, payee, 60)
        await kv.put(f"{self.prefix}/transfers/{number}", b"")

    async def audit(self, kv):
        expected = dict.fromkeys(PEOPLE, 100)
        for payer, payee, amount in self.done.values():
            expected[payer] -= amount
            expected[payee] += amount
        balances = {k: int(v) for k, v in (await values(kv, f"{self.prefix}/balances/")).items()}
        recorded = set(await values(kv, f"{self.prefix}/transfers/"))
        found = [] if balances == expected else [(balances, expected)]
        found += [name for name, balance in balances.items() if balance < 0]
        return found + sorted(recorded ^ self.done.keys())


def test_transfers_keep_the_sum(recipes, progress):
    bank = Bank("bank")
    assert recipes.audited(bank.pay, bank.audit) == []
    progress(f"{len(bank.done)} transfers, {bank.poor} refused for want of money")
    assert len(bank.done) >= 30
    assert bank.poor > 0

    naive = Bank("naive-bank")
    recipes.convict(naive.pay_naively, naive.audit)


# -- quotas in regions

TOTAL = 2_000
REGIONS = ("eu", "us", "ap")


class Budget:
    """Regions spend one total until it is gone, and give some of it back now and then."""

    def __init__(self, prefix):
        self.prefix, self.spent, self.refused = prefix, Counter(), 0

    async def spend(self, kv, number, stop):
        random, region = Random(number), REGIONS[number % len(REGIONS)]
        quota = AsyncQuota(kv, self.prefix, region, chunk=50)
        await told(quota.open, TOTAL)
        made = 0
        while not stop.is_set() or sum(self.spent.values()) < TOTAL / 10:
            made += 1
            amount, request = random.randint(1, 7), f"{number}-{made}"
            answers = [await told(quota.spend, amount, request=request) for _ in range(2)]
            assert answers[0] == answers[1]
            self.spent[region] += amount * answers[0]
            self.refused += not answers[0]
            if made % 20 == 0:
                await told(quota.give_back, 5)

    async def spend_naively(self, kv, number, meeting):
        pool, region = f"{self.prefix}/pool", REGIONS[number % len(REGIONS)]
        await kv.update(pool, actions.set_if_absent(str(TOTAL)))
        left = int((await kv.get(pool)).value)
        await meeting.wait()
        await kv.put(pool, str(left - 7))
        await kv.update(f"{self.prefix}/spent/{region}", actions.add(7))
        self.spent[region] += 7

    async def audit(self, kv):
        parts = {key: int(value) for key, value in (await values(kv, f"{self.prefix}/")).items()}
        spent = {region: parts.get(f"spent/{region}", 0) for region in REGIONS}
        found = [(name, part) for name, part in parts.items() if part < 0]
        if sum(parts.values()) != TOTAL or spent != {each: self.spent[each] for each in REGIONS}:
            found.append((parts, self.spent))
        return found


def test_regions_never_spend_more_than_the_total(recipes, progress):
    budget = Budget("budget")
    assert recipes.audited(budget.spend, budget.audit) == []
    progress(f"spent {dict(budget.spent)}, {budget.refused} refused")
    assert sum(budget.spent.values()) >= TOTAL / 10

    naive = Budget("naive-budget")
    recipes.convict(naive.spend_naively, naive.audit)
