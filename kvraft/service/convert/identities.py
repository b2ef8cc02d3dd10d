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
            return _session_identity(given.session)
        case "idempotency_key":
            most = limits.idempotency_key_bytes
            key = checked_length(given.idempotency_key, "identity.idempotency_key", most)
            return KeyIdentity(key)
        case _:
            raise invalid("identity: one of session, idempotency_key must be set, got none")


def _session_identity(given: kv_pb2.SessionIdentity) -> SessionIdentity:
    session_id, sequence, first = given.session_id, given.sequence, given.first_unacked
    if session_id >= 1 and 1 <= first <= sequence:
        return SessionIdentity(session_id, sequence, first)
    checked_from(session_id, 1, "identity.session.session_id")
    checked_from(sequence, 1, "identity.session.sequence")
    checked_from(first, 1, "identity.session.first_unacked")
    raise invalid(f"identity.session.first_unacked: at most sequence ({sequence}), got {first}")


def identified(
    mutation: Mutation, request: _Identified, limits: RequestLimits
) -> Mutation | Request:
    """Return the mutation with the fences and the identity of its request, where it has any."""
    return _wrapped(mutation, None, request, limits)


def conditional(
    mutation: Mutation, request: _Conditional, limits: RequestLimits
) -> Mutation | Request:
    """Return the mutation with the condition, the fences and the identity of its request."""
    condition = None
    if request.HasField("condition"):
        condition = condition_of(request.condition, limits)
    return _wrapped(mutation, condition, request, limits)


def _wrapped(
    mutation: Mutation, condition: Condition | None, request: _Identified, limits: RequestLimits
) -> Mutation | Request:
    """A mutation with none of them stays plain: that is the hot path."""
    if request.must_understand:
        require_understood(request.must_understand)
    identity = identity_of(request.identity, limits) if request.HasField("identity") else None
    fences = fences_of(request.fences, limits) if request.fences else ()
    if condition is None and identity is None and not fences:
        return mutation
    return Request(mutation, condition, identity, fences)
