"""Replay in the order of revisions: is there one order of all calls that explains every answer?

The final log gives the order of all changes, so nothing is searched. Each acknowledged write has a
revision, and must have written there what the log has, answered what it had to in the state before,
and begun when nothing of that revision or later had been seen. A read takes effect at the earliest
revision that explains its answer and is not before what had been seen when it began: earlier is
always at least as good for whatever comes after. What the log holds and nobody was acknowledged
must be of a call whose outcome is unknown; so these are settled too. Time: n log n.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kvraft_chaos.checkers.asked import Asked, asked
from kvraft_chaos.checkers.claims import (
    agrees,
    revision_of,
    shown_revision,
    written_keys,
    wrote,
)
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.sequential import ANSWERS, Refused, Writes, ask
from kvraft_chaos.checkers.store_log import final_log
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.checkers.versions import Versions
from kvraft_chaos.history import Event, HistoryError

NAME = "replay"


def check_replay(events: Iterable[Event], prefix: str) -> Finding:
    """Judge all calls on keys below `prefix` by its final log, the last call of the history."""
    every = asked(events)
    log = final_log(every, prefix)
    if log is None:
        return Finding(NAME, Verdict.UNKNOWN, f"no final log of {prefix}: nothing to replay")
    calls = [call for call in every if call.f in ANSWERS and call.key.startswith(prefix)]
    replay = _Replay(Versions(log))
    try:
        replay.order(calls)
        replay.settle(calls)
    except _Contradiction as found:
        return Finding(
            NAME,
            Verdict.INVALID,
            f"invalid: {found}",
            key=found.calls[0].key if found.calls else None,
            contradiction=sorted(index for call in found.calls for index in call.indexes),
            prefix=replay.explained(),
        )
    settled = f"{replay.settled} unknown ones settled"
    sentence = f"valid: {len(calls)} calls in one order of {len(log)} changes, {settled}"
    return Finding(NAME, Verdict.VALID, sentence)


class _Contradiction(Exception):  # noqa: N818  (a finding)
    def __init__(self, words: str, *calls: Asked | None) -> None:
        super().__init__(words)
        self.calls = [call for call in calls if call is not None]


@dataclass(frozen=True, slots=True)
class _Floor:
    """The newest revision that any answer had shown, and who showed it."""

    revision: int = 0
    witness: Asked | None = None


class _Replay:
    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._floors: dict[int, _Floor] = {}
        """By the index of the invoke."""
        self._owners: dict[int, Asked] = {}
        """Who wrote a revision."""
        self._points: list[tuple[int, bool, int]] = []
        """Where each call took effect: revision, whether it only read, index of the invoke."""
        self.settled = 0

    def explained(self) -> list[int]:
        """Invokes of the calls explained so far, in the order in which they took effect."""
        return [index for _, _, index in sorted(self._points)]

    def order(self, calls: Sequence[Asked]) -> None:
        """Give every answered call its place, in the order of the answers."""
        newest = _Floor()
        for call, is_end in _moments(calls):
            if not is_end:
                self._floors[call.invoke.index] = newest
                continue
            try:
                point = self._written(call) if wrote(call) else self._read(call)
            except (KeyError, TypeError, ValueError) as error:
                where = f"event {call.indexes[-1]}"
                raise HistoryError(f"{where}: malformed {call.f}: {error!r}") from error
            if point > newest.revision:
                newest = _Floor(point, call)

    def settle(self, calls: Sequence[Asked]) -> None:
        """Find the unknown call behind each change that nobody was acknowledged."""
        unknown = _by_key(call for call in calls if call.is_unknown)
        for revision, group in self._versions.groups.items():
            if revision in self._owners:
                continue
            open_calls = min((unknown[key] for key in group), key=len)
            owner = self._behind(open_calls, revision, group)
            if owner is None:
                self._points = [point for point in self._points if point[0] < revision]
                raise self._nobodys(revision, group, calls)
            self._owners[revision] = owner
            self.settled += 1
            for key in written_keys(owner):
                unknown[key].remove(owner)

    def _written(self, call: Asked) -> int:
        revision = revision_of(call)
        if revision is None:
            where = f"event {call.indexes[-1]}"
            raise HistoryError(f"{where}: a write without its revision cannot be replayed")
        words = f"event {call.indexes[-1]} acknowledged a write at revision {revision}"
        other = self._owners.get(revision)
        if other is not None:
            also = f"and event {other.indexes[-1]} did too"
            raise _Contradiction(f"{words}, {also}", other, call)
        floor = self._floors[call.invoke.index]
        if revision <= floor.revision and floor.witness is not None:
            shown = f"event {floor.witness.indexes[-1]} had shown {floor.revision} before"
            raise _Contradiction(f"{words}, but {shown} it began", floor.witness, call)
        group = self._versions.groups.get(revision)
        if group is None:
            raise _Contradiction(f"{words}, where the log has none", call)
        writes, answer = self._asked(call, revision - 1, revision)
        if writes != group:
            raise _Contradiction(
                f"{words}: {_shown(writes)}, but the log has {_shown(group)}", call
            )
        if not agrees(call.result, answer):
            told = f"it answered {call.result}, and had to answer {answer}"
            raise _Contradiction(f"{words}: {told}", call)
        self._owners[revision] = call
        self._points.append((revision, False, call.invoke.index))
        return revision

    def _read(self, call: Asked) -> int:
        """The revision that explains an answer that changed nothing."""
        past = call.argument.get("revision") if call.f == "list" else None
        if past is not None:
            self._explains(call, past)
            return 0
        floor = self._floors[call.invoke.index]
        exact = revision_of(call)
        if exact is not None:
            if exact < floor.revision:
                words = f"event {call.indexes[-1]} read at revision {exact}"
                raise self._stale(words, call, floor)
            self._explains(call, exact)
            point = exact
        else:
            point = self._earliest(call, floor)
        self._points.append((point, True, call.invoke.index))
        return point

    def _earliest(self, call: Asked, floor: _Floor) -> int:
        keys = self._versions.keys(call.key) if call.f == "list" else [call.key]
        point: int | None = max(floor.revision, shown_revision(call))
        while point is not None:
            if agrees(call.result, self._asked(call, point, point)[1]):
                return point
            point = self._versions.next_change(keys, point)
        words = f"event {call.indexes[-1]}: {call.f} {call.key} answered {call.result}"
        raise self._stale(words, call, floor)

    def _explains(self, call: Asked, revision: int) -> None:
        _, answer = self._asked(call, revision, revision)
        if not agrees(call.result, answer):
            words = f"event {call.indexes[-1]}: {call.f} answered {call.result}"
            raise _Contradiction(f"{words}, and at revision {revision} {answer} is right", call)

    def _asked(self, call: Asked, before: int, revision: int) -> tuple[Writes, Any]:
        view = self._versions.at(before)
        try:
            return ask(view, call.f, call.key, call.argument, revision)
        except Refused as why:
            return {}, {"refused": str(why)}

    def _behind(self, calls: Iterable[Asked], revision: int, group: Writes) -> Asked | None:
        for call in calls:
            began = self._floors[call.invoke.index].revision < revision
            if began and self._asked(call, revision - 1, revision)[0] == group:
                return call
        return None

    def _nobodys(self, revision: int, group: Writes, calls: Sequence[Asked]) -> _Contradiction:
        words = f"revision {revision} wrote {_shown(group)}"
        owners = {call.invoke.index: call for call in self._owners.values()}
        others = [c for c in calls if c.invoke.index not in owners and not c.is_unknown]
        others.sort(key=lambda call: call.result.get("revision") != revision)  # that says where
        denied = self._behind(others, revision, group)
        if denied is not None:
            return _Contradiction(f"{words}: event {denied.indexes[-1]} denies it", denied)
        twice = self._behind(owners.values(), revision, group)
        if twice is not None:
            return _Contradiction(f"{words}: event {twice.indexes[-1]} took effect twice", twice)
        return _Contradiction(f"{words}, which no call explains")

    @staticmethod
    def _stale(words: str, call: Asked, floor: _Floor) -> _Contradiction:
        if floor.witness is None:
            return _Contradiction(f"{words}, which no revision explains", call)
        before = f"event {floor.witness.indexes[-1]} had shown {floor.revision} before it began"
        return _Contradiction(f"{words}; {before}", floor.witness, call)


def _by_key(calls: Iterable[Asked]) -> dict[str, list[Asked]]:
    found: dict[str, list[Asked]] = defaultdict(list)
    for call in calls:
        for key in written_keys(call):
            found[key].append(call)
    return found


def _moments(calls: Iterable[Asked]) -> Iterator[tuple[Asked, bool]]:
    """Invokes of all calls and ends of the answered ones, in order of time; True: an end."""
    moments = [(call.invoke.index, call, False) for call in calls]
    moments += [(call.end.index, call, True) for call in calls if call.is_ok and call.end]
    moments.sort(key=lambda moment: moment[0])
    return ((call, is_end) for _, call, is_end in moments)


def _shown(writes: Writes) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in sorted(writes.items())) or "nothing"
