"""Schedules about conditions, transactions and invariants: all of it or nothing, in its turn."""

from kvraft.core.actions import Action, ActionKind
from kvraft.core.commands import Put, Request, SetInvariant, Txn, Update
from kvraft.core.conditions import Clause, Operator, Target
from kvraft.core.results import Refused, Unmet, UpdateResult
from kvraft.replica.outcomes import Answer
from kvraft_chaos.simulation.schedule import Findings, findings, schedule
from kvraft_chaos.simulation.schedules.clients import REPLICA, answered, machine
from kvraft_chaos.simulation.schedules.clients import Request as Asking
from kvraft_chaos.simulation.world import World

RICH, POOR = b"acct/0", b"acct/1"


def _add(key: bytes, number: int) -> Update:
    return Update(key, (Action(ActionKind.ADD, number),))


def _open_bank(world: World) -> None:
    world.boot("A")
    answered(world, "A", SetInvariant(b"acct/", is_prefix=True, minimum=0))
    answered(world, "A", Txn(None, (Put(RICH, b"100"), Put(POOR, b"10"))))


def _balances(world: World, name: str) -> list[int]:
    found = [machine(world, name).get(key) for key in (RICH, POOR)]
    return [0 if each is None else int(each.value) for each in found]


@schedule("SEMANTICS, Txn", settings=REPLICA)
def a_refused_operation_takes_all_with_it(world: World) -> Findings:
    """The money is given before it turns out that nobody has it."""
    _open_bank(world)
    told = answered(world, "B", Txn(None, (_add(RICH, 50), _add(POOR, -50))))
    balances = _balances(world, "A")
    return findings(not_refused=not isinstance(told, Refused), half_applied=sum(balances) != 110)


@schedule("SEMANTICS, invariants", settings=REPLICA)
def an_invariant_holds_inside_a_transaction(world: World) -> Findings:
    _open_bank(world)
    answered(world, "B", Txn(None, (_add(POOR, -50), _add(RICH, 50))))
    return findings(below_the_minimum=min(_balances(world, "A")) < 0)


@schedule("B4, conditions", settings=REPLICA)
def a_condition_sees_what_the_command_before_did(world: World) -> Findings:
    """The last seat, twice in one entry."""
    world.boot("A")
    answered(world, "A", Put(b"seats", b"1"))
    free = Clause(b"seats", Target.NUMBER, Operator.GE, (1,))
    asked = [Asking(world, "A", Request(_add(b"seats", -1), free)) for _ in range(2)]
    world.until(lambda: all(each.told for each in asked))
    entries = {each.told[0].index for each in asked if isinstance(each.told[0], Answer)}
    sold = [each for each in asked if isinstance(each.result, UpdateResult)]
    full = [each for each in asked if isinstance(each.result, Unmet)]
    return findings(
        two_entries=len(entries) != 1, sold_twice=len(sold) == 2, nobody_has_it=len(full) == 2
    )
