"""Gathers commands into log entries on the leader: one entry, one fsync, for what came meanwhile.

Imports: core, the consensus port. Each caller hears exactly once: an answer, NOT_APPLIED if its
command was never proposed, UNKNOWN if it was and nobody can say what became of it.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kvraft.consensus.port import Applied, Consensus, Failure
from kvraft.core.codec import assemble_entry, encode_known
from kvraft.core.commands import Command, Entry
from kvraft.core.errors import Outcome, Reason
from kvraft.core.results import Result
from kvraft.replica.congestion import Congestion, may_pass
from kvraft.replica.costs import OVERHEAD_BYTES, EntryCosts
from kvraft.replica.deadlines import Caller, Deadlines
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.outcomes import Answer, Denied, Done

RETRY_MIN_MS, RETRY_MAX_MS = 100, 1_000
"""What the refused are asked to wait: as long as those before them, within these."""


class _Waiting(Caller[Answer | Denied]):
    """One command, also as it stands in the entry, and its caller."""

    __slots__ = ("command", "encoded", "size")

    def __init__(self, command: Command, encoded: bytes, deadline: float, done: Done) -> None:
        self.deadline = deadline
        self._done = done
        self.command = command
        self.encoded = encoded
        self.size = len(encoded) + OVERHEAD_BYTES


class _Flight(NamedTuple):
    """An entry on its way, and who waits for what becomes of it."""

    payload: bytes
    entry: Entry
    batch: list[_Waiting]


@dataclass(frozen=True, slots=True)
class AppliedBatch:
    """What `Application.apply` returns for an entry: results, and the revision after each."""

    results: Sequence[Result]
    revisions: Sequence[int]


class Batcher:
    """The leader's queue of commands and its entries in flight."""

    def __init__(
        self,
        consensus: Consensus,
        limits: ReplicaLimits,
        *,
        stamp_ms: Callable[[], int | None],
        costs: Callable[[], EntryCosts],
        is_patient: Callable[[Command], bool],
        wake: Callable[[], None],
    ) -> None:
        """`stamp_ms` gives cluster time, or None while this node may not propose; `costs` what
        the commands of the next entry take to apply; `is_patient` tells whether a patient command
        is so still, after an entry.
        """
        self._consensus = consensus
        self._limits = limits
        self._stamp_ms = stamp_ms
        self._costs = costs
        self._stays_patient = is_patient
        self._wake = wake
        self._first: OrderedDict[_Waiting, None] = OrderedDict()
        """What goes before the queue."""
        self._queue: OrderedDict[_Waiting, None] = OrderedDict()
        self._congestion = Congestion(limits)
        self.crowded: Denied | None = None
        """What new work is told until the next entry makes room; None: nobody was told so yet."""
        self._deadlines: Deadlines[_Waiting] = Deadlines()
        self._queue_bytes = 0
        self._in_flight: list[_Flight] = []
        self._is_patient = True
        """Nobody waits for what is in the queue."""
        self._gather_until = 0.0
        self.entries = 0
        self.commands = 0

    def submit(
        self,
        command: Command,
        deadline: float,
        done: Done,
        *,
        first: bool = False,
        patient_from: float | None = None,
    ) -> None:
        """Queue one command; NOT_APPLIED at once if it would wait long.

        `first`: before others. `patient_from`: alone, it may wait for company from then on.
        """
        ahead, congestion = len(self._first) + len(self._queue), self._congestion
        if ahead >= congestion.room or ahead * congestion.command_s > deadline - congestion.at > 0:
            beyond = ahead - self._limits.queue_commands
            if beyond >= self._limits.queue_spare_commands or not (first or may_pass(command)):
                done(self._refusal(ahead))
                return
        encoded, command = encode_known(command)
        waiting = _Waiting(command, encoded, deadline, done)
        beyond = self._queue_bytes + waiting.size - self._limits.queue_bytes
        if beyond > 0 and (
            beyond > self._limits.queue_spare_bytes or not (first or may_pass(command))
        ):
            done(self._refusal(ahead))
            return
        (self._first if first else self._queue)[waiting] = None
        if patient_from is None:
            self._is_patient = False
        elif not ahead:
            self._gather_until = patient_from + self._limits.gather_ms / 1000
        self._deadlines.add(waiting)
        self._queue_bytes += waiting.size

    def flush(self, now: float) -> None:
        """Propose what waits, as far as entries may be in flight."""
        if self.waits_for_company and now < self._gather_until:
            return
        while (self._first or self._queue) and self._may_propose():
            stamp = self._stamp_ms()
            if stamp is None:
                return
            batch = self._take(now)
            self.crowded = None
            is_left = bool(self._first or self._queue)
            self._is_patient = not is_left  # who is left behind has waited
            if batch:
                congestion = self._congestion
                if is_left or congestion.behind:
                    congestion.proposed(now, batch, more=is_left)
                congestion.at = now
                self._propose(stamp, batch)

    def _may_propose(self) -> bool:
        """Whether one more entry may be in flight: a second, where the first is of one alone.

        A few callers would wait for each other's whole writes: a lock's release for the next
        one's wish to have it. Where many call, entries hold many, and gather while one flies.
        """
        flights, most = self._in_flight, self._limits.entries_in_flight
        return len(flights) < most or (len(flights) == most and len(flights[-1].batch) <= 1)

    @property
    def waits_for_company(self) -> bool:
        """All that waits is patient, and less than an entry: the next poll is soon enough."""
        count = len(self._first) + len(self._queue)
        return self._is_patient and 0 < count < self._limits.batch_commands

    def tick(self) -> None:
        """Propose an entry without commands, for its stamp, unless an entry is under way anyhow."""
        stamp = self._stamp_ms()
        if stamp is not None and not self._in_flight:
            self._propose(stamp, [])

    def known(self, payload: bytes) -> Entry | None:
        """Return what `payload` decodes to, where it is an entry on its way from here."""
        for flight in self._in_flight:
            if flight.payload == payload:
                return flight.entry
        return None

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is in flight."""
        return not self._first and not self._queue and not self._in_flight

    def expire(self, now: float) -> None:
        """Answer whoever's deadline has passed: NOT_APPLIED from the queue, UNKNOWN in flight."""
        self.crowded = None  # not for long, where it still is so
        for waiting in self._deadlines.take_due(now):
            line = self._first if waiting in self._first else self._queue
            if waiting in line:
                del line[waiting]
                self._queue_bytes -= waiting.size
                waiting.finish(late_unproposed())
            else:
                waiting.finish(late_proposed())

    def refuse_queued(self, denied: Denied) -> None:
        """Empty the queue with one answer; it was never proposed, so `denied` is NOT_APPLIED."""
        refused = (*self._first, *self._queue)
        self._first, self._queue, self._queue_bytes = OrderedDict(), OrderedDict(), 0
        self._congestion.cleared()
        self._is_patient, self.crowded = True, None
        for waiting in refused:
            self._finish(waiting, denied)

    def _refusal(self, ahead: int) -> Denied:
        wait_ms = int(ahead * self._congestion.command_s * 1000)
        text = f"{ahead} commands ({self._queue_bytes} bytes) wait, the last for {wait_ms} ms"
        retry_ms = min(max(wait_ms, RETRY_MIN_MS), RETRY_MAX_MS)
        denied = Denied(Reason.OVERLOAD, Outcome.NOT_APPLIED, text, retry_after_ms=retry_ms)
        if ahead >= self._congestion.room:
            self.crowded = denied
        return denied

    def _take(self, now: float) -> list[_Waiting]:
        limits, size, cost = self._limits, 0, 0
        costs = self._costs()
        batch: list[_Waiting] = []
        while (line := self._first or self._queue) and len(batch) < limits.batch_commands:
            waiting = next(iter(line))
            cost += costs.of(waiting.command)
            size += len(waiting.encoded)
            if batch and (size > limits.batch_bytes or cost > limits.batch_cost):
                break
            del line[waiting]
            self._queue_bytes -= waiting.size
            if waiting.deadline <= now:
                self._finish(waiting, late_unproposed())
                size -= len(waiting.encoded)
                continue
            batch.append(waiting)
        return batch

    def _propose(self, stamp_ms: int, batch: list[_Waiting]) -> None:
        payload = assemble_entry(stamp_ms, [waiting.encoded for waiting in batch])
        entry = Entry(stamp_ms, tuple([waiting.command for waiting in batch]))
        flight = _Flight(payload, entry, batch)
        self._in_flight.append(flight)
        self.entries += 1
        self.commands += len(batch)

        def done(outcome: Applied | Failure) -> None:
            self._in_flight = [other for other in self._in_flight if other is not flight]
            if self._first or self._queue:  # what came meanwhile need not wait for the next poll
                if self._is_patient:  # it may have waited for what this entry has brought
                    self._is_patient = all(
                        self._stays_patient(each.command) for each in self._queue
                    )
                if not self.waits_for_company:
                    self._wake()
            self._answer(batch, outcome)

        self._consensus.propose(payload, done)

    def _answer(self, batch: list[_Waiting], outcome: Applied | Failure) -> None:
        if isinstance(outcome, Failure):
            denied = proposal_failed(outcome)
            for waiting in batch:
                self._finish(waiting, denied)
            return
        applied = outcome.result
        assert isinstance(applied, AppliedBatch), "apply answers with a batch"
        index, forget = outcome.index, self._deadlines.discard
        answers = zip(batch, applied.results, applied.revisions, strict=True)
        for waiting, result, revision in answers:
            forget(waiting)
            waiting.finish(Answer(result, revision, index))

    def _finish(self, waiting: _Waiting, outcome: Answer | Denied) -> None:
        self._deadlines.discard(waiting)
        waiting.finish(outcome)


def proposal_failed(failure: Failure) -> Denied:
    """Return what a failed proposal means to its caller."""
    if failure is Failure.LEADERSHIP_LOST:
        text = "leadership was lost after the command was proposed; it may or may not be applied"
        return Denied(Reason.UNKNOWN_RESULT, Outcome.UNKNOWN, text)
    if failure is Failure.NOT_LEADER:
        return Denied(Reason.NOT_LEADER, Outcome.NOT_APPLIED, "this node does not lead any more")
    return Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, "no majority of the nodes is in contact")


def late_unproposed() -> Denied:
    """Return the answer to a command whose deadline passed before it was proposed."""
    text = "the deadline passed before the command was proposed"
    return Denied(Reason.DEADLINE, Outcome.NOT_APPLIED, text)


def late_proposed() -> Denied:
    """Return the answer to a command whose deadline passed after it was proposed."""
    text = "the deadline passed after the command was proposed; it may or may not be applied"
    return Denied(Reason.DEADLINE, Outcome.UNKNOWN, text)
