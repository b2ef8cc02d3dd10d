"""invariant set, list, remove; and what a refused write looks like."""

import json

import grpc
from fake_node import deny


def listed(kvraft):
    return json.loads(kvraft("invariant", "list", "-o", "json").stdout)["invariants"]


def test_set_list_remove(kvraft):
    assert (
        kvraft("invariant", "set", "--prefix", "stock/", "--min", "-5").stdout == "invariant set\n"
    )
    assert kvraft("invariant", "set", "plan", "--immutable", "-o", "json").exit_code == 0
    assert listed(kvraft) == [
        {"prefix": "stock/", "min": -5, "max": None, "immutable": False},
        {"key": "plan", "min": None, "max": None, "immutable": True},
    ]
    assert kvraft("invariant", "remove", "plan").stdout == "invariant removed\n"
    assert [each.get("prefix") for each in listed(kvraft)] == ["stock/"]


def test_an_invariant_for_people(kvraft):
    kvraft("invariant", "set", "--prefix", "stock/", "--min", "0", "--max", "9")
    header, row = [
        line.split() for line in kvraft("invariant", "list").stdout.splitlines() if line.strip(" ─")
    ]

    assert header == ["of", "min", "max", "immutable"]
    assert row == ["stock/*", "0", "9"]


def test_all_keys_are_the_empty_prefix(kvraft, node):
    kvraft("invariant", "set", "--prefix", "", "--max", "3")
    (request,) = node.named("SetInvariant")

    assert (request.invariant.key, request.invariant.is_prefix) == (b"", True)


def test_a_bound_beyond_int64_is_a_usage_error(kvraft, node):
    result = kvraft("invariant", "set", "k", "--min", str(1 << 63))

    assert result.exit_code == 1
    assert "--min" in result.stderr
    assert node.calls == []


def test_a_write_that_breaks_one_is_an_error(kvraft, node):
    node.script["Put"] = [
        deny(grpc.StatusCode.FAILED_PRECONDITION, "INVARIANT", message="at least 0, not -1")
    ]
    result = kvraft("put", "stock/1", "-1")

    assert (result.exit_code, result.stdout) == (1, "")
