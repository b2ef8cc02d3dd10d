"""Locks as they are promised, held against what each entry did to places.

Its own book follows the log. One holder at a time, in order of arrival, with tokens that only grow;
nothing is granted to what has ended, and nothing outlives its time; a fence counts while its token
is a holder's; a cycle of waits is refused, and nothing else is called one.
"""

from collections import deque
from dataclasses import dataclass, field

from kvraft.core.commands import (
    Acquire,
    Attach,
    Command,
    Confirm,
    LeaseKeepAlive,
    LeaseRevoke,
    Release,
    Request,
)
from kvraft.core.errors import Reason
from kvraft.core.limits import ApplyLimits
from kvraft.core.places import LockChange
from kvraft.core.results import (
    AcquireResult,
    Ending,
    LeaseResult,
    Refused,
    ReleaseResult,
    Result,
    Standing,
)
from kvraft_chaos.simulation.chronicle import Before, Chapter, Chronicle
from kvraft_chaos.simulation.deadlock_check import false_step
from kvraft_chaos.simulation.effects import bare
from kvraft_chaos.simulation.fence_watch import FenceWatch
from kvraft_chaos.simulation.lease_watch import RATE_ERROR, SLACK, LeaseWatch
from kvraft_chaos.simulation.lock_book import Book, Place


@dataclass(slots=True)
class Scene:
    """What the entry being followed is about."""

    chapter: Chapter
    limits: ApplyLimits
    now_ms: int
    asked: dict[bytes, Acquire]
    due_leases: set[int]
    due_places: set[int]
    released: set[bytes | int]
    """Keys and tokens that it releases."""
    revokes: bool
    handed_over: int = 0
    touched: dict[bytes, None] = field(default_factory=dict)
    """Locks that somebody left."""


