"""Update, conditions and invariants over the wire: what is translated, what is refused, and how."""

from collections.abc import Iterator

import pytest
from grpc import StatusCode
from service_wire import Wire, failing

from kvraft.core.actions import Action, ActionKind
from kvraft.core.commands import Put, Request, SetInvariant, Update
from kvraft.core.conditions import All, AnyOf, Clause, Not, Operator, Target
from kvraft.v1 import cluster_pb2, kv_pb2

pytestmark = pytest.mark.asyncio

ABOVE_500 = kv_pb2.Condition(
    clause=kv_pb2.Clause(
        key=b"item/456",
        target=kv_pb2.TARGET_NUMBER,
        operator=kv_pb2.OPERATOR_GREATER,
        operands=[kv_pb2.Literal(integer=500)],
    )
)


def clause(key: bytes = b"k", **fields) -> kv_pb2.Condition:
    fields = {
        "target": kv_pb2.TARGET_VALUE,
        "operator": kv_pb2.OPERATOR_EQUAL,
        "operands": [kv_pb2.Literal(raw=b"v")],
        **fields,
    }
    return kv_pb2.Condition(clause=kv_pb2.Clause(key=key, **fields))


def every(*parts: kv_pb2.Condition) -> kv_pb2.Condition:
    return kv_pb2.Condition(all=kv_pb2.ConditionList(parts=parts))


def negated(part: kv_pb2.Condition) -> kv_pb2.Condition:
    result = kv_pb2.Condition()
    getattr(result, "not").CopyFrom(part)
    return result


def nested(depth: int) -> kv_pb2.Condition:
    result = clause()
    for _ in range(depth):
        result = negated(result)
    return result


def varint(number: int) -> Iterator[int]:
    while number > 127:
        yield 128 | number & 127
        number >>= 7
    yield number


def subtract(number: int, condition: kv_pb2.Condition | None = ABOVE_500) -> kv_pb2.UpdateRequest:
    return kv_pb2.UpdateRequest(
        key=b"item/456", actions=[kv_pb2.Action(add=-number)], condition=condition
    )


async def test_the_acceptance_case_of_dynamodb(wire: Wire) -> None:
    await wire.kv.Put(kv_pb2.PutRequest(key=b"item/456", value=b"650"))
    first = await wire.kv.Update(subtract(75))
    assert (first.previous.value, first.entry.value, first.entry.version) == (b"650", b"575", 2)
    assert (await wire.kv.Update(subtract(75))).entry.value == b"500"
    refused = await wire.kv.Update(subtract(75))
    assert not refused.HasField("entry")
    assert not refused.HasField("previous")
    assert (refused.unmet.clause, list(refused.unmet.mismatched)) == (0, [])
    assert [(each.key, each.value) for each in refused.unmet.entries] == [(b"item/456", b"500")]
    assert refused.header.revision == 4


async def test_every_action_is_handed_over(wire: Wire) -> None:
    actions = [
        kv_pb2.Action(set=b"s"),
        kv_pb2.Action(delete=kv_pb2.DeleteAction()),
        kv_pb2.Action(add=-1),
        kv_pb2.Action(min=2),
        kv_pb2.Action(max=3),
        kv_pb2.Action(append=b"a"),
        kv_pb2.Action(set_if_absent=b"i"),
        kv_pb2.Action(json_set=kv_pb2.JsonSet(pointer="/a", value='"ä"')),
        kv_pb2.Action(json_add=kv_pb2.JsonAdd(pointer="/b", integer=4)),
        kv_pb2.Action(json_add=kv_pb2.JsonAdd(pointer="/b", number=0.5)),
        kv_pb2.Action(json_remove=kv_pb2.JsonRemove(pointer="/c")),
    ]
    await failing(wire.kv.Update(kv_pb2.UpdateRequest(key=b"k", actions=actions, lease_id=9)))
    assert wire.node.submitted[-1][0] == Update(
        b"k",
        (
            Action(ActionKind.SET, b"s"),
            Action(ActionKind.DELETE),
            Action(ActionKind.ADD, -1),
            Action(ActionKind.MIN, 2),
            Action(ActionKind.MAX, 3),
            Action(ActionKind.APPEND, b"a"),
            Action(ActionKind.SET_IF_ABSENT, b"i"),
            Action(ActionKind.JSON_SET, '"ä"'.encode(), "/a"),
            Action(ActionKind.JSON_ADD, 4, "/b"),
            Action(ActionKind.JSON_ADD, 0.5, "/b"),
            Action(ActionKind.JSON_REMOVE, None, "/c"),
        ),
        9,
        None,
    )


