"""Strokes overlap: what two of them hold down stays down until the second lets go."""

import threading


class Holds:
    """Who holds a thing (`down n1`, `off n1-to-n2`) in a bad state. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders: dict[str, set[object]] = {}

    def take(self, thing: str, holder: object) -> None:
        """Hold it, once however often it is asked for."""
        with self._lock:
            self._holders.setdefault(thing, set()).add(holder)

    def let_go(self, thing: str, holder: object) -> bool:
        """Whether this was the last holder: the caller undoes the thing then."""
        with self._lock:
            holders = self._holders.get(thing, set())
            if holder not in holders:
                return False
            holders.remove(holder)
            if holders:
                return False
            del self._holders[thing]
            return True

    def held(self, thing: str) -> bool:
        with self._lock:
            return thing in self._holders

    def things(self) -> list[str]:
        """Everything that is held, for a test or an error."""
        with self._lock:
            return sorted(self._holders)

    def forget(self) -> None:
        """Forget every holder: everything is about to be mended anyway."""
        with self._lock:
            self._holders.clear()
