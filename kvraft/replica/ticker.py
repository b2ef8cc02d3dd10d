"""When the leader proposes an entry only for its stamp: so that what is timed ends in time.

Imports: core. With something timed, at the next deadline and at the latest every
min(smallest TTL / 4, `attach_ms` / 4 where anybody holds or waits, 10 s): a failover can delay an
ending by that period, plus the time without a leader, plus one commit (RULES I1).
"""

from kvraft.core.machine import StateMachine


class Ticker:
    """Stateless but for its bound: the log itself says when the last stamp was."""

    def __init__(self, period_max_ms: int) -> None:
        self._period_max_ms = period_max_ms

    def due(self, machine: StateMachine, stamp_ms: int | None) -> bool:
        """Whether an entry stamped `stamp_ms` is needed now."""
        if stamp_ms is None:
            return False
        deadline = machine.next_deadline_ms()
        if deadline is None:
            return False
        smallest_ttl = machine.smallest_ttl_ms()
        period = self._period_max_ms
        if smallest_ttl is not None:
            period = min(period, smallest_ttl // 4)
        if machine.place_count:
            period = min(period, machine.limits.attach_ms // 4)
        return deadline <= stamp_ms or stamp_ms - machine.cluster_time_ms >= period

    def overdue(self, machine: StateMachine) -> bool:
        """Whether something that was due at the last stamp is not ended yet."""
        deadline = machine.next_deadline_ms()
        return deadline is not None and deadline <= machine.cluster_time_ms
