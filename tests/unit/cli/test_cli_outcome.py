"""Exit status 3, and `outcome`, which settles what it was."""

import json
import shlex

import grpc
import pytest
from fake_node import bare, deny, lost

from kvraft.v1 import session_pb2

LOST = deny(grpc.StatusCode.UNAVAILABLE, "UNKNOWN_RESULT", "UNKNOWN", message="leader\nlost")
"""Nobody knows what became of it."""


def question(stderr):
    """The command that the line on stderr says to ask with."""
    return shlex.split(stderr.partition("ask: kvraft ")[2].rstrip(")\n"))


@pytest.mark.parametrize(
    "identity",
    [[], ["--idempotency-key", "order 17"]],
    ids=["made-up", "given"],
)
def test_an_unknown_outcome_says_how_to_ask_and_the_answer_is_final(kvraft, node, identity):
    node.script["Put"] = [lost(LOST)] * 200
    result = kvraft("put", "k", "v", *identity, "--timeout", "0.5")
    node.script["Put"] = []

    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("kvraft: outcome unknown: leader lost")
    assert result.stderr.count("\n") == 1

    asked = kvraft(*question(result.stderr), "-o", "json")
    fate = json.loads(asked.stdout)

    assert asked.exit_code == 0
    assert (fate["outcome"], fate["revision"], fate["reply_omitted"]) == ("applied", 2, False)
    assert fate["result"]["value"] == "v"
    assert node.store.revision == 2
    assert kvraft(*question(result.stderr)).stdout == "applied, at revision 2\n"


def test_a_command_opens_no_session_and_its_own_key_is_told(kvraft, node):
    node.script["Put"] = [LOST] * 200
    asked = question(kvraft("put", "k", "v", "--timeout", "0.5").stderr)
    kvraft("delete", "k")

    assert asked[:2] == ["outcome", "--idempotency-key"]
    keys = {each.identity.idempotency_key for each in node.named("Put")}
    assert keys == {asked[2].encode()}
    assert node.named("Open") == node.named("Close") == []


def test_what_the_store_does_not_know_is_burned(kvraft, node):
    asked = kvraft("outcome", "--idempotency-key", "late", "-o", "json")
    people = kvraft("outcome", "--idempotency-key", "late")
    copy = kvraft("put", "k", "v", "--idempotency-key", "late")

    assert (asked.exit_code, json.loads(asked.stdout)) == (1, {"outcome": "never_applied"})
    assert people.stdout == "never applied, and never will be: do it anew, with another identity\n"
    assert copy.exit_code == 1
    assert "ABANDONED" in copy.stderr
    assert node.store.revision == 1


def test_a_session_that_is_over_leaves_it_unknown(kvraft):
    asked = kvraft("outcome", "--session", "77", "--sequence", "1")

    assert asked.exit_code == 3
    assert "SESSION_EXPIRED" in asked.stderr
    assert "read before you try again" in asked.stderr


def test_a_question_that_nobody_answers_is_to_be_asked_again(kvraft, node):
    node.script["Resolve"] = [LOST] * 200
    words = ["outcome", "--session", "7", "--sequence", "2"]
    asked = kvraft(*words, "--timeout", "0.5")

    assert asked.exit_code == 3
    assert question(asked.stderr) == words


def test_a_condition_that_was_false_has_its_own_status(kvraft, node):
    kvraft("put", "k", "5")
    kvraft("put", "k", "v", "--if", "value > 7", "--idempotency-key", "one")
    asked = kvraft("outcome", "--idempotency-key", "one", "-o", "json")
    people = kvraft("outcome", "--idempotency-key", "one")
    fate = json.loads(asked.stdout)

    assert asked.exit_code == people.exit_code == 2
    assert (fate["outcome"], fate["reason"]) == ("refused", "CONDITION")
    assert (fate["unmet"]["clause"], fate["unmet"]["text"]) == (0, None)
    assert people.stdout.startswith("not applied: clause 0 was false [CONDITION]\n")
    assert " 5 " in people.stdout


def test_a_refusal_is_told_with_its_reason(kvraft, node):
    refused = session_pb2.RefusedReply(reason="INVARIANT", message="at least 0")

    def answer(request, context):
        return session_pb2.ResolveResponse(header=node.header(), answered=True, refused=refused)

    node.script["Resolve"] = [answer, answer]
    people = kvraft("outcome", "--idempotency-key", "one")
    program = kvraft("outcome", "--idempotency-key", "one", "-o", "json")

    assert people.exit_code == program.exit_code == 1
    assert people.stdout == "not applied: at least 0 [INVARIANT]\n"
    assert json.loads(program.stdout)["reason"] == "INVARIANT"


@pytest.mark.parametrize(
    ("words", "result"),
    [
        (("update", "k", "--set", "value += 2"), "2"),
        (("cas", "k", "v", "--expect-absent"), "v"),
    ],
    ids=lambda given: given[0],
)
def test_the_result_is_as_the_command_would_have_printed_it(kvraft, words, result):
    printed = json.loads(kvraft(*words, "--idempotency-key", "one", "-o", "json").stdout)
    fate = json.loads(kvraft("outcome", "--idempotency-key", "one", "-o", "json").stdout)

    assert fate["result"] == printed
    assert fate["result"]["entry"]["value"] == result


def test_of_a_delete_and_a_transaction(kvraft):
    kvraft("put", "k", "v")
    kvraft("delete", "k", "--idempotency-key", "one")
    done = kvraft("txn", "--then", "put k v", "--idempotency-key", "two", "-o", "json")

    def result(key):
        shown = kvraft("outcome", "--idempotency-key", key, "-o", "json").stdout
        return json.loads(shown)["result"]

    assert result("one") == {"deleted": 1}
    assert result("two") == json.loads(done.stdout)


def test_a_lost_answer_to_what_can_be_sent_again_is_no_unknown(kvraft, node):
    node.script["Put"] = [lost(bare(grpc.StatusCode.UNAVAILABLE))]
    result = kvraft("put", "k", "v", "-o", "json")

    assert (result.exit_code, json.loads(result.stdout)["version"]) == (0, 1)
    assert len(node.named("Put")) == 2
