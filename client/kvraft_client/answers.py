"""What updates, transactions, watches and `outcome` answer: frozen values.

Imports: values only.
"""

from dataclasses import dataclass
from typing import Literal

from kvraft_client.values import CasResult, Entry, LeaseGrant, Unmet


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """An update that was done: the entry after it and before it (None: absent)."""

    entry: Entry | None
    previous: Entry | None

    @property
    def applied(self) -> bool:
        """Whether anything was written (`set_if_absent` on a present key, for one, does not)."""
        before, after = (each and each.mod_revision for each in (self.previous, self.entry))
        return before != after


@dataclass(frozen=True, slots=True)
class PutResult:
    """A write inside a transaction; `previous` only where it was asked for."""

    entry: Entry
    previous: Entry | None = None


@dataclass(frozen=True, slots=True)
class DeleteResult:
    """How many keys went inside a transaction; `previous` only where it was asked for."""

    deleted: int
    previous: Entry | None = None


@dataclass(frozen=True, slots=True)
class ListResult:
    """What a transaction listed; `more`: entries follow the last one."""

    entries: tuple[Entry, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class TxnResult:
    """A transaction that was done: truthy if by `then`; one result for each operation, in order."""

    succeeded: bool
    results: "tuple[OperationResult, ...]"
    unmet: Unmet | None = None
    """Why it was `orelse`."""
    revision: int = 0
    """The store's revision at the answer; 0 for a transaction inside one."""
    results_omitted: bool = False
    """It was done, but `results` were too large to keep for a copy of it: read at `revision`."""

    def __bool__(self) -> bool:
        return self.succeeded


OperationResult = Entry | None | ListResult | PutResult | DeleteResult | UpdateResult | TxnResult
"""Of get, list, put, delete, update and txn, in a transaction."""


@dataclass(frozen=True, slots=True)
class Event:
    """One change of one key; those of one revision come one after the other."""

    type: Literal["put", "delete"]
    key: bytes
    entry: Entry
    """Of a delete: only the key, and mod_revision = the revision of the delete."""
    previous: Entry | None
    """Only where it was asked for, and there was one."""
    cause: Literal["request", "expired", "revoked", "fenced"]
    """"fenced": a request that carried fences."""

    @property
    def revision(self) -> int:
        """The store's revision of the change."""
        return self.entry.mod_revision


Reply = Entry | UpdateResult | TxnResult | CasResult | LeaseGrant | int
"""What a mutation answers: an entry (put), a number (delete, revoke), and the others' own."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The mutation was done, once."""

    result: Reply | None
    """None: it has none."""
    revision: int
    """The store's revision after it."""
    reply_omitted: bool = False
    """Part of the reply was too large to keep (values, or what is many): read at `revision`."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The mutation was answered, and changed nothing: refused, or its condition was false."""

    reason: str
    message: str
    current: Entry | None = None
    """Of a compare-and-set that did not swap: the entry that it met."""
    unmet: Unmet | None = None
    """Of a condition that was false."""


@dataclass(frozen=True, slots=True)
class NeverApplied:
    """The mutation was not done, and never will be: a copy that comes late is refused."""


Fate = Applied | Refused | NeverApplied
"""What became of a mutation, for good."""


@dataclass(frozen=True, slots=True)
class ModifyResult:
    """What `modify` wrote, and what it took."""

    entry: Entry | None
    """As it stands now; None: the key is absent, as `fn` left it."""
    attempts: int
    conflicts: int
    """Attempts that met somebody else's write."""
    waited_s: float
    """Seconds spent in the queue and between attempts."""


@dataclass(slots=True)
class Metrics:
    """Counters of one client since it was made."""

    calls: int = 0
    attempts: int = 0
    """Requests sent, those that were sent again included."""
    retried_unknown: int = 0
    """Attempts after which nobody knew the outcome, and that were sent again with the identity."""
    replayed: int = 0
    """Answers that the store had given before: a repeated request that had no second effect."""
    unknown: int = 0
    """Calls that ended with OutcomeUnknown."""
    conflicts: int = 0
    """Conflicts that `modify` and `run_transaction` met, and tried again."""
    queued: int = 0
    """Turns that `modify` took in a key's queue."""
    waited_s: float = 0.0
    """Seconds between attempts and in queues, of all callers together."""
    locks: int = 0
    """Locks that were had."""
    locks_lost: int = 0
    """... and lost before they were given up."""
    lock_wait_s: float = 0.0
    """Seconds spent waiting for locks, in vain too, of all callers together."""
    sessions: int = 0
    watch_resumes: int = 0