@dataclass(slots=True)
class LockWatch:
    """Listens to the chronicle, before the leases' own watch does."""

    chronicle: Chronicle
    leases: LeaseWatch
    book: Book = field(default_factory=Book)
    ended: dict[bytes, tuple[Ending, int]] = field(default_factory=dict)
    """How an acquisition ended, and until when that is to be remembered."""
    tokens: dict[bytes, tuple[int, ...]] = field(default_factory=dict)
    """Of every acquisition that ever held."""
    fences: FenceWatch = field(init=False)
    newest_token: int = 0
    newest_place: int = 0
    grants: int = 0
    waits: int = 0
    deadlocks: int = 0
    _unserved: dict[bytes, None] = field(default_factory=dict)
    """Locks that the entry before had no room to serve."""

    def __post_init__(self) -> None:
        self.fences = FenceWatch(self.chronicle, self.book)

    def on_chapter(self, chapter: Chapter, before: Before) -> None:
        """Follow one entry: what its time ends, then each command."""
        scene = self._scene(chapter, before.machine.limits)
        changes = deque(chapter.lock_changes)
        revision = before.revision
        done = zip(chapter.commands, chapter.results, chapter.revisions, strict=True)
        for command, result, after in done:
            while changes and changes[0].revision <= after:
                self._change(changes.popleft(), scene)
            self._command(command, result, scene)
            self.fences.follow(command, result, chapter.changes, revision, after)
            revision = after
        for change in changes:
            self._change(change, scene)
        self._close(scene)

    def told(self, key: bytes, tokens: tuple[int, ...]) -> None:
        """A client was told that it holds."""
        if self.tokens.get(key) != tokens:
            detail = f"{key!r}: a client was told {tokens}, the log has {self.tokens.get(key)}"
            self._report("told-otherwise", detail)

    def _scene(self, chapter: Chapter, limits: ApplyLimits) -> Scene:
        now_ms = chapter.cluster_time_ms
        bares = [bare(each) for each in chapter.commands]
        asked: dict[bytes, Acquire] = {}
        released: set[bytes | int] = set()
        for each in bares:
            if isinstance(each, Acquire):
                asked.setdefault(each.key, each)
            elif isinstance(each, Release):
                known = each.key if each.fence is None else each.fence.token
                assert known is not None, "by a key or a fence"
                released.add(known)
        leases = [each for each in self.leases.live.values() if each.deadline_ms <= now_ms]
        places = self.book.places.values()
        late = [each for each in places if (each.until_ms or now_ms + 1) <= now_ms]
        return Scene(
            chapter,
            limits,
            now_ms,
            asked,
            {each.lease_id for each in leases},
            {each.place_id for each in late},
            released,
            any(
                isinstance(each, LeaseRevoke) or getattr(each, "end_lease", False) for each in bares
            ),
        )

    def _report(self, kind: str, detail: str) -> None:
        self.chronicle.report(kind, detail)

    # -- changes

    def _change(self, change: LockChange, scene: Scene) -> None:
        place = self.book.places.get(change.place_id)
        if place is None:
            place = self._entered(change, scene)
        elif change.kind is Standing.GRANTED:
            scene.handed_over += len(place.names)
        if place is None:
            return
        if change.kind is Standing.GRANTED:
            self._granted(place, change, scene)
        elif change.kind is Standing.ENDED:
            self._left(place, change, scene)

    def _entered(self, change: LockChange, scene: Scene) -> Place | None:
        """Somebody asked for it in this entry, and never before."""
        asked, key = scene.asked.get(change.key), change.key
        if asked is None or change.kind is Standing.ENDED:
            self._report("place-of-nobody", f"{change} was not asked for")
            return None
        place = _placed(
            change.place_id, change.lease_id, asked, scene, self.leases.availability.excused
        )
        ending = self._ending(key, scene.now_ms)
        if ending is not None or key in self.book.by_key:
            self._report("ghost", f"{key!r} is there again, it was {ending}")
            return None
        if change.place_id <= self.newest_place:
            self._report("place-reused", f"{change} after place {self.newest_place}")
        self.newest_place = max(change.place_id, self.newest_place)
        if change.kind is Standing.GRANTED:
            if not self.book.is_free(place):
                self._report("overtaken", f"{change} did not wait for its turn")
            self.book.add(place)
            return place
        self.waits += 1
        if asked.wait_ms == 0 or self.book.is_free(place):
            self._report("waits-for-nothing", f"{change} is queued")
        self.book.add(place)
        if self.book.has_cycle(place):
            self._report("deadlock", f"{asked} waits for its own owner")
        return place

    def _granted(self, place: Place, change: LockChange, scene: Scene) -> None:
        report, names = self._report, place.names
        for name in names:
            lock = self.book.locks[name]
            if not lock.has_room(place):
                report("two-holders", f"{name!r} goes to {change}, {lock.holders} has it")
            if lock.waiting[0] is not place:
                report("overtaken", f"{name!r} goes to {change} before {lock.waiting[0]}")
        if len(change.tokens) != len(names):
            report("granted-in-part", f"{change} is not all of {names}")
        for token in change.tokens:
            if token <= self.newest_token:
                report("token-reused", f"{change} after token {self.newest_token}")
            self.newest_token = max(token, self.newest_token)
        if not self._is_alive(place, scene):
            report("granted-to-the-ended", f"{change}: the lease or the wait is over")
        self.grants += 1
        self.tokens[place.key] = change.tokens
        place.attach_until_ms = scene.now_ms + scene.limits.attach_ms
        self.book.grant(place, change.tokens)

    def _is_alive(self, place: Place, scene: Scene) -> bool:
        if place.place_id in scene.due_places or place.lease_id in scene.due_leases:
            return False
        if place.lease_id in self.leases.live or place.is_own:
            return True
        return any(
            isinstance(each, LeaseResult) and each.lease_id == place.lease_id
            for each in scene.chapter.results
        )

    def _left(self, place: Place, change: LockChange, scene: Scene) -> None:
        ending = change.ending
        assert ending is not None, change
        if not self._may_end(place, change, scene):
            self._report("ended-for-no-reason", f"{change}, of {place}")
        self._check_late(place, scene.chapter.time)
        held = bool(place.tokens) and ending is Ending.RELEASED
        kept_ms = scene.limits.released_ms if held else scene.limits.ended_ms
        self._remember(place.key, ending, scene.now_ms + kept_ms)
        scene.touched.update(dict.fromkeys(place.names))
        self.book.remove(place)

    def _may_end(self, place: Place, change: LockChange, scene: Scene) -> bool:
        now_ms = scene.now_ms
        match change.ending:
            case Ending.RELEASED:
                return place.key in scene.released or bool(scene.released & set(place.tokens))
            case Ending.TIMED_OUT:
                return not place.tokens and (place.wait_until_ms or now_ms + 1) <= now_ms
            case Ending.UNATTENDED:
                return (place.attach_until_ms or now_ms + 1) <= now_ms
            case Ending.LEASE_EXPIRED:
                return place.lease_id in scene.due_leases
            case _:
                return scene.revokes

    def _check_late(self, place: Place, now: float) -> None:
        """Whoever waits longer than it said, by more than a lease may be late, is a ghost."""
        if place.tokens or place.wait_s is None:
            return
        allowed = place.wait_s / (1.0 - RATE_ERROR) + SLACK
        allowed += self.leases.availability.excused - place.excused
        if now - place.since > allowed:
            detail = f"{place} waited {now - place.since:.3f} s, at most {allowed:.3f} s"
            self._report("waiter-late", detail)

    def _remember(self, key: bytes, ending: Ending, until_ms: int) -> None:
        self.ended[key] = (ending, until_ms)

    def _ending(self, key: bytes, now_ms: int) -> Ending | None:
        ending, until_ms = self.ended.get(key, (None, 0))
        return ending if now_ms < until_ms else None

    # -- commands

    def _command(self, command: Command, result: Result, scene: Scene) -> None:
        """What a command said, where the book stands as it left it."""
        asked = bare(command)
        if isinstance(command, Request) and self.fences.is_of_the_copy(result):
            return
        match asked:
            case Acquire():
                self._answered(asked, result, scene)
            case Confirm():
                self._confirmed(asked.key, result, scene)
            case Attach():
                for place_id in asked.places:
                    self._attend(self.book.places.get(place_id), scene)
            case LeaseKeepAlive() if isinstance(result, LeaseResult):
                own = self._own_place(asked.lease_id)
                if own is not None:
                    self._attend(own, scene, confirms=True)
            case Release(key=bytes() as key) if result == ReleaseResult(False):
                if self._ending(key, scene.now_ms) is None:
                    until_ms = scene.now_ms + scene.limits.ended_ms
                    self._remember(key, Ending.RELEASED, until_ms)

    def _own_place(self, lease_id: int) -> Place | None:
        places = self.book.places.values()
        return next((each for each in places if each.is_own and each.lease_id == lease_id), None)

    def _attend(self, place: Place | None, scene: Scene, *, confirms: bool = False) -> None:
        """Somebody waits, or knows that it holds."""
        if place is not None and not place.tokens:
            place.attach_until_ms = scene.now_ms + scene.limits.attach_ms
        elif place is not None and confirms:
            place.attach_until_ms = None

    def _answered(self, asked: Acquire, result: Result, scene: Scene) -> None:
        if isinstance(result, Refused):
            self._refused(asked, result)
            return
        assert isinstance(result, AcquireResult)
        if result.standing is Standing.ENDED and self._ending(asked.key, scene.now_ms) is None:
            place = _placed(result.place, 0, asked, scene, 0.0)
            if asked.wait_ms != 0 or asked.key in self.book.by_key or self.book.is_free(place):
                self._report("ended-for-no-reason", f"{asked} is answered by {result}")
            self._remember(asked.key, Ending.TIMED_OUT, scene.now_ms + scene.limits.ended_ms)
        self._attend(self.book.by_key.get(asked.key), scene)
        self._stands(asked.key, result, scene)

    def _confirmed(self, key: bytes, result: Result, scene: Scene) -> None:
        if isinstance(result, AcquireResult):
            self._attend(self.book.by_key.get(key), scene, confirms=True)
            self._stands(key, result, scene)
        elif key in self.book.by_key:
            self._report("wrong-standing", f"{key!r}: {result}")

    def _stands(self, key: bytes, result: AcquireResult, scene: Scene) -> None:
        """An acquisition is told how it stands."""
        place = self.book.by_key.get(key)
        if result.standing is Standing.ENDED:
            right = place is None and self._ending(key, scene.now_ms) is result.ending
        else:
            tokens = tuple(each.token for each in result.fences)
            right = place is not None and tokens == place.tokens
        if not right:
            self._report("wrong-standing", f"{key!r} is told {result}, it is {place}")

    def _refused(self, asked: Acquire, result: Refused) -> None:
        if result.reason is Reason.DEADLOCK:
            self.deadlocks += 1
            wrong = false_step(self.book, asked, result.message)
            if wrong is not None:
                self._report("false-deadlock", f"{asked}: {wrong}, of: {result.message}")
        elif result.reason is Reason.ALREADY_HELD and not self._has_one(asked):
            self._report("not-held-already", f"{asked}: {result.message}")

    def _has_one(self, asked: Acquire) -> bool:
        """Whether its owner has another place in one of the queues."""
        others = [each for each in self.book.places.values() if each.key != asked.key]
        same = [each for each in others if each.owner == asked.owner != b""]
        return any(not set(asked.names).isdisjoint(each.names) for each in same)

    # -- the end of an entry

    def _close(self, scene: Scene) -> None:
        """What should be gone is, and whoever could hold does."""
        again = {each.lease_id for each in scene.chapter.results if isinstance(each, LeaseResult)}
        for place in self.book.places.values() if scene.due_leases or scene.due_places else ():
            if place.place_id in scene.due_places:
                kind = "unconfirmed-grant-kept" if place.tokens else "waiter-outlived"
                self._report(kind, f"{place} at {scene.now_ms}")
            elif place.lease_id in scene.due_leases - again:
                self._report("place-outlives-its-lease", f"{place} at {scene.now_ms}")
        scene.touched.update(self._unserved)
        self._unserved = {}
        for name in scene.touched:
            lock = self.book.locks.get(name)
            if lock is None or not lock.waiting or not self.book.is_grantable(lock.waiting[0]):
                continue
            if scene.handed_over >= scene.limits.grants_per_entry:
                self._unserved[name] = None
            else:
                self._report("not-handed-over", f"{name!r} is free for {lock.waiting[0]}")

    def judge(self, now: float) -> None:
        """At the end: nobody waits for longer than it said, and the counter adds up."""
        for place in self.book.places.values():
            self._check_late(place, now)
        self.fences.judge()


def _placed(place_id: int, lease_id: int, asked: Acquire, scene: Scene, excused: float) -> Place:
    wait_ms, now_ms = asked.wait_ms, scene.now_ms
    return Place(
        place_id,
        asked.key,
        asked.names,
        asked.mode,
        asked.capacity,
        lease_id,
        asked.ttl_ms is not None,
        asked.owner,
        None if wait_ms is None else now_ms + wait_ms,
        now_ms + scene.limits.attach_ms,
        scene.chapter.time,
        None if wait_ms is None else wait_ms / 1000.0,
        excused,
    )
