"""Leases in true time: never early, late by the bound, gone with their keys."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from kvraft.core.codec import encode_entry
from kvraft.core.commands import (
    Acquire,
    Bootstrap,
    Delete,
    DeleteRange,
    Entry,
    Fence,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    LockMode,
    Put,
    Release,
)
from kvraft.core.limits import ApplyLimits
from kvraft.core.machine import StateMachine
from kvraft.replica.batcher import AppliedBatch
from kvraft_chaos.simulation.availability import COMMIT, SAMPLE, Availability
from kvraft_chaos.simulation.chronicle import Chronicle
from kvraft_chaos.simulation.lease_watch import SLACK, Holder, LeaseWatch
from kvraft_client.policy.lease_state import LeaseClock

TTL_MS = 1000


class Run:
    """A state machine, the watch, and a hand on the clock."""

    def __init__(self):
        self.reported = []
        self.now = 0.0
        self.chronicle = Chronicle(lambda kind, _: self.reported.append(kind), lambda: self.now, [])
        self.availability = Availability({})
        self.watch = LeaseWatch(self.chronicle, self.availability)
        self.chronicle.looks_back = self.watch.looks_back
        self.chronicle.listeners.append(self.watch.on_chapter)
        self.machine = StateMachine()
        self.at(0.0, Bootstrap(1, (), ApplyLimits()))

    def at(self, seconds, *commands, stamp_ms=None):
        self.now = seconds
        entry = Entry(int(seconds * 1000) if stamp_ms is None else stamp_ms, commands)
        index = self.machine.index + 1
        before = self.chronicle.before(self.machine, entry)
        batch = AppliedBatch(self.machine.apply(index, entry), self.machine.revisions)
        self.chronicle.write(index, encode_entry(entry), batch, before)
        return index

    def judge(self):
        self.watch.check_alive(self.machine, self.now)
        self.watch.check_early()
        return self.reported


@pytest.fixture
def run():
    return Run()


def test_an_ending_in_time_is_no_finding_and_its_keys_are_known(run):
    index = run.at(0.1, LeaseGrant(TTL_MS, 5))
    run.watch.told(5, TTL_MS, 0.0, index)
    run.at(0.2, Put(b"a", b"1", lease_id=5), Put(b"b", b"2"))
    run.at(1.2)
    assert run.judge() == []
    assert [(each.key, each.revision) for each in run.watch.removals] == [(b"a", 5)]
    assert run.watch.expired == 1


def test_an_ending_before_the_ttl_since_the_sending(run):
    index = run.at(0.1, LeaseGrant(TTL_MS, 5))
    run.watch.told(5, TTL_MS, 0.05, index)
    run.at(0.9, stamp_ms=1100)
    assert run.judge() == ["lease-early"]


def test_an_acknowledgement_that_came_behind_the_ending_counts_for_nothing(run):
    run.at(0.1, LeaseGrant(TTL_MS, 5))
    run.at(1.2)
    again = run.at(1.3, LeaseGrant(TTL_MS, 5))
    run.watch.told(5, TTL_MS, 1.25, again)
    assert run.judge() == []


@pytest.mark.parametrize(("excused", "guilty"), [(0.0, True), (5.0, False)])
def test_an_ending_later_than_the_bound(run, excused, guilty):
    run.at(0.1, LeaseGrant(TTL_MS, 5))
    run.availability.excused += excused
    run.at(0.1 + TTL_MS / 990 + SLACK + 0.1)
    assert run.judge() == (["lease-late"] if guilty else [])


def test_a_lease_that_never_ends(run):
    run.at(0.1, LeaseGrant(TTL_MS, 5))
    run.now = 3.0
    assert run.judge() == ["lease-late"]


def test_a_renewal_moves_the_bound(run):
    run.at(0.1, LeaseGrant(TTL_MS, 5))
    run.at(0.9, LeaseKeepAlive(5))
    run.at(1.9)
    assert run.judge() == []
    assert run.watch.live == {}


def test_an_expiry_under_a_client_that_counts_on_the_lease(run):
    run.at(0.1, LeaseGrant(TTL_MS, 5))
    run.watch.holders[5] = Holder(LeaseClock(TTL_MS / 1000, 1.0), lambda: 1.2)
    run.at(1.2)
    assert run.judge() == ["lease-lost-while-held"]


def test_a_state_that_lost_a_lease(run):
    run.at(0.1, LeaseGrant(TTL_MS, 5))
    run.machine._leases.end(5)
    assert run.judge() == ["lease-table"]


def test_a_state_that_keeps_a_lease_that_was_due(run, monkeypatch):
    run.at(0.1, LeaseGrant(TTL_MS, 5))
    monkeypatch.setattr(StateMachine, "_expire", lambda _self: None)
    run.at(1.2)
    assert "lease-outlived" in run.judge()


@pytest.mark.parametrize(
    "end",
    [
        Delete(b"a"),
        Put(b"a", b"2"),
        Put(b"a", b"2", ttl_ms=5000),
        DeleteRange(b"a", None),
        LeaseRevoke(1),
    ],
)
def test_a_lease_of_a_write_ends_with_its_key(run, end):
    run.at(0.1, Put(b"a", b"1", ttl_ms=TTL_MS))
    assert run.machine.get(b"a").lease_id == 1
    run.at(0.2, end)
    assert 1 not in run.watch.live
    assert run.judge() == []


def test_a_kept_attachment_is_kept(run):
    run.at(0.1, Put(b"a", b"1", ttl_ms=TTL_MS))
    run.at(0.2, Put(b"a", b"2", keep_lease=True))
    assert 1 in run.watch.live
    run.at(1.15)
    assert run.machine.get(b"a") is None
    assert run.judge() == []


def leader(term=1, commit=5, last=5):
    ledger = SimpleNamespace(leading=[term])
    log = SimpleNamespace(last_index=last)
    return SimpleNamespace(
        name="A",
        leads=True,
        term=term,
        paused=False,
        holds=False,
        ledger=ledger,
        log=log,
        commit_index=commit,
    )


@pytest.fixture
def cluster(monkeypatch):
    monkeypatch.setattr("kvraft_chaos.simulation.availability._period", lambda _: 0.25)
    nodes = {"A": leader()}
    availability = Availability(nodes)
    availability.look(0.0)
    assert availability.excused == pytest.approx(0.25 + COMMIT)
    availability.excused = 0.0
    return nodes, availability


def test_a_leader_that_works_excuses_nothing(cluster):
    _, availability = cluster
    availability.look(SAMPLE)
    availability.look(2 * SAMPLE)
    assert availability.excused == 0.0


@pytest.mark.parametrize("change", ["paused", "gone", "stuck", "not ready", "hands over"])
def test_time_without_a_leader_that_works_is_excused(cluster, change):
    nodes, availability = cluster
    if change == "paused":
        nodes["A"].paused = True
    elif change == "gone":
        nodes["A"].leads = False
    elif change == "hands over":
        nodes["A"].holds = True
    elif change == "stuck":
        nodes["A"].log.last_index = 6
    else:
        nodes["A"].ledger.leading = []
    availability.look(1.0)
    assert availability.excused == pytest.approx(1.0)


def test_a_change_of_leader_is_excused_once(cluster):
    nodes, availability = cluster
    nodes["A"] = leader(term=2)
    availability.look(SAMPLE)
    availability.look(2 * SAMPLE)
    assert availability.excused == pytest.approx(0.25 + COMMIT)


# -- of locks

OWN = Acquire(b"own", (b"lock",), ttl_ms=60_000)
WAITS = Acquire(b"waits", (b"lock",), ttl_ms=60_000, wait_ms=500)


@pytest.mark.parametrize(
    "release",
    [Release(b"own", end_lease=True), Release(fence=Fence(b"lock", 1), end_lease=True)],
)
def test_a_lease_of_an_acquisition_goes_with_it_where_that_is_wanted(run, release):
    run.at(0.1, OWN, OWN)
    assert len(run.watch.live) == 1
    run.at(0.2, release)
    assert run.watch.live == {}
    assert run.judge() == []


def test_a_lease_of_an_acquisition_stays_where_nobody_ends_it(run):
    run.at(0.1, OWN)
    run.at(0.2, Release(b"own"))
    assert len(run.watch.live) == 1
    assert run.judge() == []


def test_a_lease_of_an_acquisition_that_comes_to_nothing_goes_with_it(run):
    run.at(0.1, LeaseGrant(60_000, 5), OWN, WAITS)
    assert len(run.watch.live) == 3
    run.at(0.7)
    assert len(run.watch.live) == 2, "the wait is over"
    run.at(10.2)
    assert set(run.watch.live) == {5}, "nobody confirmed"
    assert run.judge() == []


def test_what_the_entry_before_left_over_comes_before_an_ending(run):
    """Grants that are made up for take a revision of their own."""
    run.machine.limits = replace(run.machine.limits, grants_per_entry=1)
    run.at(0.1, LeaseGrant(TTL_MS, 5), LeaseGrant(60_000, 6), Put(b"a", b"1", lease_id=5))
    readers = [Acquire(b"%d" % n, (b"lock",), LockMode.SHARED, lease_id=6) for n in range(3)]
    run.at(0.2, Acquire(b"first", (b"lock",), lease_id=6), *readers)
    run.at(0.3, Release(b"first"))
    run.at(1.2)
    (removed,) = run.watch.removals
    assert removed.revision == run.machine.changes[0].revision
    assert run.judge() == []
