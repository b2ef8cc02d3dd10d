"""Conditions before a command, and transactions, as naively as the specification reads."""

from core_oracle_values import evaluate

from kvraft.core import commands as c
from kvraft.core.results import GetResult, KeyValue, Page, TxnResult, Unmet


class TxnOracle:
    def unmet(self, condition):
        """Return why a condition is false, with nothing left out yet; None where it is true."""
        truth, clause, mismatched, keys = evaluate(
            condition, self.entries, self.documents, lambda fence: self.holder(fence) is not None
        )
        if truth:
            return None
        entries = tuple(self.entries[key] for key in keys if key in self.entries)
        return Unmet(clause, mismatched, entries)

    def txn(self, txn: c.Txn):
        unmet = None if txn.condition is None else self.unmet(txn.condition)
        operations = txn.then if unmet is None else txn.orelse
        return TxnResult(unmet, tuple(self.operation(one) for one in operations))

    def operation(self, operation):
        match operation:
            case c.Txn():
                return self.txn(operation)
            case c.Get(key):
                return GetResult(self.entries.get(key))
            case c.GetRange(start, end, limit, keys_only):
                keys = self.between(start, end)
                self.touch(self.passed(start, keys[limit] if len(keys) > limit else end))
                entries = [self.entries[key] for key in keys[:limit]]
                if keys_only:
                    entries = [entry._replace(value=b"") for entry in entries]
                return Page(tuple(entries), len(keys) > limit)
        return self.do(operation)

    def passed(self, start, stop):
        """Count the keys from `start` to the first one that is not read, deleted ones included."""
        known = {*self.entries, *self.entries_before}
        return sum(start <= key and (stop is None or key < stop) for key in known)

    def trimmed(self, result):
        """Leave out the values that make a reply larger than it may be."""
        return without_values_beyond(self.limits.reply_bytes, result)


def without_values_beyond(left, result):
    """Leave out values, in reading order, where they do not fit into what is left."""

    def trim(thing):
        nonlocal left
        if isinstance(thing, KeyValue):
            if len(thing.value) > left:
                return thing._replace(value=b"", value_omitted=True)
            left -= len(thing.value)
            return thing
        if isinstance(thing, tuple):
            return tuple(trim(part) for part in thing)
        names = getattr(thing, "__dataclass_fields__", ())
        return type(thing)(*(trim(getattr(thing, name)) for name in names)) if names else thing

    return trim(result)
