"""Cluster time on the leader: what it stamps on entries (RULES I1).

Imports: nothing. The log carries time: it starts at 0, stands still while there is no leader, and
never advances faster than one live leader's clock, because only the leader stamps and a stall of
the leader does not count. So a keepalive's stamp is never before the client sent it by cluster
time, and nothing timed ends early.
"""


class ClusterClock:
    """Counts cluster time from the moment this node may lead; `None` while it may not."""

    def __init__(self, step_max_ms: int) -> None:
        """`step_max_ms`: the most one advance may add; a paused leader must not jump."""
        self._step_max = step_max_ms / 1000.0
        self._seconds: float | None = None
        self._last = 0.0

    def start(self, cluster_time_ms: int, now: float) -> None:
        """Begin to lead; `cluster_time_ms` is the state's, with an own-term entry applied."""
        self._seconds = cluster_time_ms / 1000.0
        self._last = now

    def stop(self) -> None:
        """Stamp nothing any more."""
        self._seconds = None

    def advance(self, now: float) -> None:
        """Let time pass; to be called each turn of the loop, so that only a stall is cut off."""
        if self._seconds is not None:
            self._seconds += min(max(now - self._last, 0.0), self._step_max)
            self._last = now

    def stamp_ms(self) -> int | None:
        """Cluster time for the next entry; None where this node may not stamp."""
        return None if self._seconds is None else int(self._seconds * 1000)
