"""Fences and guards as the log must have them, and a counter that only they keep right."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kvraft.core.commands import Command, Delete, Fence, GuardPrefix, LockMode, Put, Request
from kvraft.core.errors import Reason
from kvraft.core.history import Cause, Revision
from kvraft.core.results import GuardResult, PutResult, Refused, Replayed, Result
from kvraft_chaos.simulation.chronicle import Chronicle
from kvraft_chaos.simulation.effects import bare
from kvraft_chaos.simulation.identity_watch import OWN_REASONS
from kvraft_chaos.simulation.lock_book import Book

COUNTER, COUNTER_LOCK = b"f/0", b"lock/f"
"""Read, then written as a whole: right only where nobody else writes in between."""
GUARDS = (GuardPrefix(b"f/", COUNTER_LOCK), GuardPrefix(b"p/", per_key=True))
"""No client ever changes them."""


@dataclass(slots=True)
class FenceWatch:
    """Follows the commands that the locks' watch hands on."""

    chronicle: Chronicle
    book: Book
    guards: dict[bytes, GuardPrefix] = field(default_factory=dict)
    counter: int = 0
    answered: int = 0
    """Increments that clients were told of."""
    asked: int = 0
    """All that were ever sent."""
    fenced: int = 0
    stale: int = 0

    def follow(
        self,
        command: Command,
        result: Result,
        changes: Sequence[Revision],
        before: int,
        after: int,
    ) -> None:
        """Follow one command, with the store's revisions around it."""
        fences: tuple[Fence, ...] = ()
        if isinstance(command, Request):
            if self.is_of_the_copy(result):
                return
            fences = command.fences
            self._judge_fences(command, result)
        asked = bare(command)
        if isinstance(asked, GuardPrefix) and isinstance(result, GuardResult):
            self.guards[asked.prefix] = asked
        if not self.guards:
            return
        if isinstance(result, Refused) and result.reason is Reason.FENCE_REQUIRED:
            if isinstance(asked, Put | Delete) and self._covers(asked.key, fences):
                self._report("holder-refused", f"{command}: {result.message}")
        elif after > before:
            for change in changes:
                if change.revision == after:
                    self._written(command, change, fences)

    def is_of_the_copy(self, result: Result) -> bool:
        """Whether an answer says nothing of what stands now."""
        is_refused = isinstance(result, Refused) and result.reason in OWN_REASONS
        return is_refused or isinstance(result, Replayed)

    def _report(self, kind: str, detail: str) -> None:
        self.chronicle.report(kind, detail)

    def _judge_fences(self, command: Request, result: Result) -> None:
        if not command.fences:
            return
        is_stale = any(self.book.holder(each) is None for each in command.fences)
        refused = isinstance(result, Refused) and result.reason is Reason.STALE_FENCE
        self.fenced += 1
        self.stale += refused
        if is_stale and not refused:
            self._report("stale-fence-accepted", f"{command}: {result}")
        elif refused and not is_stale:
            self._report("good-fence-refused", f"{command}: {result}")

    def _written(self, command: Command, change: Revision, fences: tuple[Fence, ...]) -> None:
        for key, record, _, cause in change.events:
            if cause in (Cause.EXPIRED, Cause.REVOKED):
                continue
            if not self._covers(key, fences):
                self._report("guard-ignored", f"{key!r} was written by {command}")
            if key == COUNTER and record is not None:
                value = int(record[0])
                if value != self.counter + 1:
                    self._report("increment-lost", f"{value} follows {self.counter}: {command}")
                self.counter = value

    def _covers(self, key: bytes, fences: tuple[Fence, ...]) -> bool:
        """Whether some fence is that of the exclusive holder whom the longest guard names."""
        prefixes = [each for each in self.guards if key.startswith(each)]
        if not prefixes:
            return True
        guard = self.guards[max(prefixes, key=len)]
        lock = key if guard.lock is None else guard.lock
        holders = [self.book.holder(each) for each in fences if each.lock == lock]
        return any(each is not None and each.mode == LockMode.EXCLUSIVE for each in holders)

    # -- what clients were told

    def counted(self, result: Result) -> None:
        """A client was answered about its increment."""
        self.answered += isinstance(result, PutResult)

    def judge(self) -> None:
        """Hold the counter against what clients were told."""
        if not self.answered <= self.counter <= self.asked:
            detail = f"{self.counter}: {self.answered} answered, {self.asked} asked for"
            self._report("wrong-count", detail)
