"""docs/conditions.md, line by line: text form, Python builders, and what the store makes of it."""

import re
from pathlib import Path

import pytest
from core_states import apply, bootstrapped

from kvraft.core.commands import Put, Request
from kvraft.core.limits import RequestLimits
from kvraft.core.results import PutResult, Refused, Unmet
from kvraft.service.convert.conditions import condition_of
from kvraft.service.convert.writes import update_command
from kvraft.v1 import kv_pb2
from kvraft_client import actions, conditions
from kvraft_client.encoding import action_protos, condition_proto
from kvraft_client.text import TextError, parse_action, parse_condition

PAGE = (Path(__file__).resolve().parent.parent / "docs/conditions.md").read_text()
KEY = b"item/456"
BUILDERS = {name: getattr(conditions, name) for name in (
    "count", "create_revision", "exists", "fence", "json", "lease_id", "mod_revision", "number",
    "value", "version",
)}  # fmt: skip


def table(header):
    """The rows below a header, as cells without their code marks."""
    lines = PAGE[PAGE.index(header) :].splitlines()[2:]
    end = next((number for number, line in enumerate(lines) if not line.startswith("|")), None)
    rows = [re.split(r" (?<!\\)\| ", line.strip("| ")) for line in lines[:end]]
    return [tuple(cell.strip().strip("`").replace("\\|", "|") for cell in row) for row in rows]


STATE = table("| key | value |")
CONDITIONS = table("| text | Python | here |")
ACTIONS = table("| text | Python | before | after |")


@pytest.fixture
def machine():
    machine = bootstrapped()
    for key, value in STATE:
        done = apply(machine, Put(key.encode(), value.encode()))
        assert isinstance(done, PutResult)
    return machine


def built(code):
    return eval(code, {"actions": actions, **BUILDERS})


def test_there_are_examples():
    assert len(STATE) == 4
    assert len(CONDITIONS) >= 24
    assert len(ACTIONS) >= 18


@pytest.mark.parametrize(("text", "code", "here"), CONDITIONS)
def test_a_condition_is_what_the_page_says(machine, text, code, here):
    parsed = parse_condition(text, KEY)
    assert parsed == built(code)

    sent = condition_proto(parsed, KEY)
    decided = condition_of(kv_pb2.Condition.FromString(sent.SerializeToString()), RequestLimits())
    result = apply(machine, Request(Put(b"probe", b""), decided, None))

    assert isinstance(result, PutResult if here == "true" else Unmet)
    assert here in ("true", "false")


@pytest.mark.parametrize(("text", "code", "before", "after"), ACTIONS)
def test_an_action_is_what_the_page_says(machine, text, code, before, after):
    assert parse_action(text) == built(code)
    if before == "absent":
        key = b"none"
    else:
        key = b"k"
        apply(machine, Put(key, before.encode()))
    request = kv_pb2.UpdateRequest(key=key, actions=action_protos([text]))
    result = apply(machine, update_command(request, RequestLimits()))

    if after in ("WRONG_TYPE", "INVARIANT"):
        assert isinstance(result, Refused)
        assert result.reason == after
    else:
        assert (result.entry.value.decode() if result.entry else "absent") == after


def test_every_target_operator_and_action_has_an_example():
    parsed = [parse_condition(text, KEY) for text, _, _ in CONDITIONS]
    clauses = [each for each in map(leaves, parsed) for each in each]

    assert {each.target for each in clauses} == set(conditions.Target)
    assert {each.operator for each in clauses} == set(conditions.Operator)
    assert {parse_action(text).kind for text, *_ in ACTIONS} == set(actions.Kind)


def leaves(condition):
    match condition:
        case conditions.Clause():
            return [condition]
        case conditions.Not():
            return leaves(condition.part)
    return [leaf for part in condition.parts for leaf in leaves(part)]


def test_what_is_said_of_a_mismatch(machine):
    assert '`value("seat/1") > 5` is false, and its index is in `mismatched`' in PAGE
    sent = condition_proto(parse_condition('value("seat/1") > 5'))
    wrapped = Request(Put(b"probe", b""), condition_of(sent, RequestLimits()), None)
    result = apply(machine, wrapped)

    assert isinstance(result, Unmet)
    assert tuple(result.mismatched) == (0,)


def test_the_caret_of_the_page_is_the_real_one():
    with pytest.raises(TextError) as caught:
        parse_condition("value >> 500", KEY)

    assert f"kvraft: error: --if: {caught.value}\n" in PAGE


def test_the_grammar_of_the_page_has_the_words_of_the_real_one():
    whole = (Path(conditions.__file__).parent / "text/grammar.lark").read_text()
    grammar = "\n".join(line for line in whole.splitlines() if ": /" not in line)
    page = PAGE[PAGE.index("## Grammar") : PAGE.index("A string stands in")]
    real = set(re.findall(r'"([^"]+)"', grammar)) - {"[", "]", "{", "}", ":"}
    scalars = {"true", "false", "null"}
    assert len(real) > 30

    assert {word for word in real - scalars if f'"{word}"' not in page} == set()
