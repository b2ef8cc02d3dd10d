# Generated from _async/rate_limiter.py by scripts/generate_sync_client.py: do not edit.
"""A rate limit that holds over all processes: exact, or leased in batches."""

from uuid import uuid4

from kvraft_client import operations
from kvraft_client._sync.client import Client
from kvraft_client._backends import threads as backend
from kvraft_client.clock import boot_time
from kvraft_client.conditions import count
from kvraft_client.errors import InvalidRequest

BATCH_MAX = 200
"""Permits of one command, which takes 256 operations at most."""
CLOCK_MARGIN = 0.02
"""Of `spend_within`, given up: this clock and the store's may differ by 1 % each."""


class RateLimiter:
    """At most `limit` permits in any `window` seconds, over all that use the same prefix.

    Each permit is a key below `PREFIX/` that ends with the window: their number decides, so the
    window slides. With `batch` > 1 so many are taken at a time and spent here without a call,
    within `spend_within` seconds; they count for so much longer, so that the limit holds still.
    """

    def __init__(
        self,
        kv: Client,
        prefix: str,
        *,
        limit: int,
        window: float,
        batch: int = 1,
        spend_within: float = 1.0,
    ) -> None:
        """Use the limit below `prefix`: all processes must give the same `limit` and `window`."""
        if not 1 <= batch <= min(limit, BATCH_MAX):
            raise InvalidRequest(f"batch must be 1 to {min(limit, BATCH_MAX)}, not {batch}")
        self._kv = kv
        self._permits = f"{prefix}/"
        self._limit, self._batch = limit, batch
        self._ttl = window + (spend_within if batch > 1 else 0.0)
        self._spend_within = spend_within * (1 - CLOCK_MARGIN)
        self._lock = backend.Lock()
        self._left, self._until = 0, 0.0

    def take(self) -> bool:
        """Take one permit; False: none is left now."""
        with self._lock:
            if self._left and boot_time() < self._until:
                self._left -= 1
                return True
        asked = boot_time()
        got = self._lease()
        if got == 0 or self._batch == 1:
            return got > 0
        with self._lock:
            until = asked + self._spend_within
            if boot_time() >= until:
                return False  # the answer was so long on its way that others may have more
            if not self._left or boot_time() >= self._until:
                self._left, self._until = 0, until
            self._left += got - 1  # until the time of the oldest
        return True

    def _lease(self) -> int:
        """Take a batch, else one; return how many they are."""
        name = self._permits + uuid4().hex
        batch = [
            operations.put(f"{name}-{number}", b"", ttl=self._ttl) for number in range(self._batch)
        ]
        done = self._kv.txn(
            when=count(self._permits) <= self._limit - self._batch,
            then=batch,
            orelse=[operations.txn(when=count(self._permits) < self._limit, then=batch[:1])],
        )
        return self._batch if done.succeeded else int(bool(done.results[0]))
