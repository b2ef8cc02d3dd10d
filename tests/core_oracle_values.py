"""What conditions and actions mean, written once more as naively as the specification reads.

Nothing of the core is used but its types. Values go through Python's own json module.
"""

import json
import re
from copy import deepcopy
from math import isfinite

from kvraft.core.actions import ActionKind
from kvraft.core.commands import Fence
from kvraft.core.conditions import All, AnyOf, Clause, Not, Operator, Target

INT64 = range(-(1 << 63), 1 << 63)
DEPTH = 64
MISSING = object()
FIELDS = {
    Target.VERSION: "version",
    Target.CREATE_REVISION: "create_revision",
    Target.MOD_REVISION: "mod_revision",
    Target.LEASE_ID: "lease_id",
}


class Refusal(Exception):  # noqa: N818 - an answer
    """The word of a refusal."""


class Mismatch(Exception):  # noqa: N818 - an answer
    """What stands there cannot be compared."""


def number_of(value):
    """Return an int64 in ASCII decimal; None if it is none."""
    if not re.fullmatch(rb"-?(0|[1-9][0-9]{0,18})", value):
        return None
    return int(value) if int(value) in INT64 else None


def json_of(raw):
    """Return the JSON value of bytes; ValueError if they are none."""

    def refuse(word):
        raise ValueError(word)

    def integer(digits):
        return int(digits) if len(digits.lstrip("-")) <= 19 else floating(digits)

    def floating(digits):
        return float(digits) if isfinite(float(digits)) else refuse(digits)

    value = json.loads(raw.decode(), parse_constant=refuse, parse_int=integer, parse_float=floating)
    if depth_of(value) > DEPTH:
        raise ValueError("deep")
    return value


def depth_of(value):
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


def bytes_of(value):
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


class Documents:
    """The JSON that one command may still parse and write; conditions parse a value once."""

    def __init__(self, budget):
        self.budget = budget
        self.seen = {}

    def spend(self, size, otherwise):
        if size > self.budget:
            raise otherwise
        self.budget -= size

    def look(self, raw, over_budget, malformed):
        if raw not in self.seen:
            self.spend(len(raw), over_budget)
            try:
                self.seen[raw] = json_of(raw)
            except ValueError:
                self.seen[raw] = MISSING
        if self.seen[raw] is MISSING:
            raise malformed
        return self.seen[raw]

    def take(self, raw, malformed="WRONG_TYPE"):
        """Return a value to change: whoever looks at those bytes again pays again."""
        try:
            return deepcopy(self.look(raw, Refusal("TOO_LARGE"), Refusal(malformed)))
        finally:
            self.seen.pop(raw, None)


# -- places


def tokens_of(pointer):
    parts = pointer.split("/")[1:]
    return [part.replace("~1", "/").replace("~0", "~") for part in parts]


def step(value, token):
    if isinstance(value, dict):
        return value.get(token, MISSING)
    if isinstance(value, list) and re.fullmatch(r"0|[1-9][0-9]*", token, re.ASCII):
        return value[int(token)] if int(token) < len(value) else MISSING
    return MISSING


def place(value, tokens):
    for token in tokens:
        value = step(value, token)
    return value


# -- conditions


def evaluate(condition, entries, documents, is_held):
    """Return (truth, index of the clause that decided, indexes of mismatches, keys in order)."""
    mismatched, keys, counter = [], [], iter(range(1_000))

    def clause_is(clause):
        index = next(counter)
        if clause.target == Target.FENCE:
            held = is_held(Fence(clause.key, clause.operands[0]))
            return held == (clause.operator == Operator.EQ), index
        if clause.target != Target.COUNT and clause.key not in keys:
            keys.append(clause.key)
        try:
            return holds(clause, entries, documents), index
        except Mismatch:
            mismatched.append(index)
            return False, index

    def truth_of(part):
        if isinstance(part, Clause):
            return clause_is(part)
        if isinstance(part, Not):
            truth, index = truth_of(part.part)
            return not truth, index
        told = [truth_of(inner) for inner in part.parts]
        deciding = isinstance(part, AnyOf)  # one True makes an AnyOf true, one False an All false
        decided = [index for truth, index in told if truth == deciding]
        assert isinstance(part, All | AnyOf)
        return (deciding, decided[0]) if decided else (not deciding, told[0][1])

    truth, index = truth_of(condition)
    return truth, index, tuple(mismatched), keys


def holds(clause, entries, documents):
    entry = entries.get(clause.key)
    actual = looked_at(clause, entry, entries, documents)
    if clause.target == Target.EXISTS:
        there = actual is not MISSING
        return (there == clause.operands[0]) == (clause.operator == Operator.EQ)
    if actual is MISSING:
        return clause.operator == Operator.NE
    return compared(actual, clause.operator, clause.operands)


def looked_at(clause, entry, entries, documents):
    if clause.target == Target.COUNT:
        return sum(key.startswith(clause.key) for key in entries)
    if entry is None:
        return MISSING
    if clause.target in FIELDS:
        return getattr(entry, FIELDS[clause.target])
    if clause.target == Target.NUMBER:
        number = number_of(entry.value)
        if number is None:
            raise Mismatch
        return number
    if clause.target == Target.VALUE or (clause.target == Target.EXISTS and not clause.pointer):
        return entry.value
    document = documents.look(entry.value, Mismatch(), Mismatch())
    return place(document, tokens_of(clause.pointer))


