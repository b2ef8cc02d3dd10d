"""What stood at each revision, from the events alone: for reads of the past, conditions, the bank.

Every event must fit to the one before it; every condition is decided again, on this model, where
its command stands in its entry; whatever is read at a revision must be what stood then.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kvraft.core.commands import Request, Txn
from kvraft.core.conditions import All, AnyOf, Clause, Condition, Not, Operator, Target
from kvraft.core.history import Cause, Event, Revision
from kvraft.core.keyspace import Record
from kvraft.core.machine import StateMachine
from kvraft.core.results import GetResult, KeyValue, Refused, Replayed, Result, TxnResult, Unmet
from kvraft_chaos.simulation.chronicle import Before, Chapter, Chronicle

BANK = b"acct/"
ACCOUNTS = tuple(BANK + str(number).encode() for number in range(4))
DEPOSIT = 100
"""What each account has at first."""


@dataclass(slots=True)
class Past:
    """Listens to the chronicle."""

    chronicle: Chronicle
    live: dict[bytes, Record] = field(default_factory=dict)
    versions: dict[bytes, list[tuple[int, Record | None]]] = field(default_factory=dict)
    revisions: list[int] = field(default_factory=list)
    """Those that have events."""
    changes: list[Revision] = field(default_factory=list)
    conditions: int = 0
    """Decided again."""

    def on_chapter(self, chapter: Chapter, before: Before) -> None:
        """Follow one entry: what expires comes first, then what each command changed."""
        del before
        left = list(chapter.changes)
        while left and left[0].events[0].cause is Cause.EXPIRED:
            self._take(left.pop(0))
        done = zip(chapter.commands, chapter.results, chapter.revisions, strict=True)
        for command, result, revision in done:
            if isinstance(command, Request | Txn):
                self._decide(command, result)
            while left and left[0].revision <= revision:
                self._take(left.pop(0))
        if left:
            self.chronicle.report("events-of-nobody", f"entry {chapter.index}: {left}")

    def _take(self, change: Revision) -> None:
        number = change.revision
        if self.revisions and number <= self.revisions[-1]:
            self.chronicle.report("revision-given-twice", f"{number}")
        self.revisions.append(number)
        self.changes.append(change)
        banked = False
        for event in change.events:
            self._follow(number, event)
            banked = banked or event.key.startswith(BANK)
        if banked:
            self._count(number)

    def _follow(self, number: int, event: Event) -> None:
        key, record, before, _ = event
        if self.live.get(key) != before:
            detail = f"{key!r} at revision {number}: {before} before, {self.live.get(key)} stood"
            self.chronicle.report("event-does-not-fit", detail)
        if record is None:
            self.live.pop(key, None)
        else:
            self.live[key] = record
        self.versions.setdefault(key, []).append((number, record))

    def _count(self, number: int) -> None:
        """All or nothing of every transfer: nothing is lost, and nobody owes anything."""
        balances = [int(self.live[key][0]) if key in self.live else 0 for key in ACCOUNTS]
        if sum(balances) != DEPOSIT * len(ACCOUNTS) or min(balances) < 0:
            self.chronicle.report("bank-sum", f"{balances} at revision {number}")

    # -- conditions

    def _decide(self, command: Request | Txn, result: Result) -> None:
        if isinstance(result, Replayed | Refused):
            return
        txn = command.mutation if isinstance(command, Request) else command
        if isinstance(txn, Txn):
            condition = txn.condition
            assert isinstance(result, TxnResult)
            missed = result.unmet is not None
            self._check_reads(txn, result)
        else:
            assert isinstance(command, Request)
            condition = command.condition
            missed = isinstance(result, Unmet)
        if condition is None:
            return
        self.conditions += 1
        if self._holds(condition) is missed:
            detail = f"{condition} is {not missed}, but not on {self._standing(condition)}"
            self.chronicle.report("wrong-condition", detail)

    def _standing(self, condition: Condition) -> dict[bytes, Record | None]:
        return {clause.key: self.live.get(clause.key) for clause in _clauses(condition)}

    def _holds(self, condition: Condition) -> bool:
        match condition:
            case All():
                return all(map(self._holds, condition.parts))
            case AnyOf():
                return any(map(self._holds, condition.parts))
            case Not():
                return not self._holds(condition.part)
            case Clause():
                return _compare(condition, self._value(condition))

    def _value(self, clause: Clause) -> bytes | int | None:
        """What the clause looks at; None where it is absent, or nothing of that kind."""
        if clause.target is Target.COUNT:
            return sum(key.startswith(clause.key) for key in self.live)
        record = self.live.get(clause.key)
        if clause.target is Target.EXISTS:
            return record is not None
        if record is None:
            return None
        if clause.target is Target.NUMBER:
            return int(record[0])
        place = {Target.VALUE: 0, Target.MOD_REVISION: 2, Target.VERSION: 3}[clause.target]
        found = record[place]
        assert isinstance(found, bytes | int)
        return found

    def _check_reads(self, txn: Txn, result: TxnResult) -> None:
        """What a transaction reads of a key: what it wrote before, or else what stood."""
        written: dict[bytes, KeyValue | None] = {}
        done = txn.then if result.unmet is None else txn.orelse
        for operation, each in zip(done, result.results, strict=True):
            key = getattr(operation, "key", None)
            if isinstance(each, GetResult):
                assert key is not None
                wanted = written[key] if key in written else _shown(key, self.live.get(key))
                if each.entry != wanted and not (each.entry and each.entry.value_omitted):
                    detail = f"{txn} reads {each.entry}, {wanted} stood"
                    self.chronicle.report("wrong-read-in-txn", detail)
            elif key is not None:
                written[key] = getattr(each, "entry", None)

    # -- reads of the past

    def entry(self, key: bytes, revision: int) -> KeyValue | None:
        """Return what stood then."""
        versions = self.versions.get(key, [])
        at = bisect_right(versions, revision, key=lambda each: each[0])
        return _shown(key, versions[at - 1][1]) if at else None

    def check_read(self, key: bytes, revision: int, seen: KeyValue | None) -> None:
        """A read at a revision saw this."""
        stood = self.entry(key, revision)
        if seen != stood:
            detail = f"{key!r} at revision {revision}: {seen} was read, {stood} stood"
            self.chronicle.report("wrong-read-of-the-past", detail)

    def check_gone(self, revision: int, kept: int) -> None:
        """A read at, or a watch from, a revision was refused: more than `kept` must be above it."""
        above = len(self.revisions) - bisect_right(self.revisions, revision)
        if above < kept:
            detail = f"revision {revision} is gone, {above} are above it, {kept} are kept"
            self.chronicle.report("history-lost", detail)

    def check_live(self, machine: StateMachine) -> None:
        """At the end: the events lead to what stands."""
        page = machine.page(b"", None, limit=1 << 20, max_bytes=1 << 40)
        stands = {entry.key: entry for entry in page.entries}
        told = {key: KeyValue(key, *record) for key, record in self.live.items()}
        if stands != told:
            odd = sorted(key for key in stands | told if stands.get(key) != told.get(key))
            self.chronicle.report("events-missing", f"the events do not lead to {odd}")


def _clauses(condition: Condition) -> Iterator[Clause]:
    match condition:
        case Clause():
            yield condition
        case Not():
            yield from _clauses(condition.part)
        case All() | AnyOf():
            for part in condition.parts:
                yield from _clauses(part)


def _compare(clause: Clause, value: bytes | int | None) -> bool:
    """Its own few operators; the core knows more."""
    operands: Sequence[object] = clause.operands
    if clause.operator is Operator.NE:
        return value != operands[0]
    if value is None:
        return False
    if clause.operator is Operator.EQ:
        return value == operands[0]
    assert isinstance(value, int)
    bound = operands[0]
    assert isinstance(bound, int)
    return value >= bound if clause.operator is Operator.GE else value < bound


def _shown(key: bytes, record: Record | None) -> KeyValue | None:
    return None if record is None else KeyValue(key, *record)
