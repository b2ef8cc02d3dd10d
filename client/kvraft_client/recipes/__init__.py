"""Recipes: what people build on the store, each small enough to be read, copied and changed.

Each stands in two forms, as the client does: `Seats(kv, ...)` for `Client`, `AsyncSeats(kv, ...)`
for `AsyncClient`. What each promises, and what not: docs/recipes of the source.
"""

from kvraft_client.recipes._async.accounts import AsyncAccounts
from kvraft_client.recipes._async.daily_job import AsyncDailyJob
from kvraft_client.recipes._async.outbox import AsyncOutbox
from kvraft_client.recipes._async.partitions import AsyncPartitions
from kvraft_client.recipes._async.quota import AsyncQuota
from kvraft_client.recipes._async.rate_limiter import AsyncRateLimiter
from kvraft_client.recipes._async.reservations import AsyncReservations
from kvraft_client.recipes._async.saga import AsyncSaga, AsyncStep
from kvraft_client.recipes._async.seats import AsyncSeats
from kvraft_client.recipes._async.token_pool import AsyncTokenPool
from kvraft_client.recipes._async.work_queue import AsyncWorkQueue
from kvraft_client.recipes._sync.accounts import Accounts
from kvraft_client.recipes._sync.daily_job import DailyJob
from kvraft_client.recipes._sync.outbox import Outbox
from kvraft_client.recipes._sync.partitions import Partitions
from kvraft_client.recipes._sync.quota import Quota
from kvraft_client.recipes._sync.rate_limiter import RateLimiter
from kvraft_client.recipes._sync.reservations import Reservations
from kvraft_client.recipes._sync.saga import Saga, Step
from kvraft_client.recipes._sync.seats import Seats
from kvraft_client.recipes._sync.token_pool import TokenPool
from kvraft_client.recipes._sync.work_queue import WorkQueue
from kvraft_client.recipes.effects import Abort, Effect

__all__ = [
    "Abort",
    "Accounts",
    "AsyncAccounts",
    "AsyncDailyJob",
    "AsyncOutbox",
    "AsyncPartitions",
    "AsyncQuota",
    "AsyncRateLimiter",
    "AsyncReservations",
    "AsyncSaga",
    "AsyncSeats",
    "AsyncStep",
    "AsyncTokenPool",
    "AsyncWorkQueue",
    "DailyJob",
    "Effect",
    "Outbox",
    "Partitions",
    "Quota",
    "RateLimiter",
    "Reservations",
    "Saga",
    "Seats",
    "Step",
    "TokenPool",
    "WorkQueue",
]
