"""Transactions given whole, and blocks whose reads are compared when they end."""
# ruff: noqa: PT012 - it is the end of a block that raises

import asyncio

import pytest

from kvraft_client import (
    AsyncClient,
    Client,
    Compacted,
    DeleteResult,
    InvalidRequest,
    LeaseLost,
    ListResult,
    TransactionConflict,
    actions,
    operations,
)
from kvraft_client.conditions import exists, value
from kvraft_client.policy.read_set import ReadSet
from kvraft_client.values import Entry


def test_then_or_else_with_a_result_for_each_operation(start, connect):
    kv = connect(start())
    kv.put("a", "1")

    done = kv.txn(
        when=exists("a"),
        then=[
            operations.get("a"),
            operations.put("b", "2"),
            operations.update("n", actions.add(3)),
            operations.list(""),
            operations.delete("a"),
        ],
    )
    other = kv.txn(when=exists("a"), then=[], orelse=[operations.get("a")])

    read, put, update, listed, deleted = done.results
    assert (done.succeeded, done.unmet, done.revision) == (True, None, 3)
    assert (read.value, put.entry.mod_revision, update.entry.value) == (b"1", 3, b"3")
    assert isinstance(listed, ListResult)
    assert [entry.key for entry in listed.entries] == [b"a", b"b", b"n"]
    assert deleted == DeleteResult(1)
    assert (bool(other), other.results, other.unmet.clause) == (False, (None,), 0)


def test_an_operation_of_a_lease_that_is_not_held_is_refused(start):
    with Client(start().endpoint) as kv, pytest.raises(LeaseLost):
        operations.put("k", "v", lease=kv.lease(ttl=1.0))


def test_a_block_reads_one_revision_and_writes_at_its_end(start):
    node = start()
    with Client(node.endpoint) as kv:
        kv.put("a", "100")
        kv.put("b", "0")
        with kv.transaction() as t:
            a, b = t.get("a"), t.get("b")
            t.put("a", str(int(a.value) - 30))
            t.put("b", str(int(b.value) + 30))
            assert t.get("a").value == b"70"
            assert kv.get("a").value == b"100"
        assert [kv.get(key).value for key in "ab"] == [b"70", b"30"]
        assert kv.get("a").mod_revision == kv.get("b").mod_revision == t.result.revision
    assert [request.revision for request in node.named("Get")][:2] == [0, 3]


def test_a_block_that_met_a_change_raises_and_names_the_keys(start):
    with Client(start().endpoint) as kv:
        kv.put("a", "1")
        kv.put("b", "1")
        with pytest.raises(TransactionConflict, match="b'b'") as raised, kv.transaction() as t:
            for key in ("a", "b", "absent"):
                t.get(key)
            kv.put("b", "2")
            kv.put("absent", "now there")
            t.put("c", "3")
        assert raised.value.keys == (b"b", b"absent")
        assert kv.get("c") is None


def test_what_was_absent_and_still_is_lets_the_block_through(start):
    with Client(start().endpoint) as kv:
        with kv.transaction() as t:
            assert t.get("k") is None
            t.put("k", "first")
        assert kv.get("k").value == b"first"


def test_a_key_added_under_a_prefix_that_was_listed_is_a_conflict(start):
    with Client(start().endpoint) as kv:
        for number in range(5):
            kv.put(f"seat/{number}", "free")
        with pytest.raises(TransactionConflict) as raised, kv.transaction() as t:
            assert len(t.list("seat/")) == 5
            kv.put("seat/9", "free")
            t.put("count", "5")
        assert raised.value.keys == (b"seat/",)
        with pytest.raises(TransactionConflict) as raised, kv.transaction() as t:
            t.list("seat/")
            kv.put("seat/3", "taken")
            t.put("count", "6")
        assert raised.value.keys == (b"seat/3",)
        with kv.transaction() as t:
            t.put("seat/0", "mine")
            t.delete("seat/1")
            seen = {entry.key: entry.value for entry in t.list("seat/")}
        assert seen[b"seat/0"] == b"mine"
        assert b"seat/1" not in seen


