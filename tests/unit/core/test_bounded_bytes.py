"""No entry may stall its node: what is copied for answers that are kept, in the worst cases."""

import pytest
from core_states import apply, bootstrapped

from kvraft.core import outcomes, outline
from kvraft.core.actions import Action, ActionKind
from kvraft.core.commands import (
    CompareAndSet,
    Delete,
    Expect,
    Get,
    GetRange,
    KeyIdentity,
    Put,
    Request,
    Txn,
    Update,
)
from kvraft.core.conditions import Clause, Operator, Target
from kvraft.core.limits import ApplyLimits
from kvraft.core.result_codec import encode_result

LIMITS = ApplyLimits()
LARGE = b"v" * 1_000_000
FALSE = Clause(b"k", Target.VERSION, Operator.EQ, (99,))
REQUESTS = {
    "put": (Put(b"k", LARGE, return_previous=True), None),
    "cas": (CompareAndSet(b"k", b"", Expect(version=99)), None),
    "delete": (Delete(b"k", return_previous=True), None),
    "update": (Update(b"k", (Action(ActionKind.SET, b"w"),)), None),
    "unmet": (Delete(b"k"), FALSE),
    "txn": (Txn(FALSE, (), (Get(b"k"), GetRange(b"", None, 9))), None),
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_values_that_are_too_large_to_keep_are_not_even_encoded(kind, monkeypatch):
    """256 such answers in one entry took 1.3 s, on all nodes at once."""
    encoded = []

    def counted(result):
        data = encode_result(result)
        encoded.append(len(data))
        return data

    monkeypatch.setattr(outcomes, "encode_result", counted)
    monkeypatch.setattr(outline, "encode_result", counted)
    machine = bootstrapped()
    apply(machine, Put(b"k", LARGE))
    mutation, condition = REQUESTS[kind]
    request = Request(mutation, condition, KeyIdentity(b"id"))
    first = apply(machine, request)
    assert 0 < max(encoded) <= LIMITS.outcome_reply_bytes
    replayed = apply(machine, request)
    assert replayed.omitted
    assert type(replayed.result) is type(first)
