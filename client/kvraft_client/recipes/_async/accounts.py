"""Transfers between accounts: no locks, so no deadlock; the sum never changes."""

from kvraft_client import actions, operations
from kvraft_client._async.client import AsyncClient
from kvraft_client.conditions import exists, number
from kvraft_client.errors import InvalidRequest, KeyReused
from kvraft_client.values import Entry


class AsyncAccounts:
    """Accounts below `prefix`: `PREFIX/balances/NAME`, and `PREFIX/transfers/ID` for each transfer.

    A transfer is known by its id, for good: asked for again, after however long, it is done once.
    """

    def __init__(self, kv: AsyncClient, prefix: str) -> None:
        """Use the accounts below `prefix`; nothing is written yet."""
        self._kv = kv
        self._balances = f"{prefix}/balances/"
        self._transfers = f"{prefix}/transfers/"

    async def open(self, name: str, balance: int = 0) -> bool:
        """Open an account; False: it is open already, and nothing changed."""
        opening = actions.set_if_absent(str(balance))
        return (await self._kv.update(self._balances + name, opening)).applied

    async def balance(self, name: str) -> int | None:
        """Return what the account holds; None: there is no such account."""
        entry = await self._kv.get(self._balances + name)
        return None if entry is None else int(entry.value)

    async def transfer(self, transfer_id: str, *, payer: str, payee: str, amount: int) -> bool:
        """Move the amount, once for each id; True also if it was moved before. False: the payer
        has less, nothing moved, and the same transfer may be tried again later.

        InvalidRequest: no such account, or no such transfer can be. KeyReused: the id belongs to
        another transfer.
        """
        if payer == payee or amount <= 0:
            raise InvalidRequest(f"cannot move {amount} from {payer!r} to {payee!r}")
        record = self._transfers + transfer_id
        source, target = self._balances + payer, self._balances + payee
        what = f"{amount} {payer!r} {payee!r}".encode()
        done = await self._kv.txn(
            when=(number(source) >= amount) & exists(target) & ~exists(record),
            then=[
                operations.update(source, actions.add(-amount)),
                operations.update(target, actions.add(amount)),
                operations.put(record, what),
            ],
            orelse=[operations.get(record), operations.get(source), operations.get(target)],
        )
        if done.succeeded:
            return True
        earlier, *accounts = done.results
        if isinstance(earlier, Entry):
            if earlier.value != what:
                raise KeyReused(f"transfer {transfer_id!r} was another: {earlier.value.decode()}")
            return True
        if None in accounts:
            raise InvalidRequest(f"{payer if accounts[0] is None else payee!r}: no such account")
        return False
