# Generated from _async/client.py by scripts/generate_sync_client.py: do not edit.
"""The client: one object with everything, to be used as a context manager or closed."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from kvraft_client._sync.asking import Asking
from kvraft_client._sync.caller import Caller
from kvraft_client._sync.cluster import Cluster
from kvraft_client._sync.election import Electing
from kvraft_client._sync.invariants import Invariants
from kvraft_client._sync.lease import Lease
from kvraft_client._sync.leases import Leases
from kvraft_client._sync.modifying import Modifying
from kvraft_client._sync.mutations import Mutations
from kvraft_client._sync.once import Doing
from kvraft_client._sync.releases import Releases
from kvraft_client._backends import threads as backend
from kvraft_client.config import DEFAULT_TIMEOUT_S, Pem, configure
from kvraft_client.policy.contention import KeyLines


class Client(Modifying, Electing, Doing, Asking, Invariants, Cluster):
    """A client of one cluster; it may be shared by all threads.

    `endpoints` is `host:port[,host:port...]` or a sequence, in any order: whoever leads is found
    and followed, and nothing else is ever dialled. `timeout` (seconds) is the deadline of each
    call, retries included. A mutation whose answer was lost is sent again and done once, by a
    session that the first one opens; `exactly_once=False` turns that off. `sessions=False` gives
    each an idempotency key of its own instead: for a process of one mutation or two. TLS: `ca`,
    `cert` and `key` are paths to PEM files, or their bytes.
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
        exactly_once: bool = True,
        sessions: bool = True,
    ) -> None:
        """Check the arguments; nothing is dialled before the first call."""
        config = configure(
            endpoints,
            timeout=timeout,
            ca=ca,
            cert=cert,
            key=key,
            exactly_once=exactly_once,
            sessions=sessions,
        )
        self._caller = Caller(config)
        self._mutations = Mutations(self._caller)
        self._releases = Releases(self._caller)
        self._lines = KeyLines(backend.CHANGES_MAX)
        self.leases = Leases(self._caller, self._mutations)

    def lease(self, *, ttl: float) -> Lease:
        """Make a lease of `ttl` seconds: granted on entry, kept alive, revoked on exit."""
        return Lease(self._caller, self._mutations, ttl)

    def close(self) -> None:
        """End the session and all connections; calls under way fail, later ones: ClientClosed."""
        self._releases.close()
        self._mutations.close()
        self._caller.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