def type_of(value):
    if isinstance(value, bool) or value is None:
        return type(value)
    if isinstance(value, int | float):
        return float
    if isinstance(value, bytes | str):
        return type(value)
    raise Mismatch  # an array, an object


def compared(actual, operator, operands):
    alike = [operand for operand in operands if type_of(operand) == type_of(actual)]
    if operator == Operator.IN:
        if not alike:
            raise Mismatch
        return actual in alike
    if len(alike) < len(operands):
        raise Mismatch
    first = operands[0]
    if operator in (Operator.EQ, Operator.NE):
        return (actual == first) == (operator == Operator.EQ)
    if type_of(actual) in (bool, type(None)):
        raise Mismatch  # nulls and booleans have no order
    if operator == Operator.BEGINS_WITH:
        if type_of(actual) is float:
            raise Mismatch
        return actual.startswith(first)
    if operator == Operator.BETWEEN:
        return first <= actual <= operands[1]
    ordered = {
        Operator.LT: actual < first,
        Operator.LE: actual <= first,
        Operator.GT: actual > first,
        Operator.GE: actual >= first,
    }
    return ordered[operator]


# -- actions


class Draft:
    """A value between two actions: bytes (None: absent), or JSON that was not written yet."""

    def __init__(self, value, documents):
        self.value, self.documents = value, documents
        self.tree, self.changed = MISSING, False

    def absent(self):
        return self.value is None and not self.changed

    def raw(self):
        if self.changed:
            self.value, self.changed = bytes_of(self.tree), False
            self.documents.spend(len(self.value), Refusal("TOO_LARGE"))
        return self.value

    def root(self):
        """Return the JSON value; an absent key is an empty object."""
        if self.tree is MISSING:
            self.tree = {} if self.value is None else self.documents.take(self.value)
        return self.tree


JSON_KINDS = (ActionKind.JSON_SET, ActionKind.JSON_ADD, ActionKind.JSON_REMOVE)
BLIND_KINDS = (ActionKind.SET, ActionKind.DELETE, ActionKind.SET_IF_ABSENT)


def updated(value, actions, limits, documents):
    """Return the value after the actions (None: absent), and whether any of them wrote."""
    draft, wrote = Draft(value, documents), False
    for action in actions:
        kind, operand = action.kind, action.operand
        if kind in JSON_KINDS:
            wrote |= reshaped(draft, action)
            continue
        if kind in BLIND_KINDS:  # whatever stands there, they need not write it out
            after = replaced(draft.absent(), kind, operand)
        else:
            after = acted(draft.raw(), kind, operand)
        if after is not MISSING:
            draft, wrote = Draft(after, documents), True
    after = draft.raw()
    if after is not None and len(after) > limits.value_bytes:
        raise Refusal("TOO_LARGE")
    return after, wrote


def replaced(absent, kind, operand):
    """Return the value after an action that asks at most whether there is one."""
    if kind == ActionKind.SET:
        return operand
    if kind == ActionKind.DELETE:
        return MISSING if absent else None
    return operand if absent else MISSING


def acted(value, kind, operand):
    """Return the value after one action; MISSING if it wrote nothing."""
    if kind == ActionKind.APPEND:
        return (value or b"") + operand
    old = None if value is None else number_of(value)
    if old is None and value is not None:
        raise Refusal("WRONG_TYPE")
    if kind == ActionKind.ADD:
        new = (old or 0) + operand
        if new not in INT64:
            raise Refusal("INVARIANT")
    elif old is None:
        new = operand
    else:
        new = min(old, operand) if kind == ActionKind.MIN else max(old, operand)
        if new == old:
            return MISSING
    return str(new).encode()


def reshaped(draft, action):
    """Do a JSON action; returns whether it wrote."""
    tokens = tokens_of(action.pointer)
    removing = action.kind == ActionKind.JSON_REMOVE
    absent = draft.absent()
    if removing and absent:
        return False
    operand = action.operand
    if action.kind == ActionKind.JSON_SET:
        operand = draft.documents.take(operand, "INVALID")
        if depth_of(operand) + len(tokens) > DEPTH:
            raise Refusal("TOO_LARGE")
    holder = {"": draft.root()}  # so that the whole document is a place like any other
    parent = place(holder, ["", *tokens][:-1])
    token = ["", *tokens][-1]
    there = MISSING if absent and not tokens else step(parent, token)
    if removing:
        if there is MISSING:
            return False
        parent.pop(int(token) if isinstance(parent, list) else token)
    elif action.kind == ActionKind.JSON_ADD:
        put_in(parent, token, summed(there, operand))
    else:
        put_in(parent, token, operand)
    draft.tree, draft.changed = holder[""], True
    return True


def summed(there, operand):
    there = 0 if there is MISSING else there
    if isinstance(there, bool) or not isinstance(there, int | float):
        raise Refusal("WRONG_TYPE")
    total = there + operand
    if not (total in INT64 if isinstance(total, int) else isfinite(total)):
        raise Refusal("INVARIANT")
    return total


def put_in(parent, token, value):
    if isinstance(parent, dict):
        parent[token] = value
    elif isinstance(parent, list) and token == "-":
        parent.append(value)
    elif isinstance(parent, list) and step(parent, token) is not MISSING:
        parent[int(token)] = value
    else:
        raise Refusal("WRONG_TYPE")
