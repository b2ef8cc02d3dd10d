"""Answers given again without what was too large to keep: what was decided is told all the same."""

import grpc
import pytest
from fake_node import bare, lost

from kvraft_client import (
    Client,
    ConditionFailed,
    Conflict,
    KeyIdentity,
    TransactionConflict,
    actions,
    operations,
)
from kvraft_client.conditions import value

LOST = lost(bare(grpc.StatusCode.UNAVAILABLE))


@pytest.fixture
def node(start):
    """A node that loses first answers, and keeps no value and nothing that is many."""
    node = start()
    node.store.omit_replies = True
    for method in ("Put", "Update", "CompareAndSet", "Txn"):
        node.script[method] = [LOST]
    return node


@pytest.fixture
def kv(node, connect):
    return connect(node)


def test_what_a_put_and_a_swap_wrote_is_known_without_its_value_in_the_reply(node, kv):
    entry = kv.put("k", "v")
    assert (entry.value, entry.value_omitted, entry.version) == (b"v", False, 1)
    swapped = kv.cas("k", "w", expect=entry)
    assert (swapped.value, swapped.value_omitted, swapped.version) == (b"w", False, 2)
    assert node.named("Get") == []
    assert kv.metrics().replayed == 2


def test_an_update_says_whether_it_wrote(node, kv):
    kv.put("k", "v")
    nothing = kv.update("k", actions.set_if_absent("x"))
    assert (nothing.applied, nothing.entry.value_omitted) == (False, True)
    node.script["Update"] = [LOST]
    done = kv.update("k", actions.append("x"))
    assert (done.applied, done.entry.version, done.previous.version) == (True, 2, 1)


def test_a_condition_that_was_false_is_told_so(node, kv):
    kv.put("k", "v")
    node.script["Put"] = [LOST]
    with pytest.raises(ConditionFailed) as raised:
        kv.put("k", "w", when="version = 7", idempotency_key="p")
    assert (raised.value.clause, raised.value.unmet.entries_omitted) == (0, True)
    fate = kv.outcome(KeyIdentity(b"p"))
    assert (fate.reason, fate.unmet.entries_omitted) == ("CONDITION", True)


def test_a_swap_that_failed_is_told_so(kv):
    kv.put("k", "v")
    with pytest.raises(Conflict) as raised:
        kv.cas("k", "w", expect=None, idempotency_key="c")
    assert (raised.value.current.value_omitted, raised.value.current.version) == (True, 1)
    fate = kv.outcome(KeyIdentity(b"c"))
    assert (fate.reason, fate.current.version) == ("CONFLICT", 1)


def test_a_transaction_tells_its_branch(node, kv):
    kv.put("k", "v")
    done = kv.txn(then=[operations.get("k")], idempotency_key="t")
    assert (done.succeeded, done.results, done.results_omitted) == (True, (), True)
    assert kv.outcome(KeyIdentity(b"t")).result.results_omitted
    node.script["Txn"] = [LOST]
    missed = kv.txn(when=value("k") == b"x", orelse=[operations.get("k")])
    assert (bool(missed), missed.unmet.clause, missed.results_omitted) == (False, 0, True)


def test_a_whole_answer_leaves_nothing_out(start, connect):
    kv = connect(start())
    kv.put("k", "v")
    done = kv.txn(when=value("k") == b"x", then=[operations.get("k")])
    assert (done.results, done.results_omitted, done.unmet.entries_omitted) == ((), False, False)


def _met_another(kv, block, first):
    assert (block.get("k"), block.get("other")) == (first, None)
    kv.put("k", "w")
    block.put("sum", "1")


def test_a_block_that_conflicted_names_all_it_read_where_nobody_knows_which(start):
    node = start()
    node.store.omit_replies = True
    with Client(node.endpoint) as kv:
        first = kv.put("k", "v")
        node.script["Txn"] = [LOST]
        block = kv.transaction()
        with pytest.raises(TransactionConflict) as raised, block:
            _met_another(kv, block, first)
    assert raised.value.keys == (b"k", b"other")


def test_modify_reads_again_where_the_conflict_does_not_tell_the_value(node, kv):
    kv.put("k", "1")
    seen = []

    def changed(found):
        if not seen:
            other = node.store.entries[b"k"]
            node.store.entries[b"k"] = type(other)(
                key=b"k", value=b"5", create_revision=2, mod_revision=9, version=2
            )
        seen.append(found)
        return found + b"0"

    assert kv.modify("k", changed).entry.value == b"50"
    assert seen == [b"1", b"5"]
