"""Daily jobs, work queues and partitions while the leader is cut off and another is killed."""

import asyncio
from collections import Counter, defaultdict
from random import Random

import pytest

from kvraft_chaos.leader_faults import told, values
from kvraft_client import LeaseLost, LockLost, OutcomeUnknown, Unavailable, actions, operations
from kvraft_client.clock import boot_time
from kvraft_client.conditions import exists
from kvraft_client.recipes import AsyncDailyJob, AsyncPartitions, AsyncWorkQueue

pytestmark = pytest.mark.long

# -- a daily job


class Nights:
    """Two nights a second, and all workers offer to do the job; some runs raise half way."""

    def __init__(self, prefix):
        self.prefix, self.begun, self.failed, self.ran = prefix, boot_time(), set(), Counter()

    def night(self):
        return int((boot_time() - self.begun) * 2)

    async def offer(self, kv, _number, stop):
        while not stop.is_set() or len(self.ran) < 3 or not sum(self.ran.values()):
            night = self.night()
            try:
                self.ran[night] += await told(self.job(kv).run, f"{night}", self.work(kv))
            except (LookupError, LockLost):
                continue
            await asyncio.sleep(0.01)

    def job(self, kv):
        return AsyncDailyJob(kv, self.prefix, ttl=2.0, retry=True)

    def work(self, kv):
        async def work(run):
            """Note the token at the beginning and at the end, with what is done for the night."""
            token = operations.update(f"{self.prefix}/tokens", actions.append(f"{run.lock.token},"))
            await told(kv.txn, then=[token], fence=run)
            await asyncio.sleep(0.01)
            night = run.marker.decode().rsplit("/", 1)[1]
            if int(night) % 2 and night not in self.failed:
                self.failed.add(night)
                raise LookupError
            done = f"{self.prefix}/done/{night}"
            once = operations.txn(
                when=~exists(done),
                then=[operations.put(done, b""), operations.update(self.total, actions.add(1))],
            )
            await told(kv.txn, then=[token, once], fence=run)

        return work

    @property
    def total(self):
        return f"{self.prefix}/total"

    async def offer_naively(self, kv, number, meeting):
        """Whoever finds no marker does the job."""
        if await kv.get(f"{self.prefix}/done/0") is None:
            for _ in range(2):
                await kv.update(f"{self.prefix}/tokens", actions.append(f"{number + 1},"))
                await meeting.wait()
            await kv.put(f"{self.prefix}/done/0", b"")
            await kv.update(self.total, actions.add(1))

    async def audit(self, kv):
        """Do what was left; then each night was done once, and no two were at work at a time."""
        for night in range(max(self.ran, default=-1) + 1):
            self.failed.add(f"{night}")
            await self.job(kv).run(f"{night}", self.work(kv))
        done = await values(kv, f"{self.prefix}/done/")
        tokens = (await kv.get(f"{self.prefix}/tokens")).value.decode().split(",")[:-1]
        found = [] if int((await kv.get(self.total)).value) == len(done) else ["twice"]
        found += sorted({str(night) for night in self.ran} - done.keys())
        return found if tokens == sorted(tokens, key=int) else [*found, tokens]


@pytest.mark.smoke
def test_a_daily_job_is_done_once_a_day(recipes, progress):
    nights = Nights("nightly")
    assert recipes.audited(nights.offer, nights.audit) == []
    done = sum(nights.ran.values())
    progress(f"{len(nights.ran)} nights, {done} of them done at once")
    assert len(nights.ran) >= 3
    assert done >= 1

    naive = Nights("naive-nightly")
    recipes.convict(naive.offer_naively, naive.audit)


# -- a work queue

KEYS = ("ann", "bob", "cyd")


