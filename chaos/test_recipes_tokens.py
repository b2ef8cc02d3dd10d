"""Pre-minted tokens while the leader is cut off and another is killed.

Last of the recipes: a node that starts again has all of it to replay.
"""

from collections import Counter

import pytest

from kvraft_chaos.leader_faults import told, values
from kvraft_client.recipes import AsyncTokenPool

pytestmark = pytest.mark.long

WORKERS = 6
MINTED = 10_000
ORDER_TOKENS = 50


class Sale:
    """Every token is sold, to orders that ask twice."""

    def __init__(self, prefix):
        self.prefix, self.sold, self.sold_out = prefix, {}, 0

    async def mint(self, kv, number, _stop):
        pool = AsyncTokenPool(kv, self.prefix)
        share = [f"T{each:05d}" for each in range(number, MINTED, WORKERS)]
        await pool.mint(share)

    async def sell(self, kv, number, _stop):
        pool = AsyncTokenPool(kv, self.prefix)
        await told(pool.mint, [f"T{each:05d}" for each in range(50)])  # again: some are sold
        made = 0
        while True:
            made += 1
            order = f"{number}-{made}"
            tokens = await told(pool.take, order, ORDER_TOKENS)
            if tokens:
                if made % 5 == 0:
                    assert await told(pool.take, order, ORDER_TOKENS) == tokens
                self.sold[order] = tokens
            else:
                self.sold_out += 1
                return

    async def sell_naively(self, kv, number, meeting):
        free = f"{self.prefix}/free/00/"
        await kv.put(f"{free}T{number}", b"")
        token = min(await values(kv, free))
        await meeting.wait()
        await kv.delete(free + token)
        self.sold[str(number)] = (token,)

    async def audit(self, kv):
        """Each token is free, or in one order; the store knows the same orders as their buyers."""
        free = [key.split("/")[1] for key in await values(kv, f"{self.prefix}/free/")]
        sold = [token for tokens in self.sold.values() for token in tokens]
        found = [token for token, times in Counter(free + sold).items() if times != 1]
        by_order = {t: order for order, tokens in self.sold.items() for t in tokens}
        if await values(kv, f"{self.prefix}/sold/") != by_order:
            found.append("the store has other orders")
        return found


def test_ten_thousand_tokens_are_sold_once(recipes, progress):
    sale = Sale("vouchers")
    recipes.undisturbed(sale.mint, workers=WORKERS)
    assert recipes.audited(sale.sell, sale.audit) == []
    progress(f"{len(sale.sold)} orders of {ORDER_TOKENS}")
    assert sum(map(len, sale.sold.values())) == MINTED

    naive = Sale("naive-vouchers")
    recipes.convict(naive.sell_naively, naive.audit)
