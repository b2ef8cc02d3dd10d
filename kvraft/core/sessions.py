"""Sessions: who may number its mutations, from which number on, and since when it is idle.

Imports: sortedcontainers, core table. What a session's end means for its stored outcomes is the
business of `identities`. The invariant: `_due` holds exactly one item for each session, so who ends
next depends on the sessions alone, never on how a node came to them.
"""

from sortedcontainers import SortedList

from kvraft.core.table import Table

SessionRecord = tuple[int, int]
"""first_unacked: all sequences below it were answered; used_ms: cluster time of its last use."""

FIRST_SEQUENCE = 1
_ID_BITS = 63
_ID_MASK = (1 << _ID_BITS) - 1


class Sessions:
    """All open sessions, and the counter that names new ones."""

    __slots__ = ("_due", "get", "next_id", "table")

    def __init__(self, next_id: int = 1) -> None:
        self.table: Table[int, SessionRecord] = Table()
        self.get = self.table.get
        """Returns a session; None if there is none (any more)."""
        self.next_id = next_id
        """Ids are handed out from here, upwards; never the same one twice."""
        # time of use and id in one integer: sorts by (used_ms, id), a third of a tuple's memory.
        self._due = SortedList()

    def __len__(self) -> int:
        return len(self.table)

    def open(self, now_ms: int) -> int:
        """Begin a session, and return its id."""
        session_id = self.next_id
        self.next_id += 1
        self.add(session_id, FIRST_SEQUENCE, now_ms)
        return session_id

    def add(self, session_id: int, first_unacked: int, used_ms: int) -> None:
        """Begin a session under an id that is free."""
        assert self.table.get(session_id) is None, session_id
        self.table.put(session_id, (first_unacked, used_ms))
        self._due.add(used_ms << _ID_BITS | session_id)

    def use(self, session_id: int, first_unacked: int, now_ms: int) -> None:
        """Note that a live session was used, and what it has been answered."""
        record = self.get(session_id)
        assert record is not None, session_id
        self.table.put(session_id, (first_unacked, now_ms))
        if record[1] != now_ms:
            self._due.remove(record[1] << _ID_BITS | session_id)
            self._due.add(now_ms << _ID_BITS | session_id)

    def end(self, session_id: int) -> None:
        """End a live session."""
        _, used_ms = self.table.remove(session_id)
        self._due.remove(used_ms << _ID_BITS | session_id)

    def first_idle(self, until_ms: int) -> int | None:
        """Return the first session unused since then or longer, by (used_ms, id); None: none is."""
        if not self._due:
            return None
        first: int = self._due[0]
        return first & _ID_MASK if first >> _ID_BITS <= until_ms else None
