"""The watch hub by hand: who is told what, and when."""

from dataclasses import replace

import pytest
from watch_desk import ALL, SMALL, Desk, FakePast, delete, drain, keys, put

from kvraft.core.errors import Reason
from kvraft.replica.outcomes import Denied
from kvraft.replica.watch_topics import Kind, WatchSpec
from kvraft.replica.watcher import Message, WatchEnd


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_first_message_says_from_which_revision(desk: Desk) -> None:
    desk.write(put(b"a"))
    watcher = desk.open()
    assert drain(watcher) == [Message([], 2, True)]
    desk.write(put(b"b"))
    desk.settle()
    (message,) = drain(watcher)
    assert (keys([message]), message.revision, message.is_mark) == ([b"b"], 3, False)


def test_a_watch_is_called_once_and_only_when_it_waits(desk: Desk) -> None:
    watcher = desk.open()
    drain(watcher)
    desk.write(put(b"a"))
    desk.settle()
    desk.write(put(b"b"))
    desk.settle()
    assert desk.called == {watcher: 1}
    assert keys(drain(watcher)) == [b"a", b"b"]
    desk.write(put(b"c"))
    desk.settle()
    assert desk.called == {watcher: 2}


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        (WatchSpec(Kind.KEY, b"b"), [b"b"]),
        (WatchSpec(Kind.PREFIX, b"b"), [b"b", b"b1", b"b2"]),
        (WatchSpec(Kind.PREFIX, b""), [b"a", b"b", b"b1", b"b2", b"c"]),
        (WatchSpec(Kind.RANGE, b"b1", b"c"), [b"b1", b"b2"]),
        (WatchSpec(Kind.RANGE, b"b1"), [b"b1", b"b2", b"c"]),
        (WatchSpec(Kind.PREFIX, b"", no_deletes=True), [b"a", b"b", b"b1"]),
        (WatchSpec(Kind.PREFIX, b"", no_puts=True), [b"b2", b"c"]),
    ],
)
@pytest.mark.parametrize("from_history", [False, True])
def test_what_is_watched(desk: Desk, spec, wanted, from_history) -> None:
    watcher = None if from_history else desk.open(spec)
    if watcher is not None:
        drain(watcher)
    for event in (put(b"a"), put(b"b"), put(b"b1"), delete(b"b2"), delete(b"c")):
        desk.write(event)
    watcher = watcher or desk.open(spec, start=2)
    desk.settle()
    assert keys(drain(watcher)) == wanted


def test_other_keys_are_not_looked_at(desk: Desk) -> None:
    watchers = [desk.open(WatchSpec(Kind.KEY, b"k%d" % number)) for number in range(5)]
    for watcher in watchers:
        drain(watcher)
    desk.write(put(b"k3"))
    desk.settle()
    assert desk.called == {watchers[3]: 1}
    assert [drain(watcher) for watcher in watchers[:3]] == [[], [], []]


def test_a_closed_watch_leaves_nothing_behind(desk: Desk) -> None:
    for spec in (WatchSpec(Kind.KEY, b"k"), ALL, WatchSpec(Kind.RANGE, b"a", b"z")):
        desk.open(spec).close()
    topics = desk.hub._topics
    assert (len(desk.hub), len(topics)) == (0, 0)
    assert (topics._keys, topics._prefixes, topics._ranges) == ({}, {}, [])


def test_watches_of_the_same_keys_share_each_change(desk: Desk) -> None:
    first, second, narrow = desk.open(), desk.open(), desk.open(WatchSpec(Kind.KEY, b"a"))
    for watcher in (first, second, narrow):
        drain(watcher)
    desk.write(put(b"a"))
    desk.settle()
    got = [drain(watcher)[0].changes[0] for watcher in (first, second, narrow)]
    assert got[0] is got[1] is got[2]


