"""Commands that meet: seven keys, a few leases and sessions, and copies of old requests.

One generator for both: hypothesis hands in a `Random` of its own, the long runs a seeded one.
"""

from collections import deque
from dataclasses import replace

from core_traffic_locks import LockTraffic

from kvraft.core import commands as c
from kvraft.core.actions import Action, ActionKind
from kvraft.core.conditions import All, AnyOf, Clause, Not, Operator, Target
from kvraft.core.limits import ApplyLimits

SMALL_LIMITS = ApplyLimits(
    touched_entries=5,
    expiries_per_entry=2,
    leases=4,
    ttl_leases=3,
    keys_per_lease=3,
    ttl_min_ms=1_000,
    ttl_max_ms=5_000,
    value_bytes=80,
    reply_bytes=82,
    json_bytes=90,
    written_bytes=100,
    invariants=3,
    prefix_lengths=1,
    guards=1,
    waiters_per_lock=3,
    holders_per_lock=2,
    locks_per_lease=5,
    grants_per_entry=1,
    attach_ms=2_500,
    ended_places=40,
    ended_ms=1_000,
    released_ms=300,
    sessions=3,
    session_window=4,
    session_idle_ms=4_000,
    key_retention_ms=1_500,
    outcome_records=24,
    outcome_reply_bytes=256,
    history_revisions=10,
    history_ms=3_000,
    history_bytes=6_000,
    history_removals=3,
)
"""So small that a short run meets every bound."""

RELAXED = ["touched_entries", "expiries_per_entry", "leases", "ttl_leases", "keys_per_lease"]
RELAXED += ["reply_bytes", "json_bytes", "invariants", "sessions", "session_window"]
RELAXED += ["written_bytes", "prefix_lengths", "outcome_records", "outcome_reply_bytes"]
RELAXED += ["guards", "waiters_per_lock", "holders_per_lock", "locks_per_lease"]
RELAXED += ["grants_per_entry", "attach_ms", "ended_places"]


def some_limits(random):
    """Relax some of the limits, for what can only happen beyond them."""
    usual = ApplyLimits()
    return replace(
        SMALL_LIMITS, **{name: getattr(usual, name) for name in RELAXED if random.random() < 0.2}
    )


KEYS = [b"a", b"b", b"ba", b"bb", b"c", b"ca", b"d"]
TEXTS = [b"", b"x", b"yy", b"zzz", b"#" * 70]
NUMBERS = [b"0", b"5", b"12", b"-3", b"650", b"9223372036854775807", b"-9223372036854775808"]
NO_NUMBERS = [b"+5", b"05", b"-", b"9223372036854775808", b" 5", b"5.0", b"-0", b"5\n"]
DOCUMENTS = [
    b'{"n":1,"s":"abc","l":[1,2,"x"],"t":true,"z":null}',
    b'{"n":5.5,"m":{"n":7}}',
    b'{"n":9223372036854775807,"":{"~/":3}}',
    b'{ "l" : [ [ ] , { } ] }',
    b'{"n":12345678901234567890}',
    b'{"n":1.7976931348623157e308}',
    b'{"n":1,"n":2}',
    b'{"s":"\\ud800"}',
    b'"str"',
    b"[3]",
]
NO_DOCUMENTS = [
    b"{",
    b"NaN",
    b'{"n":Infinity}',
    b'{"n":1e999}',
    b'{"n":1}x',
    b"\xff",
    b'\xef\xbb\xbf{"n":1}',
    b"[" * 70,
    b"",
]
POINTERS = ["/n", "/n", "/n", "/s", "/l/0", "/l/2", "/l/-", "/l/3", "/l/01", "/m/n"]
POINTERS += ["/m", "/t", "/z", "", "/~1", "//~0~1", "/q/w", "/0", "/s/0", "/l/x"]
JSON_TEXTS = [b"1", b"-2.5", b'"abc"', b"true", b"null", b'{"n":1}', b"[]", b" [1, 2] "]
SCALARS = [None, True, False, 0, 1, 2, 5, 5.5, 1.0, "abc", "x", "", "ab", 1 << 53, float(1 << 53)]
LEASE_IDS = [1, 2, 3, 4]
TTLS_MS = [1_000, 1_000, 1_500, 3_000, 5_000, 5_000, 999, 5_001]
PASSED_MS = [0, 1, 1, 2, 2, 5, 10, 50, 100, 400, 1_000]
COMPARISONS = [Operator.EQ, Operator.NE, Operator.LT, Operator.LE, Operator.GT, Operator.GE]

