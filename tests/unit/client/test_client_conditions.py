"""Conditions, actions and operations: what they are on the wire, and what is refused here."""

import subprocess
import sys

import pytest

from kvraft.v1 import kv_pb2
from kvraft_client import ConditionFailed, InvalidRequest, actions, operations
from kvraft_client.conditions import (
    All,
    AnyOf,
    Not,
    count,
    create_revision,
    exists,
    json,
    lease_id,
    mod_revision,
    number,
    value,
    version,
)
from kvraft_client.encoding import action_protos, condition_proto


def clause(condition):
    return condition_proto(condition).clause


@pytest.mark.parametrize(
    ("condition", "target", "operator", "operands"),
    [
        (value("k") == "ä", "VALUE", "EQUAL", [{"raw": "ä".encode()}]),
        (value("k") != b"\xff", "VALUE", "NOT_EQUAL", [{"raw": b"\xff"}]),
        (value("k").startswith("a"), "VALUE", "BEGINS_WITH", [{"raw": b"a"}]),
        (number("k") < 5, "NUMBER", "LESS", [{"integer": 5}]),
        (number("k") <= -5, "NUMBER", "LESS_OR_EQUAL", [{"integer": -5}]),
        (number("k") > 0, "NUMBER", "GREATER", [{"integer": 0}]),
        (number("k") >= 2**63 - 1, "NUMBER", "GREATER_OR_EQUAL", [{"integer": 2**63 - 1}]),
        (number("k").isin([1, 2]), "NUMBER", "IN", [{"integer": 1}, {"integer": 2}]),
        (number("k").between(1, 2), "NUMBER", "BETWEEN", [{"integer": 1}, {"integer": 2}]),
        (version("k") == 1, "VERSION", "EQUAL", [{"integer": 1}]),
        (mod_revision("k") == 9, "MOD_REVISION", "EQUAL", [{"integer": 9}]),
        (create_revision("k") == 9, "CREATE_REVISION", "EQUAL", [{"integer": 9}]),
        (lease_id("k") != 0, "LEASE_ID", "NOT_EQUAL", [{"integer": 0}]),
        (count("k") < 10, "COUNT", "LESS", [{"integer": 10}]),
        (exists("k"), "EXISTS", "EQUAL", [{"flag": True}]),
    ],
)
def test_a_clause_on_the_wire(condition, target, operator, operands):
    assert clause(condition) == kv_pb2.Clause(
        key=b"k",
        target=kv_pb2.Target.Value(f"TARGET_{target}"),
        operator=kv_pb2.Operator.Value(f"OPERATOR_{operator}"),
        operands=[kv_pb2.Literal(**each) for each in operands],
    )


@pytest.mark.parametrize(
    ("operand", "literal"),
    [
        (True, {"flag": True}),
        (False, {"flag": False}),
        (1, {"integer": 1}),
        (1.5, {"number": 1.5}),
        ("x", {"text": "x"}),
        (None, {"null": True}),
    ],
)
def test_a_json_scalar_keeps_its_type(operand, literal):
    made = clause(json("k", "/a/0") == operand)

    assert (made.pointer, list(made.operands)) == ("/a/0", [kv_pb2.Literal(**literal)])


def test_conditions_are_joined_flat_and_in_reading_order():
    a, b, c = exists("a"), exists("b"), exists("c")

    assert a & b & c == All((a, b, c))
    assert a | b | c == AnyOf((a, b, c))
    assert ~(a & b) | c == AnyOf((Not(All((a, b))), c))
    wire = condition_proto(a & ~b)
    assert [part.WhichOneof("kind") for part in wire.all.parts] == ["clause", "not"]
    assert condition_proto(a | b).WhichOneof("kind") == "any"


def deep(levels):
    condition = exists("k")
    for _ in range(levels):
        condition = ~condition
    return condition