def test_a_revision_is_never_cut_unless_it_is_larger_than_a_message(desk: Desk) -> None:
    watcher = desk.open()
    drain(watcher)
    desk.write(put(b"a"), put(b"b"), put(b"c"))  # 3 x about 200 bytes
    desk.write(put(b"d"), put(b"e"), put(b"f"))
    desk.settle()
    assert [(keys([each]), each.revision) for each in drain(watcher)] == [
        ([b"a", b"b", b"c"], 2),
        ([b"d", b"e", b"f"], 3),
    ]


@pytest.mark.parametrize("from_history", [False, True])
def test_a_revision_larger_than_a_message_comes_in_parts_and_counts_at_the_last(
    desk: Desk, from_history
) -> None:
    watcher = None if from_history else desk.open()
    if watcher is not None:
        drain(watcher)
    desk.write(put(b"0"))
    desk.write(*(put(b"k%d" % number) for number in range(9)), put(b"large", b"x" * 5_000))
    desk.write(put(b"z"))
    watcher = watcher or desk.open(start=2)
    desk.settle()
    messages = [each for each in drain(watcher) if each.changes]
    assert keys(messages) == [b"0", *(b"k%d" % number for number in range(9)), b"large", b"z"]
    for message in messages:
        partial = [each for each in message.changes if each.revision > message.revision]
        assert not partial or partial == message.changes
    assert [message.revision for message in messages][-1] == 4
    assert [message.revision for message in messages].count(2) > 2


def test_a_start_in_the_past_is_read_in_slices_and_goes_on_live(desk: Desk) -> None:
    for number in range(10):
        desk.write(put(b"%d" % number))
        desk.write()  # a revision without events
    watcher = desk.open(start=4)
    assert watcher.is_behind
    got = keys(drain(watcher))
    assert got == [b"%d" % number for number in range(1, 10)]
    assert all(limit == 3 for _, limit in desk.past.asked)
    assert not watcher.is_behind
    desk.write(put(b"live"))
    desk.settle()
    assert keys(drain(watcher)) == [b"live"]


def test_what_happens_during_the_catch_up_comes_once(desk: Desk) -> None:
    for number in range(10):
        desk.write(put(b"%d" % number))
    watcher = desk.open(start=2)
    got = []
    for number in range(10, 30):
        message = watcher.take()
        got += keys([message]) if message else []
        desk.write(put(b"%d" % number))
    desk.settle()
    assert got + keys(drain(watcher)) == [b"%d" % number for number in range(30)]


def test_a_start_in_the_future_waits(desk: Desk) -> None:
    watcher = desk.open(start=4)
    assert drain(watcher) == [Message([], 3, True)]
    for key in (b"2", b"3", b"4", b"5"):
        desk.write(put(key))
        desk.settle()
    assert keys(drain(watcher)) == [b"4", b"5"]


def test_a_compacted_start_is_refused_with_the_oldest(desk: Desk) -> None:
    for _ in range(9):
        desk.write(put(b"k"))
    desk.past.compacted_revision = 5
    outcome = desk.hub.open(ALL, 5, 1_000, lambda: None)
    assert isinstance(outcome, WatchEnd)
    assert (outcome.reason, outcome.oldest_revision) == (Reason.COMPACTED, 6)
    assert len(desk.hub) == 0
    assert len(keys(drain(desk.open(start=6)))) == 5


def test_revision_one_is_the_empty_store(desk: Desk) -> None:
    desk.write(put(b"a"))
    assert keys(drain(desk.open(start=1))) == [b"a"]


def test_a_slow_watch_reads_history_and_the_others_do_not(desk: Desk) -> None:
    slow, fast = desk.open(), desk.open()
    drain(slow), drain(fast)
    got = []
    for number in range(40):
        desk.write(put(b"%d" % number))
        desk.settle()
        got += keys(drain(fast))
    assert desk.past.asked == []
    assert slow.is_behind
    assert desk.hub.fell_behind == 1
    assert got == keys(drain(slow)) == [b"%d" % number for number in range(40)]


