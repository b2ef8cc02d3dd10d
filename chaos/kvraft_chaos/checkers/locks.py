"""Locks as their clients saw them: one holder at a time, and tokens that only grow.

What is judged is what is certain. A client holds from the moment it was told until the last moment
at which it may count on it: by its clock, by the store's word, or by the lease under the lock.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from kvraft_chaos.checkers.asked import Asked, asked
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Event
from kvraft_client.policy.lease_state import LeaseClock
from kvraft_client.policy.lock import ATTACH_MARGIN_S, ATTACH_S

EXCLUSION, TOKENS = "one holder", "tokens"
MS = 1_000_000
SECOND = 1_000 * MS
UNCONFIRMED_NS = int((ATTACH_S - ATTACH_MARGIN_S) * SECOND)
"""A grant that its client did not confirm is its own for so long."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A time in which this token was surely held."""

    acquire: Asked
    until_ns: int
    witness: Asked
    """Shows that it was still held then."""

    @property
    def name(self) -> str:
        return self.acquire.key

    @property
    def token(self) -> int:
        return int(self.acquire.result["token"])

    @property
    def from_ns(self) -> int:
        return self.acquire.ended_ns

    def meets(self, earlier: "Holding") -> bool:
        """Whether both were held at one time. It was had for a moment at least, when it was asked
        for, even where nothing shows that it still was when the answer came.
        """
        lasts = self.until_ns > self.from_ns
        within = self.acquire.sent_ns >= earlier.from_ns
        return self.from_ns < earlier.until_ns and (lasts or within)


def holdings(calls: Sequence[Asked]) -> list[Holding]:
    """What was surely held, in the order of the grants' answers."""
    by_token: dict[tuple[str, int], list[Asked]] = {}
    renewals: dict[int, list[Asked]] = {}
    for call in calls:
        if "token" in call.argument:
            name = call.argument.get("lock", call.key)
            by_token.setdefault((name, call.argument["token"]), []).append(call)
        lease_id = call.result.get("lease_id") or call.argument.get("lease_id")
        if lease_id is not None:
            renewals.setdefault(lease_id, []).append(call)
    found = []
    for acquire in calls:
        if acquire.f != "acquire" or not acquire.is_ok:
            continue
        uses = by_token.get((acquire.key, acquire.result["token"]), [])
        lease = renewals.get(acquire.argument.get("lease_id", 0), [])
        sure = [*_shown(uses), *_by_lease(acquire, uses, lease)]
        until_ns, witness = max(sure, key=lambda each: each[0], default=(0, acquire))
        found.append(Holding(acquire, max(until_ns, acquire.ended_ns), witness))
    return sorted(found, key=lambda each: each.from_ns)


def check_exclusion(events: Iterable[Event]) -> Finding:
    """No two clients surely held one lock at one time."""
    found = holdings(asked(events))
    longest: dict[str, Holding] = {}
    for holding in found:
        other = longest.get(holding.name)
        if other is not None and holding.meets(other):
            overlap_ms = (min(holding.until_ns, other.until_ns) - holding.from_ns) / MS
            sentence = (
                f"two held {holding.name} for at least {overlap_ms:.0f} ms: token {other.token} "
                f"(event {other.acquire.ended_index}) and token {holding.token} "
                f"(event {holding.acquire.ended_index})"
            )
            shown = (other.acquire, other.witness, holding.acquire, holding.witness)
            indexes = tuple(dict.fromkeys(index for each in shown for index in each.indexes))
            return Finding(EXCLUSION, Verdict.INVALID, sentence, holding.name, indexes)
        if other is None or holding.until_ns > other.until_ns:
            longest[holding.name] = holding
    if not found:
        return Finding(EXCLUSION, Verdict.UNKNOWN, "nobody held a lock")
    sentence = f"{len(found)} holds of {len(longest)} locks, never two of one at a time"
    return Finding(EXCLUSION, Verdict.VALID, sentence)


def check_tokens(events: Iterable[Event]) -> Finding:
    """A grant asked for after another one was answered has a larger token: one counter for all."""
    grants = [call for call in asked(events) if call.f == "acquire" and call.is_ok]
    if not grants:
        return Finding(TOKENS, Verdict.UNKNOWN, "no lock was granted")
    for first, second in pairwise(sorted(grants, key=_token)):
        if _token(first) == _token(second):
            sentence = f"token {_token(first)} was given twice: {first.key} and {second.key}"
            return _invalid(TOKENS, sentence, first, second)
    newest: Asked | None = None
    answers = iter(sorted(grants, key=lambda call: call.ended_index))
    answered = next(answers, None)
    for grant in grants:  # by their invokes
        while answered is not None and answered.ended_index < grant.invoke.index:
            if newest is None or _token(answered) > _token(newest):
                newest = answered
            answered = next(answers, None)
        if newest is not None and _token(grant) < _token(newest):
            sentence = (
                f"token {_token(grant)} of {grant.key} was asked for after token "
                f"{_token(newest)} of {newest.key} was given"
            )
            return _invalid(TOKENS, sentence, newest, grant)
    return Finding(TOKENS, Verdict.VALID, f"{len(grants)} tokens, each above those before it")


def _shown(uses: Iterable[Asked]) -> Iterable[tuple[int, Asked]]:
    """Moments at which the client, or the store, said that the token was a holder's."""
    for use in uses:
        if not use.is_ok:
            continue
        if use.f == "hold" and use.result["held"]:
            yield use.sent_ns + use.argument["ms"] * MS, use
        elif use.f == "fenced_put" or use.result.get("held") or use.result.get("released"):
            yield use.sent_ns, use


def _by_lease(
    acquire: Asked, uses: Iterable[Asked], lease: Iterable[Asked]
) -> Iterable[tuple[int, Asked]]:
    """Until when a lease of the script's own carries the lock: it is never ended early."""
    given_up = [each.sent_ns for each in uses if each.f == "release"]
    given_up += [each.sent_ns for each in lease if each.f == "revoke"]
    given_up += [acquire.sent_ns + UNCONFIRMED_NS]
    ttl_ms = 0
    for renewal in lease:
        if renewal.f == "grant" and renewal.is_ok:
            ttl_ms = renewal.argument["ttl_ms"]
        elif renewal.f != "keep_alive" or not renewal.result.get("alive"):
            continue
        safe_s = LeaseClock(ttl_ms / 1_000, 0.0).deadline
        yield min(renewal.sent_ns + int(safe_s * SECOND), *given_up), renewal


def _token(grant: Asked) -> int:
    return int(grant.result["token"])


def _invalid(checker: str, sentence: str, *calls: Asked) -> Finding:
    indexes = tuple(index for call in calls for index in call.indexes)
    return Finding(checker, Verdict.INVALID, sentence, calls[-1].key, indexes)