def both():
    return bool(exists("a") and exists("b"))


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (both, TypeError, "join conditions with &, | and ~"),
        (lambda: exists("a") & True, TypeError, "not bool"),
        (lambda: number("k") == "5", TypeError, "an int is compared"),
        (lambda: number("k") == True, TypeError, "not bool"),  # noqa: E712
        (lambda: number("k") < 2**63, InvalidRequest, "does not fit int64"),
        (lambda: value("k") == 5, TypeError, "bytes or str"),
        (lambda: json("k", "/a") == [1], TypeError, "an int is compared"),
        (lambda: number("k").isin([]), InvalidRequest, "at least one operand"),
        (lambda: value("k").isin("ab"), TypeError, "several, not a str"),
        (lambda: value("k").isin(b"ab"), TypeError, "several, not a bytes"),
        (lambda: exists(""), InvalidRequest, "key of a condition is empty"),
        (lambda: condition_proto(True), TypeError, "when must be a condition"),
        (lambda: condition_proto(deep(9)), InvalidRequest, "more than 8 levels"),
        (lambda: action_protos([]), InvalidRequest, "at least one action"),
        (lambda: action_protos([b"x"]), TypeError, "use actions.set"),
        (lambda: actions.add(2**63), InvalidRequest, "int64"),
        (lambda: actions.add("5"), TypeError, "takes an int"),
        (lambda: actions.append(5), TypeError, "takes bytes or str"),
        (lambda: actions.json_set("/a", float("nan")), InvalidRequest, "not a JSON value"),
        (lambda: operations.messages(["put"]), TypeError, "kvraft_client.operations"),
        (lambda: operations.list("p", start="q"), InvalidRequest, "not both"),
        (lambda: operations.delete_prefix(""), InvalidRequest, "delete everything"),
        (lambda: operations.put("k", "v", ttl=1, lease=2), InvalidRequest, "at most one of"),
    ],
)
def test_what_cannot_be_meant_is_refused_where_it_is_written(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_eight_levels_are_fine():
    assert condition_proto(deep(8)).WhichOneof("kind") == "not"


@pytest.mark.parametrize(
    ("action", "wire"),
    [
        (actions.set("v"), {"set": b"v"}),
        (actions.set(""), {"set": b""}),
        (actions.delete(), {"delete": kv_pb2.DeleteAction()}),
        (actions.add(-3), {"add": -3}),
        (actions.add(0), {"add": 0}),
        (actions.min(3), {"min": 3}),
        (actions.max(3), {"max": 3}),
        (actions.append("v"), {"append": b"v"}),
        (actions.set_if_absent("v"), {"set_if_absent": b"v"}),
        (
            actions.json_set("/a", {"ä": [1, None]}),
            {"json_set": kv_pb2.JsonSet(pointer="/a", value='{"ä":[1,null]}')},
        ),
        (actions.json_add("/a", 2), {"json_add": kv_pb2.JsonAdd(pointer="/a", integer=2)}),
        (actions.json_add("/a", 0.0), {"json_add": kv_pb2.JsonAdd(pointer="/a", number=0.0)}),
        (actions.json_remove("/a"), {"json_remove": kv_pb2.JsonRemove(pointer="/a")}),
        (actions.json_remove(""), {"json_remove": kv_pb2.JsonRemove(pointer="")}),
    ],
)
def test_an_action_on_the_wire(action, wire):
    assert action_protos([action]) == [kv_pb2.Action(**wire)]
    assert action_protos([action])[0].WhichOneof("kind") == next(iter(wire))


def test_text_needs_its_parser_and_the_message_says_how_to_get_it():
    code = (
        "import sys; sys.modules['lark'] = None; import kvraft_client.encoding as e\n"
        "for make in (lambda: e.condition_proto('exists', b'k'), lambda: e.action_protos(['x'])):\n"
        "    try: make()\n"
        "    except ValueError as error: print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert result.stdout.count("pip install kvraft[text]") == 2


def test_text_is_accepted_wherever_a_condition_or_action_is(start, connect):
    pytest.importorskip("lark")
    kv = connect(start())

    assert kv.update("n", "value += 650").entry.value == b"650"
    assert kv.update("n", "value += -75", when="value > 500").entry.value == b"575"
    with pytest.raises(ConditionFailed) as raised:
        kv.put("n", "0", when='value > 700 and not exists("m")')
    assert raised.value.current.value == b"575"


def test_a_false_condition_says_which_clause_and_what_stands(start, connect):
    kv = connect(start())
    kv.put("seat", "alice")
    there = exists("seat") & (value("seat") == "free") & exists("hall")
    calls = [
        lambda: kv.put("seat", "bob", when=there),
        lambda: kv.delete("seat", when=there),
        lambda: kv.update("seat", actions.set("bob"), when=there),
        lambda: kv.cas("seat", "bob", expect_value="alice", when=there),
    ]

    for call in calls:
        with pytest.raises(ConditionFailed) as raised:
            call()
        assert raised.value.clause == 1
        assert raised.value.current.value == b"alice"
        assert [entry.key for entry in raised.value.entries] == [b"seat"]
    tried = kv.try_cas("seat", "bob", expect_value="alice", when=there)
    assert (tried.swapped, tried.entry.value, tried.unmet.clause) == (False, b"alice", 1)
    assert kv.get("seat").version == 1


def test_update_tells_what_was_and_whether_anything_was_written(start, connect):
    kv = connect(start())

    first = kv.update("k", actions.set_if_absent("a"), actions.append("b"))
    second = kv.update("k", actions.set_if_absent("x"))

    assert (first.previous, first.entry.value, first.applied) == (None, b"ab", True)
    assert (second.entry, second.applied) == (second.previous, False)
