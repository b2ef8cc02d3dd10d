# Generated from _async/seats.py by scripts/generate_sync_client.py: do not edit.
"""The last seat: so many equal seats, one for each guest, and nobody is told what is not so."""

from kvraft_client import actions, operations
from kvraft_client._sync.client import Client
from kvraft_client.conditions import exists, number


class Seats:
    """The seats of one event, below `prefix`: `PREFIX/free`, and `PREFIX/guests/GUEST` for each
    that is taken.

    Every method is one command that the store decides; asking again is harmless, by whomever and
    whenever.
    """

    def __init__(self, kv: Client, prefix: str) -> None:
        """Use the seats below `prefix`; nothing is written yet."""
        self._kv = kv
        self._free = f"{prefix}/free"
        self._guests = f"{prefix}/guests/"

    def open(self, seats: int) -> bool:
        """Open the event with so many seats; False: it was open already, and nothing changed."""
        done = self._kv.update(self._free, actions.set_if_absent(str(seats)))
        return done.applied

    def take(self, guest: str) -> bool:
        """Give the guest a seat; True also if this guest has one. False: none is left."""
        mine = self._guests + guest
        done = self._kv.txn(
            when=(number(self._free) >= 1) & ~exists(mine),
            then=[operations.update(self._free, actions.add(-1)), operations.put(mine, b"")],
            orelse=[operations.get(mine)],
        )
        return done.succeeded or done.results[0] is not None

    def give_back(self, guest: str) -> bool:
        """Free the guest's seat; False: this guest had none."""
        mine = self._guests + guest
        done = self._kv.txn(
            when=exists(mine),
            then=[operations.delete(mine), operations.update(self._free, actions.add(1))],
        )
        return done.succeeded

    def free(self) -> int:
        """Return how many seats are left at this moment."""
        entry = self._kv.get(self._free)
        return 0 if entry is None else int(entry.value)
