"""Small random histories, judged by the checker and by trying out everything: they must agree."""

import random
from itertools import combinations, permutations, product

from kvraft_chaos.checkers.linearizability import check_key
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Operation

REVISIONS = range(1, 6)
VALUES = ("a", "b")
HISTORIES = 4_000


def random_operation(rng, number, times):
    invoked, completed = sorted((times.pop(), times.pop()))
    f = rng.choice(("get", "get", "put", "cas", "delete"))
    unknown = rng.random() < 0.3
    revision = rng.choice(REVISIONS)
    entry = rng.choice(({"value": None}, {"value": rng.choice(VALUES), "mod_revision": revision}))
    expect = rng.choice(
        ({"absent": True}, {"value": rng.choice(VALUES)}, {"mod_revision": rng.choice(REVISIONS)})
    )
    current = entry if entry["value"] is not None else None
    swapped = {"succeeded": True, "mod_revision": revision}
    argument, result = {
        "get": (None, entry),
        "put": ({"value": rng.choice(VALUES)}, {"mod_revision": revision}),
        "cas": (
            {"value": rng.choice(VALUES), "expect": expect},
            rng.choice((swapped, {"succeeded": False, "current": current})),
        ),
        "delete": (None, {"deleted": rng.random() < 0.7, "revision": revision}),
    }[f]
    done = None if unknown else completed
    return Operation(number, f, "k", argument, None if unknown else result, invoked, done)


def expected_holds(state, expect):
    value, revision, _ = state
    if "absent" in expect:
        return value is None
    if "value" in expect:
        return value == expect["value"]
    return value is not None and revision == expect["mod_revision"]


def applied(state, operation, revision):
    """The plain specification: every write has one known revision; None where it is not allowed."""
    value, mod_revision, last = state
    f, argument, result = operation.f, operation.argument, operation.result
    shown = {"value": None} if value is None else {"value": value, "mod_revision": mod_revision}
    if f == "get":
        return state if result is None or result == shown else None
    if f == "delete":
        if value is None:
            return state if result is None or not result["deleted"] else None
        deletes = (result is None or result["deleted"]) and revision > last
        return (None, 0, revision) if deletes else None
    if f == "cas":
        holds = expected_holds(state, argument["expect"])
        if not holds:
            seen = None if value is None else shown
            refused = result is None or (not result["succeeded"] and result["current"] == seen)
            return state if refused else None
        if result is not None and not result["succeeded"]:
            return None
    return (argument["value"], revision, revision) if revision > last else None


def legal(order, revisions):
    state = (None, 0, 0)
    for operation in order:
        result = operation.result or {}
        known = result.get("mod_revision", result.get("revision"))
        state = applied(state, operation, revisions.get(operation.process, known))
        if state is None:
            return False
    return True


def in_real_time(order):
    return not any(
        later.completed is not None and later.completed < earlier.invoked
        for earlier, later in combinations(order, 2)
    )


def linearizable(operations):
    known = [op for op in operations if op.completed is not None]
    unknown = [op for op in operations if op.completed is None]
    steps = range(1, max(REVISIONS) + 5)
    for count in range(len(unknown) + 1):
        for chosen in combinations(unknown, count):
            for order in permutations([*known, *chosen]):
                if not in_real_time(order):
                    continue
                for drawn in product(steps, repeat=count):
                    given = dict(zip((op.process for op in chosen), drawn, strict=True))
                    if legal(order, given):
                        return True
    return False


def test_the_checker_agrees_with_trying_out_everything():
    rng = random.Random(20)
    counts = {Verdict.VALID: 0, Verdict.INVALID: 0}
    for number in range(HISTORIES):
        count = rng.randint(1, 4)
        times = rng.sample(range(2 * count), 2 * count)
        operations = [random_operation(rng, n, times) for n in range(count)]
        operations.sort(key=lambda op: op.invoked)
        verdict = check_key("k", operations).verdict
        expected = Verdict.VALID if linearizable(operations) else Verdict.INVALID
        assert verdict is expected, f"history {number}: {operations}"
        counts[verdict] += 1
    assert min(counts.values()) > HISTORIES // 10
