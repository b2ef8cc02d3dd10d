"""The tables that say the same as the protos, and the public names."""

import inspect

import pytest
from google.protobuf.descriptor import MethodDescriptor

import kvraft_client
from kvraft.v1 import cluster_pb2, kv_pb2, lease_pb2, lock_pb2, session_pb2, watch_pb2
from kvraft_client import errors, rpc

METHODS = [each for each in vars(rpc).values() if isinstance(each, rpc.Method)]


def described(path):
    service, _, method = path.lstrip("/").rpartition("/")
    for module in (kv_pb2, lease_pb2, lock_pb2, cluster_pb2, session_pb2, watch_pb2):
        found = module.DESCRIPTOR.services_by_name.get(service.removeprefix("kvraft.v1."))
        if found is not None:
            return found.FindMethodByName(method)
    return None


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.path)
def test_a_method_is_as_in_the_protos(method):
    found = described(method.path)

    assert isinstance(found, MethodDescriptor)
    assert found.input_type is method.request.DESCRIPTOR
    assert found.output_type is method.response.DESCRIPTOR
    assert found.client_streaming is method.requests_stream
    assert found.server_streaming is method.responses_stream


def test_only_what_may_be_repeated_is_marked_so():
    repeatable = {m.path.rpartition("/")[2] for m in METHODS if m.effect is not rpc.Effect.MUTATION}

    assert repeatable == {
        "Get",
        "List",
        "KeepAlive",
        "Describe",
        "Status",
        "Snapshot",
        "StateHash",
        "ListInvariants",
        "ListGuards",
        "Contention",
        "Acquire",
        "Confirm",
        "Release",
        "CheckFence",
        "Open",
        "Close",
        "Resolve",
        "Watch",
    }


def test_every_error_says_an_outcome_and_is_public_and_drawn():
    kinds = [
        each
        for each in vars(errors).values()
        if inspect.isclass(each) and issubclass(each, errors.KvraftError)
    ]
    for kind in kinds:
        assert kind.__name__ in kvraft_client.__all__
        assert kind.__name__ in errors.__doc__
        expected = "NOT_APPLIED" if issubclass(kind, errors.NotApplied) else "UNKNOWN"
        assert kind.outcome == expected


def test_public_names_are_sorted_and_there():
    assert list(kvraft_client.__all__) == sorted(kvraft_client.__all__)
    assert all(hasattr(kvraft_client, name) for name in kvraft_client.__all__)


def test_both_clients_have_the_same_names_and_parameters():
    def surface(kind):
        return {
            name: [
                (p.name, p.kind, p.default) for p in inspect.signature(member).parameters.values()
            ]
            for name, member in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }

    pairs = [
        (kvraft_client.Client, kvraft_client.AsyncClient),
        (kvraft_client.Lease, kvraft_client.AsyncLease),
        (kvraft_client.Transaction, kvraft_client.AsyncTransaction),
        (kvraft_client.Watch, kvraft_client.AsyncWatch),
    ]
    for sync, other in pairs:
        assert surface(sync) == surface(other)
        assert surface(sync)
