"""Mistakes with conditions, transactions and invariants."""

from kvraft.core import transactions
from kvraft.core.commands import Entry, Mutation, Request, Txn
from kvraft.core.invariants import Invariants
from kvraft.core.machine import StateMachine
from kvraft.core.plan import Plan
from kvraft.core.results import Refused, Result, TxnResult, Unmet
from kvraft.core.transactions import PLANNERS, KeyMutation, transact, unmet
from kvraft_chaos.simulation.mutants.registry import Patch, mutant, replaced, together


@mutant("a_refused_operation_takes_all_with_it", "half-applied")
def transaction_half_applied() -> Patch:
    """What a transaction planned before one of its operations was refused is done."""
    mutate = StateMachine._mutate  # noqa: SLF001 - the mistake is made there

    def does_what_it_can(self: StateMachine, plan: Plan, mutation: Mutation) -> Result:
        if not isinstance(mutation, KeyMutation):
            return mutate(self, plan, mutation)
        result = PLANNERS[type(mutation)](plan, mutation)
        if plan.steps:
            self._commit(plan)
        return result

    return replaced(StateMachine, "_mutate", does_what_it_can)


@mutant("a_condition_sees_what_the_command_before_did", "sold-twice")
def condition_on_the_state_before_the_entry() -> Patch:
    """Conditions are decided on what stood before the entry, not before their command."""
    apply, decide = StateMachine.apply, StateMachine._decide  # noqa: SLF001 - the mistake is made there
    before: dict[int, Unmet | None] = {}

    def decides_first(self: StateMachine, index: int, entry: Entry) -> list[Result]:
        before.clear()
        for each in entry.commands:
            if isinstance(each, Request) and each.condition is not None:
                before[id(each)] = unmet(self._plan(), each.condition)
        return apply(self, index, entry)

    def as_decided(self: StateMachine, command: Request) -> Result:
        if command.condition is None:
            return decide(self, command)
        return before[id(command)] or self._mutate(self._plan(), command.mutation)

    return together(
        replaced(StateMachine, "apply", decides_first),
        replaced(StateMachine, "_decide", as_decided),
    )


@mutant("an_invariant_holds_inside_a_transaction", "below-the-minimum")
def invariant_not_checked_in_a_transaction() -> Patch:
    """What a transaction writes is held against no invariant."""

    def unchecked(plan: Plan, txn: Txn) -> TxnResult | Refused:
        plan.invariants = Invariants()
        return transact(plan, txn)

    return replaced(transactions, "transact", unchecked)
