"""When the leader proposes an entry only for its stamp: so that what is timed ends in time.

Imports: core. With something timed, at the next deadline and at the latest every
min(smallest TTL / 4, `attach_ms` / 4 where anybody holds or waits, 10 s): a failover can delay an
ending by that period, plus the time without a leader, plus one commit (RULES I1).
"""

from kvraft.core.machine import StateMachine


class Ticker:
    """Asked in every turn, about a state that changes with an entry: what that says is kept."""

    def __init__(self, period_max_ms: int) -> None:
        self._period_max_ms = period_max_ms
        self._machine: StateMachine | None = None
        self._index = -1
        self._deadline_ms: int | None = None
        self._period_ms = 0

    def due(self, machine: StateMachine, stamp_ms: int | None) -> bool:
        """Whether an entry stamped `stamp_ms` is needed now."""
        if machine.index != self._index or machine is not self._machine:
            self._look_at(machine)
        deadline = self._deadline_ms
        if deadline is None or stamp_ms is None:
            return False
        return deadline <= stamp_ms or stamp_ms - machine.cluster_time_ms >= self._period_ms

    def overdue(self, machine: StateMachine) -> bool:
        """Whether something that was due at the last stamp is not ended yet."""
        if machine.index != self._index or machine is not self._machine:
            self._look_at(machine)
        deadline = self._deadline_ms
        return deadline is not None and deadline <= machine.cluster_time_ms

    def _look_at(self, machine: StateMachine) -> None:
        self._machine, self._index = machine, machine.index
        self._deadline_ms = machine.next_deadline_ms()
        if self._deadline_ms is None:
            return
        smallest_ttl = machine.smallest_ttl_ms()
        period = self._period_max_ms
        if smallest_ttl is not None:
            period = min(period, smallest_ttl // 4)
        if machine.place_count:
            period = min(period, machine.limits.attach_ms // 4)
        self._period_ms = period