def test_a_watch_that_history_has_passed_ends_with_where_to_resume(desk: Desk) -> None:
    slow = desk.open()
    drain(slow)
    desk.write(put(b"first"))
    desk.settle()
    assert keys(drain(slow)) == [b"first"]
    for number in range(40):
        desk.write(put(b"%d" % number))
    desk.past.compacted_revision = 30
    assert drain(slow) == []
    assert slow.ended is not None
    assert (slow.ended.reason, slow.ended.resume_revision, slow.ended.oldest_revision) == (
        Reason.COMPACTED,
        3,
        31,
    )
    assert len(desk.hub) == 0


@pytest.mark.parametrize("drained", [True, False])
def test_an_installed_snapshot_feeds_the_watches_from_its_history(desk: Desk, drained) -> None:
    watcher = desk.open()
    drain(watcher)
    desk.write(put(b"a"))
    desk.settle()
    got = keys(drain(watcher)) if drained else []
    newer = FakePast()
    newer.kept, newer.revision = list(desk.past.kept), desk.past.revision
    newer.write(put(b"b"))
    newer.write(put(b"c"))
    newer.compacted_revision = 2 if drained else 1
    desk.past = newer
    desk.hub.replaced()
    desk.settle()
    assert got + keys(drain(watcher)) == [b"a", b"b", b"c"]
    desk.write(put(b"d"))
    desk.settle()
    assert keys(drain(watcher)) == [b"d"]


def test_a_snapshot_whose_history_begins_above_a_watch_ends_it(desk: Desk) -> None:
    watcher = desk.open()
    drain(watcher)
    desk.past = FakePast()
    desk.past.revision, desk.past.compacted_revision = 90, 80
    desk.hub.replaced()
    desk.settle()
    assert desk.called == {watcher: 1}
    assert drain(watcher) == []
    assert watcher.ended is not None
    assert (watcher.ended.reason, watcher.ended.resume_revision) == (Reason.COMPACTED, 2)


def test_progress_is_marked_when_idle_and_led_only(desk: Desk) -> None:
    watcher = desk.open(WatchSpec(Kind.KEY, b"k"), progress_ms=1_000)
    drain(watcher)
    desk.write(put(b"other"))
    desk.tick(0.5)
    assert drain(watcher) == []
    desk.tick(0.6)
    assert drain(watcher) == [Message([], 2, True)]
    desk.tick(1.1, is_led=False)
    assert drain(watcher) == []
    desk.tick(1.1)
    assert drain(watcher) == [Message([], 2, True)]


def test_an_event_puts_the_next_mark_off(desk: Desk) -> None:
    watcher = desk.open(progress_ms=1_000)
    drain(watcher)
    desk.write(put(b"a"))
    desk.tick(0.9)
    assert keys(drain(watcher)) == [b"a"]
    desk.tick(0.2)
    assert drain(watcher) == []
    desk.tick(0.9)
    assert drain(watcher) == [Message([], 2, True)]


def test_progress_is_marked_before_history_passes_a_watch(desk: Desk) -> None:
    watcher = desk.open(WatchSpec(Kind.KEY, b"k"))
    drain(watcher)
    for _ in range(20):
        desk.write(put(b"other"))
    desk.tick(0.01)
    assert drain(watcher) == []
    desk.past.compacted_revision = 2
    desk.write(put(b"other"))
    desk.tick(0.01)
    assert drain(watcher) == [Message([], 22, True)]


def test_without_a_leader_watches_end_after_a_while_and_none_begins(desk: Desk) -> None:
    watcher = desk.open(WatchSpec(Kind.KEY, b"k"))
    drain(watcher)
    desk.write(put(b"other"))
    desk.tick(2.9, is_led=False)
    assert watcher.ended is None
    desk.tick(0.2, is_led=False)
    assert watcher.ended is not None
    assert (watcher.ended.reason, watcher.ended.resume_revision) == (Reason.NO_QUORUM, 3)
    assert desk.called == {watcher: 1}
    denied = desk.hub.open(ALL, None, 1_000, lambda: None)
    assert isinstance(denied, Denied)
    assert denied.reason is Reason.NO_QUORUM
    desk.tick(0.1)
    drain(desk.open())


