"""The reads of one simulated client: now and at a revision, each held against the log."""

from collections.abc import Callable
from typing import TypeVar

from kvraft.core.errors import Reason
from kvraft.core.machine import StateMachine
from kvraft.core.results import KeyValue, Page
from kvraft_chaos.simulation.account import Account
from kvraft_chaos.simulation.changes import KEYS
from kvraft_chaos.simulation.client_process import (
    Answered,
    ClientProcess,
    Failed,
    hash_state,
    view,
)
from kvraft_chaos.simulation.past import ACCOUNTS, Past
from kvraft_client.policy.failure import Effect

T = TypeVar("T")

PAGE_ENTRIES = 5
"""So that lists of this key space have several pages."""
PAGE_BYTES = 1 << 20
TIMEOUT = (0.5, 4.0)
"""Seconds a client gives a call."""
ANY_NODE = 0.25
"""Share of the requests that go to any node, once: followers forward, and answer reads."""
BACK = 90
"""Revisions that a read goes back: some are gone by then."""


class Reads:
    """Of one life of a client."""

    def __init__(
        self,
        process: ClientProcess,
        account: Account,
        past: Past,
        seen: dict[bytes, KeyValue | None],
        *,
        kept: int,
    ) -> None:
        """`seen` is filled with what is read; `kept` revisions are always there."""
        self._process = process
        self._chance = process.chance
        self._account = account
        self._past = past
        self._seen = seen
        self._kept = kept

    async def ask(self, look: Callable[[StateMachine], T]) -> Answered[T] | Failed:
        """Read linearizably, from whom the policy says or from any node."""
        seconds = self._chance.between(*TIMEOUT)
        if self._chance.happens(ANY_NODE):
            return await self._process.once(view(look), seconds)
        return await self._process.call(Effect.READ, view(look), seconds)

    async def get(self) -> None:
        """Read a key."""
        key = self._chance.pick(KEYS)
        asked = self._account.chronicle.moment()
        came = await self.ask(lambda machine: machine.get(key))
        if isinstance(came, Answered):
            self._seen[key] = came.reply.value
            self._account.read(f"get of {key.decode()}", came.reply.index, asked)
            self._account.saw(key, came.reply.value, asked)

    async def list_page(self) -> None:
        """Read a page."""
        start = KEYS[self._chance.below(len(KEYS))]
        asked = self._account.chronicle.moment()
        came = await self.ask(
            lambda machine: machine.page(start, None, limit=PAGE_ENTRIES, max_bytes=PAGE_BYTES)
        )
        if isinstance(came, Answered):
            self._account.read(f"list from {start.decode()}", came.reply.index, asked)
            self._saw_page(start, came.reply.value, asked)

    def _saw_page(self, start: bytes, page: Page, asked: int) -> None:
        """Where a page has no entry for a key that it spans, the key was absent."""
        found = {entry.key: entry for entry in page.entries}
        last = page.entries[-1].key if page.more else KEYS[-1]
        for key in KEYS:
            if start <= key <= last:
                self._seen[key] = found.get(key)
                self._account.saw(key, found.get(key), asked)

    async def state_hash(self) -> None:
        """Ask for every node's hash at one index."""
        came = await self._process.call(Effect.READ, hash_state, self._chance.between(*TIMEOUT))
        if isinstance(came, Answered):
            self._account.done += 1
            for each in came.reply.value:
                self._account.chronicle.compare_hash(each.node, each.index, each.digest)

    async def get_past(self) -> None:
        """Read a key as it was."""
        key, revision = self._chance.pick((*KEYS, *ACCOUNTS)), self._before_now()
        came = await self.ask(lambda machine: read_at(machine, key, revision))
        if isinstance(came, Answered) and not self._is_gone(came.reply.value, revision):
            assert not isinstance(came.reply.value, Reason)
            self._past.check_read(key, revision, came.reply.value)

    async def list_past(self) -> None:
        """Read all registers as they were."""
        revision = self._before_now()
        came = await self.ask(lambda machine: list_at(machine, revision))
        if isinstance(came, Answered) and not self._is_gone(came.reply.value, revision):
            assert isinstance(came.reply.value, Page)
            found = {entry.key: entry for entry in came.reply.value.entries}
            for key in KEYS:
                self._past.check_read(key, revision, found.get(key))

    def _before_now(self) -> int:
        """A revision that stood somewhere already, so every node that answers has it."""
        return max(1, self._account.chronicle.revision - self._chance.below(BACK))

    def _is_gone(self, value: object, revision: int) -> bool:
        self._account.done += 1
        if value is Reason.COMPACTED:
            self._past.check_gone(revision, self._kept)
        elif value is Reason.FUTURE:
            self._account.chronicle.report("stale-read", f"{revision} is in the future")
        return isinstance(value, Reason)


def read_at(machine: StateMachine, key: bytes, revision: int) -> KeyValue | Reason | None:
    """Read a key as of a revision, as the service does: within what is kept and known."""
    return _refusal(machine, revision) or machine.get_at(key, revision)


def list_at(machine: StateMachine, revision: int) -> Page | Reason:
    """List the registers as of a revision."""
    return _refusal(machine, revision) or machine.page_at(
        KEYS[0], None, revision, limit=len(KEYS), max_bytes=PAGE_BYTES
    )


def _refusal(machine: StateMachine, revision: int) -> Reason | None:
    if revision > machine.revision:
        return Reason.FUTURE
    return Reason.COMPACTED if revision < machine.compacted_revision else None
