"""The specification of a bank in a user's own words: one object, all its accounts.

    open      {"balances": {name: n}}                  -> anything
    transfer  {"from": name, "to": name, "amount": n}  -> {"done": true | false}, nothing: done
    read      null                                     -> {"balances": {name: n}}, all or some

Nobody is overdrawn, so a transfer is done where there is money for it, and refused where there is
not. Accounts that nobody opened hold 0.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from kvraft_chaos.checkers.model import Model, State, Step
from kvraft_chaos.history import HistoryError, Operation

Balances = frozenset[tuple[str, int]]
"""Of the accounts that hold something: a state that can be compared and remembered."""
WORDS = frozenset({"open", "transfer", "read"})


def step_of(operation: Operation) -> Step:
    """What the operation does to the balances."""
    try:
        return _step(operation)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        words = f"event {operation.invoked}: malformed {operation.f}: {error!r}"
        raise HistoryError(words) from error


def _step(operation: Operation) -> Step:
    argument, result = operation.argument or {}, operation.result or {}
    match operation.f:
        case "open":
            opened = {str(name): int(money) for name, money in argument["balances"].items()}
            return lambda state: _frozen({**_thawed(state), **opened})
        case "transfer":
            payer, payee, amount = argument["from"], argument["to"], int(argument["amount"])
            done = operation.completed is None or result.get("done", True)
            return lambda state: _moved(state, (payer, payee), amount, done=done)
        case "read":
            seen = {str(name): int(money) for name, money in result.get("balances", {}).items()}
            return lambda state: state if _shows(state, seen) else None
    raise HistoryError(f"event {operation.invoked}: a bank knows no operation {operation.f!r}")


def _thawed(state: State) -> dict[str, int]:
    return dict(cast("Balances", state))


def _frozen(balances: Mapping[str, int]) -> Balances:
    return frozenset((name, money) for name, money in balances.items() if money)


def _moved(state: State, accounts: tuple[str, str], amount: int, *, done: bool) -> State | None:
    balances = _thawed(state)
    payer, payee = accounts
    affordable = balances.get(payer, 0) >= amount
    if affordable != done:
        return None
    if not done:
        return state
    balances[payer] = balances.get(payer, 0) - amount
    balances[payee] = balances.get(payee, 0) + amount
    return _frozen(balances)


def _shows(state: State, seen: Mapping[str, int]) -> bool:
    balances = _thawed(state)
    return all(balances.get(name, 0) == money for name, money in seen.items())


def observes(operation: Operation) -> bool:
    """A read, and a transfer that was refused."""
    return operation.f == "read" or (operation.result or {}).get("done") is False


def placeable(operations: Sequence[Operation]) -> list[Operation]:
    """An unknown read constrains nothing."""
    return [each for each in operations if each.completed is not None or each.f != "read"]


def shown(state: State) -> str:
    """The balances, for people."""
    balances: dict[str, Any] = _thawed(state)
    return ", ".join(f"{name}: {balances[name]}" for name in sorted(balances)) or "nothing"


MODEL = Model("bank", frozenset(), step_of, observes, placeable, shown=shown)
