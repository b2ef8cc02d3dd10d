"""What clients asked and were told, and whether the log and one register a key can explain it."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kvraft.core.commands import (
    Acquire,
    Command,
    CompareAndSet,
    Confirm,
    Delete,
    Expect,
    GuardPrefix,
    LeaseKeepAlive,
    Put,
    Release,
    Request,
    Resolve,
)
from kvraft.core.commands import Operation as Part
from kvraft.core.errors import Reason
from kvraft.core.results import (
    CasResult,
    DeleteResult,
    KeyValue,
    OperationResult,
    PutResult,
    Refused,
    Replayed,
    Result,
    Unmet,
)
from kvraft_chaos.checkers.linearizability import check_key
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Operation
from kvraft_chaos.simulation.chronicle import Chronicle
from kvraft_chaos.simulation.effects import bare, effects, first_told, parts_of
from kvraft_chaos.simulation.lease_watch import Removal

CONFIGURATIONS = 20_000
"""Of the search for one key; an honest history of a run takes some hundreds."""
SECONDS = 60.0
"""Wall time for one key: never reached, since `CONFIGURATIONS` come first."""
_REPEATED = (LeaseKeepAlive, Resolve, Acquire, Confirm, Release, GuardPrefix)
NOBODY = -1
"""The process of what the store does by itself."""


@dataclass(slots=True, eq=False)
class Asked:
    """One mutation on its way, from the first attempt on."""

    command: Command
    moment: int
    settled: bool = False


@dataclass(slots=True)
class Account:
    """Of all clients of a run."""

    chronicle: Chronicle
    histories: dict[str, list[Operation]] = field(default_factory=lambda: defaultdict(list))
    answered: Counter[Command] = field(default_factory=Counter)
    unknown: Counter[Command] = field(default_factory=Counter)
    effective: Counter[Command] = field(default_factory=Counter)
    """Answered, and not by a refusal or a condition that was false."""
    refused: Counter[Command] = field(default_factory=Counter)
    """Told NOT_APPLIED, or that it never was and never will be."""
    open: dict[Asked, None] = field(default_factory=dict)
    registers: frozenset[bytes] = frozenset()
    """Keys that are written as a whole only, with values of their own; empty: all are."""
    done: int = 0
    undecided: int = 0
    """Keys whose search was given up."""

    def ask(self, command: Command, moment: int | None = None) -> Asked:
        """A client begins a mutation; at a `moment` long ago where it says so again."""
        asked = Asked(command, self.chronicle.moment() if moment is None else moment)
        self.open[asked] = None
        return asked

    def tell(self, asked: Asked, answer: Result, index: int, revision: int) -> None:
        """It was answered by the state machine."""
        is_burned = isinstance(answer, Refused) and answer.reason is Reason.ABANDONED
        self._settle(asked, self.refused if is_burned else self.answered)
        self.done += 1
        command = asked.command
        self.chronicle.check_answer(command, index, answer, asked.moment)
        result = first_told(answer)
        if isinstance(answer, Replayed):
            revision = answer.revision
        if result is None:  # an outline: whether it was done, not what it saw
            assert isinstance(answer, Replayed)
            if not isinstance(answer.result, Unmet | Refused):
                self.effective[command] += 1
                self._record_unknown(asked)
            return
        if not isinstance(result, Unmet | Refused):
            self.effective[command] += 1
        if isinstance(result, Unmet):
            for entry in result.entries:
                self._saw_once(entry, asked.moment)
            return
        for operation, told in effects(bare(command), result):
            if isinstance(operation, CompareAndSet) and isinstance(told, CasResult):
                self._check_expectation(operation.expect, told)
            found = self._as_register(operation, told, revision)
            if found is not None:
                f, argument, shown = found
                self._record(f, _key(operation), argument, shown, asked.moment)

    def deny(self, asked: Asked, *, unknown: bool) -> None:
        """It failed: certainly without effect, or nobody knows."""
        self._settle(asked, self.unknown if unknown else self.refused)
        if unknown:
            self._record_unknown(asked)

    def _record_unknown(self, asked: Asked) -> None:
        """Of a transaction each write counts alone: for one key that is all there is to it."""
        command = bare(asked.command)
        for operation in parts_of(command):
            found = self._as_register(operation, None, 0)
            if found is not None:
                f, argument, _ = found
                key = _key(operation)
                record = Operation(0, f, key, argument, None, asked.moment, None)
                self.histories[key].append(record)

    def crash(self, asked: Sequence[Asked]) -> None:
        """The process that asked is gone: nobody will ever know."""
        for each in asked:
            if not each.settled:
                self.deny(each, unknown=True)

    def saw(self, key: bytes, entry: KeyValue | None, asked: int) -> None:
        """A linearizable read saw this."""
        self._record("get", key.decode(), None, _shown(entry), asked)

    def _saw_once(self, entry: KeyValue, asked: int) -> None:
        """A condition was false, on this entry among others."""
        if self._is_register(entry.key) and not entry.value_omitted:
            self._record("get", entry.key.decode(), None, _shown(entry), asked)

    def _is_register(self, key: bytes) -> bool:
        return not self.registers or key in self.registers

    def _as_register(
        self, operation: Command | Part, result: Result | OperationResult | None, revision: int
    ) -> tuple[str, dict[str, Any] | None, dict[str, Any] | None] | None:
        if isinstance(operation, Put | CompareAndSet | Delete) and self._is_register(operation.key):
            return _as_register(operation, result, revision)
        return None

    def read(self, what: str, index: int, asked: int) -> None:
        """A linearizable read was answered from the state at `index`."""
        self.done += 1
        self.chronicle.check_read(what, index, asked)

    def _settle(self, asked: Asked, tally: Counter[Command]) -> None:
        assert not asked.settled
        asked.settled = True
        del self.open[asked]
        tally[asked.command] += 1

    def _record(self, f: str, key: str, argument: Any, result: Any, asked: int) -> None:
        moment = self.chronicle.moment()
        self.histories[key].append(Operation(0, f, key, argument, result, asked, moment))

    def _check_expectation(self, expect: Expect, result: CasResult) -> None:
        """The parts that the register of the checkers does not know."""
        entry = result.entry
        version = None if entry is None else entry.version - result.succeeded
        created = None if entry is None else entry.create_revision
        kept = expect.version in (None, version) and expect.create_revision in (None, created)
        others = expect.absent or expect.value is not None or expect.mod_revision is not None
        if kept is not result.succeeded and not (others and not result.succeeded):
            self.chronicle.report("wrong-condition", f"{expect} is answered by {result}")

    # -- at the end

    def judge(self, removals: Sequence[Removal]) -> None:
        """Nobody waits any more: hold everything against everything."""
        self.crash(list(self.open))
        for removal in removals:
            if not self._is_register(removal.key):
                continue
            key, shown = removal.key.decode(), {"deleted": True, "revision": removal.revision}
            self.histories[key].append(
                Operation(NOBODY, "delete", key, {}, shown, removal.moment, removal.moment + 1)
            )
        self._judge_counts()
        for key, history in self.histories.items():
            history.sort(key=lambda each: each.invoked)
            report = check_key(key, history, seconds=SECONDS, configurations=CONFIGURATIONS)
            if report.verdict is Verdict.INVALID:
                self.chronicle.report("not-linearizable", report.sentence())
            self.undecided += report.verdict is Verdict.UNKNOWN

    def _judge_counts(self) -> None:
        """Every answer stands in the log once, every refusal never, the rest once or never.

        Some may be repeated, so for them the log may say more. Whoever gave an identity may be
        answered often for one effect.
        """
        report, applied = self.chronicle.report, self.chronicle.applied
        for command in {**self.answered, **self.unknown, **self.refused}:
            count, owed = applied.get(command, 0), self.answered.get(command, 0)
            if isinstance(command, Request) and command.identity is not None:
                owed = min(owed, 1)
            if count < owed:
                report("acknowledged-write-lost", f"{command}: {owed} answers, {count} in the log")
            elif count > owed + self.unknown.get(command, 0) and not isinstance(command, _REPEATED):
                kind = "refused-but-applied" if self.refused[command] else "applied-twice"
                detail = f"{count} in the log, {owed} answered, {self.unknown[command]} unknown"
                report(kind, f"{command}: {detail}, {self.refused[command]} refused")

    def check_durable(self, name: str, index: int) -> None:
        """A healed node holds everything up to what was applied last anywhere."""
        indexes = self.chronicle.indexes
        if bisect_left(indexes, index) < len(indexes) - 1:
            detail = f"{name} is at {index}, {indexes[-1]} had been applied"
            self.chronicle.report("acknowledged-write-lost", detail)


def _key(command: Command | Part) -> str:
    assert isinstance(command, Put | CompareAndSet | Delete)
    return command.key.decode()


def _shown(entry: KeyValue | None) -> dict[str, Any]:
    if entry is None:
        return {"value": None}
    return {"value": entry.value.decode(), "mod_revision": entry.mod_revision}


def _as_register(
    command: Put | CompareAndSet | Delete, result: Result | OperationResult | None, revision: int
) -> tuple[str, dict[str, Any] | None, dict[str, Any] | None] | None:
    """Return (f, argument, result) in the words of the checkers; None where a register has none.

    `result` None: unknown. A refusal changed nothing and shows nothing.
    """
    if isinstance(command, Put):
        argument = {"value": command.value.decode()}
        if result is None:
            return "put", argument, None
        if isinstance(result, PutResult):
            return "put", argument, {"mod_revision": result.entry.mod_revision}
    elif isinstance(command, CompareAndSet):
        return _as_cas(command, result)
    elif isinstance(command, Delete):
        if result is None:
            return "delete", {}, None
        if isinstance(result, DeleteResult):
            return "delete", {}, {"deleted": bool(result.deleted), "revision": revision}
    return None


def _as_cas(
    command: CompareAndSet, result: Result | OperationResult | None
) -> tuple[str, dict[str, Any] | None, dict[str, Any] | None] | None:
    """A condition on version or create_revision says no more to a register than "present".

    Where it failed, the answer is a read of the entry; `_check_expectation` does the rest.
    """
    expect = command.expect
    condition: dict[str, Any] = {"absent": True} if expect.absent else {"absent": False}
    if expect.value is not None:
        condition["value"] = expect.value.decode()
    if expect.mod_revision is not None:
        condition["mod_revision"] = expect.mod_revision
    argument = {"value": command.value.decode(), "expect": condition}
    if result is None:
        return "cas", argument, None
    if not isinstance(result, CasResult):
        return None
    if result.succeeded:
        assert result.entry is not None
        return "cas", argument, {"succeeded": True, "mod_revision": result.entry.mod_revision}
    if expect.version is not None or expect.create_revision is not None:
        return "get", None, _shown(result.entry)
    current = None if result.entry is None else _shown(result.entry)
    return "cas", argument, {"succeeded": False, "current": current}
