"""What is kept of a large answer, tried one value at a time."""

from dataclasses import fields, is_dataclass, replace

from kvraft.core.codec import encode_result
from kvraft.core.results import KeyValue, PutResult, Refused, TxnResult, Unmet, UpdateResult


def size_of(result):
    return len(encode_result(result))


def outlined(result, limit):
    """The same answer, with as much left out as it takes to fit."""
    if size_of(result) <= limit:
        return result
    count = len(entries_of(result))
    if size_of(without_values(result, range(count))) > limit:
        return shortest(result, limit)
    gone = set(range(count))
    for position in range(count):
        if size_of(without_values(result, gone - {position})) <= limit:
            gone.remove(position)
    return without_values(result, gone)


def shortest(result, limit):
    match without_values(result, range(len(entries_of(result)))):
        case PutResult(entry, previous) | UpdateResult(entry, previous) if entry and previous:
            return type(result)(entry, previous._replace(key=b""))
        case Unmet(clause, mismatched, _):
            fitting = [n for n in range(257) if size_of(Unmet(clause, mismatched[:n], ())) <= limit]
            return Unmet(clause, mismatched[: max(fitting)], ())
        case TxnResult(None, _):
            return TxnResult(None, ())
        case TxnResult(missed, _):
            others = size_of(TxnResult(missed, ())) - size_of(missed)
            return TxnResult(outlined(missed, limit - others), ())
        case Refused(_, message):
            cuts = (replace(result, message=message[:n]) for n in range(len(message), -1, -1))
            return next(cut for cut in cuts if size_of(cut) <= limit)
        case bare:
            return bare


def entries_of(node):
    found = []
    changed(node, lambda entry: found.append(entry) or entry)
    return found


def without_values(result, positions):
    counted = iter(range(1 << 20))

    def cut(entry):
        if next(counted) in positions and entry.value:
            return entry._replace(value=b"", value_omitted=True)
        return entry

    return changed(result, cut)


def changed(node, change):
    """The same tree with every entry changed, in reading order."""
    if isinstance(node, KeyValue):
        return change(node)
    if isinstance(node, tuple):
        return tuple([changed(each, change) for each in node])
    if is_dataclass(node):
        return type(node)(*[changed(getattr(node, each.name), change) for each in fields(node)])
    return node
