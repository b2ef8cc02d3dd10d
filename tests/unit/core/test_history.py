"""History against copies of the whole store, one for each revision."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvraft.core.history import Cause, Event, History, Revision
from kvraft.core.history_chunks import EVENT_BYTES
from kvraft.core.keyspace import Keyspace
from kvraft.core.limits import ApplyLimits
from kvraft.core.past_page import PastPage
from kvraft.core.results import KeyValue, Page

LIMITS = ApplyLimits()
KEYS = [b"a", b"aa", b"b", b"c", b"d"]
WHOLE = {"limit": 99, "max_bytes": 9_999, "keys_only": False}

revisions = st.tuples(
    st.dictionaries(st.sampled_from(KEYS), st.none() | st.binary(max_size=20), max_size=4),
    st.integers(0, 40),  # time since the one before
    st.integers(0, 3),  # revisions without events in between
)
tight = st.builds(
    lambda count, ms, size, removals: replace(
        LIMITS,
        history_revisions=count,
        history_ms=ms,
        history_bytes=size * EVENT_BYTES,
        history_removals=removals,
    ),
    st.integers(0, 6),
    st.integers(0, 100),
    st.integers(1, 12),
    st.integers(1, 4),
)


class Store:
    """Keys and history as the machine changes them, and beside it a copy for each revision."""

    def __init__(self):
        self.live, self.history = Keyspace(), History(1)
        self.revision, self.now_ms = 1, 0
        self.copies = {1: {}}
        self.told = []
        self.steps = None

    def write(self, changes, *, later_ms=0, gap=0, cause=Cause.REQUEST):
        for _ in range(gap):
            self.copies[self.revision + 1] = self.copies[self.revision]
            self.revision += 1
        self.revision += 1
        self.now_ms += later_ms
        copy, events = dict(self.copies[self.revision - 1]), []
        for key, value in changes.items():
            before = self.live.get(key)
            if value is None and before is None:
                continue
            record = None
            if value is None:
                copy[key] = None
                self.live.remove(key)
            else:
                created, version = (self.revision, 1) if before is None else before[1:4:2]
                record = (value, created, self.revision, version + (before is not None), 0)
                copy[key] = KeyValue(key, *record)
                self.live.put(key, record)
            events.append(Event(key, record, before, cause))
        self.copies[self.revision] = {key: kept for key, kept in copy.items() if kept is not None}
        told = Revision(self.revision, self.now_ms, tuple(events))
        self.history.append(told)
        if events:
            self.told.append(told)

    def trim(self, limits):
        """Forget as the rule says, one revision after the other; the budget is the history's."""
        self.history.trim(self.now_ms, limits)

    def get(self, key, revision):
        found = self.page(revision, key, key + b"\0").entries
        return found[0] if found else None

    def page(self, revision, start=b"", end=None, **bounds):
        page = PastPage(start, end, revision, **(WHOLE | bounds))
        while not page.read(self.history, self.live, self.steps):
            pass
        return page.page()

    def check(self):
        history = self.history
        compacted = history.compacted_revision
        kept = [each for each in self.told if each.revision > compacted]
        assert history.after(compacted, 99) == kept
        assert history.count == len(kept)
        assert len(history) == sum(len(each.events) for each in kept)
        assert history.size_bytes == sum(map(accounted, kept))
        for revision in range(compacted, self.revision + 1):
            copy = self.copies[revision]
            for key in KEYS:
                assert self.get(key, revision) == copy.get(key)
            entries = tuple(copy[key] for key in sorted(copy))
            assert self.page(revision) == Page(entries, more=False)
            behind = [each for each in kept if each.revision > revision]
            assert history.after(revision, 2) == behind[:2]


def accounted(revision):
    size = 0
    for key, record, before, _ in revision.events:
        values = sum(len(each[0]) for each in (record, before) if each is not None)
        size += len(key) + values + EVENT_BYTES
    return size


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr("kvraft.core.history.HISTORY_CHUNK_BYTES", 3 * EVENT_BYTES)


@given(st.lists(revisions, max_size=25), tight)
def test_every_retained_revision_reads_as_it_was(changes, limits):
    store = Store()
    for written, later_ms, gap in changes:
        store.write(written, later_ms=later_ms, gap=gap)
        store.trim(limits)
        store.check()


@given(st.lists(revisions, max_size=25), tight)
def test_trimming_forgets_the_oldest_and_no_more_than_it_must(changes, limits):
    store = Store()
    kept = []
    for written, later_ms, gap in changes:
        store.write(written, later_ms=later_ms, gap=gap)
        kept = [each for each in store.told if each.revision > store.history.compacted_revision]
        added = len(kept[-1].events) if kept else 0
        budget = limits.history_removals + added + min(added, limits.history_removals)
        if not (kept and kept[-1].revision == store.revision):
            budget = limits.history_removals
        while kept and budget > 0 and beyond(kept, store.now_ms, limits):
            budget -= len(kept.pop(0).events)
        store.trim(limits)
        assert store.history.after(store.history.compacted_revision, 99) == kept


def beyond(kept, now_ms, limits):
    too_many = len(kept) > limits.history_revisions
    too_old = now_ms - kept[0].time_ms > limits.history_ms
    return (too_many and too_old) or sum(map(accounted, kept)) > limits.history_bytes


