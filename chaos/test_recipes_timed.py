"""Reservations and rate limits while the leader is cut off and another is killed.

Judged by the store's own history, revision by revision, and by what the workers were told.
"""

import asyncio
from collections import Counter
from random import Random

import pytest

from kvraft_chaos.leader_faults import told, values
from kvraft_client import OutcomeUnknown, Unavailable
from kvraft_client.clock import boot_time
from kvraft_client.recipes import AsyncRateLimiter, AsyncReservations

pytestmark = pytest.mark.long


async def most_at_a_time(kv, prefix):
    """By the first part of the key below the prefix: how many keys ever stood at one revision."""
    last = (await kv.put(f"{prefix}~", b"")).mod_revision
    standing, most = set(), Counter()
    async with kv.watch(range=(prefix, f"{prefix}~~"), start_revision=1) as watch:
        async for event in watch:
            if event.revision >= last:
                break
            group = event.key.decode().removeprefix(prefix).split("/")[0]
            (standing.add if event.type == "put" else standing.discard)((group, event.key))
            now = sum(each[0] == group for each in standing)
            most[group] = max(most[group], now)
    return most


# -- reservations

ROOMS = 4


class Hotel:
    """Nights with too few rooms; guests confirm, cancel, come late, or are not heard of again."""

    def __init__(self, prefix):
        self.prefix, self.confirmed, self.too_late, self.full = prefix, set(), 0, 0

    async def book(self, kv, number, stop):
        random, night = Random(number), 0
        while not stop.is_set() or len(self.confirmed) < 20 or not (self.too_late and self.full):
            night += 1
            rooms = AsyncReservations(kv, f"{self.prefix}/{night}", ROOMS)
            if not await told(rooms.hold, f"{number}", 1.0):
                self.full += 1
                continue
            fate = random.choice(("confirm", "confirm", "confirm", "cancel", "forget", "dawdle"))
            if fate == "cancel":
                await told(rooms.cancel, f"{number}")
            if fate == "dawdle":
                await asyncio.sleep(1.3)
            if fate in ("confirm", "dawdle"):
                if await told(rooms.confirm, f"{number}"):
                    self.confirmed.add(f"{night}/{number}")
                else:
                    self.too_late += 1

    async def book_naively(self, kv, number, meeting):
        taken = len(await values(kv, f"{self.prefix}/1/"))
        await meeting.wait()
        if taken < ROOMS:
            await kv.put(f"{self.prefix}/1/{number}", b"confirmed")
            self.confirmed.add(f"1/{number}")

    async def audit(self, kv):
        """At no revision more orders than rooms; in the end those that were told, and no hold."""
        deadline = boot_time() + 5.0
        while "held" in (left := await values(kv, f"{self.prefix}/")).values():
            assert boot_time() < deadline, "a hold did not end"
            await asyncio.sleep(0.1)
        most = await most_at_a_time(kv, f"{self.prefix}/")
        found = [(night, orders) for night, orders in most.items() if orders > ROOMS]
        return found + sorted(left.keys() ^ self.confirmed)


def test_no_night_is_booked_twice(recipes, progress):
    hotel = Hotel("hotel")
    assert recipes.audited(hotel.book, hotel.audit) == []
    progress(f"{len(hotel.confirmed)} confirmed, {hotel.too_late} too late, {hotel.full} full")
    assert len(hotel.confirmed) >= 20
    assert hotel.too_late > 0
    assert hotel.full > 0

    naive = Hotel("naive-hotel")
    recipes.convict(naive.book_naively, naive.audit)


# -- rate limits

LIMIT, WINDOW_S = 20, 1.0


