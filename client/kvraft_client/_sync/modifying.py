# Generated from _async/modifying.py by scripts/generate_sync_client.py: do not edit.
"""`modify`: read, change and compare-and-set one key, racing or queueing as the conflicts say."""
# ruff: noqa: ASYNC109 - `timeout` spans all attempts and travels to the server

from collections.abc import Callable
from dataclasses import dataclass

from kvraft_client._sync.transacting import Transacting
from kvraft_client._backends import threads as backend
from kvraft_client.answers import ModifyResult
from kvraft_client.errors import Conflict, DeadlineExceeded
from kvraft_client.fences import FenceLike
from kvraft_client.policy.contention import KeyLine, KeyLines, Place
from kvraft_client.policy.retry import conflict_pause
from kvraft_client.requests import NOT_GIVEN, Data, NotGiven, as_bytes, as_key
from kvraft_client.values import CasResult, Entry

Change = Callable[[bytes | None], Data | None]
"""From the value (None: absent) to the new one; None: leave it as it is."""

ATTEMPTS_MAX = 100
"""Attempts of one `modify`: in a queue they are few, and a race with others needs some."""
GUESSED_BYTES = 1 << 16
"""Largest value that is sent to be compared with: above it the revision is, and nobody goes on
from a value that is not there yet."""


@dataclass(slots=True)
class _Run:
    """One `modify` under way."""

    key: bytes
    change: Change
    line: KeyLine
    deadline: float
    max_attempts: int
    fence: FenceLike | None
    attempts: int = 0
    conflicts: int = 0
    waited_s: float = 0.0
    current: Entry | NotGiven | None = NOT_GIVEN
    """What stands at the key, as far as this one knows."""
    done: bool = False

    def changed(self, found: bytes | None) -> bytes | None:
        value = self.change(found)
        self.attempts += 1
        if value is None:
            return None
        return as_bytes("what the function of modify returned", value)


class Modifying(Transacting):
    """Changes of one key that depend on its value."""

    _lines: KeyLines

    def modify(
        self,
        key: Data,
        fn: Change,
        *,
        max_attempts: int = ATTEMPTS_MAX,
        fence: FenceLike | None = None,
        timeout: float | None = None,
    ) -> ModifyResult:
        """Write `fn(value)` where nobody wrote in between; else again, with the new value.

        `fn` takes bytes (None: absent) and returns the new value (None: leave it), and must have
        no other effect: it may be called several times. The key keeps its lease. While attempts
        conflict often, the callers of this client take turns in the order in which they came,
        each going on from what the one before it is writing. Conflict: `max_attempts` were in
        vain. For counters and the like, `update` needs no attempts at all.
        """
        encoded = as_key(key)
        deadline = self._caller.now() + self._caller.limit_s(timeout)
        with self._caller.lock:
            line = self._lines.enter(encoded)
            run = _Run(encoded, fn, line, deadline, max_attempts, fence)
        try:
            while not run.done:
                if run.attempts >= max_attempts:
                    found = run.current if isinstance(run.current, Entry) else None
                    raise Conflict(f"{key!r}: {run.attempts} attempts in vain", current=found)
                self._once(run)
        finally:
            with self._caller.lock:
                self._lines.leave(encoded)
                self._caller.metrics.conflicts += run.conflicts
                self._caller.metrics.waited_s += run.waited_s
        left = run.current if isinstance(run.current, Entry) else None
        return ModifyResult(left, run.attempts, run.conflicts, run.waited_s)

    def _once(self, run: _Run) -> None:
        """Make one attempt, in turn if the key is contended; pause if others won it."""
        queued = run.line.queueing
        if queued:
            self._in_turn(run)
        else:
            self._attempt(run, self._read(run))
        if not run.done and run.line.queueing == queued and run.line.window == 1:
            pause_s = conflict_pause(run.conflicts - 1, self._caller.uniform())
            run.waited_s += pause_s
            backend.sleep(pause_s)

    def _read(self, run: _Run) -> Entry | None:
        if isinstance(run.current, NotGiven):
            run.current = self.get(run.key, timeout=self._left(run))
        return run.current

    def _attempt(self, run: _Run, found: Entry | None) -> None:
        value = run.changed(None if found is None else found.value)
        if value is None:
            run.done = True
            return
        self._learn(
            run,
            self.try_cas(
                run.key,
                value,
                expect=found,
                keep_lease=True,
                fence=run.fence,
                timeout=self._left(run),
            ),
        )

    def _in_turn(self, run: _Run) -> None:
        """Wait for the turn, compute, pass the turn on, and hear what became of it."""
        turn = backend.Event()
        place = Place(turn.set)
        begun = self._caller.now()
        with self._caller.lock:
            run.line.enter(place)
            self._caller.metrics.queued += 1
        try:
            has_turn = backend.wait(turn, run.deadline - begun)
            run.waited_s += self._caller.now() - begun
            if not has_turn:
                raise DeadlineExceeded(f"no turn with {run.key!r} in time")
            if not run.line.tail_known:
                found = self._read(run)
                run.line.tail = None if found is None else found.value
            guess = run.line.tail
            if len(guess or b"") > GUESSED_BYTES:
                run.line.tail_known, run.current = False, NOT_GIVEN
                self._attempt(run, self._read(run))
                return
            value = run.changed(guess)
            if value is None:
                self._check(run, guess)
                return
            with self._caller.lock:
                epoch = run.line.sends(value)
        finally:
            with self._caller.lock:
                run.line.leave(place)
        self._swap(run, guess, value, epoch)

    def _check(self, run: _Run, guess: bytes | None) -> None:
        """Where nothing is to be written: be done if what that was decided on is there."""
        run.current = NOT_GIVEN
        entry = self._read(run)
        found = None if entry is None else entry.value
        run.done = found == guess
        run.line.tail = found

    def _swap(self, run: _Run, guess: bytes | None, value: bytes, epoch: int) -> None:
        try:
            swap = self.try_cas(
                run.key,
                value,
                expect_absent=guess is None,
                expect_value=guess,
                keep_lease=True,
                fence=run.fence,
                timeout=self._left(run),
            )
        except BaseException:
            with self._caller.lock:
                run.line.failed(epoch, known=False)
            raise
        with self._caller.lock:
            if swap.swapped:
                run.line.succeeded()
            elif swap.entry is not None and swap.entry.value_omitted:
                run.line.failed(epoch, known=False)
            else:
                found = None if swap.entry is None else swap.entry.value
                run.line.failed(epoch, known=True, value=found)
        self._learn(run, swap)

    def _learn(self, run: _Run, swap: CasResult) -> None:
        with self._caller.lock:
            run.line.attempted(conflict=not swap.swapped)
        run.done = swap.swapped
        run.conflicts += not swap.swapped
        run.current = swap.entry
        if swap.entry is not None and swap.entry.value_omitted:
            run.current = NOT_GIVEN

    def _left(self, run: _Run) -> float:
        left_s = run.deadline - self._caller.now()
        if left_s <= 0:
            raise DeadlineExceeded(f"no luck with {run.key!r} in time")
        return left_s
