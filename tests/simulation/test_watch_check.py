"""The check of watches convicts gaps, repeats, torn revisions and early promises."""

import pytest

from kvraft.core.history import Cause, Event, Revision
from kvraft.replica.watch_topics import Change, Kind, WatchSpec
from kvraft_chaos.simulation.chronicle import Chronicle
from kvraft_chaos.simulation.past import Past
from kvraft_chaos.simulation.watch_check import Subscription

ALL = WatchSpec(Kind.PREFIX, b"")


def event(number, key=b"k"):
    return Event(key, (b"v", number, number, 1, 0), None, Cause.REQUEST)


class Watched:
    """Three revisions, the second with two events."""

    def __init__(self):
        self.reported = []
        chronicle = Chronicle(lambda kind, _: self.reported.append(kind), lambda: 0.0, [])
        self.past = Past(chronicle)
        self.changes = []
        for number, keys in ((2, [b"k"]), (3, [b"k", b"l"]), (4, [b"k"])):
            events = tuple(event(number, key) for key in keys)
            self.past.changes.append(Revision(number, 0, events))
            self.past.revisions.append(number)
            self.changes += [Change(number, each) for each in events]
        chronicle.revision = 4

    def subscribe(self, spec=ALL, after=1, message_bytes=1 << 20):
        return Subscription(self.past, "w", spec, after, message_bytes)


@pytest.fixture
def watched():
    return Watched()


@pytest.mark.parametrize(
    ("taken", "through", "found"),
    [
        ([0, 1, 2, 3], 4, []),
        ([0], 2, []),
        ([], 1, []),
        ([0, 2], 3, ["watch-gap", "watch-gap"]),
        ([0, 1, 2], 4, ["watch-gap"]),
        ([0, 0], 2, ["watch-repeat"]),
        ([0, 1, 2, 1], 3, ["watch-repeat"]),
        ([0, 1], 2, ["watch-torn"]),
        ([0, 1], 3, ["watch-gap"]),
        ([0, 1, 2, 3], 9, ["watch-ahead"]),
    ],
)
def test_one_response(watched, taken, through, found):
    watched.subscribe().received([watched.changes[at] for at in taken], through)
    assert watched.reported == found


def test_a_large_revision_may_come_in_parts(watched):
    told = watched.subscribe(message_bytes=210)
    told.received(watched.changes[:2], 2)
    told.received(watched.changes[2:], 4)
    assert watched.reported == []
    assert told.events == 4
    told.check_end(4)
    assert watched.reported == []


def test_a_user_that_died_gets_the_whole_revision_again(watched):
    told = watched.subscribe(message_bytes=210)
    told.received(watched.changes[:2], 2)
    told.rewind()
    told.received(watched.changes[1:], 4)
    assert watched.reported == []


def test_only_what_is_wanted_is_owed(watched):
    told = watched.subscribe(WatchSpec(Kind.KEY, b"l"), after=2)
    told.received([watched.changes[2]], 4)
    told.check_end(4)
    assert watched.reported == []


def test_what_comes_before_the_start_is_not_owed(watched):
    told = Subscription(Past(watched.past.chronicle), "w", ALL, 3, 1 << 20)
    told.past.changes, told.past.revisions = watched.past.changes, watched.past.revisions
    told.received([watched.changes[3]], 4)
    assert watched.reported == []


def test_what_never_came(watched):
    told = watched.subscribe()
    told.received(watched.changes[:1], 2)
    told.check_end(2)
    assert watched.reported == ["watch-behind"]
