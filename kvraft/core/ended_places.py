"""How acquisitions ended that are no more: a late copy of a request must not begin one anew.

Imports: core places, table. Forgotten in the order of (forget_ms, place_id); how long one
is remembered depends on how it ended. What is remembered of nobody's place has an id of its own.
"""

from collections.abc import Iterable
from itertools import islice

from kvraft.core.places import EndedRecord
from kvraft.core.table import Table

_ID_BITS = 63


class EndedPlaces:
    """All endings that are remembered, by key."""

    __slots__ = ("_numbers", "table")

    def __init__(self, rows: Iterable[EndedRecord] = ()) -> None:
        """Make an empty memory, or that of a table's records."""
        self.table: Table[int, EndedRecord] = Table()
        """By `ended_number`."""
        self._numbers: dict[bytes, int] = {}
        for row in rows:
            self.add(*row)

    def __len__(self) -> int:
        return len(self.table)

    def get(self, key: bytes) -> EndedRecord | None:
        """Return how an acquisition ended; None: unknown."""
        number = self._numbers.get(key)
        return None if number is None else self.table.get(number)

    def add(self, forget_ms: int, place_id: int, key: bytes, ending: int) -> None:
        """Remember the ending of an acquisition of which none is known."""
        assert key not in self._numbers, key
        number = ended_number(forget_ms, place_id)
        self._numbers[key] = number
        self.table.put(number, (forget_ms, place_id, key, ending))

    def age_out(self, now_ms: int, budget: int) -> None:
        """Forget up to `budget` endings whose time has come, the earliest first."""
        if not self._numbers:
            return
        end = ended_number(now_ms + 1, 0)
        for number in list(islice(self.table.between(0, end), budget)):
            del self._numbers[self.table.remove(number)[2]]


def ended_number(forget_ms: int, place_id: int) -> int:
    """Return the one number that an ending is stored under: their order is by both."""
    return forget_ms << _ID_BITS | place_id