def test_a_page_at_a_revision_holds_keys_that_are_gone_and_not_those_that_came():
    store = Store()
    store.write({b"a": b"1", b"b": b"2", b"c": b"3"})
    at = store.revision
    store.write({b"b": None, b"aa": b"new"})
    store.write({b"c": None})
    page = store.page(at, limit=2)
    assert ([entry.key for entry in page.entries], page.more) == ([b"a", b"b"], True)
    assert [entry.key for entry in store.page(at, start=b"b\0").entries] == [b"c"]
    assert [entry.key for entry in store.page(at, end=b"c").entries] == [b"a", b"b"]
    assert store.page(at, max_bytes=3).more
    assert len(store.page(at, max_bytes=1).entries) == 1, "a page always holds an entry"
    names = store.page(at, keys_only=True, max_bytes=3)
    assert ([entry.value for entry in names.entries], names.more) == ([b"", b"", b""], False)


def test_events_tell_their_cause_and_what_was_there():
    store = Store()
    store.write({b"a": b"1"})
    store.write({b"a": None}, cause=Cause.EXPIRED, later_ms=7)
    first, second = store.history.after(1, 9)
    assert first.events == (Event(b"a", (b"1", 2, 2, 1, 0), None, Cause.REQUEST),)
    assert second == (3, 7, (Event(b"a", None, (b"1", 2, 2, 1, 0), Cause.EXPIRED),))
    assert second.events[0].cause is Cause.EXPIRED


def test_a_view_is_constant_while_the_history_goes_on():
    store = Store()
    for number in range(20):
        store.write({KEYS[number % 5]: b"%d" % number})
    view = store.history.freeze()
    seen = events_of(view)
    assert len(view) == len(seen) == 20
    nothing = replace(LIMITS, history_bytes=1, history_removals=7)
    for number in range(20):
        store.write({KEYS[number % 3]: b"again", b"c": None})
        store.trim(nothing)
        assert events_of(view) == seen
    assert store.history.compacted_revision == store.revision
    store.check()


def events_of(view):
    return [
        (chunk.revisions[offset], chunk.event(offset))
        for chunk, offsets in view.pieces()
        for offset in offsets
    ]


def test_what_only_a_view_kept_is_freed_in_slices():
    store = Store()
    for number in range(30):
        store.write({KEYS[number % 5]: b""})
    view = store.history.freeze()
    store.trim(replace(LIMITS, history_bytes=1))
    store.history.release(view)
    left = []
    while store.history.discarded:
        left.append(len(store.history.discarded))
        store.history.discard(4)
    assert left == [10, 8, 6, 4, 2], "chunks of 3 events, 2 of them for a budget of 4"
    store.history.discard(4)


def test_one_trim_is_bounded_work():
    """However much is too much, an entry forgets a bounded number, and more than it added."""
    store = Store()
    for _ in range(100):
        store.write({b"a": b"", b"b": b""})
    few = replace(LIMITS, history_bytes=1, history_removals=10)
    store.trim(replace(LIMITS, history_removals=10))  # the end of the entry that wrote all this
    before = len(store.history)
    store.trim(few)
    assert before - len(store.history) == 10
    before = len(store.history)
    store.write(dict.fromkeys(KEYS, b""))
    store.trim(few)
    assert before + 5 - len(store.history) == 20
    before = len(store.history)
    store.write(dict.fromkeys(KEYS, b"x"))
    store.trim(replace(few, history_removals=1))
    assert before + 5 - len(store.history) == 8, "1, 5 and 1 more; then that revision's last"


def test_what_is_forgotten_leaves_nothing_behind():
    store = Store()
    for number in range(50):
        store.write({KEYS[number % 5]: b"x" if number % 3 else None, b"hot": b"%d" % number})
        store.trim(replace(LIMITS, history_revisions=4, history_ms=-1))
        assert len(store.history._chunks) <= 10, "chunks go with the last of their events"
    store.trim(replace(LIMITS, history_bytes=1))
    history = store.history
    assert (len(history), history.count, history.size_bytes) == (0, 0, 0)
    assert not history._chunks


def test_events_share_the_records_of_the_store():
    store = Store()
    for number in range(5):
        store.write({b"key": b"%d" % number})
    events = [event for revision in store.history.after(1, 9) for event in revision.events]
    for event, later in itertools.pairwise(events):
        assert event.record is later.before
    assert events[-1].record is store.live.get(b"key")


@pytest.mark.parametrize("steps", [1, 60])
def test_reads_in_parts_and_between_writes_are_the_same(steps):
    """What is indexed by a read is taken further by the next, whatever came meanwhile."""
    store = Store()
    store.steps = steps
    for number in range(30):
        first, second = KEYS[number % 5], KEYS[number * 3 % 5]
        store.write({first: b"%d" % number, second: None if number % 4 else b"x" * number})
        store.trim(replace(LIMITS, history_bytes=9 * EVENT_BYTES))
        store.check()


def test_the_events_read_at_a_time_are_bounded_but_revisions_stay_whole():
    history = History()
    for revision in range(2, 12):
        record = (b"", revision, revision, 1, 0)
        events = tuple(Event(b"%d" % n, record, None, Cause.REQUEST) for n in range(10))
        history.append(Revision(revision, 0, events))
    assert [len(each.events) for each in history.after(1, 99, events=25)] == [10, 10, 10]
    assert [each.revision for each in history.after(1, 99, events=1)] == [2]
    assert [each.revision for each in history.after(9, 99, events=25)] == [10, 11]
    assert [each.revision for each in history.after(1, 2, events=25)] == [2, 3]
