"""What a transaction may ask: its operations, their number, and that none writes a key twice.

Imports: core bounds, commands, limits, results, validation_conditions, validation_writes.
Transactions are nested once and no deeper, so the calls here are too.
"""

from kvraft.core.bounds import invalid, shown
from kvraft.core.commands import Delete, DeleteRange, Operation, Put, Txn, Update
from kvraft.core.limits import RequestLimits
from kvraft.core.results import Refused
from kvraft.core.validation_conditions import ConditionCheck
from kvraft.core.validation_writes import operation_bytes, operation_refusal


def txn_refusal(txn: Txn, limits: RequestLimits) -> tuple[Refused | None, int]:
    """Say what is wrong with a transaction, and return its size in bytes as far as it was seen."""
    check = _TxnCheck(limits)
    refused = check.transaction(txn, "", inner=False) or _writes(txn, _Writes())
    return refused, check.request_bytes + check.conditions.request_bytes


class _TxnCheck:
    """The operations of one transaction, each alone, and what all of them add up to."""

    def __init__(self, limits: RequestLimits) -> None:
        self._limits = limits
        self.conditions = ConditionCheck(limits)
        self._operations = 0
        self.request_bytes = 0

    def transaction(self, txn: Txn, place: str, *, inner: bool) -> Refused | None:
        refused = self.conditions.refusal(txn.condition)
        if refused is not None:
            return _at(f"{place}condition", refused)
        for name, branch in (("then", txn.then), ("orelse", txn.orelse)):
            self._operations += len(branch)
            if self._operations > self._limits.txn_operations:
                return invalid(
                    f"the transaction holds at least {self._operations} operations,"
                    f" the limit txn_operations is {self._limits.txn_operations}"
                )
            for index, operation in enumerate(branch):
                refused = self._operation(operation, f"{place}{name}[{index}]", inner=inner)
                if refused is not None:
                    return refused
        return None

    def _operation(self, operation: Operation, place: str, *, inner: bool) -> Refused | None:
        if isinstance(operation, Txn):
            if inner:
                return invalid(f"{place}: a transaction inside another must hold none itself")
            return self.transaction(operation, f"{place}.", inner=True)
        self.request_bytes += operation_bytes(operation)
        refused = operation_refusal(operation, self._limits)
        return None if refused is None else _at(place, refused)


class _Writes:
    """The keys and ranges that one path through a transaction writes."""

    __slots__ = ("keys", "ranges")

    def __init__(self) -> None:
        self.keys: set[bytes] = set()
        self.ranges: set[tuple[bytes, bytes | None]] = set()

    def add(self, operation: Operation) -> bytes | None:
        """Add what an operation writes; return a key that was written before it, if there is one.

        Two ranges may overlap: what the first deletes is not there for the second.
        """
        if isinstance(operation, Put | Delete | Update):
            key = operation.key
            if key in self.keys or any(_within(key, bounds) for bounds in self.ranges):
                return key
            self.keys.add(key)
        elif isinstance(operation, DeleteRange):
            bounds = (operation.start, operation.end)
            self.ranges.add(bounds)
            return next((key for key in self.keys if _within(key, bounds)), None)
        return None

    def copy(self) -> "_Writes":
        other = _Writes()
        other.join(self)
        return other

    def join(self, other: "_Writes") -> None:
        self.keys |= other.keys
        self.ranges |= other.ranges


def _within(key: bytes, bounds: tuple[bytes, bytes | None]) -> bool:
    start, end = bounds
    return start <= key and (end is None or key < end)


def _writes(txn: Txn, before: _Writes, place: str = "") -> Refused | None:
    """Refuse a key that is written twice on one path; what either branch writes joins `before`.

    A path takes one branch of each transaction: the branches are free against each other.
    """
    branches = []
    for name, branch in (("then", txn.then), ("orelse", txn.orelse)):
        path = before.copy()
        for index, operation in enumerate(branch):
            at = f"{place}{name}[{index}]"
            if isinstance(operation, Txn):
                refused = _writes(operation, path, f"{at}.")
                if refused is not None:
                    return refused
                continue
            key = path.add(operation)
            if key is not None:
                return invalid(f"{at}: the key {shown(key)} is written twice")
        branches.append(path)
    for path in branches:
        before.join(path)
    return None


def _at(place: str, refused: Refused) -> Refused:
    return Refused(refused.reason, f"{place}: {refused.message}")