def test_a_stop_ends_all_with_where_to_resume(desk: Desk) -> None:
    told, behind = desk.open(), desk.open()
    drain(told), drain(behind)
    for _ in range(3):
        desk.write(put(b"k"))
    desk.settle()
    drain(told)
    desk.hub.stop("n1 is shutting down")
    ends = [watcher.ended.resume_revision for watcher in (told, behind) if watcher.ended]
    assert ends == [5, 2]
    denied = desk.hub.open(ALL, None, 1_000, lambda: None)
    assert isinstance(denied, Denied)
    assert denied.reason is Reason.SHUTTING_DOWN


def test_watches_are_bounded(desk: Desk) -> None:
    for _ in range(5):
        desk.open()
    denied = desk.hub.open(ALL, None, 1_000, lambda: None)
    assert isinstance(denied, Denied)
    assert (denied.reason, denied.retry_after_ms) == (Reason.OVERLOAD, 1_000)
    assert "5 watches" in denied.message


def test_news_go_out_at_once_when_idle_and_are_gathered_when_many_watch() -> None:
    desk = Desk(replace(SMALL, watches=500, watch_wakes=1_000))
    watchers = [desk.open() for _ in range(50)]
    for watcher in watchers:
        drain(watcher)
    desk.write(put(b"a"))
    assert desk.woken
    desk.tick()
    assert len(desk.called) == 50
    assert [keys(drain(watcher)) for watcher in watchers] == [[b"a"]] * 50
    desk.write(put(b"b"))
    desk.tick(0.01)
    desk.write(put(b"c"))
    desk.tick(0.01)
    assert set(desk.called.values()) == {1}
    assert desk.alarms == [pytest.approx(50.05)]
    desk.tick(0.03)
    assert set(desk.called.values()) == {2}
    assert keys(drain(watchers[0])) == [b"b", b"c"]


def test_many_watches_are_woken_over_several_turns(desk: Desk) -> None:
    watchers = [desk.open() for _ in range(5)]
    for watcher in watchers:
        drain(watcher)
    desk.write(put(b"a"))
    reached = []
    for _ in range(3):
        before = desk.woken
        desk.tick()
        reached.append((len(desk.called), desk.woken > before))
    assert reached == [(2, True), (4, True), (5, False)]


def test_what_everybody_took_is_forgotten(desk: Desk) -> None:
    watcher = desk.open()
    drain(watcher)
    for number in range(30):
        desk.write(put(b"%d" % number, b"x" * 100))
        desk.settle()
        drain(watcher)
    assert desk.hub._size_bytes < 1_000


def test_all_buffers_together_are_bounded() -> None:
    desk = Desk(replace(SMALL, watch_total_bytes=2_000))
    specs = [WatchSpec(Kind.KEY, key) for key in (b"a", b"b", b"c")]
    watchers = [desk.open(spec) for spec in specs]
    for watcher in watchers:
        drain(watcher)
    for _ in range(7):
        for spec in specs:
            desk.write(put(spec.start))
            assert desk.hub._size_bytes <= 2_000
    for spec, watcher in zip(specs, watchers, strict=True):
        assert keys(drain(watcher)) == [spec.start] * 7


def test_large_revisions_of_other_keys_are_read_a_few_in_a_turn(desk: Desk) -> None:
    """300,000 events of deleted prefixes were looked at in one turn of the loop: 1.3 s."""
    for _ in range(9):
        desk.past.write(*(put(b"other/%d" % number) for number in range(4)))
    desk.past.write(put(b"mine"))
    watcher = desk.open(WatchSpec(Kind.PREFIX, b"mine"), start=2)
    watcher.take()
    for revision in range(2, 11):
        assert watcher.is_behind
        assert watcher.take() is None
        assert watcher.position == revision
    assert keys(drain(watcher)) == [b"mine"]
    assert not watcher.is_behind
