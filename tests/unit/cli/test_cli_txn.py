"""txn."""

import json

from kvraft.v1 import kv_pb2

TAKE = (
    "txn", "--if", 'value("seat/1") = "free"',
    "--then", "put seat/1 alice", "--then", "update sold 'value += 1'", "--then", "get seat/1",
    "--else", "get seat/1",
)  # fmt: skip


def test_a_seat_is_taken_once(kvraft, node):
    kvraft("put", "seat/1", "free")
    done = kvraft(*TAKE, "-o", "json")
    late = kvraft(*TAKE, "-o", "json")
    first, second = json.loads(done.stdout), json.loads(late.stdout)

    assert (done.exit_code, late.exit_code) == (0, 2)
    assert (first["succeeded"], first["unmet"], first["revision"]) == (True, None, 3)
    put, update, got = first["results"]
    assert put["entry"]["value"] == got["entry"]["value"] == "alice"
    assert (update["applied"], update["entry"]["value"], update["previous"]) == (True, "1", None)
    assert {each["entry"]["mod_revision"] for each in first["results"]} == {3}

    assert second["succeeded"] is False
    assert [each["entry"]["value"] for each in second["results"]] == ["alice"]
    assert second["unmet"]["text"] == 'value("seat/1") = "free"'
    assert [entry["value"] for entry in second["unmet"]["entries"]] == ["alice"]
    assert node.store.revision == 3


def test_a_transaction_for_people(kvraft):
    kvraft("put", "seat/1", "free")
    done, late = kvraft(*TAKE), kvraft(*TAKE)

    assert done.stdout.splitlines() == [
        "then: put seat/1 alice",
        "  seat/1 = alice (version 2, mod_revision 3)",
        "then: update sold 'value += 1'",
        "  sold = 1 (version 1, mod_revision 3)",
        "then: get seat/1",
        "  seat/1 = alice (version 2, mod_revision 3)",
    ]
    assert late.stderr == 'condition false: value("seat/1") = "free"\n'
    assert late.stdout.endswith("else: get seat/1\n  seat/1 = alice (version 2, mod_revision 3)\n")


def test_every_operation(kvraft, node):
    for key in ("p/1", "p/2", "gone"):
        kvraft("put", key, "v")
    words = ["list p/", "delete gone", "delete none", "get none", "put k 'two words'"]
    options = [word for each in words for word in ("--then", each)]
    shown = kvraft("txn", *options)

    assert shown.exit_code == 0
    assert [line for line in shown.stdout.splitlines() if line.startswith("  ")] == [
        "  p/1 = v (version 1, mod_revision 2)",
        "  p/2 = v (version 1, mod_revision 3)",
        "  listed 2",
        "  deleted 1",
        "  deleted 0",
        "  absent",
        "  k = two words (version 1, mod_revision 5)",
    ]
    parts = json.loads(kvraft("txn", *options, "-o", "json").stdout)["results"]
    assert [sorted(each) for each in parts] == [
        ["entries", "more"], ["deleted"], ["deleted"], ["entry"], ["entry"],
    ]  # fmt: skip


def test_delete_prefix_and_several_actions_are_sent(kvraft, node):
    def answer(request, context):
        return kv_pb2.TxnResponse(header=node.header(), succeeded=True)

    node.script["Txn"] = [answer]
    kvraft(
        "txn", "--then", "delete-prefix p/", "--then", "update k 'value += 1' 'value ./a = \"x\"'",
        "-o", "json",
    )  # fmt: skip
    (request,) = node.named("Txn")
    removed, updated = request.then

    assert removed.delete.prefix == b"p/"
    assert [each.WhichOneof("kind") for each in updated.update.actions] == ["add", "json_set"]


def test_what_is_written_may_go_by_itself(kvraft, node):
    def answer(request, context):
        return kv_pb2.TxnResponse(header=node.header(), succeeded=True)

    node.script["Txn"] = [answer]
    words = ["put a 1 --ttl 2.5", "put b --ttl --lease 7", "put c 1 --keep-lease",
             "update d 'value += 1' delete --ttl 3"]  # fmt: skip
    kvraft("txn", *(word for each in words for word in ("--then", each)), "-o", "json")
    a, b, c, d = node.named("Txn")[0].then

    assert (a.put.ttl_ms, a.put.HasField("lease_id")) == (2_500, False)
    assert (b.put.value, b.put.lease_id) == (b"--ttl", 7)
    assert c.put.keep_lease
    assert (d.update.ttl_ms, len(d.update.actions)) == (3_000, 2)


def test_what_an_operation_does_not_take_is_told(kvraft):
    for text, problem in {
        "put a 1 --ttl x": "'x' is not a number",
        "put a 1 --lease 1.5": "'1.5' is not a number",
        "put a 1 --ttl": "put KEY VALUE [--ttl S | --lease ID | --keep-lease]",
        "put a 1 --ttl 1 --lease 2": "is not one of: put KEY",
        "update a 'value += 1' --keep-lease": "is not one of: update KEY",
        "get a --ttl 1": "is not one of: get KEY",
    }.items():
        told = kvraft("txn", "--then", text)
        assert told.exit_code == 1
        assert problem in told.stderr


def test_results_that_were_too_large_to_keep(kvraft, node):
    def answer(request, context):
        header = node.header()
        header.replayed = header.reply_omitted = True
        unmet = kv_pb2.Unmet(clause=0)
        return kv_pb2.TxnResponse(header=header, succeeded=False, unmet=unmet)

    node.script["Txn"] = [answer, answer]
    words = ("txn", "--if", 'exists("k")', "--then", "get k", "--else", "list p/")
    people, program = kvraft(*words), kvraft(*words, "-o", "json")
    shown = json.loads(program.stdout)

    assert people.exit_code == program.exit_code == 2
    assert people.stderr.splitlines() == [
        'condition false: exists("k")',
        "what stood then was too large to keep for a repeated request",
    ]
    assert people.stdout == (
        "else: done before; the results were too large to keep, read at revision 1\n"
    )
    assert shown["results_omitted"] is shown["unmet"]["entries_omitted"] is True
