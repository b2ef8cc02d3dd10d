"""Who asks: identities of mutations, and the mutation with all that it carries."""

from kvraft.core.commands import (
    Identity,
    KeyIdentity,
    Mutation,
    Request,
    SessionIdentity,
)
from kvraft.core.conditions import Condition
from kvraft.core.limits import RequestLimits
from kvraft.service.convert.checks import checked_from, checked_length, invalid, require_understood
from kvraft.service.convert.conditions import condition_of
from kvraft.service.convert.locks import fences_of
from kvraft.service.errors import CallError
from kvraft.v1 import cluster_pb2, kv_pb2, lease_pb2, lock_pb2

_Identified = (
    kv_pb2.PutRequest
    | kv_pb2.DeleteRequest
    | kv_pb2.CompareAndSetRequest
    | kv_pb2.UpdateRequest
    | kv_pb2.TxnRequest
    | lease_pb2.GrantRequest
    | lease_pb2.RevokeRequest
    | cluster_pb2.SetInvariantRequest
    | cluster_pb2.GuardPrefixRequest
    | lock_pb2.ReleaseRequest
)
_Conditional = (
    kv_pb2.PutRequest | kv_pb2.DeleteRequest | kv_pb2.CompareAndSetRequest | kv_pb2.UpdateRequest
)


def identity_of(given: kv_pb2.Identity, limits: RequestLimits) -> Identity:
    """Return an identity; CallError for one that is malformed."""
    match given.WhichOneof("kind"):
        case "session":
            session = given.session
            session_id, sequence = session.session_id, session.sequence
            first_unacked = session.first_unacked
            if session_id >= 1 and 1 <= first_unacked <= sequence:
                return SessionIdentity(session_id, sequence, first_unacked)
            raise _outside(session)
        case "idempotency_key":
            most = limits.idempotency_key_bytes
            key = checked_length(given.idempotency_key, "identity.idempotency_key", most)
            return KeyIdentity(key)
        case _:
            raise invalid("identity: one of session, idempotency_key must be set, got none")


def _outside(given: kv_pb2.SessionIdentity) -> CallError:
    """Return what is wrong with a session's identity."""
    sequence, first = given.sequence, given.first_unacked
    checked_from(given.session_id, 1, "identity.session.session_id")
    checked_from(sequence, 1, "identity.session.sequence")
    checked_from(first, 1, "identity.session.first_unacked")
    return invalid(f"identity.session.first_unacked: at most sequence ({sequence}), got {first}")


def identified(
    mutation: Mutation,
    request: _Identified,
    limits: RequestLimits,
    condition: Condition | None = None,
) -> Mutation | Request:
    """Return the mutation with the fences and the identity of its request, where it has any.

    A mutation with none of them, nor a condition, stays plain.
    """
    if request.must_understand:
        require_understood(request.must_understand)
    identity = identity_of(request.identity, limits) if request.HasField("identity") else None
    fences = fences_of(request.fences, limits) if request.fences else ()
    if condition is None and identity is None and not fences:
        return mutation
    return Request(mutation, condition, identity, fences)


def conditional(
    mutation: Mutation, request: _Conditional, limits: RequestLimits
) -> Mutation | Request:
    """Return the mutation with the condition, the fences and the identity of its request."""
    condition = None
    if request.HasField("condition"):
        condition = condition_of(request.condition, limits)
    return identified(mutation, request, limits, condition)
