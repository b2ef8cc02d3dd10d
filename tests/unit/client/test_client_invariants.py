"""Invariants: what is sent, and how a refusal is told."""

import grpc
import pytest
from fake_node import deny

from kvraft.v1 import cluster_pb2
from kvraft_client import InvalidRequest, Invariant, InvariantViolated, WrongType


def test_what_is_demanded_is_sent_by_presence_and_read_back(start, connect):
    node = start()
    kv = connect(node)
    kv.set_invariant("stock", minimum=0)
    kv.set_invariant(prefix="log/", immutable=True)
    kv.remove_invariant(prefix="")

    sent = [request.invariant for request in node.named("SetInvariant")]
    assert sent == [
        cluster_pb2.Invariant(key=b"stock", min=0),
        cluster_pb2.Invariant(key=b"log/", is_prefix=True, immutable=True),
        cluster_pb2.Invariant(is_prefix=True),
    ]
    assert all(request.HasField("identity") for request in node.named("SetInvariant"))
    assert kv.invariants()[:2] == [
        Invariant(b"stock", False, 0, None, False),
        Invariant(b"log/", True, None, None, True),
    ]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"minimum": 0}, "give a key or prefix="),
        ({"key": "k", "prefix": "p", "minimum": 0}, "give a key or prefix="),
        ({"key": "k"}, "say what to demand"),
    ],
)
def test_a_demand_of_nothing_or_on_nothing_is_refused(start, connect, given, text):
    with pytest.raises(InvalidRequest, match=text):
        connect(start()).set_invariant(**given)


@pytest.mark.parametrize(
    ("reason", "error"), [("INVARIANT", InvariantViolated), ("WRONG_TYPE", WrongType)]
)
def test_a_value_that_is_not_allowed_is_a_definite_refusal(start, connect, reason, error):
    node = start()
    node.script["Update"] = [deny(grpc.StatusCode.FAILED_PRECONDITION, reason, message="min 0")]

    with pytest.raises(error, match="min 0"):
        connect(node).update("stock", "value += 1")
    assert len(node.named("Update")) == 1
