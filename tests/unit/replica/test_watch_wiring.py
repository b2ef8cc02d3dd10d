"""One replica and its watches: what is applied, installed and led reaches them."""

from kvraft.core.codec import encode_entry
from kvraft.core.commands import Delete, Entry, Put
from kvraft.core.errors import Reason
from kvraft.replica.watch_topics import Kind, WatchSpec
from kvraft.replica.watcher import Watcher

ALL = WatchSpec(Kind.PREFIX, b"")


def opened(rig, start: int | None = None) -> Watcher:
    watcher = rig.replica.watches.open(ALL, start, 10_000, lambda: None)
    assert isinstance(watcher, Watcher)
    return watcher


def taken(watcher: Watcher) -> list[tuple[int, bytes, bool]]:
    found = []
    while (message := watcher.take()) is not None or watcher.is_behind:
        found += [
            (change.revision, change.event.key, change.event.record is not None)
            for change in (message.changes if message else ())
        ]
    return found


def test_what_is_applied_reaches_the_watches(rig) -> None:
    watcher = opened(rig)
    assert taken(watcher) == []
    rig.submit(Put(b"a", b"1"))
    rig.submit(Delete(b"a"))
    rig.tick()
    rig.consensus.commit()
    woken = rig.doors.woken
    assert woken
    rig.tick()
    assert taken(watcher) == [(2, b"a", True), (3, b"a", False)]
    assert rig.replica.counters()["watches"] == 1


def load(rig, other) -> None:
    """Install the state of `other` on `rig`."""
    data = b"".join(other.replica.machine.freeze().blocks())
    index = other.consensus.applied_index

    class Source:
        def __init__(self) -> None:
            self.index, self.term = index, 1

        def read(self, offset: int, size: int) -> bytes:
            return data[offset : offset + size]

    loading = rig.replica.begin_load(Source())
    while not loading.step():
        pass
    rig.consensus.applied_index = index
    rig.replica.adopt(loading, index)


def test_an_installed_snapshot_reaches_the_watches(follower, rig) -> None:
    watcher = opened(follower)
    taken(watcher)
    for key in (b"a", b"b"):
        rig.consensus.applied_index += 1
        entry = encode_entry(Entry(None, (Put(key, b"v"),)))
        rig.replica.apply(rig.consensus.applied_index, entry)
    load(follower, rig)
    follower.tick()
    assert taken(watcher) == [(2, b"a", True), (3, b"b", True)]


def test_a_follower_without_a_leader_ends_its_watches(follower) -> None:
    watcher = opened(follower)
    taken(watcher)
    follower.tick(3.5)
    assert watcher.ended is None
    follower.replica.on_following(None, 2, "lost n2")
    follower.tick(2.9)
    assert watcher.ended is None
    follower.tick(0.2)
    assert watcher.ended is not None
    assert watcher.ended.reason is Reason.NO_QUORUM
