# Generated from _async/once.py by scripts/generate_sync_client.py: do not edit.
"""A job that is done once: under a lock, with a marker that only the lock's holder can write."""

import json
import logging
from types import TracebackType
from typing import Self

from kvraft_client._sync.comparing import Comparing
from kvraft_client._sync.lock import Lock
from kvraft_client._sync.locking import LOCK_TTL_S, Locking
from kvraft_client.errors import InvalidRequest, KvraftError
from kvraft_client.fences import Fence, as_lock_name
from kvraft_client.requests import Data, as_key
from kvraft_client.values import Entry

_LOG = logging.getLogger("kvraft_client")
MARKER_PREFIX = b"kvraft/once/"
"""The marker of a job is this, its name, a slash and its key."""


class Once:
    """`with kv.once("report", key="2026-11-21") as job:`, and `if job:` in it, do the work.

    `job` is truthy where the work is this one's to do: at most once for each key. It gives
    `fence=job` to its writes. A body that raises marks the job as failed.
    """

    ran: bool = False
    """Whether the work was done here, to the end."""

    def __init__(
        self, client: "Doing", lock: Lock, marker: bytes, *, retry: bool, keep: float | None
    ) -> None:
        """Prepare it; nothing is asked before it is entered."""
        self.lock, self.marker = lock, marker
        self._client, self._retry, self._keep = client, retry, keep
        self._due = False

    def __bool__(self) -> bool:
        return self._due

    @property
    def fences(self) -> tuple[Fence, ...]:
        """For `fence=job`. LockLost: it is held no more, or there was nothing to do."""
        return self.lock.fences

    def stale(self) -> None:
        """Take the store's word that the lock is held no more."""
        self.lock.stale()

    def __enter__(self) -> Self:
        if not self._may_run(self._client.get(self.marker)):
            return self
        self.lock.__enter__()
        try:
            found = self._client.get(self.marker)
            if self._may_run(found):
                self._client.cas(
                    self.marker, self._state("running"), expect=found, fence=self.lock
                )
                self._due = True
        except BaseException as error:
            self.lock.__exit__(type(error), error, None)
            raise
        if not self._due:
            self.lock.__exit__(None, None, None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Mark it as done, or failed. LockLost: the lock was lost before it was marked."""
        if not self._due:
            return
        try:
            state = self._state("done" if error is None else "failed")
            self._client.put(self.marker, state, ttl=self._keep, fence=self.lock)
            self.ran = error is None
        except KvraftError as failed:
            if error is None:
                raise
            _LOG.warning("%r was not marked as failed: %s", self.marker, failed)
        finally:
            self.lock.__exit__(kind, error, trace)

    def _may_run(self, marker: Entry | None) -> bool:
        if marker is None:
            return True
        try:
            state = json.loads(marker.value)["state"]
        except (ValueError, TypeError, LookupError) as error:
            raise InvalidRequest(f"{marker.key!r} is no marker of a job: {error}") from error
        return self._retry and state != "done"

    def _state(self, word: str) -> str:
        return json.dumps({"state": word, "token": self.lock.token})


class Doing(Locking, Comparing):
    """Jobs that are done once."""

    def once(
        self,
        name: Data,
        *,
        key: Data,
        ttl: float = LOCK_TTL_S,
        wait: float | None = None,
        retry: bool = False,
        keep: float | None = None,
        cancel_on_loss: bool = False,
    ) -> Once:
        """Make a job that runs at most once for each `key`, one at a time under the lock `name`.

        It is marked before it runs: one that raised, or died, is not run again, unless `retry`.
        The marker stays `keep` seconds from its end on, at most a day (None: for good). `wait`
        and LockTimeout as of a lock.
        """
        lock = self.lock(name, ttl=ttl, wait=wait, cancel_on_loss=cancel_on_loss)
        marker = MARKER_PREFIX + as_lock_name(name) + b"/" + as_key(key)
        return Once(self, lock, marker, retry=retry, keep=keep)
