# Generated from _async/asking.py by scripts/generate_sync_client.py: do not edit.
"""What became of a mutation whose answer was lost, and the client's own figures."""
# ruff: noqa: ASYNC109 - `timeout` spans all attempts and travels to the server

from dataclasses import replace

from kvraft.v1 import session_pb2
from kvraft_client._sync.caller import Caller
from kvraft_client._sync.mutations import Mutations
from kvraft_client.answers import Fate, Metrics
from kvraft_client.encoding import identity_proto
from kvraft_client.errors import OutcomeUnknown
from kvraft_client.policy.identity import Identity
from kvraft_client.replies import fate_from
from kvraft_client.rpc import RESOLVE


class Asking:
    """Questions about what was done."""

    _caller: Caller
    _mutations: Mutations

    def outcome(self, identity: Identity, *, timeout: float | None = None) -> Fate:
        """Settle what became of a mutation, for good: Applied, Refused or NeverApplied.

        `identity` is that of an OutcomeUnknown, or `KeyIdentity(key)`. One that the store does not
        know is burned: a copy of the request that comes later is refused. A key is known for ten
        minutes after its mutation: ask within these. Of a large reply values may be missing
        (`reply_omitted`), never what was decided. OutcomeUnknown: no answer in time (ask again),
        or the session has ended (read, then decide).
        """
        request = session_pb2.ResolveRequest(identity=identity_proto(identity))
        try:
            answer = self._caller.call(RESOLVE, request, timeout=timeout)
        except OutcomeUnknown as error:
            error.identity = identity
            raise
        self._mutations.settled(identity)
        return fate_from(answer.result)

    def metrics(self) -> Metrics:
        """Return the counters of this client, as they are now."""
        with self._caller.lock:
            return replace(self._caller.metrics)
