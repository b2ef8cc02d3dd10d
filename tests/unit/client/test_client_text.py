"""The text form of conditions and actions: one grammar, read and written."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvraft_client import actions
from kvraft_client import conditions as c
from kvraft_client.conditions import All, AnyOf, Clause, Not, Operator, Target
from kvraft_client.text import (
    TextError,
    format_action,
    format_condition,
    parse_action,
    parse_condition,
)

KEY = b"item/456"

CONDITIONS = {
    "value > 500": c.number(KEY) > 500,
    "value = 5": c.number(KEY) == 5,
    "value == -5": c.number(KEY) == -5,
    'value != "abc"': c.value(KEY) != b"abc",
    'value = b"\\x00\\xff\\n"': c.value(KEY) == b"\x00\xff\n",
    'value begins with "ab"': c.value(KEY).startswith(b"ab"),
    "value in (1, 2)": c.number(KEY).isin([1, 2]),
    'value in ("a", "b")': c.value(KEY).isin([b"a", b"b"]),
    "value between 1 and 5": c.number(KEY).between(1, 5),
    "value./price >= 5": c.json(KEY, "/price") >= 5,
    'value("other")./a-b/0 < 1.5': c.json("other", "/a-b/0") < 1.5,
    'value."/a b~1c" = null': c.json(KEY, "/a b~1c") == None,  # noqa: E711 - makes a clause
    'value."" = true': c.json(KEY, "") == True,  # noqa: E712 - makes a clause
    'value./name begins with "é"': c.json(KEY, "/name").startswith("é"),
    "exists": c.exists(KEY),
    "not exists": ~c.exists(KEY),
    'exists("x")./a': c.exists("x", "/a"),
    "version = 3": c.version(KEY) == 3,
    'mod_revision("k") = 12': c.mod_revision("k") == 12,
    "create_revision <= 9": c.create_revision(KEY) <= 9,
    "lease_id != 0": c.lease_id(KEY) != 0,
    'count("seat/") < 10': c.count("seat/") < 10,
    "exists and version = 1 and lease_id = 0": (
        c.exists(KEY) & (c.version(KEY) == 1) & (c.lease_id(KEY) == 0)
    ),
    "exists or version = 1 and lease_id = 0": (
        c.exists(KEY) | (c.version(KEY) == 1) & (c.lease_id(KEY) == 0)
    ),
    "not (exists or value between 1 and 2 and exists)": (
        ~(c.exists(KEY) | c.number(KEY).between(1, 2) & c.exists(KEY))
    ),
}

ACTIONS = {
    'value = "x"': actions.set("x"),
    "value = 500": actions.set("500"),
    "value += 3": actions.add(3),
    "value -= 75": actions.add(-75),
    'value .= "tail"': actions.append("tail"),
    'value ?= "first"': actions.set_if_absent("first"),
    "value min= 5": actions.min(5),
    "value max= -5": actions.max(-5),
    "delete": actions.delete(),
    "value./price = 5": actions.json_set("/price", 5),
    'value./a = {"b": [1, 2.5, "x", null, true, []]}': actions.json_set(
        "/a", {"b": [1, 2.5, "x", None, True, []]}
    ),
    "value./n-=1": actions.json_add("/n", -1),
    "value./n += 1.5": actions.json_add("/n", 1.5),
    'remove value."/a b"': actions.json_remove("/a b"),
}

MISTAKES = {
    "value >": (7, "ends too early"),
    "value > > 5": (8, "'>' cannot stand here"),
    "valu > 5": (0, "'valu' cannot stand here"),
    'value = "abc': (8, "a string that is not closed"),
    "": (0, "empty"),
    "value > 9223372036854775808": (8, "int64"),
    "value > true": (8, "integers or with strings"),
    'value in (1, "a")': (13, "integers or with strings"),
    "value begins with 5": (18, "begins with a string"),
    'version = "x"': (10, "version is compared with integers"),
    "version./a = 1": (0, "pointer"),
    "count < 5": (0, 'count("...")'),
    'value = "a\\q"': (8, "escape"),
    "value./~2 = 1": (5, "~0 and ~1"),
    'value."a" = 1': (6, "begins with"),
    'value./a = "\\xff"': (11, "UTF-8"),
    "value > 5 5": (10, "'5' cannot stand here"),
    "(value > 5": (10, "ends too early"),
}


@pytest.mark.parametrize("text", CONDITIONS)
def test_condition_is_read_and_written(text):
    parsed = parse_condition(text, KEY)
    assert parsed == CONDITIONS[text]
    assert parse_condition(format_condition(parsed, KEY), KEY) == parsed
    assert parse_condition(format_condition(parsed)) == parsed


@pytest.mark.parametrize("text", ACTIONS)
def test_action_is_read_and_written(text):
    parsed = parse_action(text)
    assert parsed == ACTIONS[text]
    assert parse_action(format_action(parsed)) == parsed


@pytest.mark.parametrize("text", MISTAKES)
def test_mistake_is_pointed_at(text):
    position, words = MISTAKES[text]
    with pytest.raises(TextError) as caught:
        parse_condition(text, KEY)
    assert words in str(caught.value)
    assert caught.value.position == position
    *_, shown, caret = str(caught.value).splitlines()
    assert caret.index("^") - 2 == position
    assert shown.strip() == text.strip()


def test_target_without_a_key_needs_one():
    with pytest.raises(TextError, match=r'value\("\.\.\."\)'):
        parse_condition("value > 5")


@pytest.mark.parametrize("text", ["not " * 3_000 + "exists", "exists and " * 9_000 + "exists"])
def test_bombs_are_refused(text):
    with pytest.raises(TextError, match=r"levels|characters"):
        parse_condition(text, KEY)


def test_json_bomb_is_refused():
    with pytest.raises(TextError, match="brackets"):
        parse_action("value./a = " + "[" * 3_000 + "]" * 3_000)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    for parse in (lambda: parse_condition(text, KEY), lambda: parse_action(text)):
        with suppress(TextError):
            parse()


keys = st.binary(min_size=1, max_size=12)
int64 = st.integers(c.INT64_MIN, c.INT64_MAX)
unicode = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
scalars = st.none() | st.booleans() | int64 | st.floats(allow_nan=False, allow_infinity=False)
pointers = unicode.map(lambda text: "/" + text.replace("~", "~0"))
NO_POINTER = st.just("")
INT_TARGETS = [Target.VERSION, Target.CREATE_REVISION, Target.MOD_REVISION, Target.LEASE_ID]
COMPARISONS = list(Operator)[:6]


def clauses(operands):
    def many(target, operand, pointer=NO_POINTER):
        one = st.tuples(st.sampled_from(COMPARISONS), st.tuples(operand))
        several = st.tuples(st.just(Operator.IN), st.lists(operand, min_size=1, max_size=3))
        two = st.tuples(st.just(Operator.BETWEEN), st.tuples(operand, operand))
        compared = one | several | two
        return st.builds(
            lambda key, which, pair, place: Clause(key, which, pair[0], tuple(pair[1]), place),
            keys,
            target,
            compared,
            pointer,
        )

    return (
        many(st.sampled_from([*INT_TARGETS, Target.NUMBER, Target.COUNT]), int64)
        | many(st.just(Target.VALUE), st.binary(max_size=12))
        | many(st.just(Target.JSON), scalars | unicode, pointers)
        | st.builds(c.exists, keys, NO_POINTER | pointers)
        | st.builds(c.fence, keys, int64)
        | st.builds(
            Clause, keys, st.just(Target.FENCE), st.just(Operator.NE), st.tuples(int64), NO_POINTER
        )
        | operands
    )


def joined(parts):
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.builds(All, several) | st.builds(AnyOf, several) | st.builds(Not, parts)


@given(st.recursive(clauses(st.nothing()), joined, max_leaves=8), keys)
def test_every_condition_survives_the_round_trip(condition, key):
    assert parse_condition(format_condition(condition, key), key) == condition


json_values = st.recursive(
    scalars | unicode,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(unicode, inner, max_size=3),
    max_leaves=8,
)
all_actions = (
    st.builds(actions.set, st.binary(max_size=12))
    | st.builds(actions.append, st.binary(max_size=12))
    | st.builds(actions.set_if_absent, st.binary(max_size=12))
    | st.builds(actions.add, int64)
    | st.builds(actions.min, int64)
    | st.builds(actions.max, int64)
    | st.just(actions.delete())
    | st.builds(actions.json_set, pointers, json_values)
    | st.builds(
        actions.json_add, pointers, int64 | st.floats(allow_nan=False, allow_infinity=False)
    )
    | st.builds(actions.json_remove, pointers)
)


@given(all_actions)
def test_every_action_survives_the_round_trip(action):
    assert parse_action(format_action(action)) == action