class Queue:
    """Two workers add items by number, the others do them: each is appended to its key's log."""

    def __init__(self, prefix):
        self.prefix, self.added, self.at_work, self.overlaps = prefix, Counter(), Counter(), 0

    async def run(self, kv, number, stop):
        queue = AsyncWorkQueue(kv, f"{self.prefix}/items", ttl=2.0)
        while not stop.is_set() or min(self.added[key] for key in KEYS) < 10:
            if number < len(KEYS):
                key = KEYS[number]
                made = self.added[key]
                await told(queue.add, key, b"%d," % made, f"{made}")
                self.added[key] += 1
                await asyncio.sleep(0.03)
            else:
                await told(queue.work, self.handle)

    async def handle(self, key, body):
        self.at_work[key] += 1
        self.overlaps += self.at_work[key] > 1
        await asyncio.sleep(0.005)
        self.at_work[key] -= 1
        return [operations.update(f"{self.prefix}/done/{key}", actions.append(body))]

    async def run_naively(self, kv, number, meeting):
        """All at once, each with what it saw."""
        if number == 0:
            for each in range(4):
                await kv.put(f"{self.prefix}/items/ann/{each}", b"%d," % each)
                self.added["ann"] += 1
        await meeting.wait()
        for body in (await values(kv, f"{self.prefix}/items/ann/")).values():
            await kv.update(f"{self.prefix}/done/ann", actions.append(body))

    async def audit(self, kv):
        """Every item is in its key's log, once, in order. What is left is done now."""
        await AsyncWorkQueue(kv, f"{self.prefix}/items", ttl=2.0).work(self.handle)
        logs = await values(kv, f"{self.prefix}/done/")
        wanted = {key: "".join(f"{n}," for n in range(count)) for key, count in self.added.items()}
        return [] if logs == wanted else [logs]


def test_items_of_a_key_are_done_in_order_and_once(recipes, progress):
    queue = Queue("queue")
    assert recipes.audited(queue.run, queue.audit) == []
    progress(f"{dict(queue.added)} items")
    assert min(queue.added[key] for key in KEYS) >= 10
    assert queue.overlaps == 0

    naive = Queue("naive-queue")
    recipes.convict(naive.run_naively, naive.audit)


# -- partitions

PARTITIONS = 8


class Shards:
    """Members come and go; each writes its token and its name to what it owns, as a sequence."""

    def __init__(self, prefix):
        self.prefix, self.written, self.refused, self.joined = prefix, defaultdict(list), 0, 0

    async def own(self, kv, number, stop):
        random = Random(number)
        while not stop.is_set() or self.owners() <= PARTITIONS:
            self.joined += 1
            try:
                async with AsyncPartitions(kv, self.prefix, PARTITIONS, ttl=2.0) as shards:
                    while not stop.is_set() and random.random() > 0.05:
                        for part, lock in (await told(shards.rebalance)).items():
                            await self.write(kv, part, lock)
                        await asyncio.sleep(0.02)
            except (LeaseLost, LockLost, Unavailable, OutcomeUnknown):
                self.refused += 1

    def owners(self):
        return sum(len(set(tokens)) for tokens in self.written.values())

    async def write(self, kv, part, lock):
        """Append the token; the store has it once if it says so."""
        tokens = f"{self.prefix}/tokens/{part}"
        await told(kv.update, tokens, actions.append(f"{lock.token},"), fence=lock)
        self.written[part].append(lock.token)

    async def own_naively(self, kv, number, meeting):
        """Whoever finds no owner is the owner; the tokens are made up, and nobody checks."""
        owner = f"{self.prefix}/owner"
        if await kv.get(owner) is None:
            await meeting.wait()
            await kv.put(owner, str(number))
            for token in (9, number):
                await kv.update(f"{self.prefix}/tokens/0", actions.append(f"{token},"))

    async def audit(self, kv):
        """Tokens of a partition never go back: nobody wrote after the next owner did."""
        found = []
        for part, text in (await values(kv, f"{self.prefix}/tokens/")).items():
            tokens = [int(each) for each in text.split(",")[:-1]]
            if tokens != sorted(tokens) or Counter(self.written[int(part)]) - Counter(tokens):
                found.append((part, tokens))
        left = [lock.name async for lock in kv.list_locks(f"{self.prefix}/")]
        return found + left


def test_a_partition_has_one_owner_at_a_time(recipes, progress):
    shards = Shards("shards")
    assert recipes.audited(shards.own, shards.audit, workers=4) == []
    progress(f"{shards.owners()} ownerships, {shards.joined} members, {shards.refused} refused")
    assert shards.owners() > PARTITIONS
    assert len(shards.written) == PARTITIONS

    naive = Shards("naive-shards")
    recipes.convict(naive.own_naively, naive.audit)