async def test_every_kind_of_condition_is_handed_over(wire: Wire) -> None:
    literals = [
        kv_pb2.Literal(integer=1),
        kv_pb2.Literal(number=0.5),
        kv_pb2.Literal(text="t"),
        kv_pb2.Literal(flag=False),
        kv_pb2.Literal(null=True),
    ]
    condition = every(
        kv_pb2.Condition(
            any=kv_pb2.ConditionList(
                parts=[
                    clause(),
                    clause(
                        b"j",
                        target=kv_pb2.TARGET_JSON,
                        operator=kv_pb2.OPERATOR_IN,
                        pointer="/p",
                        operands=literals,
                    ),
                ]
            )
        ),
        negated(
            clause(
                b"",
                target=kv_pb2.TARGET_COUNT,
                operator=kv_pb2.OPERATOR_BETWEEN,
                operands=[kv_pb2.Literal(integer=3), kv_pb2.Literal(integer=4)],
            )
        ),
    )
    request = kv_pb2.PutRequest(key=b"k", value=b"w", condition=condition)
    assert (await wire.kv.Put(request)).HasField("unmet")
    assert wire.node.submitted[-1][0] == Request(
        Put(b"k", b"w"),
        All(
            (
                AnyOf(
                    (
                        Clause(b"k", Target.VALUE, Operator.EQ, (b"v",)),
                        Clause(b"j", Target.JSON, Operator.IN, (1, 0.5, "t", False, None), "/p"),
                    )
                ),
                Not(Clause(b"", Target.COUNT, Operator.BETWEEN, (3, 4))),
            )
        ),
    )


async def test_the_enums_of_wire_and_core_are_the_same() -> None:
    assert {f"TARGET_{each.name}": each.value for each in Target} == {
        name: number for name, number in kv_pb2.Target.items() if number
    }
    assert len(Operator) == len(kv_pb2.Operator.items()) - 1


async def test_a_false_condition_is_an_answer_of_every_mutation(wire: Wire) -> None:
    await wire.kv.Put(kv_pb2.PutRequest(key=b"k", value=b"other"))
    before = wire.node.machine.revision
    answers = [
        await wire.kv.Put(kv_pb2.PutRequest(key=b"k", condition=clause())),
        await wire.kv.Delete(kv_pb2.DeleteRequest(key=b"k", condition=clause())),
        await wire.kv.Delete(kv_pb2.DeleteRequest(prefix=b"", condition=clause())),
        await wire.kv.CompareAndSet(
            kv_pb2.CompareAndSetRequest(
                key=b"k", expect=kv_pb2.Expect(value=b"other"), condition=clause()
            )
        ),
        await wire.kv.Update(
            kv_pb2.UpdateRequest(key=b"k", actions=[kv_pb2.Action(append=b"x")], condition=clause())
        ),
    ]
    for answer in answers:
        assert [each.value for each in answer.unmet.entries] == [b"other"]
        assert answer.header.revision == before
    true = clause(operands=[kv_pb2.Literal(raw=b"other")])
    done = await wire.kv.Put(kv_pb2.PutRequest(key=b"k", condition=true))
    assert not done.HasField("unmet")
    assert done.entry.version == 2


async def test_a_type_mismatch_is_flagged(wire: Wire) -> None:
    await wire.kv.Put(kv_pb2.PutRequest(key=b"item/456", value=b"no number"))
    answer = await wire.kv.Update(subtract(1))
    assert list(answer.unmet.mismatched) == [0]


BAD_CONDITIONS = {
    "9 deep": (nested(9), "condition: at most 8 levels"),
    "50 deep": (nested(50), "condition: at most 8 levels"),
    "257 clauses": (every(*[clause()] * 257), "condition: at most 256 clauses"),
    "nothing": (kv_pb2.Condition(), "condition: one of clause, all, any, not must be set"),
    "no parts": (every(), "condition: all must hold at least one part"),
    "no key": (clause(b""), "condition: clause 0: key: 1 to 2048 bytes, got 0"),
    "target": (every(clause(), clause(target=77)), "clause 1: target: one of EXISTS, VERSION"),
    "operator": (clause(operator=99), "clause 0: operator: one of EQ, NE"),
    "literal": (clause(operands=[kv_pb2.Literal()]), "clause 0: operands: one of raw, integer"),
    "no operand": (clause(operands=[]), "operand"),
    "two operands": (clause(operands=[kv_pb2.Literal(raw=b"a")] * 2), "operand"),
    "type": (clause(operands=[kv_pb2.Literal(integer=1)]), "clause"),
    "pointer": (clause(target=kv_pb2.TARGET_JSON, pointer="a"), "pointer"),
}