UNCONDITIONAL = (c.Txn, c.LeaseGrant, c.LeaseRevoke, c.SetInvariant, c.Release, c.GuardPrefix)


class Traffic(LockTraffic):
    """Makes commands; `oracle` tells which revisions and sessions there are."""

    def __init__(self, oracle=None):
        self.oracle = oracle
        self.sent = deque(maxlen=12)

    def command(self, random):
        self.random = random
        roll = random.random()
        if roll < 0.10 and self.sent:
            return self.copy_of_old()
        if roll < 0.34:
            return self.lock_command()
        if roll < 0.84:
            return self.request(self.mutation())
        if roll < 0.87:
            return c.LeaseKeepAlive(self.lease_id())
        if roll < 0.91:
            return c.Resolve(self.identity())
        if roll < 0.95:
            return c.SessionOpen()
        if roll < 0.96:
            return c.SessionClose(self.session_id())
        if roll < 0.97:
            return c.MemberDisk(c.Member(random.choice(["n1", "n2", "n9"]), random.randint(1, 5)))
        if roll < 0.98:
            return c.Bootstrap(77, (c.Member("n9", 1),), ApplyLimits())
        return c.HashMarker(random.randint(0, 9))

    # -- who asks, and under which condition

    def copy_of_old(self):
        """Ask again what was asked, or something else in the same name."""
        old = self.random.choice(self.sent)
        roll = self.random.random()
        if roll < 0.1:
            return replace(old, mutation=self.mutation())
        if roll < 0.15 and old.condition is not None:
            return replace(old, condition=self.condition())
        return replace(old, fences=self.fences()) if roll < 0.25 else old

    def request(self, mutation):
        roll = self.random.random()
        no_condition = isinstance(mutation, UNCONDITIONAL)
        condition = None if no_condition or roll < 0.7 else self.condition()
        identity = self.identity() if self.random.random() < 0.3 else None
        fences = self.fences()
        if condition is None and identity is None and not fences:
            return mutation
        request = c.Request(mutation, condition, identity, fences)
        if identity is not None:
            self.sent.append(request)
        return request

    def identity(self):
        choice = self.random.choice
        if self.random.random() < 0.4:
            return c.KeyIdentity(b"i%d" % self.random.randrange(300))
        session_id = self.session_id()
        session = self.oracle and self.oracle.identities.sessions.get(session_id)
        known = session.first_unacked if session else 1
        first_unacked = max(1, known + choice([0, 0, 0, 0, 0, 0, 0, 1, 1, -1, 2]))
        free = [] if session is None else [n for n in range(4) if known + n not in session.outcomes]
        if not free or self.random.random() < 0.15:
            free = range(5)
        sequence = first_unacked + choice(free)
        return c.SessionIdentity(session_id, sequence, first_unacked)

    def session_id(self):
        if self.oracle is None:
            return self.random.randint(1, 3)
        alive = sorted(self.oracle.identities.sessions)
        if alive and self.random.random() < 0.95:
            return self.random.choice(alive)
        return max(1, self.oracle.identities.next_session_id - self.random.randrange(4))

    def lease_id(self):
        if self.oracle is None or not self.oracle.leases or self.random.random() < 0.3:
            return self.random.choice(LEASE_IDS)
        return self.random.choice(sorted(self.oracle.leases))

    def condition(self, depth=0, keys=KEYS):
        roll = self.random.random()
        if depth == 3 or roll < 0.6:
            return self.clause(keys)
        if roll < 0.75:
            return Not(self.condition(depth + 1, keys))
        parts = tuple(self.condition(depth + 1, keys) for _ in range(self.random.randint(1, 3)))
        return All(parts) if roll < 0.88 else AnyOf(parts)

    def clause(self, keys):
        random, choice = self.random, self.random.choice
        target = choice([*Target, Target.JSON, Target.JSON])
        key = choice(keys)
        if target == Target.JSON and self.oracle and random.random() < 0.7:
            documents = [e.key for e in self.oracle.entries.values() if e.value[:1] == b"{"]
            key = choice(documents or keys)
        if target == Target.FENCE:
            fence = self.fence()
            return Clause(fence.lock, target, choice(COMPARISONS[:2]), (fence.token,))
        if target == Target.EXISTS:
            operator = choice(COMPARISONS[:2])
            return Clause(key, target, operator, (choice([True, False]),), choice(["", *POINTERS]))
        if target == Target.JSON:
            operators, pool, pointer = list(Operator), SCALARS, choice(POINTERS)
        elif target == Target.VALUE:
            operators, pool, pointer = list(Operator), [*TEXTS, *NUMBERS], ""
        else:
            operators, pool, pointer = list(Operator)[:-1], self.numbers_of(target), ""
        if target == Target.COUNT:
            key = choice([b"", b"a", b"b", b"c"])
        operator = choice(operators)
        if operator == Operator.BEGINS_WITH and target == Target.JSON:
            pool = ["", "a", "abc", "x"]
        count = {Operator.IN: random.randint(1, 3), Operator.BETWEEN: 2}.get(operator, 1)
        if operator == Operator.BETWEEN and target == Target.JSON:
            pool = choice([[0, 1, 5.5, 7], ["", "abc", "b"]])
        operands = tuple(choice(pool) for _ in range(count))
        if (
            target == Target.JSON
            and operator in COMPARISONS[2:]
            and operands[0] in (None, True, False)
        ):
            operands = (choice([1, "b"]),)
        return Clause(key, target, operator, operands, pointer)

    def numbers_of(self, target):
        if target == Target.NUMBER:
            return [int(number) for number in NUMBERS]
        if target in (Target.CREATE_REVISION, Target.MOD_REVISION):
            return [self.revision() for _ in range(3)]
        return [0, 1, 2, 3]

    def revision(self):
        """One of the last, with luck one that stands somewhere."""
        return max(1, (self.oracle.revision if self.oracle else 20) - self.random.randint(0, 12))

    # -- what is asked

    def mutation(self):
        roll = self.random.random()
        if roll < 0.08:
            return self.lock_mutation()
        if roll < 0.30:
            return self.put(self.random.choice(KEYS))
        if roll < 0.54:
            return self.update(self.random.choice(KEYS))
        if roll < 0.62:
            return self.compare_and_set()
        if roll < 0.78:
            return self.txn(KEYS, nested=False)
        if roll < 0.86:
            return self.lease_mutation()
        if roll < 0.90:
            return self.set_invariant()
        if roll < 0.96:
            return self.delete(self.random.choice(KEYS))
        return self.delete_range()

    def value(self):
        pool = self.random.choice([TEXTS, NUMBERS, NUMBERS, NO_NUMBERS, DOCUMENTS, DOCUMENTS])
        return self.random.choice(pool if self.random.random() < 0.95 else NO_DOCUMENTS)

    def attachment(self):
        roll, choice = self.random.random(), self.random.choice
        if roll < 0.6:
            return {}
        if roll < 0.8:
            return {"lease_id": self.lease_id()}
        return {"ttl_ms": choice(TTLS_MS)}

    def put(self, key):
        given = self.attachment()
        if self.random.random() < 0.2:
            given["keep_lease"] = True  # INVALID together with another
        previous = self.random.random() < 0.5
        return c.Put(key, self.value(), return_previous=previous, **given)

    def delete(self, key):
        return c.Delete(key, return_previous=self.random.random() < 0.5)

    def delete_range(self):
        start = self.random.choice([b"", *KEYS])
        return c.DeleteRange(start, self.random.choice([None, start + b"\xff", b"bb"]))

    def compare_and_set(self):
        choice = self.random.choice
        expect = choice(
            [
                c.Expect(absent=True),
                c.Expect(),
                c.Expect(value=self.value()),
                c.Expect(version=choice([1, 2, 3])),
                c.Expect(version=1, value=self.value()),
                c.Expect(absent=True, version=1),
                c.Expect(mod_revision=self.revision()),
                c.Expect(create_revision=self.revision()),
            ]
        )
        return c.CompareAndSet(choice(KEYS), self.value(), expect, **self.attachment())

    def update(self, key):
        count = self.random.choice([1, 1, 1, 2, 3])
        given = self.attachment() if self.random.random() < 0.5 else {}
        return c.Update(key, tuple(self.action() for _ in range(count)), **given)

    def action(self):
        kind, choice = self.random.choice(list(ActionKind)), self.random.choice
        if kind in (ActionKind.SET, ActionKind.SET_IF_ABSENT):
            return Action(kind, self.value())
        if kind == ActionKind.APPEND:
            return Action(kind, choice([*TEXTS, b"0", b"1", b"." * 40, b"." * 40]))
        if kind == ActionKind.DELETE:
            return Action(kind)
        if kind in (ActionKind.ADD, ActionKind.MIN, ActionKind.MAX):
            return Action(kind, int(choice(NUMBERS)))
        operand = None
        if kind == ActionKind.JSON_SET:
            operand = choice(JSON_TEXTS)
        elif kind == ActionKind.JSON_ADD:
            operand = choice([1, -2, 0.5, 1.0, -1e308, 1e308, int(choice(NUMBERS))])
        pointers = [one for one in POINTERS if one or kind != ActionKind.JSON_REMOVE]
        return Action(kind, operand, choice(pointers))

    def txn(self, keys, *, nested, written=()):
        """Make a transaction over some keys; a nested one asks about what is `written` before."""
        condition = self.condition(2, written or KEYS) if self.random.random() < 0.7 else None
        return c.Txn(condition, self.branch(keys, nested=nested), self.branch(keys, nested=nested))

    def branch(self, keys, *, nested):
        """List operations; no key is written twice on one path."""
        left, written, operations = list(keys), [], []
        self.random.shuffle(left)
        for _ in range(self.random.choice([0, 1, 1, 2, 3])):
            roll, choice = self.random.random(), self.random.choice
            if roll < 0.2:
                operations.append(c.Get(choice(KEYS)))
            elif roll < 0.35:
                bounds = choice([(b"", None), (b"b", b"c"), (b"a", b"bb"), (b"x", None)])
                keys_only = choice([True, False])
                operations.append(c.GetRange(*bounds, choice([1, 2, 3, 9]), keys_only))
            elif roll < 0.5 and not nested and left:
                part = left[: len(left) // 2]
                left = left[len(left) // 2 :]
                operations.append(self.txn(part, nested=True, written=written))
            elif roll < 0.62 and left:
                operations.append(self.txn_delete_range(left))
            elif left:
                write = choice([self.txn_put, self.update, self.update, self.delete])
                written.append(left.pop())
                operations.append(write(written[-1]))
        return tuple(operations)

    def txn_put(self, key):
        previous = self.random.random() < 0.5
        return c.Put(key, self.value(), return_previous=previous, **self.attachment())

    def txn_delete_range(self, left):
        """Delete a range, if all its keys may still be written; afterwards none of them."""
        prefix = self.random.choice([b"", b"a", b"b", b"bb", b"c", b"d"])
        inside = [key for key in KEYS if key.startswith(prefix)]
        if not set(inside) <= set(left):
            return c.Get(self.random.choice(KEYS))
        left[:] = [key for key in left if key not in inside]
        return c.DeleteRange(prefix, prefix + b"\xff" if prefix else None)

    def lease_mutation(self):
        choice = self.random.choice
        if self.random.random() < 0.75:
            return c.LeaseGrant(choice(TTLS_MS), choice([None, *LEASE_IDS]))
        return c.LeaseRevoke(self.lease_id())

    def set_invariant(self):
        choice = self.random.choice
        place = choice([*((key, False) for key in KEYS), *((key, True) for key in [b"", *KEYS])])
        if self.random.random() < 0.6:
            return c.SetInvariant(*place)
        low, high = choice([(None, None), (0, None), (None, 100), (-5, 700)])
        return c.SetInvariant(*place, low, high, choice([True, False, False, False]))
