# Generated from _async/quota.py by scripts/generate_sync_client.py: do not edit.
"""A quota in regions: each spends from its own share, and draws on a common pool in chunks."""

from kvraft_client import actions, operations
from kvraft_client._sync.client import Client
from kvraft_client.conditions import number
from kvraft_client.errors import InvalidRequest


class Quota:
    """One region's view of a quota below `prefix`: `PREFIX/pool`, `PREFIX/shares/REGION` and
    `PREFIX/spent/REGION`, whose sum is always the total.

    No region can spend what another one has drawn, and all of them never more than the total.
    """

    def __init__(self, kv: Client, prefix: str, region: str, *, chunk: int) -> None:
        """Use the quota below `prefix`; a share that is used up draws `chunk` from the pool."""
        if chunk < 1:
            raise InvalidRequest(f"chunk must be at least 1, not {chunk}")
        self._kv = kv
        self._chunk = chunk
        self._pool = f"{prefix}/pool"
        self._share, self._spent = f"{prefix}/shares/{region}", f"{prefix}/spent/{region}"

    def open(self, total: int) -> bool:
        """Set the total, once for all regions; False: it was set already, and nothing changed."""
        return (self._kv.update(self._pool, actions.set_if_absent(str(total)))).applied

    def spend(self, amount: int, *, request: str | None = None) -> bool:
        """Spend from the share, else from the pool; False: neither has so much.

        `request` makes it safe to ask again after a crash, for ten minutes, with the same amount.
        """
        if amount < 1:
            raise InvalidRequest(f"an amount is at least 1, not {amount}")
        for draw in sorted({max(self._chunk, amount), amount}, reverse=True):
            key = None if request is None else f"{self._spent}/{request}/{draw}"
            if self._spend(amount, draw, key):
                return True
        return False

    def _spend(self, amount: int, draw: int, key: str | None) -> bool:
        spent = operations.update(self._spent, actions.add(amount))
        from_pool = operations.txn(
            when=number(self._pool) >= draw,
            then=[
                operations.update(self._pool, actions.add(-draw)),
                operations.update(self._share, actions.add(draw - amount)),
                spent,
            ],
        )
        done = self._kv.txn(
            when=number(self._share) >= amount,
            then=[operations.update(self._share, actions.add(-amount)), spent],
            orelse=[from_pool],
            idempotency_key=key,
        )
        return done.succeeded or bool(done.results[0])

    def give_back(self, amount: int) -> bool:
        """Move that much of this region's share back to the pool; False: it has less."""
        if amount < 1:
            raise InvalidRequest(f"an amount is at least 1, not {amount}")
        done = self._kv.txn(
            when=number(self._share) >= amount,
            then=[
                operations.update(self._share, actions.add(-amount)),
                operations.update(self._pool, actions.add(amount)),
            ],
        )
        return done.succeeded
