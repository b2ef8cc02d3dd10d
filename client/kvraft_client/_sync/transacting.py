# Generated from _async/transacting.py by scripts/generate_sync_client.py: do not edit.
"""Transactions: decided and done at one revision, given whole or as a block that is compared."""
# ruff: noqa: ASYNC109 - `timeout` spans all attempts and travels to the server

from collections.abc import Callable, Sequence
from typing import TypeVar

from kvraft.v1 import kv_pb2
from kvraft_client._sync.comparing import Comparing
from kvraft_client._sync.transaction import Transaction
from kvraft_client._backends import threads as backend
from kvraft_client.answers import TxnResult
from kvraft_client.conditions import Condition
from kvraft_client.encoding import condition_proto
from kvraft_client.errors import TransactionConflict
from kvraft_client.fences import FenceLike
from kvraft_client.operations import Operation, messages
from kvraft_client.policy.retry import conflict_pause
from kvraft_client.replies import txn_from
from kvraft_client.requests import Data
from kvraft_client.rpc import TXN

Result = TypeVar("Result")

RUNS_MAX = 32
"""Runs of a transaction's function: with pauses that double, several seconds of bad luck."""


class Transacting(Comparing):
    """Several keys at one revision: all of it or nothing."""

    def txn(
        self,
        *,
        when: Condition | str | None = None,
        then: Sequence[Operation] = (),
        orelse: Sequence[Operation] = (),
        fence: FenceLike | None = None,
        idempotency_key: Data | None = None,
        timeout: float | None = None,
    ) -> TxnResult:
        """Do `then` where the condition holds, `orelse` where not; see `kvraft_client.operations`.

        The result is truthy by `then`, and has one result for each operation done; one that was
        sent again, and whose answer is large, may lack them (`results_omitted`). NotApplied:
        nothing changed, the message names the operation; OutcomeUnknown: it may have.
        """
        request = kv_pb2.TxnRequest(
            condition=condition_proto(when), then=messages(then), otherwise=messages(orelse)
        )
        answer = self._mutations.send(
            TXN, request, timeout=timeout, idempotency_key=idempotency_key, fence=fence
        )
        header = answer.result.header
        return txn_from(answer.result, header, header.revision)

    def transaction(
        self,
        *,
        fence: FenceLike | None = None,
        idempotency_key: Data | None = None,
        timeout: float | None = None,
    ) -> Transaction:
        """Make a block whose reads are compared when it ends: `with kv.transaction() as t:`.

        TransactionConflict at its end names the keys that were changed by others. A block cannot
        be run again by itself: `run_transaction` does so with a function. `timeout` is for each
        read and for the commit. A block with an `idempotency_key` that was committed before reads
        other revisions when it is run again, which makes it another request: KeyReused.
        """
        return Transaction(self, idempotency_key, timeout, fence)

    def run_transaction(
        self,
        function: Callable[[Transaction], Result],
        *,
        max_runs: int = RUNS_MAX,
        fence: FenceLike | None = None,
        timeout: float | None = None,
    ) -> Result:
        """Call `function(t)` in a transaction, again after each conflict; return what it returned.

        It must have no effects but those of `t`. TransactionConflict: all runs met one.
        """
        for run in range(max_runs):
            try:
                with self.transaction(fence=fence, timeout=timeout) as transaction:
                    result = function(transaction)
            except TransactionConflict:
                pause_s = conflict_pause(run, self._caller.uniform())
                with self._caller.lock:
                    self._caller.metrics.conflicts += 1
                    self._caller.metrics.waited_s += pause_s
                if run == max_runs - 1:
                    raise
                backend.sleep(pause_s)
            else:
                return result
        raise ValueError(f"max_runs must be at least 1, not {max_runs}")