@pytest.mark.parametrize("case", BAD_CONDITIONS)
async def test_a_bad_condition_names_place_allowed_and_given(wire: Wire, case) -> None:
    condition, text = BAD_CONDITIONS[case]
    failed = await failing(wire.kv.Update(subtract(1, condition)))
    assert (failed.code, failed.info.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID")
    assert failed.metadata["outcome"] == "NOT_APPLIED"
    assert text in failed.message
    assert wire.node.machine.revision == 1


async def test_the_deepest_and_the_longest_condition_pass(wire: Wire) -> None:
    assert (await wire.kv.Update(subtract(1, nested(8)))).HasField("unmet")
    longest = every(*[clause()] * 256)
    assert (await wire.kv.Update(subtract(1, longest))).unmet.clause == 0


async def test_what_protobuf_itself_cannot_read_is_refused_with_a_word(wire: Wire) -> None:
    condition = clause().SerializeToString()
    for _ in range(200):  # the python of protobuf does not even build it
        condition = b"\x22" + bytes(varint(len(condition))) + condition
    request = kv_pb2.UpdateRequest(key=b"k").SerializeToString()
    request += b"\x72" + bytes(varint(len(condition))) + condition
    call = wire.channel.unary_unary(
        "/kvraft.v1.KVService/Update",
        request_serializer=None,
        response_deserializer=kv_pb2.UpdateResponse.FromString,
    )
    failed = await failing(call(request))
    assert (failed.code, failed.info.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID")
    assert failed.metadata["outcome"] == "NOT_APPLIED"
    assert "cannot be read" in failed.message
    await wire.kv.Put(kv_pb2.PutRequest(key=b"k"))


def updating(*actions: kv_pb2.Action, **fields) -> kv_pb2.UpdateRequest:
    return kv_pb2.UpdateRequest(**{"key": b"k", "actions": actions, **fields})


ADD = kv_pb2.Action(add=1)
BAD_UPDATES = {
    "no key": (updating(ADD, key=b""), "key: 1 to 2048 bytes, got 0"),
    "no actions": (updating(), "actions: 1 to 64, got 0"),
    "65 actions": (updating(*[ADD] * 65), "actions: 1 to 64, got 65"),
    "no kind": (updating(ADD, kv_pb2.Action()), "actions[1]: one of set, delete, add"),
    "two leases": (updating(ADD, lease_id=1, ttl_ms=1_000), "got lease_id and ttl_ms"),
    "no delta": (
        updating(kv_pb2.Action(json_add=kv_pb2.JsonAdd(pointer="/a"))),
        "actions[0].json_add: one of integer, number",
    ),
    "pointer": (updating(kv_pb2.Action(json_remove=kv_pb2.JsonRemove(pointer="a"))), "pointer"),
    "no json": (
        updating(kv_pb2.Action(json_set=kv_pb2.JsonSet(pointer="/a", value="{"))),
        "JSON",
    ),
}


@pytest.mark.parametrize("case", BAD_UPDATES)
async def test_a_malformed_update_names_field_allowed_and_given(wire: Wire, case) -> None:
    request, text = BAD_UPDATES[case]
    failed = await failing(wire.kv.Update(request))
    assert (failed.code, failed.info.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID")
    assert text in failed.message
    assert wire.node.machine.revision == 1


async def test_what_a_value_does_not_allow_is_refused_by_the_state(wire: Wire) -> None:
    await wire.kv.Put(kv_pb2.PutRequest(key=b"k", value=b"%d" % ((1 << 63) - 1)))
    overflow = await failing(wire.kv.Update(updating(ADD)))
    assert (overflow.code, overflow.info.reason) == (StatusCode.FAILED_PRECONDITION, "INVARIANT")
    await wire.kv.Put(kv_pb2.PutRequest(key=b"k", value=b"text"))
    wrong = await failing(wire.kv.Update(updating(ADD)))
    assert (wrong.code, wrong.info.reason) == (StatusCode.FAILED_PRECONDITION, "WRONG_TYPE")
    assert wrong.metadata == {"outcome": "NOT_APPLIED"}


async def test_invariants_are_set_listed_and_checked(wire: Wire) -> None:
    invariant = cluster_pb2.Invariant(key=b"seat/", is_prefix=True, min=0, max=10)
    await wire.cluster.SetInvariant(cluster_pb2.SetInvariantRequest(invariant=invariant))
    assert wire.node.submitted[-1][0] == SetInvariant(b"seat/", True, 0, 10, False)
    listed = await wire.cluster.ListInvariants(cluster_pb2.ListInvariantsRequest())
    assert list(listed.invariants) == [invariant]
    failed = await failing(wire.kv.Put(kv_pb2.PutRequest(key=b"seat/1", value=b"11")))
    assert (failed.code, failed.info.reason) == (StatusCode.FAILED_PRECONDITION, "INVARIANT")
    removal = cluster_pb2.Invariant(key=b"seat/", is_prefix=True)
    await wire.cluster.SetInvariant(cluster_pb2.SetInvariantRequest(invariant=removal))
    assert not (await wire.cluster.ListInvariants(cluster_pb2.ListInvariantsRequest())).invariants


async def test_a_malformed_invariant_is_refused(wire: Wire) -> None:
    for invariant, text in (
        (cluster_pb2.Invariant(min=1), "invariant.key: 1 to 2048 bytes, got 0"),
        (cluster_pb2.Invariant(key=b"k", min=2, max=1), "got 2 and 1"),
    ):
        request = cluster_pb2.SetInvariantRequest(invariant=invariant)
        failed = await failing(wire.cluster.SetInvariant(request))
        assert failed.info.reason == "INVALID"
        assert text in failed.message
