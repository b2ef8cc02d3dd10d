"""Mistakes with fences and guards."""

from kvraft.core import machine, transactions
from kvraft.core.commands import Fence, Txn
from kvraft.core.places import Places
from kvraft.core.plan import Plan
from kvraft.core.results import Refused, TxnResult
from kvraft.core.transactions import transact
from kvraft_chaos.simulation.mutants.registry import Patch, mutant, replaced


@mutant("who_lost_a_lock_writes_no_more", "stale-write-done")
def fence_not_checked() -> Patch:
    """A token is carried along, and nobody looks at it."""

    def never(_places: Places, _fences: tuple[Fence, ...]) -> Refused | None:
        return None

    return replaced(machine, "refuse_fences", never)


@mutant("a_token_is_of_one_lock", "any-lock-will-do")
def fence_checked_against_any_lock() -> Patch:
    """A token is good while somebody holds anything with it (RULES I4)."""

    def of_any(self: Places, fence: Fence) -> int | None:
        held = (lock.holders.get(fence.token) for lock in self.locks.values())
        return next((each for each in held if each is not None), None)

    return replaced(Places, "holder", of_any)


@mutant("a_shared_holder_passes_no_guard", "reader-writes")
def shared_token_satisfies_a_guard() -> Patch:
    """Whoever holds a guard's lock may write, even if others hold it too (RULES I4)."""

    def of_any_mode(_places: Places, fences: tuple[Fence, ...]) -> frozenset[bytes]:
        return frozenset(each.lock for each in fences)

    return replaced(machine, "exclusive_locks", of_any_mode)


@mutant("a_guard_holds_inside_a_transaction", "unguarded-inside")
def guard_not_checked_in_a_transaction() -> Patch:
    """What a transaction writes is held against no guard (RULES I4)."""

    def unchecked(plan: Plan, txn: Txn) -> TxnResult | Refused:
        plan.guards = None
        return transact(plan, txn)

    return replaced(transactions, "transact", unchecked)
