"""All streams of one node that follow acquisitions: fed with what each entry did to places.

Imports: core. Sans-I/O, as `watch_hub`: it decides when a stream has news, its owner takes them
when it can send. For all that wait here it says again and again that somebody does (RULES B8), in
one command for many. Streams end when this node cannot know any more how things stand: their
clients ask elsewhere, with the same key, and find the same place.
"""

from collections import deque
from collections.abc import Callable, Sequence

from kvraft.core.commands import Acquire, Attach, Command
from kvraft.core.errors import Outcome, Reason
from kvraft.core.limits import RequestLimits
from kvraft.core.machine import StateMachine
from kvraft.core.results import AcquireResult, Standing
from kvraft.replica.deadlines import Deadlines
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.lock_partings import Partings, Submit
from kvraft.replica.lock_waiter import Waiter
from kvraft.replica.outcomes import Answer, Denied
from kvraft.replica.watch_hub import Alarm

ATTACHED_PLACES = RequestLimits().attached_places
ATTACHES_A_LIMIT = 3
"""Signs of life in `attach_ms`: two of them may get lost."""


class LockHub:
    """The streams, and who of them is told what when."""

    def __init__(
        self,
        doors: Alarm,
        limits: ReplicaLimits,
        machine: Callable[[], StateMachine],
        submit: Submit,
    ) -> None:
        """`machine` returns the present state, which a snapshot may replace; `submit` is the
        node's way in for commands.
        """
        self._doors = doors
        self._limits = limits
        self._machine = machine
        self._submit = submit
        self._waiters: dict[Waiter, None] = {}
        self._by_key: dict[bytes, list[Waiter]] = {}
        self._looks: Deadlines[Waiter] = Deadlines()
        self._to_wake: deque[Waiter] = deque()
        self._wakes_left = limits.lock_wakes
        self._partings = Partings(limits, machine, submit)
        self._attach_at = 0.0
        self._led_at = doors.now()
        self._stopped: str | None = None

    def __len__(self) -> int:
        return len(self._waiters)

    @property
    def is_busy(self) -> bool:
        """Whether there is anything to tick for."""
        return bool(self._waiters or self._partings.by_key)

    def acquire(
        self, command: Acquire, deadline: float, on_news: Callable[[], None]
    ) -> Waiter | Denied:
        """Propose it, and follow what becomes of it; `deadline` is of the first answer only."""
        denied = self._denied(command)
        if denied is not None:
            return denied
        if not self._waiters:
            self._attach_at = self._doors.now() + self._attach_period_s()
        waiter = Waiter(self, command, on_news)
        self._waiters[waiter] = None
        self._by_key.setdefault(command.key, []).append(waiter)
        self._submit(command, deadline, lambda outcome: self._answered(waiter, outcome))
        return waiter

    def feed(self, commands: Sequence[Command]) -> None:
        """Take what the last entry did; after each apply, in the same turn."""
        if not self._waiters and not self._partings.by_key:
            return
        machine = self._machine()
        for command in commands:
            if isinstance(command, Acquire):
                self._on_asked(command.key, machine.index)
        for change in machine.lock_changes:
            for waiter in self._by_key.get(change.key, ()):
                waiter.has_entered |= change.kind is not Standing.ENDED
                self._look(waiter)
        self._wake_some()  # now: a grant then leaves with the answer to the release before it

    def replaced(self) -> None:
        """The state was replaced by a newer one: who asked for what in between is not known."""
        self._partings.clear()
        text = "this node has installed a snapshot; ask again with the same key"
        self._end_all(Denied(Reason.UNKNOWN_RESULT, Outcome.UNKNOWN, text))

    def tick(self, now: float, *, is_led: bool) -> None:
        """Let time pass; `is_led`: this node knows a leader."""
        self._wakes_left = self._limits.lock_wakes
        if is_led:
            self._led_at = now
        if self._partings.by_key:
            self._partings.step(now)
        if not self._waiters:
            self._to_wake.clear()
            return
        leaderless_ms = self._limits.watch_leaderless_ms
        if (now - self._led_at) * 1000 >= leaderless_ms:
            text = f"this node has known no leader for {leaderless_ms} ms"
            retry_ms = self._limits.retry_ms
            self._end_all(Denied(Reason.NO_QUORUM, Outcome.UNKNOWN, text, retry_after_ms=retry_ms))
            return
        self._look_at_positions(now)
        if now >= self._attach_at:
            self._attach(now)
        self._wake_some()

    def stop(self, message: str, leader: str | None) -> None:
        """End all streams, for good: the node is stopping; their places wait for their clients."""
        self._stopped = message
        self._end_all(Denied(Reason.SHUTTING_DOWN, Outcome.UNKNOWN, message, leader))

    # -- for the streams

    def on_closed(self, waiter: Waiter) -> None:
        """A stream is over; where its answer is still to come, once it is here."""
        if waiter.is_answered:
            self._forget(waiter)

    # -- inside

    def _denied(self, command: Acquire) -> Denied | None:
        if self._stopped is not None:
            return Denied(Reason.SHUTTING_DOWN, Outcome.NOT_APPLIED, self._stopped)
        limit = self._limits.lock_streams
        if len(self._waiters) >= limit and self._machine().would_wait(command):
            text = f"{limit} acquisitions wait on this node, its limit"
            return Denied(Reason.OVERLOAD, Outcome.NOT_APPLIED, text, retry_after_ms=1000)
        return None

    def _answered(self, waiter: Waiter, outcome: Answer | Denied) -> None:
        waiter.is_answered = True
        if isinstance(outcome, Answer):
            waiter.index, waiter.revision = outcome.index, outcome.revision
            result = outcome.result
            if isinstance(result, AcquireResult):
                self._learn_first(waiter, result)
            else:
                waiter.end(outcome)
        elif outcome.outcome is Outcome.NOT_APPLIED or not waiter.is_closed:
            waiter.end(outcome)
        if waiter.is_closed:
            self._forget(waiter)

    def _learn_first(self, waiter: Waiter, result: AcquireResult) -> None:
        """The leader's word may be older than what is applied here, or newer."""
        queued = result.standing is Standing.QUEUED
        waiter.has_entered |= queued
        if self._machine().index >= waiter.index:
            result = self._machine().acquisition(waiter.key) or result
        if waiter.learn(result):
            waiter.wake()
        if waiter.is_queued:
            self._schedule(waiter, self._doors.now())

    def _forget(self, waiter: Waiter) -> None:
        if waiter not in self._waiters:
            return
        del self._waiters[waiter]
        self._looks.discard(waiter)
        others = self._by_key[waiter.key]
        others.remove(waiter)
        if not others:
            del self._by_key[waiter.key]
        if self._is_abandoned(waiter):
            self._partings.add(waiter, self._doors.now())

    def _is_abandoned(self, waiter: Waiter) -> bool:
        """Whether its place is nobody's now: it came to be for this stream, the last that asked."""
        if waiter.is_finished or waiter.ended is not None:
            return False
        if waiter.standing is None:
            return True  # nobody knows whether it was applied
        is_over = waiter.standing.standing is Standing.ENDED
        return waiter.has_entered and not is_over and waiter.asked_again <= waiter.index

    def _on_asked(self, key: bytes, index: int) -> None:
        self._partings.on_asked_again(key, index)
        for waiter in self._by_key.get(key, ()):
            waiter.asked_again = index

    def _look(self, waiter: Waiter) -> None:
        """Find out how it stands, and tell it in this turn or one of the next if that is news."""
        machine = self._machine()
        if not waiter.index or machine.index < waiter.index:
            return
        standing = machine.acquisition(waiter.key)
        if standing is not None and waiter.learn(standing) and not waiter.is_due:
            waiter.is_due = True
            self._to_wake.append(waiter)

    def _look_at_positions(self, now: float) -> None:
        for waiter in self._looks.take_due(now):
            if waiter.is_queued:
                self._look(waiter)
                self._schedule(waiter, now)

    def _schedule(self, waiter: Waiter, now: float) -> None:
        """Look at it the later the more streams there are: so much of the loop they may take."""
        limits = self._limits
        period_ms = max(limits.lock_position_ms, len(self._waiters) * limits.lock_pause_ms)
        waiter.deadline = now + period_ms / 1000
        self._looks.add(waiter)

    def _attach(self, now: float) -> None:
        """Say of all that wait here that somebody waits; those that are refused soon again."""
        period_s = self._attach_period_s()
        self._attach_at = now + period_s
        retry_at = now + min(period_s, self._limits.lock_retry_ms / 1000)

        def done(outcome: Answer | Denied) -> None:
            if isinstance(outcome, Denied):
                self._attach_at = min(self._attach_at, retry_at)

        standings = (waiter.standing for waiter in self._waiters if waiter.is_queued)
        places = sorted({each.place for each in standings if each is not None})
        for start in range(0, len(places), ATTACHED_PLACES):
            chunk = tuple(places[start : start + ATTACHED_PLACES])
            self._submit(Attach(chunk), self._attach_at, done)

    def _attach_period_s(self) -> float:
        return self._machine().limits.attach_ms / ATTACHES_A_LIMIT / 1000

    def _end_all(self, why: Denied) -> None:
        for waiter in list(self._waiters):
            waiter.end(why)

    def _wake_some(self) -> None:
        while self._to_wake and self._wakes_left:
            waiter = self._to_wake.popleft()
            if not waiter.is_closed:  # thousands are at once, where a pipeline breaks
                self._wakes_left -= 1
                waiter.wake()
        if self._to_wake:
            self._doors.wake()
