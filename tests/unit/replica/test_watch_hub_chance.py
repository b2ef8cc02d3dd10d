"""The watch hub in random schedules: nobody misses, repeats or reorders an event."""

import random
from dataclasses import replace

import pytest
from watch_desk import ALL, SMALL, Desk, FakePast, delete, put

from kvraft.core.errors import Reason
from kvraft.replica.watch_topics import Kind, WatchSpec


class Owner:
    """Takes when it likes; holds what must have come and what has."""

    def __init__(self, desk: Desk, spec: WatchSpec, start: int) -> None:
        self.watcher = desk.open(spec, start, progress_ms=1_000)
        self.spec, self.start = spec, start
        self.got: list[tuple[int, bytes]] = []
        self.reached = start - 1

    def take(self) -> None:
        message = self.watcher.take()
        if message is None:
            return
        assert message.revision >= self.reached
        self.reached = message.revision
        for change in message.changes:
            self.got.append((change.revision, change.event.key))

    def wanted(self, past: FakePast) -> list[tuple[int, bytes]]:
        return [
            (revision.revision, event.key)
            for revision in past.everything
            if revision.revision >= self.start
            for event in revision.events
            if self.spec.has(event.key) and self.spec.wants(event)
        ]


SPECS = (
    ALL,
    WatchSpec(Kind.KEY, b"k1"),
    WatchSpec(Kind.PREFIX, b"k", previous=True),
    WatchSpec(Kind.RANGE, b"k2", b"z", no_deletes=True),
)


@pytest.mark.parametrize("seed", range(40))
def test_nobody_misses_repeats_or_reorders_whatever_happens(seed) -> None:
    """Writes, slow takers, full buffers, installed snapshots and compaction, in any order."""
    chance = random.Random(seed)
    desk = Desk(replace(SMALL, watches=100, watch_total_bytes=6_000))
    owners: list[Owner] = []
    for _ in range(400):
        past = desk.past
        match chance.randrange(12):
            case 0 if len(owners) < 12:
                start = chance.randint(past.compacted_revision + 1, past.revision + 3)
                owners.append(Owner(desk, chance.choice(SPECS), start))
            case 1 | 2 | 3 | 4:
                keys = chance.sample([b"k1", b"k2", b"k3", b"other"], chance.randint(0, 4))
                make = (put, delete)
                value = b"x" * chance.choice((1, 1, 400))
                desk.write(
                    *(put(k, value) if chance.choice(make) is put else delete(k) for k in keys)
                )
            case 5 | 6:
                desk.tick(chance.choice((0.0, 0.01, 0.3)))
            case 7 if chance.random() < 0.3:
                newer = past.successor()
                for _ in range(chance.randint(0, 4)):
                    newer.write(put(b"k1"), delete(b"k3"))
                desk.past = newer
                desk.hub.replaced()
            case 8 if chance.random() < 0.3:
                past.compact(chance.randint(past.compacted_revision, past.revision))
            case _ if owners:
                chance.choice(owners).take()
    desk.settle()
    for owner in owners:
        for _ in range(300):
            owner.take()
        wanted = owner.wanted(desk.past)
        end = owner.watcher.ended
        if end is not None:
            assert end.reason is Reason.COMPACTED
            assert end.resume_revision > owner.reached
            wanted = [each for each in wanted if each[0] < end.resume_revision]
            owner.got = [each for each in owner.got if each[0] < end.resume_revision]
        assert owner.got == wanted
