# Generated from _async/releases.py by scripts/generate_sync_client.py: do not edit.
"""Giving up places: at once, and in the background for as long as it takes (RULES B8)."""

import logging
from itertools import count

from kvraft.v1 import lock_pb2
from kvraft_client._sync.caller import Caller
from kvraft_client._sync.lease import Lease
from kvraft_client._backends import threads as backend
from kvraft_client.config import CLOSE_TIMEOUT_S
from kvraft_client.errors import ClientClosed, KvraftError
from kvraft_client.policy.lock import Releasing
from kvraft_client.rpc import RELEASE

_LOG = logging.getLogger("kvraft_client")


class Releases:
    """The releases of one client that are not confirmed yet."""

    def __init__(self, caller: Caller) -> None:
        """Start with none."""
        self._caller = caller
        self._numbers = count()
        self._open: dict[int, backend.Task | None] = {}
        self._none_open = backend.Event()
        self._none_open.set()

    def release(self, key: bytes, *, owns_lease: bool, lease: Lease | None) -> None:
        """Release, within the client's timeout; where that fails, go on in the background.

        Its own lease ends with it. One that is shared (`lease`) is given up if nothing else helps:
        the place must not outlive its user.
        """
        number = self._opened()
        try:
            self._send(key, self._caller.config.timeout_s, owns_lease=owns_lease)
        except KvraftError as failed:
            _LOG.info("a release is tried again in the background: %s", failed)
            self.later(key, owns_lease=owns_lease, lease=lease)
        except KeyboardInterrupt:
            self.later(key, owns_lease=owns_lease, lease=lease)
            raise
        finally:
            self._closed(number)

    def later(self, key: bytes, *, owns_lease: bool, lease: Lease | None) -> None:
        """Release in the background, until it is done or the lease is over."""

        def run() -> None:
            try:
                self._until_done(key, owns_lease=owns_lease, lease=lease)
            finally:
                self._closed(number)

        number = self._opened()
        task = backend.Task(run, "kvraft-release")
        with self._caller.lock:
            if number in self._open:  # a thread may have done it by now
                self._open[number] = task

    def _until_done(self, key: bytes, *, owns_lease: bool, lease: Lease | None) -> None:
        plan = Releasing(self._caller.now())
        while lease is None or not lease.lost.is_set():
            try:
                self._send(key, self._caller.config.timeout_s, owns_lease=owns_lease)
            except ClientClosed:
                return
            except KvraftError as failed:
                pause_s = plan.pause_s(self._caller.now(), self._caller.uniform())
                if pause_s is None:
                    _LOG.warning("a lock was not released, it ends with its lease: %s", failed)
                    break
                backend.sleep(pause_s)
            else:
                return
        if lease is not None:
            lease.abandon()

    def _send(self, key: bytes, timeout_s: float, *, owns_lease: bool) -> None:
        request = lock_pb2.ReleaseRequest(key=key, end_lease=owns_lease)
        self._caller.call(RELEASE, request, timeout=timeout_s)

    def _opened(self) -> int:
        with self._caller.lock:
            number = next(self._numbers)
            self._open[number] = None
            self._none_open.clear()
        return number

    def _closed(self, number: int) -> None:
        with self._caller.lock:
            del self._open[number]
            if not self._open:
                self._none_open.set()

    @property
    def are_open(self) -> bool:
        """Whether any is not confirmed yet."""
        return not self._none_open.is_set()

    def settled(self, limit_s: float) -> bool:
        """Wait until none is open; return whether that came within the limit."""
        return backend.wait(self._none_open, limit_s)

    def close(self) -> None:
        """Give what is open a moment."""
        self.settled(CLOSE_TIMEOUT_S)