class Calls:
    """Workers that make as many calls as they are let; each is noted with when it was asked for
    and when it was answered: it was made in between.
    """

    def __init__(self, prefix, batch):
        self.prefix, self.batch, self.made, self.refused, self.lost = prefix, batch, [], 0, 0
        self.turns = (asyncio.Event(), asyncio.Event())

    async def call(self, kv, _number, stop):
        limiter = AsyncRateLimiter(
            kv, self.prefix, limit=LIMIT, window=WINDOW_S, batch=self.batch, spend_within=0.5
        )
        while not stop.is_set() or len(self.made) <= 2 * LIMIT:
            asked = boot_time()
            try:
                allowed = await limiter.take()
            except (OutcomeUnknown, Unavailable):
                self.lost += 1  # perhaps taken, certainly not used
                continue
            if allowed:
                self.made.append((asked, boot_time()))
            else:
                self.refused += 1
                await asyncio.sleep(0.05)

    async def hoard(self, kv, number, _stop):
        """One takes a batch and spends it as late as it may; then another one takes what it can."""
        limiter = AsyncRateLimiter(
            kv, self.prefix, limit=LIMIT, window=WINDOW_S, batch=LIMIT, spend_within=0.6
        )
        if number == 0:
            while not await limiter.take():
                self.refused += 1
            await asyncio.sleep(0.45)
        else:
            await asyncio.sleep(WINDOW_S + 0.1)
        deadline = boot_time() + 0.3
        while boot_time() < deadline:
            await self.call_once(limiter.take)

    async def call_once(self, allowed):
        asked = boot_time()
        if await allowed():
            self.made.append((asked, boot_time()))
        else:
            self.refused += 1

    async def hoard_naively(self, kv, number, _stop):
        """The same with exact permits, which are meant to be used at once: kept for too long."""
        limiter = AsyncRateLimiter(kv, self.prefix, limit=LIMIT, window=WINDOW_S)
        mine, others = self.turns[number], self.turns[1 - number]
        if number == 1:
            await others.wait()
        taken = 0
        while taken < LIMIT:
            taken += await limiter.take()
        mine.set()
        await others.wait()
        self.made += [(boot_time(), boot_time())] * taken

    async def call_naively(self, kv, number, meeting):
        for each in range(2 * LIMIT // 6):
            asked, used = boot_time(), len(await values(kv, f"{self.prefix}/"))
            await meeting.wait()
            if used < LIMIT:
                await kv.put(f"{self.prefix}/{number}-{each}", b"", ttl=WINDOW_S)
                self.made.append((asked, boot_time()))

    async def audit(self, kv):
        """In no window more calls than the limit, and never more permits in the store."""
        found = []
        for begin, _ in self.made:
            inside = sum(begin <= a and b <= begin + WINDOW_S for a, b in self.made)
            if inside > LIMIT:
                found.append(inside)
        permits = (await most_at_a_time(kv, "limits/"))[self.prefix.removeprefix("limits/")]
        return found + ([permits] if permits > LIMIT and self.batch == 1 else [])


def test_an_exact_limit_holds_in_every_window(recipes, progress):
    calls = Calls("limits/exact", 1)
    assert recipes.audited(calls.call, calls.audit) == []
    progress(f"{len(calls.made)} calls, {calls.refused} refused, {calls.lost} lost")
    assert calls.refused > 0

    naive = Calls("limits/naive", 1)
    recipes.convict(naive.call_naively, naive.audit)


def test_a_limit_leased_in_batches_holds_in_every_window(recipes, progress):
    calls = Calls("limits/leased", 5)
    assert recipes.audited(calls.call, calls.audit) == []
    progress(f"{len(calls.made)} calls, {calls.refused} refused, {calls.lost} lost")
    assert calls.refused > 0


def test_a_batch_that_is_spent_late_stays_within_the_limit(recipes):
    careful, naive = Calls("limits/careful", LIMIT), Calls("limits/careless", LIMIT)
    recipes.undisturbed(careful.hoard, workers=2)
    assert recipes.findings(careful.audit) == []
    assert careful.made
    recipes.convict(naive.hoard_naively, naive.audit, workers=2)
