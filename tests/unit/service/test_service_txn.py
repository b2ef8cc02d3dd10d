"""Transactions over the wire: both branches, results in their places, and what is refused."""

import pytest
from grpc import StatusCode
from service_wire import Wire, failing

from kvraft.core.commands import Delete, DeleteRange, Get, GetRange, Put, Txn
from kvraft.core.conditions import Clause, Operator, Target
from kvraft.v1 import kv_pb2

pytestmark = pytest.mark.asyncio

Op = kv_pb2.Operation


def get(key: bytes) -> kv_pb2.Operation:
    return Op(get=kv_pb2.OperationGet(key=key))


def put(key: bytes, value: bytes = b"v", **fields) -> kv_pb2.Operation:
    return Op(put=kv_pb2.OperationPut(key=key, value=value, **fields))


def add(key: bytes, number: int) -> kv_pb2.Operation:
    return Op(update=kv_pb2.OperationUpdate(key=key, actions=[kv_pb2.Action(add=number)]))


def nested(**fields) -> kv_pb2.Operation:
    return Op(txn=kv_pb2.OperationTxn(**fields))


def exists(key: bytes, flag: bool = True) -> kv_pb2.Condition:
    return kv_pb2.Condition(
        clause=kv_pb2.Clause(
            key=key,
            target=kv_pb2.TARGET_EXISTS,
            operator=kv_pb2.OPERATOR_EQUAL,
            operands=[kv_pb2.Literal(flag=flag)],
        )
    )


async def test_every_operation_and_its_result(wire: Wire) -> None:
    await wire.kv.Put(kv_pb2.PutRequest(key=b"a", value=b"1"))
    await wire.kv.Put(kv_pb2.PutRequest(key=b"d", value=b"gone"))
    request = kv_pb2.TxnRequest(
        then=[
            put(b"a", b"2", return_previous=True),
            get(b"a"),
            get(b"absent"),
            Op(list=kv_pb2.OperationList(prefix=b"", limit=1, keys_only=True)),
            Op(delete=kv_pb2.OperationDelete(key=b"d", return_previous=True)),
            Op(delete=kv_pb2.OperationDelete(prefix=b"nothing/")),
            add(b"n", 5),
            nested(condition=exists(b"n"), then=[get(b"n")], otherwise=[get(b"a")]),
        ]
    )
    answer = await wire.kv.Txn(request)
    command, _ = wire.node.submitted[-1]
    assert isinstance(command, Txn)
    assert command.then[:6] == (
        Put(b"a", b"2", return_previous=True),
        Get(b"a"),
        Get(b"absent"),
        GetRange(b"", None, 1, True),
        Delete(b"d", True),
        DeleteRange(b"nothing/", b"nothing0"),
    )
    assert command.then[7] == Txn(
        Clause(b"n", Target.EXISTS, Operator.EQ, (True,)), (Get(b"n"),), (Get(b"a"),)
    )
    assert answer.succeeded
    assert not answer.HasField("unmet")
    assert answer.header.revision == 4
    kinds = [each.WhichOneof("kind") for each in answer.results]
    assert kinds == ["put", "get", "get", "list", "delete", "delete", "update", "txn"]
    first, seen, absent, page, gone, none, added, inner = answer.results
    assert (first.put.entry.value, first.put.previous.value) == (b"2", b"1")
    assert (seen.get.entry.value, seen.get.entry.mod_revision) == (b"2", 4)
    assert not absent.get.HasField("entry")
    assert ([each.key for each in page.list.entries], page.list.more) == ([b"a"], True)
    assert (gone.delete.deleted, gone.delete.previous.value) == (1, b"gone")
    assert none.delete.deleted == 0
    assert added.update.entry.value == b"5"
    assert not added.update.HasField("previous")
    assert inner.txn.succeeded
    assert inner.txn.results[0].get.entry.value == b"5"


async def test_the_other_branch_says_why(wire: Wire) -> None:
    await wire.kv.Put(kv_pb2.PutRequest(key=b"a", value=b"1"))
    request = kv_pb2.TxnRequest(
        condition=exists(b"a", flag=False), then=[put(b"a")], otherwise=[get(b"a")]
    )
    answer = await wire.kv.Txn(request)
    assert not answer.succeeded
    assert answer.results[0].get.entry.value == b"1"
    assert [each.key for each in answer.unmet.entries] == [b"a"]
    assert answer.header.revision == 2


async def test_a_refused_operation_refuses_all_and_names_its_place(wire: Wire) -> None:
    await wire.kv.Put(kv_pb2.PutRequest(key=b"text", value=b"abc"))
    failed = await failing(wire.kv.Txn(kv_pb2.TxnRequest(then=[put(b"a"), add(b"text", 1)])))
    assert (failed.code, failed.info.reason) == (StatusCode.FAILED_PRECONDITION, "WRONG_TYPE")
    assert "then[1]" in failed.message
    assert wire.node.machine.get(b"a") is None


