"""Leases in real time: never ended early, and how late; their keys go in one revision.

A lease lives at least its TTL from the moment its last acknowledged renewal was sent. It should not
live longer than its TTL from the moment that renewal was answered.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from kvraft_chaos.checkers.asked import Asked, asked
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.store_log import Change, contradicted, final_log, writes
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Event

TIMES, KEYS = "lease times", "lease keys"
MS = 1_000_000
RATE_ERROR = 0.01
"""Of a sound clock."""
LATE_MS = 4_000
"""A lease may be late by so much where no fault is left: a change of leader (a node that comes back
may cause one, 2 election timeouts of 1.1 s), a tick period (a quarter of the least TTL), and a busy
machine."""


@dataclass(slots=True)
class Lived:
    """One lease, as its client knows it."""

    grant: Asked
    renewals: list[Asked] = field(default_factory=list)
    """Acknowledged ones, the grant among them."""
    unsure: bool = False
    """A renewal nobody answered: it may have renewed it at any time."""
    revoke: Asked | None = None
    written: dict[str, Asked] = field(default_factory=dict)
    """Acknowledged writes that attached a key."""
    alive: list[Asked] = field(default_factory=list)
    """Looks that saw a key."""
    gone: list[Asked] = field(default_factory=list)
    """Answers that say it is over."""

    @property
    def ttl_ns(self) -> int:
        return int(self.grant.argument["ttl_ms"]) * MS

    @property
    def sure(self) -> Asked:
        """The renewal that promises the most."""
        return max(self.renewals, key=lambda each: each.sent_ns)

    @property
    def earliest_ns(self) -> int:
        """It lives until then, unless it is revoked."""
        return self.sure.sent_ns + int(self.ttl_ns * (1 - RATE_ERROR))

    @property
    def latest_ns(self) -> int | None:
        """It should not live longer; None: nobody knows."""
        if self.unsure:
            return None
        return max(each.ended_ns for each in self.renewals) + int(self.ttl_ns * (1 + RATE_ERROR))

    @property
    def first_gone(self) -> Asked | None:
        """The first answer that shows that it ran out; None also where it may have been revoked."""
        first = min(self.gone, key=lambda each: each.ended_ns, default=None)
        if first is None or self.revoke is None:
            return first
        return None if self.revoke.invoke.index < first.ended_index else first

    @property
    def last_alive(self) -> Asked | None:
        return max(self.alive, key=lambda each: each.sent_ns, default=None)

    @property
    def late_ms(self) -> float:
        """How late it surely was."""
        latest_ns, last = self.latest_ns, self.last_alive
        if latest_ns is None or last is None:
            return 0.0
        return max(0.0, (last.sent_ns - latest_ns) / MS)


def check_lease_times(events: Iterable[Event], healed: str) -> Finding:
    """`healed` begins the keys that were written after all faults: only those have a bound."""
    leases = _lives(asked(events))
    wrong = (each for lease in leases for each in _wrong_times(lease, healed) if each is not None)
    return next(wrong, None) or _figures(leases)


def _wrong_times(lease: Lived, healed: str) -> Iterator[Finding | None]:
    first, last, revoke = lease.first_gone, lease.last_alive, lease.revoke
    if first is not None and first.ended_ns < lease.earliest_ns:
        early_ms = (lease.earliest_ns - first.ended_ns) / MS
        ended = f"was over {early_ms:.0f} ms early (event {first.ended_index})"
        yield _invalid(TIMES, lease, ended, lease.sure, first)
    if revoke is not None and revoke.is_ok:
        signs = [each for each in (*lease.alive, *lease.renewals) if each.follows(revoke)]
        for sign in signs[:1]:
            lived = f"lives (event {sign.ended_index}) after it was revoked"
            yield _invalid(TIMES, lease, lived, revoke, sign)
    over = min(lease.gone, key=lambda each: each.ended_index, default=None)
    if over is not None:
        lives = (*lease.alive, *lease.renewals, *lease.written.values())
        for sign in [each for each in lives if each.follows(over)][:1]:
            lived = f"lives (event {sign.ended_index}) after it was over"
            yield _invalid(TIMES, lease, lived, over, sign)
    is_healed = any(key.startswith(healed) for key in lease.written)
    if is_healed and last is not None and lease.late_ms > LATE_MS:
        lived = f"lived for {lease.late_ms:.0f} ms too long, and no fault was left"
        yield _invalid(TIMES, lease, lived, lease.sure, last)


def _figures(leases: Sequence[Lived]) -> Finding:
    ended = [(each, each.first_gone) for each in leases]
    late_ms = [(gone.ended_ns - each.earliest_ns) / MS for each, gone in ended if gone is not None]
    if not late_ms:
        return Finding(TIMES, Verdict.UNKNOWN, "no lease was seen to run out")
    at_least_ms = max(each.late_ms for each in leases)
    sentence = (
        f"{len(late_ms)} of {len(leases)} leases were seen to run out, none early; the latest "
        f"between {at_least_ms:.0f} and {max(late_ms):.0f} ms late, faults included"
    )
    return Finding(TIMES, Verdict.VALID, sentence)


def check_lease_keys(events: Iterable[Event], prefix: str, healed: str) -> Finding:
    """The keys of a lease are deleted in one revision, and those of all that ended are."""
    calls = asked(events)
    log = final_log(calls, prefix)
    if log is None:
        return Finding(KEYS, Verdict.UNKNOWN, "the store's log of the leases' keys was not read")
    wrong = contradicted(KEYS, writes(calls), log)
    if wrong is not None:
        return wrong
    leases = _lives(calls)
    standing, deleted = _ends(log)
    healed_ns = next((call.sent_ns for call in calls if call.key.startswith(healed)), None)
    read_ns = max(call.sent_ns for call in calls if call.f == "log")
    for lease in leases:
        revisions = {deleted[key] for key in lease.written if key in deleted}
        left = [key for key in lease.written if key in standing]
        if len(revisions) > 1 or (revisions and left):
            torn = f"took its keys in parts: revisions {sorted(revisions)}, still there {left}"
            return _invalid(KEYS, lease, torn, *lease.written.values())
        latest_ns = lease.latest_ns
        if not left or latest_ns is None or healed_ns is None:
            continue
        late_ms = (read_ns - max(latest_ns, healed_ns)) / MS
        if late_ms > LATE_MS:
            kept = f"left {left} behind, {late_ms:.0f} ms after its end, and no fault was left"
            return _invalid(KEYS, lease, kept, *lease.written.values())
    sentence = f"{len(deleted)} keys went, those of each lease in one revision"
    return Finding(KEYS, Verdict.VALID, sentence)


def _lives(calls: Sequence[Asked]) -> list[Lived]:
    """Gather what is known of each lease. A key is attached once, and deleted by nobody."""
    leases: dict[int, Lived] = {}
    by_key: dict[str, Lived] = {}
    for call in calls:
        if call.f == "grant" and call.is_ok:
            leases[call.result["lease_id"]] = Lived(call, [call])
            continue
        if call.f == "get" and call.is_ok and call.key in by_key:
            looks = by_key[call.key]
            (looks.gone if call.result["value"] is None else looks.alive).append(call)
            continue
        lease = leases.get(call.argument.get("lease_id", 0))
        if lease is None:
            continue
        if call.f == "revoke" and lease.revoke is None:
            lease.revoke = call
        elif call.f == "keep_alive":
            _renewed(lease, call)
        elif call.f == "put_leased" and call.is_ok:
            lease.written[call.key] = call
            by_key[call.key] = lease
        elif call.f == "put_leased" and call.failed_with("LEASE_NOT_FOUND"):
            lease.gone.append(call)
    return list(leases.values())


def _renewed(lease: Lived, call: Asked) -> None:
    if not call.is_ok:
        lease.unsure = True
    elif call.result["alive"]:
        lease.renewals.append(call)
    else:
        lease.gone.append(call)


def _ends(log: Iterable[Change]) -> tuple[set[str], dict[str, int]]:
    """Which keys stand at the end, and at which revision the others were deleted."""
    standing: set[str] = set()
    deleted: dict[str, int] = {}
    for change in log:
        if change.value is None:
            deleted[change.key] = change.revision
            standing.discard(change.key)
        else:
            standing.add(change.key)
    return standing, deleted


def _invalid(checker: str, lease: Lived, what: str, *calls: Asked) -> Finding:
    lease_id, ttl_ms = lease.grant.result["lease_id"], lease.grant.argument["ttl_ms"]
    sentence = f"lease {lease_id} (TTL {ttl_ms} ms) {what}"
    indexes = tuple(dict.fromkeys(index for call in calls for index in call.indexes))
    return Finding(checker, Verdict.INVALID, sentence, calls[-1].key or None, indexes)
