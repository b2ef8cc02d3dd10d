"""Actions: what each makes of a value, in order, all or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvraft.core.action_application import Changed, added, apply_actions
from kvraft.core.actions import Action, ActionKind
from kvraft.core.condition_evaluation import evaluate
from kvraft.core.conditions import Clause, Operator, Target
from kvraft.core.errors import Reason
from kvraft.core.json_value import JsonBudget
from kvraft.core.limits import JSON_DEPTH
from kvraft.core.results import Refused

MAX, MIN = (1 << 63) - 1, -(1 << 63)
VALUE_BYTES = 64
int64 = st.integers(MIN, MAX)


def action(kind, operand=None, pointer=""):
    return Action(ActionKind[kind], operand, pointer)


def run(value, *actions, json_bytes=1 << 22, value_bytes=VALUE_BYTES):
    return apply_actions(actions, value, JsonBudget(json_bytes), value_bytes)


CHANGES = [
    (b"a", [action("SET", b"b")], b"b", True),
    (b"a", [action("SET", b"a")], b"a", True),
    (None, [action("SET", b"")], b"", True),
    (b"a", [action("DELETE")], None, True),
    (b"", [action("DELETE")], None, True),
    (None, [action("DELETE")], None, False),
    (b"650", [action("ADD", -75)], b"575", True),
    (b"5", [action("ADD", 0)], b"5", True),
    (None, [action("ADD", -3)], b"-3", True),
    (b"-0", [action("ADD", 0)], b"0", True),
    (b"%d" % (MAX - 1), [action("ADD", 1)], b"%d" % MAX, True),
    (b"-1", [action("ADD", MIN + 1)], b"%d" % MIN, True),
    (b"5", [action("MIN", 3)], b"3", True),
    (b"5", [action("MIN", 5)], b"5", False),
    (b"5", [action("MIN", 7)], b"5", False),
    (None, [action("MIN", 7)], b"7", True),
    (b"5", [action("MAX", 7)], b"7", True),
    (b"5", [action("MAX", 3)], b"5", False),
    (None, [action("MAX", -7)], b"-7", True),
    (b"a", [action("APPEND", b"b")], b"ab", True),
    (b"a", [action("APPEND", b"")], b"a", True),
    (None, [action("APPEND", b"")], b"", True),
    (b"", [action("SET_IF_ABSENT", b"x")], b"", False),
    (None, [action("SET_IF_ABSENT", b"x")], b"x", True),
    (b"1", [action("DELETE"), action("ADD", 5)], b"5", True),
    (b"1", [action("DELETE"), action("SET_IF_ABSENT", b"2")], b"2", True),
    (None, [action("SET", b"1"), action("DELETE")], None, True),
    (b"1", [action("MAX", 0), action("SET_IF_ABSENT", b"2")], b"1", False),
    (b"1", [action("ADD", 1), action("MIN", 5)], b"2", True),
    (b'{"b":1,"a":2}', [action("JSON_SET", b" [ 1 ] ", "/b")], b'{"b":[1],"a":2}', True),
    (b"{ }", [action("JSON_SET", b"null", "/a")], b'{"a":null}', True),
    (None, [action("JSON_SET", b"1", "/a~1b")], b'{"a/b":1}', True),
    (None, [action("JSON_SET", b"[ ]", "")], b"[]", True),
    (None, [action("JSON_SET", b"null", "")], b"null", True),
    (b"[1]", [action("JSON_SET", b"2", "/-")], b"[1,2]", True),
    (b"no", [action("DELETE"), action("JSON_SET", b"1", "/a")], b'{"a":1}', True),
    (b"no", [action("SET", b"{}"), action("JSON_SET", b"1", "/a")], b'{"a":1}', True),
    (b'{"a":1}', [action("JSON_ADD", 2, "/a")], b'{"a":3}', True),
    (b'{"a":1}', [action("JSON_ADD", 0.5, "/a")], b'{"a":1.5}', True),
    (b'{"a":0.5}', [action("JSON_ADD", 1, "/a")], b'{"a":1.5}', True),
    (b"{}", [action("JSON_ADD", 2, "/a")], b'{"a":2}', True),
    (None, [action("JSON_ADD", 2, "/a")], b'{"a":2}', True),
    (None, [action("JSON_ADD", 2)], b"2", True),
    (b"[1]", [action("JSON_ADD", 2, "/-")], b"[1,2]", True),
    (b"[1]", [action("JSON_ADD", 2, "/0")], b"[3]", True),
    (b'{"a": 1}', [action("JSON_REMOVE", None, "/a")], b"{}", True),
    (b'{"a": 1}', [action("JSON_REMOVE", None, "/b")], b'{"a": 1}', False),
    (None, [action("JSON_REMOVE", None, "/b")], None, False),
    (b"[1,2]", [action("JSON_REMOVE", None, "/0")], b"[2]", True),
    (b"5", [action("JSON_ADD", 1), action("ADD", 1)], b"7", True),
    (b" 5", [action("JSON_ADD", 1), action("MIN", 9), action("JSON_ADD", 1)], b"7", True),
    (b"5", [action("JSON_ADD", 1), action("APPEND", b"0")], b"60", True),
    (b"5", [action("JSON_ADD", 1), action("DELETE")], None, True),
    (None, [action("JSON_ADD", 1), action("SET_IF_ABSENT", b"x")], b"1", True),
    (b"x", [action("APPEND", b"x" * 63)], b"x" * 64, True),
    (b"5", [action("JSON_ADD", 1), action("SET_IF_ABSENT", b"x")], b"6", True),
    (
        None,
        [action("JSON_SET", b"{}", "/a"), action("JSON_SET", b"1", "/a/b")],
        b'{"a":{"b":1}}',
        True,
    ),
]


@pytest.mark.parametrize(("value", "actions", "after", "written"), CHANGES, ids=repr)
def test_what_actions_make_of_a_value(value, actions, after, written):
    assert run(value, *actions) == Changed(after, written)


def test_what_was_only_looked_at_keeps_its_bytes():
    spaced = b'{ "a" : 1 }'
    nothing = action("JSON_REMOVE", None, "/b")
    assert run(spaced, nothing) == Changed(spaced, False)
    assert run(spaced, nothing, json_bytes=len(spaced)) == Changed(spaced, False)
    assert run(spaced, nothing, action("APPEND", b" ")) == Changed(spaced + b" ", True)


REFUSALS = [
    (b"x", [action("ADD", 1)], "WRONG_TYPE", r"actions[0] ADD: the value b'x' is not an int64"),
    (b"", [action("MIN", 1)], "WRONG_TYPE", "actions[0] MIN: "),
    (b"1.5", [action("MAX", 1)], "WRONG_TYPE", "actions[0] MAX: "),
    (b"%d" % MAX, [action("ADD", 1)], "INVARIANT", "actions[0] ADD: 9223372036854775808 is beyond"),
    (b"%d" % MIN, [action("ADD", -1)], "INVARIANT", "-9223372036854775809 is beyond int64"),
    (
        b"1",
        [action("ADD", 1), action("APPEND", b"x"), action("ADD", 1)],
        "WRONG_TYPE",
        "actions[2]",
    ),
    (b"x", [action("JSON_SET", b"1", "/a")], "WRONG_TYPE", "the value is no JSON"),
    (b"", [action("JSON_REMOVE", None, "/a")], "WRONG_TYPE", "the value is no JSON"),
    (b"[" * 100_000, [action("JSON_ADD", 1, "/a")], "WRONG_TYPE", "no JSON, or nested deeper than"),
    (b"1" * 1_000_000, [action("JSON_ADD", 1)], "WRONG_TYPE", "no JSON"),
    (b"{}", [action("JSON_SET", b"NaN", "/a")], "INVALID", "the operand is no JSON"),
    (b"{}", [action("JSON_SET", b"1", "/a/b")], "WRONG_TYPE", "the place '/a/b' has no parent"),
    (None, [action("JSON_SET", b"1", "/a/b")], "WRONG_TYPE", "the place '/a/b' has no parent"),
    (b"[1]", [action("JSON_SET", b"1", "/1")], "WRONG_TYPE", "the place '/1' has no parent"),
    (b'{"a":"1"}', [action("JSON_ADD", 1, "/a")], "WRONG_TYPE", "the place '/a' is not a number"),
    (b'{"a":true}', [action("JSON_ADD", 1, "/a")], "WRONG_TYPE", "is not a number"),
    (b'{"a":null}', [action("JSON_ADD", 1, "/a")], "WRONG_TYPE", "is not a number"),
    (b"{}", [action("JSON_ADD", 1)], "WRONG_TYPE", "the place '' is not a number"),
    (b"%d" % MAX, [action("JSON_ADD", 1)], "INVARIANT", "actions[0] JSON_ADD: 9223372036854775808"),
    (b"1.7e308", [action("JSON_ADD", 1.7e308)], "INVARIANT", "is not a finite number"),
    (b"x" * 64, [action("APPEND", b"x")], "TOO_LARGE", "65 bytes, the limit value_bytes is 64"),
    (
        b"{}",
        [action("JSON_SET", b'"%s"' % (b"x" * 60), "/a")],
        "TOO_LARGE",
        "the new value is 68 bytes, the limit value_bytes is 64",
    ),
]


@pytest.mark.parametrize(("value", "actions", "reason", "words"), REFUSALS)
def test_what_a_value_does_not_allow(value, actions, reason, words):
    refused = run(value, *actions)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason(reason)
    assert words in refused.message
    assert len(refused.message) < 200


def test_the_case_of_dynamodbs_documentation():
    """Subtract 75 if > 500, on 650: 575, 500, then refused with 500."""
    condition = Clause(b"k", Target.NUMBER, Operator.GT, (500,))
    value = b"650"
    seen = []
    for _ in range(3):
        record = (value, 1, 1, 1, 0)
        if evaluate(condition, lambda _, at=record: at, len, JsonBudget(0)).holds:
            value = run(value, action("ADD", -75)).value
        seen.append(value)
    assert seen == [b"575", b"500", b"500"]


@given(int64, int64)
def test_add_is_exact_or_refused(left, right):
    result = run(b"%d" % left, action("ADD", right))
    if MIN <= left + right <= MAX:
        assert result == Changed(b"%d" % (left + right), True)
    else:
        assert result.reason is Reason.INVARIANT


@given(
    st.sampled_from([None, b"", b"1.5", b"007", b"%d" % MIN, b"%d" % MAX])
    | int64.map(b"%d".__mod__),
    int64,
    st.integers(1, 20),
)
def test_the_short_way_of_an_add_gives_the_same_or_nothing(value, operand, value_bytes):
    step = action("ADD", operand)
    whole = run(value, step, value_bytes=value_bytes)
    short = added([step], value, value_bytes)
    assert short == (whole if isinstance(whole, Changed) else None)


def test_only_a_single_add_goes_the_short_way():
    assert added([], b"1", 100) is None
    assert added([action("ADD", 1), action("ADD", 1)], b"1", 100) is None
    assert added([action("MAX", 1)], b"1", 100) is None


@given(int64, int64)
def test_min_and_max(left, right):
    value = b"%d" % left
    assert run(value, action("MIN", right)) == Changed(b"%d" % min(left, right), right < left)
    assert run(value, action("MAX", right)) == Changed(b"%d" % max(left, right), right > left)


def test_a_result_is_no_deeper_than_can_be_read_again():
    value = b"[" * (JSON_DEPTH - 1) + b"]" * (JSON_DEPTH - 1)
    place = "/0" * (JSON_DEPTH - 2) + "/-"
    assert isinstance(run(value, action("JSON_SET", b"[1]", place), value_bytes=200), Changed)
    refused = run(value, action("JSON_SET", b"[[]]", place), value_bytes=200)
    assert refused.reason is Reason.TOO_LARGE
    assert f"nested deeper than {JSON_DEPTH}" in refused.message
    inside = run(value, action("JSON_SET", b'["[[["]', place), value_bytes=200)
    assert isinstance(inside, Changed)


def test_json_beyond_the_budget_is_refused():
    value, step = b"[1]", action("JSON_ADD", 1, "/0")
    assert run(value, step, json_bytes=6) == Changed(b"[2]", True)
    assert run(b"1", action("JSON_ADD", 1), action("MAX", 0), json_bytes=2) == Changed(b"2", True)
    for json_bytes in (5, 2):
        refused = run(value, step, json_bytes=json_bytes)
        assert refused.reason is Reason.TOO_LARGE
        assert "3 bytes more of JSON are beyond the limit json_bytes" in refused.message


def test_a_condition_and_an_action_parse_a_value_once():
    value = b'{"price":10}'
    budget = JsonBudget(len(value) + len(b'{"price":9}'))
    record = (value, 1, 1, 1, 0)
    clause = Clause(b"k", Target.JSON, Operator.EQ, (10,), "/price")
    assert evaluate(clause, lambda _: record, len, budget).holds
    changed = apply_actions([action("JSON_ADD", -1, "/price")], value, budget, 100)
    assert changed == Changed(b'{"price":9}', True)


def test_equal_operands_do_not_become_one():
    twice = [action("JSON_SET", b"[]", "/a"), action("JSON_SET", b"[]", "/b")]
    assert run(None, *twice, action("JSON_SET", b"1", "/a/-")) == Changed(b'{"a":[1],"b":[]}', True)


def test_every_kind_is_known():
    for kind in ActionKind:
        operand = {"JSON_SET": b"1", "SET": b"", "APPEND": b"", "SET_IF_ABSENT": b""}.get(
            kind.name, 1
        )
        pointer = "/a" if kind.name.startswith("JSON") else ""
        assert isinstance(run(None, Action(kind, operand, pointer)), Changed)


def test_a_refusal_reads_the_same_on_every_version_of_python():
    """It is kept with the identity, and what repr() escapes depends on the Unicode of Python."""
    refused = run('{"\xe9":"x"}'.encode(), action("JSON_ADD", 1, "/\xe9"))
    assert refused.message == "actions[0] JSON_ADD: the place '/\\xe9' is not a number"
