# Generated from _async/partitions.py by scripts/generate_sync_client.py: do not edit.
"""Partition ownership: each of so many partitions has one owner, shared out among the members."""

from types import TracebackType
from typing import Self
from uuid import uuid4

from kvraft_client._sync.client import Client
from kvraft_client._sync.lock import Lock


class Partitions:
    """`with Partitions(kv, "shards", 16) as shards:` joins, and leaves at its end.

    A member is the key `PREFIX/members/MEMBER`, an owned partition the lock `PREFIX/locks/NUMBER`;
    one lease carries them all, so that a member that dies leaves nothing behind.
    """

    owned: dict[int, Lock]
    """The partitions of this member, with their locks: `fence=owned[3]` on every write for 3."""

    def __init__(
        self,
        kv: Client,
        prefix: str,
        partitions: int,
        *,
        member: str | None = None,
        ttl: float = 10.0,
    ) -> None:
        """Prepare a member; all must give the same number of partitions."""
        self.member = member or uuid4().hex
        self.owned = {}
        self._kv, self._partitions = kv, partitions
        self._members, self._locks = f"{prefix}/members/", f"{prefix}/locks/"
        self._lease = kv.lease(ttl=ttl)

    def __enter__(self) -> Self:
        self._lease.__enter__()
        try:
            self._kv.put(self._members + self.member, b"", lease=self._lease)
        except BaseException as error:
            self._lease.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for lock in self.owned.values():
            lock.release()
        self.owned = {}
        self._lease.__exit__(kind, error, trace)

    def rebalance(self) -> dict[int, Lock]:
        """Give up what is too much, take what is free, and return what this member owns now.

        To be called every few seconds, or when a watch of the members says so: until all have
        done it, a partition may have no owner, but never two. LeaseLost: join anew.
        """
        self._lease.check()
        share, first = self._share()
        self.owned = {number: lock for number, lock in self.owned.items() if lock.held}
        while len(self.owned) > share:
            self.owned.popitem()[1].release()
        if len(self.owned) == share:
            return self.owned
        taken = {lock.name for lock in self._kv.list_locks(self._locks)}
        for step in range(self._partitions):
            number = (first + step) % self._partitions
            name = f"{self._locks}{number}"
            if len(self.owned) < share and name.encode() not in taken:
                lock = self._kv.try_lock(name, lease=self._lease)
                if lock is not None:
                    self.owned[number] = lock
        return self.owned

    def _share(self) -> tuple[int, int]:
        """Return how many partitions are this member's share, and which is the first of them."""
        members = [entry.key.decode() for entry in self._kv.list(self._members)]
        mine = self._members + self.member
        if mine not in members:
            self._lease.ended()
            self._lease.check()
        rank = members.index(mine)
        each, rest = divmod(self._partitions, len(members))
        return each + (rank < rest), rank * each + min(rank, rest)