def deep() -> kv_pb2.Operation:
    return nested(then=[nested(then=[put(b"k")])])


MALFORMED = {
    "no kind": (kv_pb2.TxnRequest(then=[put(b"a"), Op()]), "then[1]: one of get, list, put"),
    "no key": (kv_pb2.TxnRequest(otherwise=[get(b"")]), "otherwise[0]: key: 1 to 2048 bytes"),
    "twice nested": (kv_pb2.TxnRequest(then=[deep()]), "then[0].then[0]: a transaction inside"),
    "nested no key": (
        kv_pb2.TxnRequest(then=[nested(otherwise=[put(b"")])]),
        "then[0].otherwise[0]: key: 1 to 2048 bytes",
    ),
    "no target": (
        kv_pb2.TxnRequest(then=[Op(list=kv_pb2.OperationList())]),
        "then[0]: target: one of prefix, range",
    ),
    "nested condition": (
        kv_pb2.TxnRequest(then=[nested(condition=kv_pb2.Condition())]),
        "then[0].condition: one of clause",
    ),
    "257 operations": (kv_pb2.TxnRequest(then=[get(b"k")] * 257), "at most 256 operations in all"),
    "257 over branches": (
        kv_pb2.TxnRequest(then=[get(b"k")] * 128, otherwise=[get(b"k")] * 129),
        "at most 256 operations in all",
    ),
    "a key twice": (kv_pb2.TxnRequest(then=[put(b"k"), put(b"k")]), "then[1]"),
    "a key in a deleted range": (
        kv_pb2.TxnRequest(
            then=[put(b"ab"), Op(delete=kv_pb2.OperationDelete(prefix=b"a"))],
        ),
        "then[1]",
    ),
    "clauses of all conditions": (
        kv_pb2.TxnRequest(
            condition=kv_pb2.Condition(all=kv_pb2.ConditionList(parts=[exists(b"k")] * 200)),
            then=[
                nested(
                    condition=kv_pb2.Condition(all=kv_pb2.ConditionList(parts=[exists(b"k")] * 57))
                )
            ],
        ),
        "at most 256 clauses",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_a_malformed_transaction_names_the_place(wire: Wire, case) -> None:
    request, text = MALFORMED[case]
    failed = await failing(wire.kv.Txn(request))
    assert (failed.code, failed.info.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID")
    assert failed.metadata["outcome"] == "NOT_APPLIED"
    assert text in failed.message
    assert wire.node.machine.revision == 1


async def test_a_transaction_is_bounded_in_bytes(wire: Wire) -> None:
    request = kv_pb2.TxnRequest(then=[put(b"%d" % number, b"x" * (1 << 20)) for number in range(2)])
    failed = await failing(wire.kv.Txn(request))
    assert failed.info.reason == "TOO_LARGE"
    assert failed.metadata["limit"] == str(3 << 19)


async def test_256_operations_pass(wire: Wire) -> None:
    request = kv_pb2.TxnRequest(then=[put(b"%d" % number) for number in range(256)])
    answer = await wire.kv.Txn(request)
    assert len(answer.results) == 256
    assert answer.header.revision == 2


async def test_values_beyond_a_reply_are_left_out_and_flagged(wire: Wire) -> None:
    for key in (b"a", b"b"):
        await wire.kv.Put(kv_pb2.PutRequest(key=key, value=b"x" * (1 << 20)))
    answer = await wire.kv.Txn(kv_pb2.TxnRequest(then=[get(b"a"), get(b"b")]))
    assert len(answer.results[0].get.entry.value) == 1 << 20
    assert answer.results[1].get.entry.value_omitted
    assert answer.results[1].get.entry.mod_revision == 3


@pytest.mark.parametrize("in_pipeline", [False, True])
async def test_the_longest_reply_fits_into_a_message(wire: Wire, in_pipeline: bool) -> None:
    """Else gRPC refuses to send it, and nobody can say what was applied."""
    keys = [b"%05d" % number + bytes(2_043) for number in range(1_100)]
    for key in keys:
        wire.node.apply(Put(key, bytes(1_400)))
    pages = [Op(list=kv_pb2.OperationList(prefix=b"", limit=768))]
    pages += [Op(list=kv_pb2.OperationList(prefix=key)) for key in keys[768 : 768 + 255]]
    condition = kv_pb2.Condition()
    for key in keys[:256]:
        condition.all.parts.append(exists(key, False))
    request = kv_pb2.TxnRequest(condition=condition, otherwise=pages)
    if in_pipeline:
        call = wire.kv.Pipeline()
        await call.write(kv_pb2.PipelineRequest(calls=[kv_pb2.PipelineCall(id=1, txn=request)]))
        response = (await call.read()).replies[0].txn
    else:
        response = await wire.kv.Txn(request)
    assert (response.succeeded, response.unmet.clause, len(response.results)) == (False, 0, 256)
    assert [entry.key for entry in response.unmet.entries] == keys[:256]
    assert all(entry.value_omitted for entry in response.results[0].list.entries)
