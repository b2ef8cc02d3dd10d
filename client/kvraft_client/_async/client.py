"""The client: one object with everything, to be used as a context manager or closed."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from kvraft_client._async.caller import Caller
from kvraft_client._async.cluster import Cluster
from kvraft_client._async.keyspace import Keyspace
from kvraft_client._async.lease import AsyncLease
from kvraft_client._async.leases import Leases
from kvraft_client.config import DEFAULT_TIMEOUT_S, Pem, configure


class AsyncClient(Keyspace, Cluster):
    """A client of one cluster; it may be shared by all tasks of one event loop.

    `endpoints` is `host:port[,host:port...]` or a sequence, in any order: whoever leads is found
    and followed, and nothing else is ever dialled. `timeout` (seconds) is the deadline of each
    call, retries included. TLS: `ca`, `cert` and `key` are paths to PEM files, or their bytes.
    """

    leases: Leases
    """Leases by id, for tools."""

    def __init__(
        self,
        endpoints: str | Sequence[str],
        *,
        timeout: float = DEFAULT_TIMEOUT_S,
        ca: Pem | None = None,
        cert: Pem | None = None,
        key: Pem | None = None,
    ) -> None:
        """Check the arguments; nothing is dialled before the first call."""
        config = configure(endpoints, timeout=timeout, ca=ca, cert=cert, key=key)
        self._caller = Caller(config)
        self.leases = Leases(self._caller)

    def lease(self, *, ttl: float) -> AsyncLease:
        """Make a lease of `ttl` seconds: granted on entry, kept alive, revoked on exit."""
        return AsyncLease(self._caller, ttl)

    async def close(self) -> None:
        """End all connections; calls under way fail, later ones raise ClientClosed."""
        await self._caller.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