def test_a_block_that_raises_or_writes_nothing_sends_no_transaction(start):
    node = start()
    with Client(node.endpoint) as kv:
        with pytest.raises(ZeroDivisionError), kv.transaction() as t:
            t.put("k", "v")
            1 / 0  # noqa: B018
        with kv.transaction() as t:
            t.get("k")
            kv.put("k", "meanwhile")
        assert t.result is None
    assert node.named("Txn") == []


def test_a_block_is_for_once_and_a_key_for_one_kind_of_write(start):
    with Client(start().endpoint) as kv:
        with kv.transaction() as t:
            t.update("n", actions.add(1))
            t.update("n", actions.add(2))
            with pytest.raises(InvalidRequest, match="known after the commit"):
                t.get("n")
            t.put("k", "v")
            with pytest.raises(InvalidRequest, match="put its final value"):
                t.update("k", actions.append("x"))
        assert kv.get("n").value == b"3"
        with pytest.raises(InvalidRequest, match="is over"):
            t.put("k", "v")


def test_a_block_that_read_too_much_says_so():
    read = ReadSet()
    for number in range(257):
        read.keys[b"%d" % number] = None

    with pytest.raises(InvalidRequest, match="read 257 keys and prefixes, at most 256"):
        read.condition()


def test_what_a_block_sees_of_its_own_writes_keeps_the_revisions_it_read():
    read = ReadSet()
    read.keys[b"k"] = Entry(b"k", b"old", 4, 9, 2, 7)
    read.write(b"k", operations.put("k", "new"), b"new")

    assert read.seen(b"k") == Entry(b"k", b"new", 4, 9, 2, 7)
    read.write(b"k", operations.delete("k"), None)
    assert read.seen(b"k") is None


def test_a_function_is_run_again_until_nothing_changed_under_it(start):
    with Client(start().endpoint) as kv:
        kv.put("n", "0")
        runs = []

        def add(t):
            runs.append(1)
            now = int(t.get("n").value)
            if len(runs) < 3:
                kv.put("n", str(now + 10))
            t.put("n", str(now + 1))
            return now

        assert kv.run_transaction(add) == 20
        assert kv.get("n").value == b"21"
        assert kv.metrics().conflicts == 2

        def never(t):
            kv.put("n", "x")
            t.get("n")
            kv.put("n", "y")
            t.put("n", "z")

        with pytest.raises(TransactionConflict):
            kv.run_transaction(never, max_runs=2)


def test_the_same_with_tasks(start):
    node = start()

    async def main():
        async with AsyncClient(node.endpoint) as kv:
            await kv.put("a", "50")

            async def take(t):
                now = int((await t.get("a")).value)
                t.put("a", str(now - 1))

            await asyncio.gather(*(kv.run_transaction(take) for _ in range(8)))
            assert (await kv.get("a")).value == b"42"
            with pytest.raises(TransactionConflict):
                async with kv.transaction() as t:
                    await t.list("")
                    await kv.put("b", "x")
                    t.delete("a")
            assert len([entry async for entry in kv.list("")]) == 2

    asyncio.run(main())


def test_a_read_at_a_revision_sees_what_stood_there(start, connect):
    node = start()
    kv = connect(node)
    first = kv.put("k", "1").mod_revision
    kv.put("k", "2")
    kv.delete("k")

    assert kv.get("k") is None
    assert kv.get("k", revision=first).value == b"1"
    assert [entry.value for entry in kv.list("", revision=first + 1)] == [b"2"]
    node.store.compacted = first + 2
    with pytest.raises(Compacted) as raised:
        kv.get("k", revision=first)
    assert raised.value.oldest_revision == first + 2


def test_the_pages_of_a_list_are_of_one_revision(start):
    node = start()
    with Client(node.endpoint) as kv:
        for number in range(7):
            kv.put(f"p/{number}", "old")
        pages = kv.list("p/")
        seen = [next(pages)]
        for number in range(7):
            kv.put(f"p/{number}", "new", when=value(f"p/{number}") == "old")
        kv.put("p/99", "new")
        seen += pages
    assert [entry.value for entry in seen] == [b"old"] * 7
    assert [request.revision for request in node.named("List")] == [0, 8, 8]
