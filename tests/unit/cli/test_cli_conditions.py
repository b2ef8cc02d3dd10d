"""update, and --if and --idempotency-key wherever they can be given."""

import json

import pytest

from kvraft.v1 import kv_pb2


@pytest.fixture
def item(node):
    """The example of DynamoDB's documentation: an item that costs 650."""
    with node.store.lock:
        node.store.put(b"item/456", b"650")


REDUCE = ("update", "item/456", "--if", "value > 500", "--set", "value -= 75")


def test_a_price_is_reduced_while_it_is_above_500(kvraft, item):
    values = []
    for _ in range(2):
        result = kvraft(*REDUCE, "-o", "json")
        assert (result.exit_code, result.stderr) == (0, "")
        values.append(json.loads(result.stdout))
    refused = kvraft(*REDUCE)

    assert [each["entry"]["value"] for each in values] == ["575", "500"]
    assert [each["previous"]["value"] for each in values] == ["650", "575"]
    assert all(each["applied"] for each in values)
    assert (refused.exit_code, refused.stderr) == (2, "condition false: value > 500\n")
    assert " 500 " in refused.stdout
    assert json.loads(kvraft("get", "item/456", "-o", "json").stdout)["value"] == "500"


def test_an_update_for_people(kvraft):
    shown = kvraft("update", "k", "--set", 'value ?= "a"', "--set", 'value .= "b"')

    assert (shown.exit_code, shown.stderr) == (0, "")
    assert " ab " in shown.stdout
    assert kvraft("get", "k").stdout == shown.stdout


def test_an_update_that_writes_nothing_says_so(kvraft):
    kvraft("put", "k", "v")
    shown = kvraft("update", "k", "--set", 'value ?= "w"', "-o", "json")

    assert json.loads(shown.stdout)["applied"] is False


def test_what_an_update_attaches(kvraft, node):
    kvraft("update", "k", "--set", "value += 1", "--ttl", "1.5")
    kvraft("update", "k", "--set", "value += 1", "--lease", "9")
    ttl, lease = node.named("Update")

    assert (ttl.ttl_ms, lease.lease_id) == (1_500, 9)


@pytest.mark.parametrize(
    "words",
    [
        ("put", "item/456", "v"),
        ("delete", "item/456"),
        ("delete", "--prefix", "item/"),
        ("cas", "item/456", "v", "--expect-value", "650"),
        ("update", "item/456", "--set", "value += 1"),
    ],
    ids=lambda words: words[0],
)
def test_a_false_condition_says_which_clause_and_what_stands(kvraft, node, item, words):
    condition = 'exists("item/456") and value("item/456") > 700'
    revision = node.store.revision
    people = kvraft(*words, "--if", condition)
    program = kvraft(*words, "--if", condition, "-o", "json")
    unmet = json.loads(program.stdout)["unmet"]

    assert people.exit_code == program.exit_code == 2
    assert "> 700\n" in people.stderr
    assert " 650 " in people.stdout
    assert unmet["clause"] == 1
    assert unmet["text"].endswith("> 700")
    assert [entry["value"] for entry in unmet["entries"]] == ["650"]
    assert node.store.revision == revision


@pytest.mark.parametrize(
    "words", [("put", "k", "v"), ("cas", "k", "v", "--expect-absent"), ("delete", "k")]
)
def test_a_true_condition_lets_it_be_done(kvraft, node, words):
    result = kvraft(*words, "--if", "not exists")

    assert result.exit_code == 0
    mutations = [request for name, request in node.calls if hasattr(request, "condition")]
    assert [request.HasField("condition") for request in mutations] == [True]


def test_what_is_absent_is_named(kvraft):
    result = kvraft("put", "k", "v", "--if", 'exists and exists("other")')

    assert result.exit_code == 2
    assert result.stderr == "condition false: exists\nabsent: k\nabsent: other\n"
    assert result.stdout == ""


def test_clauses_of_another_type_are_named(kvraft, node, item):
    def answer(request, context):
        unmet = kv_pb2.Unmet(clause=0, mismatched=[0])
        return kv_pb2.PutResponse(header=node.header(), unmet=unmet)

    node.script["Put"] = [answer]
    result = kvraft("put", "item/456", "v", "--if", "value > 3")

    assert "of another type than the value: value > 3\n" in result.stderr


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (
            ("put", "k", "v", "--if", "value >> 5"),
            ["--if: '>' cannot stand here", "  value >> 5", "         ^"],
        ),
        (
            ("update", "k", "--set", "value += 1", "--set", "value -= x"),
            ["--set: 'x' cannot stand here", "  value -= x", "           ^"],
        ),
        (
            ("txn", "--if", "value > 5", "--then", "get k"),
            ['--if: say of what: value("...")', "  value > 5", "  ^"],
        ),
        (
            ("txn", "--then", "update k 'value += '"),
            ["--then: the action ends too early", "  value += ", "           ^"],
        ),
    ],
    ids=lambda words: words[0],
)
def test_a_mistake_in_a_text_is_pointed_at_and_nothing_is_sent(kvraft, node, words, shown):
    result = kvraft(*words)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [f"kvraft: error: {shown[0]}", *shown[1:]]
    assert node.calls == []


@pytest.mark.parametrize(
    "words",
    [
        ("put", "k", "v"),
        ("delete", "k"),
        ("delete", "k", "--prefix"),
        ("cas", "k", "v", "--expect-absent"),
        ("update", "k", "--set", "value += 1"),
        ("txn", "--then", "put k v"),
    ],
    ids=" ".join,
)
def test_the_same_command_with_the_same_key_is_done_once(kvraft, node, words):
    first = kvraft(*words, "--idempotency-key", "order-17", "-o", "json")
    revision = node.store.revision
    again = kvraft(*words, "--idempotency-key", "order-17", "-o", "json")

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert again.stdout == first.stdout
    assert node.store.revision == revision
    assert [name for name, _ in node.calls if name == "Open"] == []
